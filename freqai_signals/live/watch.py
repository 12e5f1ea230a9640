"""One pair's monitors and level, updated candle by candle in a running bot."""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd

from freqai_signals.dataset.rows import candle_numbers
from freqai_signals.drift.monitors import DriftState, PairDrift
from freqai_signals.drift.training_reference import MONITORS, WINDOW_DAYS
from freqai_signals.ledger.ledger import Entry
from freqai_signals.ledger.sql_tables import DRIFT_EVENTS, HEALTH
from freqai_signals.live.health import Evidence, Health, next_health, renewed
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.schema import TRUST_COLUMN
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
    features
        Its inputs for that candle, by name.
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
        self.features: dict[str, Any] = {}
        self.candle = 0
        self.health = Health()
        self.version = ""
        self._settings = settings
        self._before: Health | None = None
        self._drift = PairDrift(None)
        self._last_trusted = -1
        self._observed: list[tuple[SignalModel, pd.DataFrame, pd.Series[Any]]] = []
        self._resolved: deque[tuple[int, str]] = deque(maxlen=_REMEMBERED_OUTCOMES)
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

    def observe(
        self, model: SignalModel | None, features: pd.DataFrame, outputs: pd.DataFrame
    ) -> None:
        """Keep inputs of the newest days until :meth:`update_candles`.

        A candle is predicted before it is known to be the newest one, and a bot that starts
        predicts many at once.

        Parameters
        ----------
        model
            The one that made ``outputs``; None where none serves.
        features
            ``date`` and the model's inputs, oldest first.
        outputs
            ``do_predict`` of the same rows.
        """
        self.model = model
        if model is None or features.empty:
            return
        days = WINDOW_DAYS * self._settings.candles_per_day
        monitored = PairDrift(model.drift).feature_names
        names = [name for name in ("date", "volume", *monitored) if name in features]
        self.features = {str(name): value for name, value in features.iloc[-1].items()}
        trust = outputs[TRUST_COLUMN].tail(days)
        self._observed.append((model, features[names].tail(days), trust))

    def follow_model(self, candle: int) -> bool:
        """Reset the monitors if another model predicts now; whether it is another one."""
        if self.model is None or self.model.card.version == self.version:
            return False
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
        return True

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
        for model, features, trust in observed:
            if model is not self.model:
                continue
            numbers = candle_numbers(features["date"], self._settings.candle_seconds)
            inputs = features.reindex(columns=list(self._drift.feature_names))
            values = inputs.to_numpy(np.float32)
            trusted = (trust == 1).to_numpy()
            # Candles that fill a hole have no row in training either.
            real = (features["volume"] > 0).to_numpy() if "volume" in features else trusted
            new = (numbers > model.trained_until) & (numbers <= candle)
            for i in np.flatnonzero(new & trusted):
                self._last_trusted = max(int(numbers[i]), self._last_trusted)
                if real[i]:
                    self._drift.update_candle(int(numbers[i]), values[i])

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
        known = set(self._resolved)
        new = {_key(row): row for row in resolved.rows if _key(row) not in known}
        others = {_key(row): row for row in stored if _key(row) not in known}
        rows = [row for _, row in sorted((others | new).items())]
        self._resolved.extend(_key(row) for row in rows)
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


def _key(row: Mapping[str, Any]) -> tuple[int, str]:
    return row["candle"], row["model_version"]
