"""One pair under watch: monitors, rolling live skill and level, kept together candle by candle."""

from collections import deque
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.drift.monitors import PairDrift
from freqai_signals.ledger.ledger import Entry
from freqai_signals.ledger.sql_tables import DRIFT_EVENTS, HEALTH
from freqai_signals.live.health import Evidence, Health, next_health, renewed
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.settings import SignalSettings


class PairWatch:
    """State of one pair in a running bot. Not shared between threads.

    Parameters
    ----------
    pair
        Full name.
    settings
        Those of drift, and the candle length.
    health
        Level before a restart, from the ledger's counter ``health <pair>``.
    """

    def __init__(self, pair: str, settings: SignalSettings, health: Health | None = None) -> None:
        self.pair = pair
        self.health = health or Health()
        self._settings = settings
        self._version = ""
        self._drift = PairDrift(None)
        self._losses: deque[tuple[float, float]] = deque(maxlen=settings.drift.live_skill_rows)
        self._last_trusted = -1

    def serve(self, model: SignalModel, candle: int) -> None:
        """Watch another model, if it is another one; its monitors start afresh."""
        if model.card.version == self._version:
            return
        if self._version:
            self.health = renewed(self.health, candle)
            self._losses.clear()
        self._version = model.card.version
        self._drift = PairDrift(model.drift if self._settings.drift.enabled else None)

    def update_candle(
        self,
        candle: int,
        features: Mapping[str, float] | pd.Series,
        probabilities: NDArray[np.float64],
        trusted: bool,
    ) -> None:
        """Take in a closed candle; after a restart, those of the frame's last days first.

        Parameters
        ----------
        candle
            Candle number.
        features
            Values by name; those that the model uses most are read.
        probabilities
            Shape ``(3,)``.
        trusted
            Whether ``do_predict`` was 1; other rows are not watched.
        """
        if self._last_trusted < 0:
            self._last_trusted = candle
        if not trusted:
            return
        self._last_trusted = max(candle, self._last_trusted)
        names = self._drift.feature_names
        values = np.array([features.get(name, np.nan) for name in names], dtype=np.float32)
        self._drift.update_candle(candle, values, probabilities)

    def update_outcomes(self, outcomes: Entry) -> None:
        """Take in rows of ``outcomes``, oldest first; those of other models are ignored."""
        for row in outcomes.rows:
            if row["realised"] is None or row["model_version"] != self._version:
                continue
            loss, prior = float(row["loss"]), float(row["prior_loss"])
            self._losses.append((loss, prior))
            number = int(row["candle"]) // self._settings.candle_seconds
            self._drift.update_outcome(number, int(row["realised"]), loss - prior)

    def judge(self, candle: int, now: int = 0) -> Entry:
        """Move on to a candle; the entry holds events for the ledger if the level changed.

        Parameters
        ----------
        candle
            Candle number.
        now
            Number of the candle that should have closed by now, if it is a later one.
        """
        before, newest = self.health, max(candle, now)
        evidence = Evidence(
            drift=self._drift.states,
            live_skill=self.live_skill,
            live_rows=self.live_rows,
            stale_candles=newest - self._last_trusted if self._last_trusted >= 0 else 0,
        )
        self.health = next_health(before, candle, evidence, self._settings.drift)
        if self.health.level == before.level:
            return Entry(DRIFT_EVENTS.name, [])
        event = {
            "pair": self.pair,
            "candle": candle * self._settings.candle_seconds,
            "detector": HEALTH,
            "level": str(self.health.level),
            "model_version": self._version,
            "detail": "; ".join(self.health.reasons),
        }
        return Entry(DRIFT_EVENTS.name, [event])

    @property
    def version(self) -> str:
        """Version of the model under watch; empty before the first."""
        return self._version

    @property
    def live_rows(self) -> int:
        """Scored rows that :attr:`live_skill` is about."""
        return len(self._losses)

    @property
    def live_skill(self) -> float:
        """Skill against the prior over the newest scored rows of this model; 0 without any."""
        if not self._losses:
            return 0.0
        loss, prior = np.sum(self._losses, axis=0)
        return float(1.0 - loss / prior)
