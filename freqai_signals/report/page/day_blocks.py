"""Intervals of ratios by resampling blocks of days: rows of one day are not independent."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

RESAMPLES: Final = 1000
FEWEST_BLOCKS: Final = 5
"""With fewer blocks no interval is given: it would be too narrow."""

# Fixed, so that the same rows always give the same page.
_SEED: Final = 20240101


@dataclass(frozen=True)
class Interval:
    """An estimate with a 95 % bootstrap interval; each of shape ``(k,)``.

    ``error`` is the standard error; error, ``low`` and ``high`` are NaN with too few blocks.
    """

    value: Floats
    error: Floats
    low: Floats
    high: Floats


class DayBlocks:
    """Rows grouped into blocks of consecutive UTC days, over all pairs.

    Outcomes of neighbouring candles overlap, pairs move together and calm and lively hours come in
    a row, so rows of a day hold far less than their number.

    Parameters
    ----------
    dates
        Openings of the candles, shape ``(n,)``, UTC.
    block_days
        Length of a block: at least the label's horizon.

    Examples
    --------
    >>> blocks = DayBlocks(pd.date_range("2024-01-01", periods=240, freq="h", tz="UTC"))
    >>> blocks.count, blocks.ratio(np.ones(240), np.full(240, 2.0)).value
    (10, array([0.5]))
    """

    def __init__(self, dates: "pd.Series[pd.Timestamp] | pd.DatetimeIndex", block_days: int = 1):
        stamps = pd.DatetimeIndex(dates).as_unit("s").asi8
        found, self.place = np.unique(stamps // (86_400 * block_days), return_inverse=True)
        self.count = len(found)
        # How often each block is in each resample: a resampled sum is then one matrix product.
        draws = np.random.default_rng(_SEED).multinomial(
            self.count, np.full(self.count, 1.0 / max(self.count, 1)), RESAMPLES
        ) if self.count else np.zeros((RESAMPLES, 0))  # fmt: skip
        self._draws = draws.astype(np.float64)

    def sums(
        self, values: ArrayLike, bins: NDArray[np.integer[Any]] | None = None, k: int = 1
    ) -> Floats:
        """Sum of the rows of each block, shape ``(blocks, k)``; by bin, if rows have one."""
        place = self.place if bins is None else self.place * k + bins
        found = np.bincount(place, weights=np.asarray(values, np.float64), minlength=self.count * k)
        return np.asarray(found.reshape(self.count, k), dtype=np.float64)

    def ratio(self, numerator: ArrayLike, denominator: ArrayLike) -> Interval:
        """Sum over sum of rows, for example a mean; shape ``(1,)``."""
        return self.ratio_of_sums(self.sums(numerator), self.sums(denominator))

    def ratio_of_sums(self, numerator: Floats, denominator: Floats) -> Interval:
        """The same of sums by block, shape ``(blocks, k)`` each; NaN where the divisor is 0."""
        value = _divide(numerator.sum(axis=0), denominator.sum(axis=0))
        drawn = _divide(self._draws @ numerator, self._draws @ denominator)
        # A bin whose rows lie in a few of many blocks knows no more than a span of a few.
        known = (denominator != 0).sum(axis=0) >= FEWEST_BLOCKS
        error, low, high = (np.full_like(value, np.nan) for _ in range(3))
        if known.any():
            error[known] = np.nanstd(drawn[:, known], axis=0)
            low[known], high[known] = np.nanquantile(drawn[:, known], [0.025, 0.975], axis=0)
        return Interval(value, error, low, high)

    def resampled(self, sums: Floats) -> Floats:
        """Sums of each resample, shape ``(resamples, k)``, of sums by block."""
        return np.asarray(self._draws @ sums)


def _divide(numerator: Floats, denominator: Floats) -> Floats:
    safe = np.where(denominator != 0, denominator, 1.0)
    return np.where(denominator != 0, numerator / safe, np.nan)
