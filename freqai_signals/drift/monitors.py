"""Drift monitors: whether live data still resembles the model's training data.

``update`` adds a row, ``warning_detected`` and ``drift_detected`` are the present state: they fall
back when the data does. A monitor's state depends on its model's reference and on a bounded stretch
of the past (losses: all since the model went live), so a restart that feeds the same rows again
reaches the same state.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from freqai_signals.drift.distributions import DistributionReference
from freqai_signals.drift.page_hinkley import PageHinkley
from freqai_signals.drift.training_reference import (
    DriftReference,
    LossReference,
    prediction_columns,
)


class Monitor(Protocol):
    """Read-only state that all monitors have."""

    @property
    def warning_detected(self) -> bool:
        """Whether live data differs more than usual."""

    @property
    def drift_detected(self) -> bool:
        """Whether live data has drifted."""

    @property
    def detail(self) -> str:
        """The statistics behind the state."""


class NoDrift:
    """Detects nothing: drift detection is switched off, or there is no reference."""

    warning_detected = False
    drift_detected = False
    detail = ""

    def update(self, candle: int, values: Any) -> None:
        """Ignore the values."""


class DistributionDrift:
    """Compares the newest stretch of candles with the serving model's reference."""

    def __init__(self, reference: DistributionReference) -> None:
        self._reference = reference
        self._newest = -1
        self._codes: deque[NDArray[np.uint8]] = deque()
        self._values = np.zeros((reference.window_rows, len(reference.names)))
        self._next = 0
        self._counts = np.zeros_like(reference.counts)
        self._columns = np.arange(len(reference.names))
        self._found = np.zeros(len(reference.limits))
        self._worst = 0
        self._drifted = False

    @property
    def is_ready(self) -> bool:
        """Whether a full stretch is known; part of a day would be drift of calendar features."""
        return len(self._codes) == self._reference.window_rows

    @property
    def warning_detected(self) -> bool:
        """Whether any statistic exceeds its limit for a warning."""
        return self._exceeds(0)

    @property
    def drift_detected(self) -> bool:
        """Whether any statistic exceeded its drift limit and a warning has held since.

        So a statistic that fluctuates about its limit is one drift, not many.
        """
        return self._drifted

    @property
    def detail(self) -> str:
        """The statistics as multiples of their drift limits, and the column that differs most."""
        psi, ks, level = self._found / self._reference.limits[:, 1]
        return (
            f"psi {psi:.2f}, ks {ks:.2f}, level {level:.2f} of the limit, most in "
            f"{self._reference.names[self._worst]}"
        )

    def update(self, candle: int, values: NDArray[np.float32]) -> None:
        """Add one row.

        Parameters
        ----------
        candle
            Candle number. Older ones than the newest, and those that the model's training would
            have skipped, are ignored.
        values
            Shape ``(k,)``, in the order of the reference's names; ignored if any is NaN.
        """
        if candle <= self._newest or candle % self._reference.step or np.isnan(values).any():
            return
        self._newest = candle
        codes = self._reference.codes(values[None, :])[0]
        self._codes.append(codes)
        self._counts[self._columns, codes] += 1
        if len(self._codes) > self._reference.window_rows:
            self._counts[self._columns, self._codes.popleft()] -= 1
        self._values[self._next] = values
        self._next = (self._next + 1) % self._reference.window_rows
        if self.is_ready:
            # Not a running sum, which would keep a huge value's rounding error for ever.
            means = self._values.mean(axis=0)
            self._found, self._worst = self._reference.statistics(self._counts, means)
            self._drifted = self._exceeds(1) or (self._drifted and self._exceeds(0))

    def _exceeds(self, level: int) -> bool:
        return self.is_ready and bool((self._found > self._reference.limits[:, level]).any())


class LossDrift:
    """Page-Hinkley test on block means of losses, against those of the model's purged rows.

    The monitored value is the log loss minus the prior's, so that volatile weeks, in which every
    loss is high, do not count against the model.
    """

    def __init__(self, reference: LossReference) -> None:
        self._reference = reference
        self._page = PageHinkley(reference.limit)
        self._block = -1
        self._values: list[float] = []

    @property
    def warning_detected(self) -> bool:
        """Whether half the limit is exceeded."""
        return self._page.warning_detected

    @property
    def drift_detected(self) -> bool:
        """Whether the limit is exceeded."""
        return self._page.drift_detected

    @property
    def detail(self) -> str:
        """The statistic as a multiple of its limit."""
        return f"page-hinkley {self._page.statistic / self._page.limit:.2f} of the limit"

    def update(self, candle: int, excess: float) -> None:
        """Add one scored row; rows come by rising candle number.

        Parameters
        ----------
        candle
            Candle number of the prediction.
        excess
            Its log loss minus that of the prior, nats; known at its event end.
        """
        block = candle // self._reference.block_candles
        if block > self._block:
            self._close()
            self._block = block
        if block == self._block and np.isfinite(excess):
            self._values.append(excess)

    def _close(self) -> None:
        # A block of a few rows varies more than the blocks that the spread was estimated from.
        if len(self._values) >= max(1, self._reference.block_candles // 6):
            mean = float(np.mean(self._values))
            self._page.update((mean - self._reference.mean) / self._reference.spread)
        self._values = []


@dataclass(frozen=True)
class DriftState:
    """Present state of one monitor."""

    detector: str
    warning: bool
    drift: bool
    detail: str


class PairDrift:
    """All monitors of one pair under one model: ``model.drift``, or None for no monitoring."""

    def __init__(self, reference: DriftReference | None) -> None:
        self.reference = reference
        self._features: DistributionDrift | NoDrift = NoDrift()
        self._predictions: DistributionDrift | NoDrift = NoDrift()
        self._labels: DistributionDrift | NoDrift = NoDrift()
        self._losses: LossDrift | NoDrift = NoDrift()
        if reference is not None:
            self._features = _distribution_drift(reference.features)
            self._predictions = _distribution_drift(reference.predictions)
            self._labels = _distribution_drift(reference.labels)
            if reference.losses is not None:
                self._losses = LossDrift(reference.losses)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Features that :meth:`update_candle` takes, in this order."""
        features = self.reference.features if self.reference is not None else None
        return features.names if features is not None else ()

    def update_candle(
        self, candle: int, features: NDArray[np.float32], probabilities: NDArray[np.float64]
    ) -> None:
        """Add a closed candle with a trusted prediction.

        Parameters
        ----------
        candle
            Candle number.
        features
            Shape ``(k,)``, values of :attr:`feature_names`.
        probabilities
            Shape ``(3,)``.
        """
        self._features.update(candle, features)
        self._predictions.update(candle, prediction_columns(probabilities[None, :])[0])

    def update_outcome(self, candle: int, label: int, excess: float) -> None:
        """Add an outcome; outcomes come by rising candle number of their prediction.

        Parameters
        ----------
        candle
            Candle number of the prediction.
        label
            Realised class.
        excess
            Log loss of the prediction minus that of the prior, nats.
        """
        self._labels.update(candle, np.array([label], dtype=np.float32))
        self._losses.update(candle, excess)

    @property
    def states(self) -> tuple[DriftState, ...]:
        """State of each monitor."""
        monitors: tuple[tuple[str, Monitor], ...] = (
            ("features", self._features),
            ("predictions", self._predictions),
            ("labels", self._labels),
            ("losses", self._losses),
        )
        return tuple(
            DriftState(name, m.warning_detected, m.drift_detected, m.detail) for name, m in monitors
        )


def _distribution_drift(reference: DistributionReference | None) -> DistributionDrift | NoDrift:
    return NoDrift() if reference is None else DistributionDrift(reference)
