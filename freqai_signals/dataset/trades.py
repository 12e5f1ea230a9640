"""What a trade of the strategy returns, for every row, long and short.

A trade is decided at the close of row *t* and opens at the next candle's open. It ends at a stop or
profit barrier as many widths away as ``ExitSettings`` says, or at the label's horizon. With the
horizon switched off there is no end that could be computed from a row, so the horizon is used all
the same. freqtrade leaves at the open of the candle after the last one held; its close, which is
the same price but for the pause between two trades, is known one candle earlier and used here, so
that a trade's outcome is never known later than that of the row's label at its vertical barrier.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.barriers import Array, IntArray, candles_before_touch, is_price
from freqai_signals.schema import TRADE_COLUMNS
from freqai_signals.settings import ExitSettings

_BLOCK_ROWS = 16_384


def trade_outcomes(
    candles: pd.DataFrame, width: Array, horizon: int, exits: ExitSettings
) -> pd.DataFrame:
    """Entry price, return and length of the long and of the short decided at each row.

    Parameters
    ----------
    candles
        ``open high low close volume`` without gaps, oldest first.
    width
        Shape ``(n,)``, barrier widths at the rows' closes, fractions.
    horizon
        Candles that a trade is held at most.
    exits
        Its ``stop_multiple`` and ``profit_multiple``.

    Returns
    -------
    pandas.DataFrame
        Indexed like ``candles``, columns ``schema.TRADE_COLUMNS``: gross returns as fractions of
        the entry price. All NaN for the last ``horizon`` rows, without a width, where the row's own
        candle has no volume, and where a price within the trade is missing. Row *t* depends on
        candles *t + 1 .. t + horizon* and on nothing after.

    Notes
    -----
    A candle that opens beyond a barrier fills at its open, as freqtrade's backtest of our exits
    does. One that reaches both barriers ends at the stop.

    Examples
    --------
    >>> price = [100.0, 100.0, 102.0, 104.0, 104.0]
    >>> candles = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), price))
    >>> exits = ExitSettings(stop_multiple=3.0)
    >>> made = trade_outcomes(candles.assign(volume=1.0), np.full(5, 0.01), 2, exits)
    >>> made[["trade_long", "trade_short", "trade_short_candles"]].round(4).values.tolist()[:2]
    [[0.02, -0.02, 2.0], [0.0196, -0.0196, 2.0]]
    """
    names = ("open", "high", "low", "close", "volume")
    raw = [candles[name].to_numpy(np.float64, na_value=np.nan) for name in names]
    columns = dict(zip(TRADE_COLUMNS, trade_columns(raw, width, horizon, exits), strict=True))
    return pd.DataFrame(columns, index=candles.index)


def trade_columns(raw: Sequence[Array], width: Array, horizon: int, exits: ExitSettings) -> Array:
    """Columns of :func:`trade_outcomes` as rows of one array, shape ``(5, n)``.

    Parameters
    ----------
    raw
        ``open high low close volume``, shape ``(n,)`` each.
    width, horizon, exits
        As for :func:`trade_outcomes`.
    """
    *prices, volume = raw
    good = np.logical_and.reduce([is_price(values) for values in prices])
    opened, high, low, close = (np.where(good, values, np.nan) for values in prices)
    traded, count = volume > 0, len(width)
    made = np.full((len(TRADE_COLUMNS), count), np.nan)
    for first in range(0, count - horizon, _BLOCK_ROWS):
        stop = min(first + _BLOCK_ROWS, count - horizon)
        path = _Path(*(values[first : stop + horizon] for values in (opened, high, low, close)))
        rows = width[first:stop]
        long, held = _returns(path, rows, horizon, exits, 1.0)
        short, held_short = _returns(path, rows, horizon, exits, -1.0)
        entry = path.opened[1 : len(rows) + 1]
        part = np.stack([entry, long, short, held, held_short])
        known = traded[first:stop] & np.isfinite(part).all(axis=0)
        made[:, first:stop] = np.where(known, part, np.nan)
    return made


@dataclass(frozen=True)
class _Path:
    """Prices of neighbouring candles, NaN where any of them is invalid."""

    opened: Array
    high: Array
    low: Array
    close: Array


def _returns(
    path: _Path, width: Array, horizon: int, exits: ExitSettings, side: float
) -> tuple[Array, Array]:
    """Gross returns of one side and candles held; ``side`` is 1 for longs, -1 for shorts."""
    rows = np.arange(len(width))
    entry = path.opened[rows + 1]
    away = [np.inf if m is None else m for m in (exits.stop_multiple, exits.profit_multiple)]
    with np.errstate(invalid="ignore"):
        stop, profit = entry * (1 - side * away[0] * width), entry * (1 + side * away[1] * width)
    # A price at or below zero is never reached; infinity is none either.
    lower, upper = (stop, profit) if side > 0 else (profit, stop)
    waited = candles_before_touch(path.high, path.low, upper, lower, horizon)
    ended = waited < horizon
    last = rows + 1 + np.minimum(waited, horizon - 1)
    at_stop = path.low[last] <= stop if side > 0 else path.high[last] >= stop
    barrier = np.where(at_stop, stop, profit)
    # Beyond the barrier at the open: worse than a stop, better than a profit barrier.
    beyond = np.where(at_stop, side * (path.opened[last] - stop) < 0, False)
    beyond |= ~at_stop & (side * (path.opened[last] - profit) > 0)
    fill = np.where(ended, np.where(beyond, path.opened[last], barrier), path.close[last])
    # Without a touch every price up to the last was finite; with one, the touching candle counts.
    found = np.where(np.isfinite(path.close[last]) & np.isfinite(width), fill, np.nan)
    return side * (found / entry - 1.0), (last - rows).astype(np.float64)


def closed_by_opposite(
    start: IntArray, trades: Array, sells: NDArray[np.bool_], buys: NDArray[np.bool_]
) -> tuple[Array, Array]:
    """Returns of long and short where a later row of the pair closes the trade before its end.

    Parameters
    ----------
    start
        Shape ``(n,)``, candle numbers of one pair's rows, ascending; candles between them are not
        looked at.
    trades
        Shape ``(n, 5)``, columns ``schema.TRADE_COLUMNS``.
    sells, buys
        Shape ``(n,)``, rows whose prediction closes a long, or a short.

    Returns
    -------
    tuple of numpy.ndarray
        Gross returns of longs and of shorts, shape ``(n,)`` each. A closed trade ends where the
        closing row would have opened one.
    """
    entry = trades[:, 0]
    out = []
    for side, place, closing in ((1.0, 1, sells), (-1.0, 2, buys)):
        gained, held = trades[:, place].copy(), trades[:, place + 2]
        at = np.flatnonzero(closing & np.isfinite(entry))
        if len(at):
            follows = np.searchsorted(at, np.arange(len(start)), side="right")
            closer = at[np.minimum(follows, len(at) - 1)]
            early = (follows < len(at)) & (start[closer] - start < held)
            gained[early] = side * (entry[closer[early]] / entry[early] - 1.0)
        out.append(gained)
    return out[0], out[1]
