r"""Bid-ask spread from candles, for the cost of orders that cross it.

The estimator is EDGE of Ardia, Guidotti and Kroencke: of those that need only open, high, low and
close it is the one whose bias stays small where few trades make a candle and prices do not move
between candles, which is the rule for coins; Corwin-Schultz and Abdi-Ranaldo assume continuous
trading. It estimates the square of the spread, which may come out negative where the spread is too
small to be seen, so squares are averaged over days and the root is taken of the mean.

References
----------
Ardia, Guidotti, Kroencke, "Efficient estimation of bid-ask spreads from open, high, low, and close
prices", Journal of Financial Economics 161 (2024).
"""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.causal import Array

_PRICES: Final = ("open", "high", "low", "close")
_FEWEST: Final = 24
"""Candles of a block at least: a day of hourly candles."""

UNKNOWN_SPREAD: Final = 0.001
"""Where no candle shows a pair's spread, a fraction: wider than that of any liquid coin."""


def spread_squares(
    candles: pd.DataFrame, numbers: NDArray[np.int64], candles_per_day: int
) -> Array:
    """Squared spread of the last whole UTC day before each row's own, shape ``(n,)``.

    Parameters
    ----------
    candles
        With ``open``, ``high``, ``low``, ``close``, oldest first.
    numbers
        Shape ``(n,)``, candle numbers (seconds since 1970 divided by the candle length).
    candles_per_day
        Candles in 24 hours; days of fewer than 24 candles are taken together.

    Returns
    -------
    numpy.ndarray
        Squares of fractions, signed; NaN where the day before is not complete in ``candles``, has a
        price that is not positive, or did not trade. Known before the row's own day begins.
    """
    length = max(candles_per_day, _FEWEST)
    day = numbers // length
    out = np.full(len(numbers), np.nan)
    if not len(numbers):
        return out
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = [np.log(candles[name].to_numpy(np.float64, na_value=np.nan)) for name in _PRICES]
    days, first, count = np.unique(day, return_index=True, return_counts=True)
    known = {
        int(one): edge_square(*(prices[begin : begin + length] for prices in logs))
        for one, begin, size in zip(days, first, count, strict=True)
        if size == length
    }
    before = np.array([known.get(int(one) - 1, np.nan) for one in days])
    return np.asarray(before[np.searchsorted(days, day)])


def edge_square(opened: Array, high: Array, low: Array, close: Array) -> float:
    """EDGE estimate of the squared spread from log prices; NaN where it is undefined.

    Parameters
    ----------
    opened, high, low, close
        Shape ``(n,)``, logs of prices of neighbouring candles, oldest first.
    """
    if len(opened) < 3 or not np.isfinite([opened, high, low, close]).all():
        return float("nan")
    middle = (high + low) / 2
    old_high, old_low, old_close, old_middle = high[:-1], low[:-1], close[:-1], middle[:-1]
    opened, high, low, middle = opened[1:], high[1:], low[1:], middle[1:]
    # Candles that moved; a candle without trades shows no spread.
    moved = ((high != low) | (low != old_close)).astype(np.float64)
    at_open = (moved * (opened != high)).mean() + (moved * (opened != low)).mean()
    at_close = (moved * (old_close != old_high)).mean() + (moved * (old_close != old_low)).mean()
    if moved.sum() < 2 or at_open == 0 or at_close == 0:
        return float("nan")

    def centred(returns: Array) -> Array:
        return np.asarray(returns - returns.mean() / moved.mean() * moved)

    to_open, to_close = opened - old_middle, old_close - old_middle
    from_close = centred(middle - old_close)
    overnight = centred(opened - old_close)
    inside = centred(middle - opened)
    one = -4.0 / at_open * inside * to_open - 4.0 / at_close * from_close * to_close
    other = -4.0 / at_open * inside * (opened - old_close) - 4.0 / at_close * overnight * to_close
    first, second = float(one.mean()), float(other.mean())
    noise, noise_other = float(one.var()), float(other.var())
    total = noise + noise_other
    if total <= 0:
        return (first + second) / 2
    return (noise_other * first + noise * second) / total


def mean_spread(squares: Array) -> float:
    """Spread from signed squares, a fraction: 0 where they average to nothing, NaN without any."""
    seen = squares[np.isfinite(squares)]
    return float(np.sqrt(max(seen.mean(), 0.0))) if len(seen) else float("nan")
