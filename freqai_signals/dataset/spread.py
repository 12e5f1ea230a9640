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
    day, first, count = np.unique(numbers // length, return_index=True, return_counts=True)
    whole = count == length
    places = first[whole, None] + np.arange(length)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = [np.log(candles[name].to_numpy(np.float64, na_value=np.nan)) for name in _PRICES]
    squares = edge_squares(*(prices[places] for prices in logs))
    known = pd.Series(squares, index=day[whole]).reindex(day - 1)
    return np.repeat(known.to_numpy(), count)


def edge_squares(opened: Array, high: Array, low: Array, close: Array) -> Array:
    """EDGE estimates of squared spreads from log prices, shape ``(blocks,)``.

    Parameters
    ----------
    opened, high, low, close
        Shape ``(blocks, n)``, logs of prices of neighbouring candles, oldest first.

    Returns
    -------
    numpy.ndarray
        NaN where the estimate is undefined: fewer than three candles, a price that is none, or no
        trades.
    """
    if opened.shape[1] < 3:
        return np.full(len(opened), np.nan)
    middle = (high + low) / 2
    old_high, old_low, old_close, old_middle = (
        prices[:, :-1] for prices in (high, low, close, middle)
    )
    finite = np.isfinite([opened, high, low, close]).all(axis=(0, 2))
    opened, high, low, middle = (prices[:, 1:] for prices in (opened, high, low, middle))
    # Candles that moved; a candle without trades shows no spread.
    moved = ((high != low) | (low != old_close)).astype(np.float64)
    at_open = _mean(moved * (opened != high)) + _mean(moved * (opened != low))
    at_close = _mean(moved * (old_close != old_high)) + _mean(moved * (old_close != old_low))
    share = _mean(moved)

    def centred(returns: Array) -> Array:
        return np.asarray(returns - _mean(returns) / share * moved)

    with np.errstate(divide="ignore", invalid="ignore"):
        to_open, to_close = opened - old_middle, old_close - old_middle
        from_close = centred(middle - old_close)
        overnight = centred(opened - old_close)
        inside = centred(middle - opened)
        by_open, by_close = -4.0 / at_open, -4.0 / at_close
        one = by_open * inside * to_open + by_close * from_close * to_close
        other = by_open * inside * (opened - old_close) + by_close * overnight * to_close
        first, second = one.mean(axis=1), other.mean(axis=1)
        noise, noise_other = one.var(axis=1), other.var(axis=1)
        total = noise + noise_other
        weighted = (noise_other * first + noise * second) / total
    found = np.where(total <= 0, (first + second) / 2, weighted)
    defined = finite & (moved.sum(axis=1) >= 2) & ((at_open > 0) & (at_close > 0))[:, 0]
    return np.where(defined, found, np.nan)


def _mean(values: Array) -> Array:
    return np.asarray(values.mean(axis=1, keepdims=True))


def mean_spread(squares: Array) -> float:
    """Spread from signed squares, a fraction: 0 where they average to nothing, NaN without any."""
    seen = squares[np.isfinite(squares)]
    return float(np.sqrt(max(seen.mean(), 0.0))) if len(seen) else float("nan")
