"""Reference statistics of the training window: margins and feature ranges."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freqai_signals.dataset.rows import spread_rows
from freqai_signals.metrics import Probabilities, margins

_GRID = np.linspace(0.0, 1.0, 1001)
_MAX_EXCESS = 10.0
_CENTRAL = [0.005, 0.995]

_SAMPLED_ROWS = 20_000
"""Ranges and limits are quantiles: of so many rows they are as good as of all."""

# Distances are computed for so many rows at a time: what is made of them stays in the core's cache.
_BLOCK_ROWS = 2_048


@dataclass(frozen=True)
class MarginReference:
    """Quantiles of the margins of the hold-out.

    ``quantiles`` has shape ``(1001,)`` and holds the quantiles 0, 0.001 .. 1.
    """

    quantiles: NDArray[np.float64]

    @classmethod
    def of(cls, probabilities: Probabilities) -> "MarginReference":
        """Estimate the quantiles from calibrated probabilities of the hold-out."""
        return cls(np.quantile(margins(probabilities), _GRID))

    def percentile(self, probabilities: Probabilities) -> NDArray[np.float64]:
        """Share of reference margins below each row's margin, in [0, 1]."""
        values = margins(probabilities)
        return np.asarray(np.searchsorted(self.quantiles, values) / len(self.quantiles)).clip(0, 1)


@dataclass(frozen=True)
class NoveltyReference:
    """Detects rows outside the training distribution; run time is linear in rows.

    A feature's excess is how far a value lies outside the central 99 % of training values, in half
    widths of that range, at most 10; a row's distance is the mean excess of its features.

    Attributes
    ----------
    centre, half_width
        Shape ``(m,)``, middle and half width of the central 99 % of each feature.
    usual
        Distance that 95 % of sampled training rows do not exceed.
    limit
        Distance from which a row is out of distribution.
    """

    centre: NDArray[np.float32]
    half_width: NDArray[np.float32]
    usual: float
    limit: float

    @classmethod
    def of(cls, features: NDArray[np.float32]) -> "NoveltyReference":
        """Estimate the ranges and the quantiles of distance from a sample of training rows."""
        sampled = features[spread_rows(len(features), _SAMPLED_ROWS)]
        low, high = np.quantile(sampled, _CENTRAL, axis=0)
        centre = ((low + high) / 2).astype(np.float32)
        # A constant feature has no width to divide by.
        half_width = np.maximum((high - low) / 2, 1e-6).astype(np.float32)
        raw = cls(centre, half_width, 0.0, 1.0)
        distances = raw.distance(sampled)
        usual, far = np.quantile(distances, [0.95, 0.999])
        # Above ``usual`` in any case: the confidence factor divides by their difference.
        return cls(centre, half_width, float(usual), float(max(2.0 * far, usual + 1e-3)))

    def distance(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Distance of each row, shape ``(n,)``; NaN where a feature is NaN."""
        # NumPy sums a single row in another order, so it gets company; blocks are of equal length.
        if len(features) == 1:
            return self._distance(np.repeat(features, 2, axis=0))[:1]
        blocks = np.array_split(features, max(len(features) // _BLOCK_ROWS, 1))
        return np.concatenate([self._distance(block) for block in blocks])

    def _distance(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        excess = np.abs(features - self.centre) / self.half_width - 1.0
        return np.asarray(np.clip(excess, 0.0, _MAX_EXCESS).mean(axis=1), dtype=np.float64)

    def confidence_factor(self, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        """1 up to the usual distance, falling linearly to 0 at the limit."""
        return np.clip((self.limit - distance) / (self.limit - self.usual), 0.0, 1.0)
