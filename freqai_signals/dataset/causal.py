"""Causal operators over candle series, each with a window of bounded length.

Every function maps an array of shape ``(n,)`` to one of shape ``(n,)``. The value at row *t* uses
rows *t - window + 1 .. t* only; it is NaN where that window is incomplete. A frame that starts
later therefore gives the same values as the full history, so that a live frame of a thousand
candles matches a backtest.

Arrays of shape ``(n, pairs)`` hold the candles of several pairs at the same times. A running bot
asks for the newest row alone, so of these the operators over windows give only that one: shape
``(1, pairs)``, which numpy spreads over the rows of other arrays. The newest row is the same, but
for what a running sum keeps of older candles: the last bits, unless volumes span many decades.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.indexers import BaseIndexer
from scipy.signal import lfilter

Array = NDArray[np.float64]


def lag(values: Array, candles: int) -> Array:
    """Value ``candles`` rows ago; NaN in the first ``candles`` rows.

    Examples
    --------
    >>> lag(np.array([1.0, 2.0, 3.0]), 1)
    array([nan,  1.,  2.])
    """
    out = np.full(values.shape, np.nan)
    # Beyond the end the stop would be negative, which counts from the other side.
    out[candles:] = values[: max(len(values) - candles, 0)]
    return out


def log_returns(close: Array, candles: int = 1) -> Array:
    """Log return over the last ``candles`` candles, a fraction; NaN in the first rows."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        ratio = close / lag(close, candles)
        return np.asarray(np.log(ratio, out=ratio), dtype=np.float64)


def rolling_mean(values: Array, window: int) -> Array:
    """Mean of the last ``window`` rows."""
    if values.ndim == 2:
        return np.asarray(_newest(values, window).mean(axis=0, keepdims=True), dtype=np.float64)
    return np.asarray(_rolling(values, window).mean(), dtype=np.float64)


def earlier_means(values: Array, window: int, candles: Sequence[int]) -> list[Array]:
    """Means of ``window`` rows that ended so many candles ago, one array for each of these."""
    if values.ndim == 2:
        ends = [max(len(values) - ago, 0) for ago in candles]
        return [rolling_mean(values[:end], window) for end in ends]
    means = rolling_mean(values, window)
    return [lag(means, ago) for ago in candles]


def rolling_std(values: Array, window: int) -> Array:
    """Standard deviation (population) of the last ``window`` rows."""
    if values.ndim == 2:
        return np.asarray(_newest(values, window).std(axis=0, keepdims=True), dtype=np.float64)
    return np.asarray(_rolling(values, window).std(ddof=0), dtype=np.float64)


def rolling_max(values: Array, window: int) -> Array:
    """Largest of the last ``window`` rows."""
    if values.ndim == 2:
        return np.asarray(_newest(values, window).max(axis=0, keepdims=True), dtype=np.float64)
    return np.asarray(_rolling(values, window).max(), dtype=np.float64)


def rolling_min(values: Array, window: int) -> Array:
    """Smallest of the last ``window`` rows."""
    if values.ndim == 2:
        return np.asarray(_newest(values, window).min(axis=0, keepdims=True), dtype=np.float64)
    return np.asarray(_rolling(values, window).min(), dtype=np.float64)


class _Bounds(BaseIndexer):
    """Rows of each window: pandas clips both ends of all, which takes half as long as a mean."""

    window_size: int

    def get_window_bounds(
        self, num_values: int = 0, min_periods: int | None = None, center: bool | None = None,
        closed: str | None = None, step: int | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:  # fmt: skip
        """First row, and the row after the last; pandas asks for no other windows here."""
        end = np.arange(1, num_values + 1)
        start = end - self.window_size
        start[: self.window_size] = 0
        return start, end


def _rolling(values: Array, window: int) -> Any:
    return pd.Series(values, copy=False).rolling(_Bounds(window_size=window), min_periods=window)


def _newest(values: Array, window: int) -> Array:
    """The last ``window`` rows, NaN where they are infinite, as pandas has it, or too few."""
    if len(values) < window:
        return np.full((1, values.shape[1]), np.nan)
    recent = values[-window:]
    return np.where(np.isfinite(recent), recent, np.nan)


def ewma(values: Array, span: int, memory: int) -> Array:
    r"""Exponentially weighted mean of the last ``memory`` rows.

    .. math:: y_t = \frac{\sum_{i=0}^{m-1} (1-a)^i x_{t-i}}{\sum_{i=0}^{m-1} (1-a)^i},
              \qquad a = \frac{2}{\mathrm{span} + 1}

    Parameters
    ----------
    values
        Shape ``(n,)``. Rows whose window contains a NaN are NaN.
    span
        Candles; the usual span of an exponential mean.
    memory
        Candles, the length of the window; older rows have no weight at all.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, NaN in the first ``memory - 1`` rows.

    Examples
    --------
    >>> ewma(np.array([1.0, 1.0, 4.0]), span=1, memory=2)
    array([nan,  1.,  4.])
    """
    decay = 1.0 - 2.0 / (span + 1.0)
    if values.ndim == 2:
        weights = decay ** np.arange(memory - 1, -1, -1.0)[:, None]
        recent = _newest(values, memory)
        mean = (weights * recent).sum(axis=0, keepdims=True)
        return np.asarray(mean * ((1.0 - decay) / (1.0 - decay**memory)), dtype=np.float64)
    # The recursion never forgets a NaN: zeros stand in for it, and its windows are masked below.
    bad = ~np.isfinite(values)
    out = np.asarray(lfilter([1.0], [1.0, -decay], np.where(bad, 0.0, values)), dtype=np.float64)
    # Takes out what is older than the window: a live frame that starts later must give the same.
    out[memory:] -= decay**memory * out[:-memory]
    # The weights of a cut-off window add up to 1 again.
    out *= (1.0 - decay) / (1.0 - decay**memory)
    out[: memory - 1] = np.nan
    # Windows of neighbouring bad rows overlap: one slice a run instead of one a row.
    for run in _runs(np.flatnonzero(bad), memory):
        out[run[0] : run[-1] + memory] = np.nan
    return out


def daily_volatility(close: Array, span: int) -> Array:
    """Volatility per candle: root of the exponential mean of squared log returns.

    Parameters
    ----------
    close
        Shape ``(n,)``, prices. Rows whose window contains a price that is not a positive number are
        NaN.
    span
        Candles; the window is three spans.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, a fraction per candle. Known at the close of row *t*; NaN in the first
        ``3 * span`` rows.
    """
    returns = log_returns(close)
    # The subtraction in ewma leaves a residue, which may lie below 0 in a flat market.
    variance = ewma(np.square(returns, out=returns), span, 3 * span)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0, out=variance), out=variance))


def _runs(positions: NDArray[np.intp], gap: int) -> list[NDArray[np.intp]]:
    """Split ascending positions into groups whose neighbours lie at most ``gap`` rows apart."""
    if not len(positions):
        return []
    return np.split(positions, np.flatnonzero(np.diff(positions) > gap) + 1)
