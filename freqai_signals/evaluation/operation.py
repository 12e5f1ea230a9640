"""What a dry or live bot does beside predicting: gate, registry, ledger, drift, alerts, in order.

The adapters call it in few lines. Nothing here raises into freqtrade: what goes wrong is logged
once, and trading goes on with what was known before.
"""

import json
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import pandas as pd

from freqai_signals.evaluation.alerts import (
    NORMAL,
    Alerts,
    News,
    ledger_news,
    level_news,
    model_news,
)
from freqai_signals.evaluation.health import Health, action_of
from freqai_signals.evaluation.ledger import Entry, Ledger
from freqai_signals.evaluation.ledger_migration import ledger_url
from freqai_signals.evaluation.ledger_reader import LedgerReader
from freqai_signals.evaluation.ledger_rows import Source, prediction_rows, signal_rows
from freqai_signals.evaluation.ledger_writer import LedgerWriter
from freqai_signals.evaluation.live_quality import LiveQuality, quality_of
from freqai_signals.evaluation.live_watch import LiveWatch
from freqai_signals.evaluation.outcomes import resolve_outcomes
from freqai_signals.models.live_models import LiveModels, ModelEvent
from freqai_signals.models.registry import open_registry
from freqai_signals.models.signal_model import SignalModel
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.decide import DECISION_SIGNAL_COLUMN, NO_SIGNAL
from freqai_signals.signals.message import signal_message
from freqai_signals.signals.record import record_of
from freqai_signals.signals.restraint import Restraint
from freqai_signals.training.rows import TrainingRows, candle_numbers

logger = logging.getLogger(__name__)

T = TypeVar("T")

_QUALITY_DAYS: Final = 7
_QUALITY_CANDLES: Final = 12
_FIRST_CANDLES: Final = 20_000
_LATER_CANDLES: Final = 2_000
_NO_MODEL: Final = "none"


@dataclass
class _Pair:
    """What is remembered of a pair between candles; ``after`` as in ``prediction_rows``.

    ``unsent`` is the candle of a signal whose message a kill prevented, 0 if there is none.
    """

    watch: LiveWatch
    after: int = 0
    unsent: int = 0
    restored: bool = False
    unwritten: list[Entry] = field(default_factory=list)
    quality: LiveQuality = field(default_factory=lambda: LiveQuality(""))
    quality_of_candle: int = -_QUALITY_CANDLES


class LiveOperation:
    """Of one bot. :meth:`promote` may be called in another thread, the rest in the bot's own.

    Parameters
    ----------
    settings
        All of them.
    user_data
        Where registry and ledger are, unless the settings say otherwise.
    bot
        Name in the ledger and in the registry: FreqAI's identifier.
    clock
        Seconds that only rise; how long a database that was away is left alone.
    """

    def __init__(
        self,
        settings: SignalSettings,
        user_data: Path,
        bot: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._bot = bot
        self._models = LiveModels(settings, open_registry(settings.registry, user_data), bot)
        self._asked_training: dict[str, int] = {}
        self._alerts = Alerts(settings.alerts)
        self._alerts_restored = False
        self._pairs: dict[str, _Pair] = {}
        self._logged: set[str] = set()
        self._writer: LedgerWriter | None = None
        self._reader: LedgerReader | None = None
        if settings.ledger.enabled:
            url, limits = ledger_url(settings.ledger, user_data), settings.ledger
            self._writer = LedgerWriter(lambda: Ledger(url), limits.queue_rows, limits.wait_seconds)
            self._reader = LedgerReader(lambda: Ledger(url), limits.wait_seconds, clock)

    # Models

    def promote(self, pair: str, challenger: SignalModel, rows: TrainingRows) -> SignalModel:
        """Let the gate say which model serves; the challenger with the verdict in its card."""
        return self._safely(lambda: self._promote(pair, challenger, rows), challenger)

    def model(self, pair: str, stored: SignalModel | None) -> SignalModel | None:
        """The model that predicts a pair, as gate and operator have it.

        Parameters
        ----------
        pair
            Full name.
        stored
            What FreqAI has; it speaks, unless it was refused, where the registry has nothing.
        """
        return self._safely(lambda: self._models.model(pair, stored), stored)

    def saw(
        self, pair: str, model: SignalModel | None, features: pd.DataFrame, outputs: pd.DataFrame
    ) -> None:
        """Remember what a model was given and what it said, until the candle is judged."""
        self._safely(lambda: self._pair(pair).watch.saw(model, features, outputs), None)

    # Candles

    def judge(self, pair: str, candles: pd.DataFrame, cost: float) -> Restraint:
        """Look at a pair at the close of the newest of its candles, before anything is decided.

        Parameters
        ----------
        pair
            Full name.
        candles
            Closed candles at hand, oldest first.
        cost
            Round-trip cost, a fraction.
        """
        if not candles.empty:
            self._safely(lambda: self._judge(pair, candles, cost), None)
        return self._safely(lambda: self._restraint(pair), Restraint())

    def record(
        self, pair: str, frame: pd.DataFrame, cost: float, send: Callable[[str], Any]
    ) -> None:
        """Write down what was said and decided; then tell the signal, if signals are told."""
        if not frame.empty:
            is_new = self._safely(lambda: self._record(pair, frame, cost), True)
            self._safely(lambda: self._tell(pair, frame.iloc[-1], is_new, send), None)

    def columns(self, pair: str) -> dict[str, float]:
        """Live quality and level for FreqUI, numbers."""
        state = self._pair(pair)
        return state.quality.columns() | {"drift_level": float(state.watch.health.level)}

    def wants_training(self, pair: str) -> bool:
        """Whether to train before the schedule; once per ``resume_candles`` of a pool."""
        return self._safely(lambda: self._wants_training(pair), False)

    def news(self, now: float, pairs: Iterable[str]) -> list[str]:
        """Messages for the operator.

        Parameters
        ----------
        now
            Seconds since 1970.
        pairs
            Those that the bot trades now.
        """
        return self._safely(lambda: self._news(int(now), tuple(pairs)), [])

    def close(self) -> None:
        """Write what waits and let go of the database."""
        if self._writer is not None and self._reader is not None:
            self._safely(self._writer.close, True)
            self._safely(self._reader.close, None)

    # One place for what must not reach freqtrade

    def _safely(self, work: Callable[[], T], otherwise: T) -> T:
        try:
            return work()
        except Exception as error:
            told = repr(error)
            if told not in self._logged:
                self._logged.add(told)
                logger.exception("Trading goes on, but beside it something failed: %s", error)
            return otherwise

    # Candles

    def _promote(self, pair: str, challenger: SignalModel, rows: TrainingRows) -> SignalModel:
        model, found = self._models.promote(pair, challenger, rows)
        said = found.decision
        row = {
            "scope": self._models.scope(pair), "challenger": said.challenger,
            "champion": said.champion, "verdict": str(said.verdict), "reason": said.reason,
            "evidence": json.dumps(dict(said.evidence)),
        }  # fmt: skip
        self._write([Entry("model_decisions", [row])])
        return model

    def _wants_training(self, pair: str) -> bool:
        state, settings = self._pair(pair), self._settings.drift
        if not (settings.enabled and action_of(state.watch.health, settings).retrain):
            return False
        scope, candle = self._models.scope(pair), state.watch.candle
        asked = self._asked_training.get(scope)
        if asked is None:
            asked = self._asked_training[scope] = int(self._counter(f"training {scope}") or 0)
        if candle - asked < settings.resume_candles:
            return False
        self._asked_training[scope] = candle
        self._write([self._counters({f"training {scope}": str(candle)})])
        logger.warning("%s: %s, training before the schedule", pair, state.watch.health.level)
        return True

    def _pair(self, pair: str) -> _Pair:
        if pair not in self._pairs:
            self._pairs[pair] = _Pair(LiveWatch(pair, self._settings))
        return self._pairs[pair]

    def _judge(self, pair: str, candles: pd.DataFrame, cost: float) -> None:
        state, settings = self._pair(pair), self._settings
        seconds = settings.candle_seconds
        watch = state.watch
        candle = int(candle_numbers(candles["date"].tail(1), seconds)[0])
        is_first = not watch.candle
        if not state.restored:
            self._restore(pair, state)
        if watch.serve(candle):
            state.quality_of_candle = -_QUALITY_CANDLES
            self._remember(pair, watch)
        watch.take_candles(candle)
        if self._reader is not None:
            nothing = Entry("outcomes", [])
            recent = candles.tail(_FIRST_CANDLES if is_first else _LATER_CANDLES)
            found = self._reader.ask(
                lambda ledger: resolve_outcomes(ledger, pair, recent, settings, cost), nothing
            )
            state.unwritten.append(watch.take_outcomes(found))
            if candle - state.quality_of_candle >= _QUALITY_CANDLES:
                since = (candle - _QUALITY_DAYS * settings.candles_per_day) * seconds
                state.quality = self._reader.ask(
                    lambda ledger: quality_of(pair, ledger.scored(since, pair)), state.quality
                )
                state.quality_of_candle = candle
        state.unwritten.append(watch.judge(candle))
        watch.candle = candle

    def _restore(self, pair: str, state: _Pair) -> None:
        """Go on where the ledger says that the bot was."""
        if self._reader is None:
            state.restored = True
            return
        found = self._reader.ask(
            lambda ledger: (
                ledger.last_candle(pair, self._bot),
                ledger.counter(self._bot, f"health {pair}"),
                ledger.unsent(pair, self._bot),
            ),
            None,
        )
        if found is None:
            return
        state.restored = True
        state.after, state.unsent = max(state.after, found[0]), found[2]
        if found[1] and self._settings.drift.enabled:
            state.watch.restore(Health.from_json(found[1]))

    def _remember(self, pair: str, watch: LiveWatch) -> None:
        """Outcomes of a model that predicted before, as after a restart or a rollback."""
        if self._reader is not None and watch.model is not None:
            since = watch.model.trained_until * self._settings.candle_seconds
            scored = self._reader.ask(lambda ledger: ledger.scored(since, pair), pd.DataFrame())
            rows: list[dict[Any, Any]] = scored.to_dict("records")
            watch.take_outcomes(Entry("outcomes", rows))

    def _restraint(self, pair: str) -> Restraint:
        health, settings = self._pair(pair).watch.health, self._settings
        if not settings.drift.enabled:
            return Restraint()
        action = action_of(health, settings.drift)
        lowest = settings.decision.lowest_confidence + action.confidence_step
        least = min(lowest, 1.0) if action.confidence_step else 0.0
        since = max(health.since, 0) * settings.candle_seconds
        return Restraint(least, action.reject_reason if action.block_entries else "", since)

    def _record(self, pair: str, frame: pd.DataFrame, cost: float) -> bool:
        """Write a candle down; whether its signal has not been told yet."""
        state, seconds = self._pair(pair), self._settings.candle_seconds
        model, row = state.watch.model, frame.iloc[-1]
        opening = int(candle_numbers(frame["date"].tail(1), seconds)[0]) * seconds
        is_new = opening > state.after
        version = model.card.version if model is not None else _NO_MODEL
        source = Source(
            self._bot, pair, version, model.trained_until if model else 0, seconds, cost,
            *([_prior(model)] if model is not None and model.fit is not None else []),
        )  # fmt: skip
        records = []
        if is_new and model is not None and int(row[DECISION_SIGNAL_COLUMN]) != NO_SIGNAL:
            why = model.contributions(state.watch.features) if state.watch.features else []
            records.append(record_of(pair, row, version, why))
        entries = [
            prediction_rows(frame, source, state.after),
            signal_rows(records, self._bot),
            *state.unwritten,
            self._counters({f"health {pair}": state.watch.health.to_json()}),
        ]
        state.after, state.unwritten = max(state.after, opening), []
        self._write(entries, wait=bool(records))
        return is_new or state.unsent == opening

    def _tell(self, pair: str, row: Any, is_new: bool, send: Callable[[str], Any]) -> None:
        alerts = self._settings.alerts
        text = signal_message(pair, row) if is_new and alerts.enabled else None
        if text is None or not alerts.every_signal:
            return
        send(text)
        model = self._pair(pair).watch.model
        if self._reader is not None and model is not None:
            key = (pair, int(row["date"].timestamp()), model.card.version)
            self._reader.ask(lambda ledger: ledger.mark_sent(*key), None)

    # The operator

    def _news(self, now: int, pairs: tuple[str, ...]) -> list[str]:
        candle = now // self._settings.candle_seconds - 1
        if not self._alerts_restored:
            told = self._counter("alerts")
            self._alerts_restored = told is not None
            if told:
                self._alerts.restore(told)
        known = {pair: self._pairs[pair].watch for pair in pairs if pair in self._pairs}
        for pair, watch in known.items():
            self._judge_silence(pair, watch, candle)
        news = [level_news(pair, watch.health) for pair, watch in known.items()]
        news += [_quality_news(pair, watch) for pair, watch in known.items()]
        news += [_model_news(scope, event) for scope, event in self._models.events.items()]
        news += [_registry_news(*found) for found in self._models.troubles.items()]
        if self._writer is not None and self._reader is not None:
            trouble = self._writer.trouble or self._reader.trouble
            news.append(ledger_news(trouble, self._writer.waiting_rows, self._writer.lost_rows))
        texts = self._alerts.update(candle, news)
        if texts:
            self._write([self._counters({"alerts": self._alerts.to_json()})])
        return texts

    def _judge_silence(self, pair: str, watch: LiveWatch, candle: int) -> None:
        """Where no candle arrives, nobody else would notice."""
        if watch.candle and candle - watch.candle >= self._settings.drift.stale_candles:
            events = watch.judge(candle)
            if events.rows:
                health = self._counters({f"health {pair}": watch.health.to_json()})
                self._write([events, health])

    # The ledger

    def _write(self, entries: list[Entry], wait: bool = False) -> None:
        if self._writer is not None:
            self._writer.record(entries, wait)

    def _counters(self, named: dict[str, str]) -> Entry:
        rows = [{"bot": self._bot, "name": name, "content": text} for name, text in named.items()]
        return Entry("counters", rows)

    def _counter(self, name: str) -> str | None:
        """Content of a counter; None if it cannot be read now."""
        if self._reader is None:
            return ""
        return self._reader.ask(lambda ledger: ledger.counter(self._bot, name), None)


def _prior(model: SignalModel) -> tuple[float, float, float]:
    assert model.fit is not None
    sell, hold, buy = model.fit.prior.tolist()
    return sell, hold, buy


def _quality_news(pair: str, watch: LiveWatch) -> News:
    if not watch.is_poor:
        return News("quality", pair, NORMAL, 0)
    return News("quality", pair, "below its floor", 1, f"live skill {watch.live_skill:+.3f}")


def _model_news(scope: str, event: ModelEvent) -> News:
    if event.event:
        return model_news(scope, event.version, event.event, event.reason)
    return News("model", scope, NORMAL, 0, f"{event.version} accepted")


def _registry_news(scope: str, trouble: str) -> News:
    if not trouble:
        return News("registry", scope, NORMAL, 0)
    return News("registry", scope, "cannot be used", 1, trouble)
