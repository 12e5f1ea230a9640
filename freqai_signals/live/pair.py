"""One pair in a running bot: from the closed candle to rows in the ledger and messages."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final
from zlib import crc32

import numpy as np
import pandas as pd

from freqai_signals.dataset.candles import opening
from freqai_signals.dataset.rows import candle_numbers
from freqai_signals.ledger.candle_rows import Source, prediction_rows, signal_rows
from freqai_signals.ledger.ledger import Entry
from freqai_signals.ledger.outcomes import resolve_outcomes
from freqai_signals.ledger.questions import RecentQuality, recent_quality
from freqai_signals.ledger.sql_tables import OUTCOMES
from freqai_signals.live.health import Health, action_of
from freqai_signals.live.health import until as health_until
from freqai_signals.live.ledger_client import LiveLedger
from freqai_signals.live.pool_quality import PoolQuality
from freqai_signals.live.shared_answers import SharedAnswers, Wanted
from freqai_signals.live.watch import LiveWatch
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.schema import DECISION_SIGNAL_COLUMN, EXPECTED_RETURN_COLUMN
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.column_arrays import Columns
from freqai_signals.signals.decide import NO_SIGNAL
from freqai_signals.signals.health_limits import HealthLimits
from freqai_signals.signals.message import for_chat, signal_message
from freqai_signals.signals.outputs import trade_cost
from freqai_signals.signals.record import record_of, trade_data

_QUALITY_DAYS: Final = 7
_QUALITY_CANDLES: Final = 12
_FIRST_CANDLES: Final = 20_000
_LATER_CANDLES: Final = 2_000
_NO_MODEL: Final = "none"
_DRAWN: Final = ("live_rows", "live_skill", "live_accuracy", "drift_level")
_DRAWN_CANDLES: Final = 5_000
_KEPT_SIGNALS: Final = 20
_NEVER: Final = 2**62


class PairOperation:
    """State of a pair between candles; its methods may raise.

    Attributes
    ----------
    watch
        Monitors and level.
    quality
        Live quality of the last week, for information; the previous one while the ledger cannot be
        read.
    tested
        Test of live quality of all pairs with this pair's model, from which levels follow.
    """

    def __init__(
        self,
        pair: str,
        settings: SignalSettings,
        ledger: LiveLedger,
        answers: SharedAnswers,
        tested: PoolQuality,
        name: str = "",
    ) -> None:
        self.pair = pair
        self.watch = LiveWatch(pair, settings)
        self.quality = RecentQuality()
        self.tested = tested
        self._settings = settings
        self._ledger = ledger
        self._answers = answers
        self._name = name or ledger.bot
        # Openings of the newest recorded candle, and of a signal whose message a kill prevented.
        self._after = 0
        self._unsent = 0
        self._restored = False
        self._unwritten: list[Entry] = []
        # Number of the newest rows handed to the ledger, and the candles (from, before) of which
        # it has named every prediction that has no outcome.
        self._written = answers.start
        self._listed = (_NEVER, 0)
        self._quality_candle = -_QUALITY_CANDLES
        # What is drawn of a candle is at the remainder of its number, which tells whose it is.
        self._drawn = np.full((_DRAWN_CANDLES, len(_DRAWN)), np.nan)
        self._drawn_of = np.full(_DRAWN_CANDLES, -1, np.int64)
        self._opened_by: dict[int, dict[str, Any]] = {}

    def judge(self, candles: pd.DataFrame, cost: float) -> None:
        """Monitor the newest candle and the outcomes known by now; move the level."""
        watch = self.watch
        candle = opening(candles) // self._settings.candle_seconds
        # At first, and until the ledger has answered, as far back as a bot may have been away.
        most = _LATER_CANDLES if self._listed[1] else _FIRST_CANDLES
        if not self._restored:
            self._restore(candle)
        watch.follow_model(candle)
        watch.update_candles(candle)
        if self._ledger.enabled:
            # Not tail(), which copies.
            self._unwritten.append(self._outcomes(candles.iloc[-most:], candle, cost))
            self._look_back(candle)
        self._unwritten += self.tested.update(watch.model, candle)
        self._unwritten.append(watch.judge(candle, self.tested.states(watch.version)))
        watch.candle = candle
        found = self.quality
        level = float(watch.health.level)
        place = candle % _DRAWN_CANDLES
        self._drawn[place] = found.rows, found.skill, found.accuracy, level
        self._drawn_of[place] = candle

    def columns(self, frame: pd.DataFrame) -> Columns:
        """Live quality of the week and level at each candle's close.

        Parameters
        ----------
        frame
            With ``date``.

        Returns
        -------
        Columns
            A value a row: ``live_rows``, ``live_skill``, ``live_accuracy`` and
            ``drift_level``, NaN at candles that this bot has not judged since its start and where
            nothing is scored yet.
        """
        numbers = candle_numbers(frame["date"], self._settings.candle_seconds)
        places = numbers % _DRAWN_CANDLES
        rows = self._drawn[places]
        rows[self._drawn_of[places] != numbers] = np.nan
        return dict(zip(_DRAWN, rows.T, strict=True))

    def _restore(self, candle: int) -> None:
        """Continue from the ledger's state of this bot and pair."""
        if not self._ledger.enabled:
            self._restored = True
            return
        # Rows of a candle that was dated ahead of its time would hold up all until then.
        until = candle * self._settings.candle_seconds
        found = self._ledger.ask(
            lambda ledger: (
                ledger.last_candle(self.pair, self._ledger.bot, until),
                ledger.counter(self._ledger.bot, f"health {self.pair}"),
                ledger.unsent(self.pair, self._ledger.bot),
            ),
            None,
        )
        if found is None:
            return
        self._restored = True
        self._after, self._unsent = max(self._after, found[0]), found[2]
        if found[1] and self._settings.drift.enabled:
            self.watch.restore(health_until(Health.from_json(found[1]), candle))

    def _outcomes(self, candles: pd.DataFrame, candle: int, cost: float) -> Entry:
        """Pass outcomes that are known by now to the monitors; the new ones, to be written."""
        settings, watch = self._settings, self.watch
        seconds = settings.candle_seconds
        oldest = opening(candles, 0)
        begin, end = self._listed
        # Where candles begin later than the list ends, none of those between was asked for.
        begin, first = (begin, end) if begin <= oldest <= end else (oldest, oldest)
        until = (candle - settings.label_horizon_candles) * seconds
        wanted = Wanted(watch.version, first, until, watch.outcomes_since, self._written)
        answer = self._answers.answer(self.pair, wanted)
        if answer is None:
            return Entry(OUTCOMES.name, [])
        found = resolve_outcomes(answer.waiting, candles, settings, cost)
        new = watch.update_outcomes(found, answer.stored)
        # Else a row that was not written yet would never be asked for again.
        if answer.is_complete:
            first = until + seconds
            self._listed = (begin, first)
        self._answers.expect(self.pair, replace(wanted, first=first, since=watch.outcomes_since))
        return new

    def _look_back(self, candle: int) -> None:
        """Sum up the last week now and then, each pair at candles of its own."""
        if candle - self._quality_candle < _QUALITY_CANDLES:
            return
        settings = self._settings
        since = (candle - _QUALITY_DAYS * settings.candles_per_day) * settings.candle_seconds
        self.quality = self._ledger.ask(
            lambda ledger: recent_quality(ledger, self.pair, since), self.quality
        )
        is_first = self._quality_candle < 0
        self._quality_candle = candle
        if is_first:
            self._quality_candle -= crc32(self.pair.encode()) % _QUALITY_CANDLES

    def health_limits(self) -> HealthLimits:
        """Limits that the level puts on decisions."""
        health, settings = self.watch.health, self._settings
        if not settings.drift.enabled:
            return HealthLimits()
        action = action_of(health, settings.drift)
        since = max(health.since, 0) * settings.candle_seconds
        blocked = action.reject_reason if action.block_entries else ""
        return HealthLimits(blocked, since)

    def record(self, frame: pd.DataFrame, cost: float) -> bool:
        """Write a candle to the ledger; whether its signal has not been sent yet."""
        model, newest = self.watch.model, opening(frame)
        is_new = newest > self._after
        source = self._source(cost)
        records = []
        if is_new and model is not None and _signal(frame) != NO_SIGNAL:
            row = frame.iloc[-1]
            features = self.watch.features
            drivers = model.contributions(features) if features else []
            made = record_of(self.pair, row, source.model_version, drivers)
            records.append(made)
            # An order fills, or is given up, within a few candles.
            kept = list(self._opened_by.items())[-_KEPT_SIGNALS:]
            data = trade_data(made, float(row[EXPECTED_RETURN_COLUMN]))
            self._opened_by = {**dict(kept), newest: data}
        entries = [
            prediction_rows(frame, source, self._after),
            signal_rows(records, self._ledger.bot),
            *self._unwritten,
            self._ledger.counters({f"health {self.pair}": self.watch.health.to_json()}),
        ]
        self._after, self._unwritten = max(self._after, newest), []
        # Whoever reads a signal's message must find its row.
        self._ledger.write(entries, wait=bool(records))
        self._written = self._ledger.newest
        return is_new or self._unsent == newest

    def trade_data(self, opened: int) -> dict[str, Any]:
        """What a trade keeps of the signal on the candle of this opening; empty if not known."""
        return self._opened_by.get(opened, {})

    def _source(self, cost: float) -> Source:
        model, seconds = self.watch.model, self._settings.candle_seconds
        if model is None:
            return Source(self._ledger.bot, self.pair, _NO_MODEL, 0, seconds, cost)
        paid = trade_cost(model, self.pair, cost)
        source = Source(
            self._ledger.bot, self.pair, model.card.version, model.trained_until, seconds, paid
        )
        if model.fit is None:
            return source
        return replace(source, prior=_prior(model), new_pair=self.pair not in model.card.pairs)

    def send_signals(self, frame: pd.DataFrame, is_new: bool, send: Callable[[str], Any]) -> None:
        """Send the newest signal's message, if signals are sent, and note that it was."""
        alerts = self._settings.alerts
        if not (is_new and alerts.enabled and alerts.every_signal):
            return
        text = signal_message(self.pair, frame.iloc[-1])
        if text is None:
            return
        send(for_chat(f"{self._name}: {text}"))
        model = self.watch.model
        if self._ledger.enabled and model is not None:
            key = (self.pair, opening(frame), model.card.version)
            self._ledger.ask(lambda ledger: ledger.mark_sent(*key), None)


def _signal(frame: pd.DataFrame) -> int:
    return int(frame[DECISION_SIGNAL_COLUMN].array[-1])


def _prior(model: SignalModel) -> tuple[float, float, float]:
    assert model.fit is not None
    sell, hold, buy = model.fit.prior.tolist()
    return sell, hold, buy
