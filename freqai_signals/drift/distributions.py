"""Binned distributions of columns, and how much a short window of them normally differs.

Feature values and labels are autocorrelated: a calm week is not drift, so thresholds
for independent draws do not apply. The thresholds come from the training data instead, cut into
windows of the same length as the current window of the live comparison.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.rows import spread_rows

BINS: Final = 10
COMPLETE: Final = 0.95
"""Share of a window's rows that must be there: one with a hole differs by its hours alone."""

_MIN_WINDOWS: Final = 12
_EDGE_ROWS: Final = 20_000
# Shares of undrifted windows that may exceed the limits: where drift ends, and where it begins.
_LOWER_SHARE: Final = 3e-3
_DRIFT_SHARE: Final = 1e-4
# Floors of the scales, below those of a thousand independent rows; level in standard deviations.
_MIN_PSI: Final = 0.01
_MIN_KS: Final = 0.03
_MIN_LEVEL: Final = 0.1
_MIN_LIMIT: Final = 0.5

Counts = NDArray[np.float64]


@dataclass(frozen=True)
class DistributionReference:
    """Reference distributions of columns in bins, and limits for the difference of a window.

    Attributes
    ----------
    names
        Columns.
    edges
        Shape ``(k, bins - 1)``, inner edges of the bins, quantiles of a sample of the reference.
    counts
        Shape ``(k, bins)``, rows in each bin.
    center
        Shape ``(k,)``, median of the windows' mean values.
    psi_scale, ks_scale, level_scale
        Shape ``(k,)``, 95 % quantiles over the windows of the reference of PSI, of KS, and of the
        distance of the mean from the center.
    limits
        Shape ``(3, 2)``: lower and drift limits of ``psi`` (mean over columns of PSI / scale),
        ``ks`` (largest KS / scale) and ``level`` (largest distance from the center / scale). The
        last one covers what bins cannot: a slow column, such as volatility, fills different bins in
        every calm week, and a bin does not show how far beyond the outermost edge a value lies.
    window_rows
        Rows in a window.
    step
        Every n-th candle is used, by candle number.
    """

    names: tuple[str, ...]
    edges: NDArray[np.float32]
    counts: Counts
    center: NDArray[np.float64]
    psi_scale: NDArray[np.float64]
    ks_scale: NDArray[np.float64]
    level_scale: NDArray[np.float64]
    limits: NDArray[np.float64]
    window_rows: int
    step: int

    def codes(self, values: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Bin of each value, shape ``(n, k)``."""
        return _codes(values, self.edges)

    def statistics(
        self, counts: Counts, means: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], int]:
        """``psi``, ``ks`` and ``level`` of a window, and the column that differs most.

        Parameters
        ----------
        counts
            Shape ``(k, bins)``.
        means
            Shape ``(k,)``.
        """
        psi = population_stability(counts, self.counts) / self.psi_scale
        ks = kolmogorov_smirnov(counts, self.counts) / self.ks_scale
        level = np.abs(means - self.center) / self.level_scale
        found = np.array([psi.mean(), ks.max(), level.max()])
        most = np.maximum(ks / self.limits[1, 1], level / self.limits[2, 1])
        return found, int(most.argmax())

    def without_level(self) -> "DistributionReference":
        """The same without ``level``, for bounded columns: these cannot leave their bins."""
        limits = self.limits.copy()
        limits[2] = np.inf
        return replace(self, limits=limits)


def population_stability(counts: Counts, reference: Counts) -> NDArray[np.float64]:
    """Population stability index over the last axis; half a row is added to every bin.

    Without this smoothing an empty bin would make the index infinite. The index is the symmetric
    Kullback-Leibler divergence of two binned samples.

    Examples
    --------
    >>> population_stability(np.array([50.0, 50.0]), np.array([50.0, 50.0])).item()
    0.0
    """
    p, q = (_shares(values + 0.5) for values in (counts, reference))
    return np.asarray(((p - q) * np.log(p / q)).sum(axis=-1), dtype=np.float64)


def kolmogorov_smirnov(counts: Counts, reference: Counts) -> NDArray[np.float64]:
    """Kolmogorov-Smirnov statistic over the last axis, evaluated at the edges of the bins."""
    p, q = (np.cumsum(_shares(values), axis=-1) for values in (counts, reference))
    return np.asarray(np.abs(p - q).max(axis=-1), dtype=np.float64)


def distribution_reference(
    names: tuple[str, ...],
    values: NDArray[np.float32],
    rows: tuple[NDArray[np.int64], NDArray[np.int16]],
    window: tuple[int, int],
    edges: NDArray[np.float32] | None = None,
) -> DistributionReference | None:
    """Estimate distributions and limits from the training window.

    Parameters
    ----------
    names
        Names of the columns.
    values
        Shape ``(n, k)``.
    rows
        Candle number and pair of each row, shape ``(n,)`` each.
    window
        Candles of a window, and the step between rows.
    edges
        Inner edges of the bins; by default deciles of a sample of the values.

    Returns
    -------
    DistributionReference or None
        None if the rows make fewer than twelve windows: too few to estimate the limits.
    """
    start, pair = rows
    candles, step = window
    if edges is None:
        grid = np.linspace(0, 1, BINS + 1)[1:-1]
        sampled = values[spread_rows(len(values), _EDGE_ROWS)]
        edges = np.quantile(sampled, grid, axis=0).T.astype(np.float32)
    codes = _codes(values, edges)
    bins = edges.shape[1] + 1
    groups = _groups(start, pair, candles)
    by_grid = [_counts(codes, group, bins) for group in groups]
    windows = np.concatenate(by_grid)
    # Each row is in one window of a grid.
    overall = by_grid[0].sum(axis=0)
    means = np.concatenate([_means(values, group) for group in groups])
    # Live, a window is compared only when it is full.
    complete = windows[:, 0].sum(axis=-1) >= COMPLETE * candles / step
    windows, means = windows[complete], means[complete]
    if len(windows) < _MIN_WINDOWS:
        return None
    psi = population_stability(windows, overall)
    ks = kolmogorov_smirnov(windows, overall)
    center = np.median(means, axis=0)
    level = np.abs(means - center)
    # Full windows of a calendar column are all equal: without a floor a missing candle is drift.
    floors = (_MIN_PSI, _MIN_KS, np.maximum(_MIN_LEVEL * values.std(axis=0), 1e-9))
    scales = [
        np.maximum(np.quantile(kind, 0.95, axis=0), floor)
        for kind, floor in zip((psi, ks, level), floors, strict=True)
    ]
    null = (
        (psi / scales[0]).mean(axis=1),
        (ks / scales[1]).max(axis=1),
        (level / scales[2]).max(axis=1),
    )
    limits = np.array(
        [[_limit(kind, share) for share in (_LOWER_SHARE, _DRIFT_SHARE)] for kind in null]
    )
    psi_scale, ks_scale, level_scale = scales
    return DistributionReference(
        names, edges, overall, center, psi_scale, ks_scale, level_scale, limits,
        max(candles // step, 1), step,
    )  # fmt: skip


def _codes(values: NDArray[np.float32], edges: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Edges of its column that each value is not below, shape ``(n, k)``; all of them for NaN."""
    codes = np.zeros(values.shape, np.uint8)
    for edge in edges.T:
        codes += ~(values < edge)
    return codes


def _counts(codes: NDArray[np.uint8], group: NDArray[np.int64], bins: int) -> Counts:
    """Rows in each bin, shape ``(groups, columns, bins)``."""
    columns = codes.shape[1]
    groups = int(group.max(initial=-1)) + 1
    cell = (group[:, None] * columns + np.arange(columns)) * bins + codes
    flat = np.bincount(cell.ravel(), minlength=groups * columns * bins)
    return flat.reshape(groups, columns, bins).astype(np.float64)


def _groups(
    start: NDArray[np.int64], pair: NDArray[np.int16], candles: int
) -> list[NDArray[np.int64]]:
    """Window of each row, for two grids shifted by half a window: overlap gives more of them."""
    groups = []
    for shift in (0, candles // 2):
        key = pair.astype(np.int64) * (int(start.max()) // candles + 2) + (start + shift) // candles
        groups.append(np.asarray(pd.factorize(key, sort=True)[0], dtype=np.int64))
    return groups


def _means(values: NDArray[np.float32], group: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean of each column in each group, shape ``(groups, columns)``."""
    sums = np.column_stack([np.bincount(group, weights=column) for column in values.T])
    return np.asarray(sums / np.bincount(group)[:, None], dtype=np.float64)


def _limit(null: NDArray[np.float64], share: float) -> float:
    """Value that a share of windows exceeds, by an exponential tail fitted to the highest tenth.

    At least the highest value observed, for drift 10 % more.
    """
    base = float(np.quantile(null, 0.9))
    excess = float((null[null >= base] - base).mean())
    quantile = base + excess * float(np.log(0.1 / share))
    highest = float(null.max()) * (1.1 if share <= _DRIFT_SHARE else 1.0)
    return max(quantile, highest, _MIN_LIMIT)


def _shares(counts: Counts) -> Counts:
    return np.asarray(counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1e-12))
