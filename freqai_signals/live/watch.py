"""One pair's monitors and level, updated candle by candle in a running bot."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.rows import candle_numbers
from freqai_signals.drift.monitors import DriftState, PairDrift
from freqai_signals.drift.training_reference import MONITORS, WINDOW_DAYS
from freqai_signals.ledger.ledger import Entry
from freqai_signals.ledger.sql_tables import DRIFT_EVENTS, HEALTH
from freqai_signals.live.health import Evidence, Health, next_health, renewed
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.settings import SignalSettings

logger = logging.getLogger(__name__)

_REMEMBERED_OUTCOMES: Final = 5_000


class LiveWatch:
    """State of one pair. Not shared between threads.

    Attributes
    ----------
    pair
        Full name.
    model
        The one that predicted the newest candle; None before the first.
    candle
        Number of the newest candle that was judged; 0 before the first.
    health
        Level of the pair and its reasons.
    version
        Version of the monitored model; empty before the first.
    """

    def __init__(self, pair: str, settings: SignalSettings) -> None:
        self.pair = pair
        self.model: SignalModel | None = None
        self.candle = 0
        self.health = Health()
        self.version = ""
        self._settings = settings
        self._before: Health | None = None
        self._drift = PairDrift(None)
        self._last_trusted = -1
        self._inputs = pd.DataFrame()
        self._monitored = _Places((), pd.Index([]), np.empty(0, np.intp))
        self._observed: list[_Observed] = []
        # Ordered, as a dictionary is.
        self._resolved: dict[tuple[int, str], None] = {}
        self._newest_outcome = 0

    @property
    def outcomes_since(self) -> int:
        """Opening (seconds since 1970) of the oldest candle whose outcome may still be unknown.

        At first the end of the model's training; later a horizon before the newest known outcome,
        since another bot with the same model may write its rows a little later.
        """
        seconds = self._settings.candle_seconds
        trained = self.model.trained_until if self.model is not None else 0
        late = self._newest_outcome - self._settings.label_horizon_candles * seconds
        return max(trained * seconds, late)

    def restore(self, health: Health) -> None:
        """Continue at the level from before a restart, unless a worse one was found meanwhile."""
        if health.level >= self.health.level:
            self.health = health

    @property
    def features(self) -> dict[str, Any]:
        """Inputs of the model for the newest candle, by name; empty before the first."""
        return {str(name): self._inputs[name].iloc[0] for name in self._inputs}

    def observe(
        self, model: SignalModel | None, candles: pd.DataFrame, features: pd.DataFrame,
        trust: NDArray[np.int64],
    ) -> None:  # fmt: skip
        """Keep inputs of the newest days until :meth:`update_candles`.

        A candle is predicted before it is known to be the newest one, and a bot that starts
        predicts many at once.

        Parameters
        ----------
        model
            The one that predicted; None where none serves.
        candles
            ``date`` and ``volume``, oldest first.
        features
            The model's inputs of the same rows.
        trust
            ``do_predict`` of the same rows.
        """
        self.model = model
        if model is None or features.empty:
            return
        # A copy: a row of FreqAI's frame would keep all of it.
        self._inputs = features.iloc[-1:].copy()
        days = slice(-WINDOW_DAYS * self._settings.candles_per_day, None)
        numbers = candle_numbers(candles["date"].iloc[days], self._settings.candle_seconds)
        # Candles that fill a hole have no row in training either.
        traded = candles["volume"].to_numpy()[days] > 0
        values = self._monitored_values(model, features.iloc[days])
        self._observed.append(_Observed(model, numbers, trust[days] == 1, traded, values))

    def _monitored_values(self, model: SignalModel, features: pd.DataFrame) -> NDArray[np.float32]:
        """What the monitors of features need of them."""
        drift = model.drift if self._settings.drift.enabled else None
        names = drift.features.names if drift is not None and drift.features is not None else ()
        if len(features) > 1:
            return features.reindex(columns=list(names)).to_numpy(np.float32)
        if not self._monitored.are_of(names, features.columns):
            places = features.columns.get_indexer(pd.Index(names))
            self._monitored = _Places(names, features.columns, places)
        places = self._monitored.places
        row = features.to_numpy()[:, places]
        return np.where(places < 0, np.nan, row).astype(np.float32)

    def follow_model(self, candle: int) -> None:
        """Reset the monitors if another model predicts now."""
        if self.model is None or self.model.card.version == self.version:
            return
        if self.version:
            self._before = self._before or self.health
            self.health = renewed(self.health, candle)
        enabled = self._settings.drift.enabled
        self.version = self.model.card.version
        self._drift = PairDrift(self.model.drift if enabled else None)
        self._resolved.clear()
        self._newest_outcome = 0
        unmonitored = MONITORS if self.model.drift is None else self.model.drift.unmonitored
        if unmonitored and self.model.fit is not None and enabled:
            logger.warning(
                "%s: drift of %s is not monitored: the training window of model %s is too short to "
                "learn what is normal; use a longer freqai.train_period_days or "
                "data_split_parameters.test_size",
                self.pair,
                ", ".join(unmonitored),
                self.version,
            )

    def update_candles(self, candle: int) -> None:
        """Pass what was observed up to a candle to the monitors, but for the model's training rows.

        Parameters
        ----------
        candle
            Number of the newest closed candle.
        """
        if self._last_trusted < 0:
            # A pair that was never predicted is silent from its first candle on.
            self._last_trusted = candle
        observed, self._observed = self._observed, []
        for seen in observed:
            if seen.model is not self.model:
                continue
            new = (seen.numbers > seen.model.trained_until) & (seen.numbers <= candle)
            for i in np.flatnonzero(new & seen.trusted):
                self._last_trusted = max(int(seen.numbers[i]), self._last_trusted)
                if seen.traded[i]:
                    self._drift.update_candle(int(seen.numbers[i]), seen.values[i])

    def update_outcomes(self, resolved: Entry, stored: Sequence[Mapping[str, Any]]) -> Entry:
        """Compare outcomes with the training data; returns those that are to be written.

        Parameters
        ----------
        resolved
            Outcomes of this bot's predictions. A slow ledger may list a prediction as unresolved
            more than once; it counts once.
        stored
            Outcomes in the ledger since :attr:`outcomes_since`: from before a restart or a
            rollback, or of another bot with the same model.
        """
        known = self._resolved
        new = {_key(row): row for row in resolved.rows if _key(row) not in known}
        others = {_key(row): row for row in stored if _key(row) not in known}
        rows = [row for _, row in sorted((others | new).items())]
        known.update(dict.fromkeys(map(_key, rows)))
        for key in list(islice(known, max(len(known) - _REMEMBERED_OUTCOMES, 0))):
            del known[key]
        for row in rows:
            if row["model_version"] != self.version:
                continue
            self._newest_outcome = max(self._newest_outcome, row["candle"])
            if row["realised"] is not None:
                number = int(row["candle"]) // self._settings.candle_seconds
                self._drift.update_outcome(number, int(row["realised"]))
        return Entry(resolved.table, list(new.values()))

    def judge(self, candle: int, quality: Sequence[DriftState] = (), now: int = 0) -> Entry:
        """Move the level to a candle; the entry holds an event for the ledger if it changed.

        Parameters
        ----------
        candle
            Candle number.
        quality
            Tests of the pool's live quality; see :mod:`~freqai_signals.live.pool_quality`.
        now
            Number of the candle that should have closed by now, if it is a later one.
        """
        if not self._settings.drift.enabled:
            return Entry(DRIFT_EVENTS.name, [])
        # An alarm that is about the new model too goes on: it did not begin with that model.
        before, self._before = self._before or self.health, None
        newest = max(candle, now)
        evidence = Evidence(
            drift=self._drift.states,
            quality=quality,
            stale_candles=newest - self._last_trusted if self._last_trusted >= 0 else 0,
        )
        self.health = next_health(self.health, candle, evidence, self._settings.drift)
        if self.health.level == before.level:
            self.health = replace(self.health, since=before.since)
            return Entry(DRIFT_EVENTS.name, [])
        event = {
            "pair": self.pair,
            "candle": candle * self._settings.candle_seconds,
            "detector": HEALTH,
            "level": str(self.health.level),
            "model_version": self.version,
            "detail": "; ".join(self.health.reasons),
        }
        return Entry(DRIFT_EVENTS.name, [event])

    def judge_silence(self, now: int, quality: Sequence[DriftState] = ()) -> Entry:
        """Judge a candle that is overdue; may be repeated, and the candle still counts later.

        Parameters
        ----------
        now
            Number of the candle that should have closed by the clock, which may be wrong.
        quality
            As for :meth:`judge`.
        """
        events = self.judge(self.candle + 1, quality, now)
        self.health = replace(self.health, candle=self.candle)
        return events


@dataclass(frozen=True)
class _Places:
    """Where the monitored features are, -1 where they are not: pandas finds them slowly."""

    names: Sequence[str]
    columns: pd.Index
    places: NDArray[np.intp]

    def are_of(self, names: Sequence[str], columns: pd.Index) -> bool:
        """Whether these are the very names and columns that the places were found for."""
        return self.names is names and self.columns.is_(columns)


@dataclass(frozen=True)
class _Observed:
    """Candles that a model predicted: their numbers, and what the monitors take of them."""

    model: SignalModel
    numbers: NDArray[np.int64]
    trusted: NDArray[np.bool_]
    traded: NDArray[np.bool_]
    values: NDArray[np.float32]


def _key(row: Mapping[str, Any]) -> tuple[int, str]:
    return row["candle"], row["model_version"]
