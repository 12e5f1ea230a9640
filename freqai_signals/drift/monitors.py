"""Drift monitors: whether live data still resembles the model's training data.

``update`` adds a row; ``drift_detected`` is the current state and resets when the data returns to
normal. The state depends on the model's reference and on a window of past
rows, so replaying the same rows after a restart gives the same state.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from freqai_signals.drift.distributions import COMPLETE, DistributionReference
from freqai_signals.drift.training_reference import DriftReference


class Monitor(Protocol):
    """Read-only state that all monitors have."""

    @property
    def drift_detected(self) -> bool:
        """Whether live data has drifted."""

    @property
    def detail(self) -> str:
        """The statistics behind the state."""


class NoDrift:
    """Detects nothing: drift detection is switched off, or there is no reference."""

    drift_detected = False
    detail = ""

    def update(self, candle: int, values: Any) -> None:
        """Ignore the values."""


class DistributionDrift:
    """Compares the current window of candles with the serving model's reference."""

    def __init__(self, reference: DistributionReference) -> None:
        self._reference = reference
        self._newest = -1
        self._codes: deque[NDArray[np.uint8]] = deque()
        self._candles: deque[int] = deque(maxlen=reference.window_rows)
        self._values = np.zeros((reference.window_rows, len(reference.names)))
        self._next = 0
        self._counts = np.zeros_like(reference.counts)
        self._columns = np.arange(len(reference.names))
        self._found = np.zeros(len(reference.limits))
        self._worst = 0
        self._drifted = False

    @property
    def is_ready(self) -> bool:
        """Whether the window is full and has no hole, like those that the limits come from."""
        rows, step = self._reference.window_rows, self._reference.step
        longest = rows * step / COMPLETE
        return len(self._codes) == rows and self._newest + step - self._candles[0] <= longest

    @property
    def drift_detected(self) -> bool:
        """Whether any statistic exceeded its drift limit and one its lower limit ever since.

        With this hysteresis a statistic that fluctuates around its limit is one drift, not many.
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
            Candle number. Rows that are not newer than the last one, and those that training would
            have skipped, are ignored.
        values
            Shape ``(k,)``, in the order of the reference's names; ignored if any is NaN.
        """
        if candle <= self._newest or candle % self._reference.step or np.isnan(values).any():
            return
        self._newest = candle
        codes = self._reference.codes(values[None, :])[0]
        self._codes.append(codes)
        self._candles.append(candle)
        self._counts[self._columns, codes] += 1
        if len(self._codes) > self._reference.window_rows:
            self._counts[self._columns, self._codes.popleft()] -= 1
        self._values[self._next] = values
        self._next = (self._next + 1) % self._reference.window_rows
        if self.is_ready:
            # Not a running sum, which would keep the rounding error of a huge value forever.
            means = self._values.mean(axis=0)
            self._found, self._worst = self._reference.statistics(self._counts, means)
        self._drifted = self._exceeds(1) or (self._drifted and self._exceeds(0))

    def _exceeds(self, level: int) -> bool:
        return self.is_ready and bool((self._found > self._reference.limits[:, level]).any())


@dataclass(frozen=True)
class DriftState:
    """Current state of one monitor."""

    detector: str
    drift: bool
    detail: str


class PairDrift:
    """All monitors of one pair under one model: ``model.drift``, or None for no monitoring."""

    def __init__(self, reference: DriftReference | None) -> None:
        self.reference = reference
        self._features: DistributionDrift | NoDrift = NoDrift()
        self._labels: DistributionDrift | NoDrift = NoDrift()
        if reference is not None:
            self._features = _distribution_drift(reference.features)
            self._labels = _distribution_drift(reference.labels)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Features that :meth:`update_candle` takes, in this order."""
        features = self.reference.features if self.reference is not None else None
        return features.names if features is not None else ()

    def update_candle(self, candle: int, features: NDArray[np.float32]) -> None:
        """Add a closed candle with a trusted prediction.

        Parameters
        ----------
        candle
            Candle number.
        features
            Shape ``(k,)``, values of :attr:`feature_names`.
        """
        self._features.update(candle, features)

    def update_outcome(self, candle: int, label: int) -> None:
        """Add an outcome; outcomes arrive in order of their prediction's candle number.

        Parameters
        ----------
        candle
            Candle number of the prediction.
        label
            Realised class.
        """
        self._labels.update(candle, np.array([label], dtype=np.float32))

    @property
    def states(self) -> tuple[DriftState, ...]:
        """State of each monitor."""
        monitors: tuple[tuple[str, Monitor], ...] = (
            ("features", self._features),
            ("labels", self._labels),
        )
        return tuple(DriftState(name, m.drift_detected, m.detail) for name, m in monitors)


def _distribution_drift(reference: DistributionReference | None) -> DistributionDrift | NoDrift:
    return NoDrift() if reference is None else DistributionDrift(reference)
