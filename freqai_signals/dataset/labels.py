"""The prediction target: class, event end and return of every candle's future.

A label at row *t* describes the candles after *t*. Its barriers are known at the close of row *t*,
its outcome at the close of its event end; later candles never change it, but that a hole within the
horizon makes it unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.barriers import (
    LabelRule,
    barrier_width,
    candles_before_touch,
    is_price,
)
from freqai_signals.schema import (
    EVENT_END_COLUMN,
    LABEL_COLUMN,
    REALISED_RETURN_COLUMN,
    SignalClass,
)
from freqai_signals.settings import LabelSettings

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

_NEEDED: Final = ("high", "low", "close", "volume")

# Rows labelled at a time: their intermediate arrays fit into a core's second-level cache, and
# memory does not grow with the frame.
_BLOCK_ROWS: Final = 16_384


def make_labels(candles: pd.DataFrame, rule: LabelRule) -> pd.DataFrame:
    """Label every candle whose outcome is known.

    ``fixed`` and ``volatility`` compare the return from the row's close to the close ``horizon``
    candles later with plus and minus :func:`barrier_width`. ``triple_barrier`` uses the first
    touch of the upper barrier (buy) or the lower barrier (sell) by a high or low of the next
    ``horizon`` candles, or hold when the vertical barrier comes first.

    Parameters
    ----------
    candles
        freqtrade's frame without gaps, oldest first: ``high low close volume`` are read.
    rule
        Kind, horizon and widths. A candle that reaches both barriers, in unknown order, ends the
        event at its close, as a hold.

    Returns
    -------
    pandas.DataFrame
        Indexed like ``candles``, all columns float: the class (:class:`SignalClass`), the event end
        (position in ``candles`` at whose close the outcome is known) and the gross simple return of
        the event (at the barrier's price if one is touched, else at the close of the event end).

        All three are NaN where the outcome is unknown:

        - the last ``horizon`` rows, for every kind. A barrier may have been touched already, but
          keeping such rows would bias the tail of every training window: moves without holds;
        - rows whose barrier width is undefined (volatility needs three spans of candles);
        - rows whose own candle has no volume: no entry was possible (exchange halt, gap filled by
          freqtrade);
        - rows with a hole among the next ``horizon`` candles, see :func:`_holes`: what the price
          did there is unknown, and a filled candle touches no barrier. Rows of which a barrier was
          touched before the hole go too, or moves without holds would be left there as well;
        - rows whose event contains a candle whose high, low or close is not a positive number.

    Examples
    --------
    >>> close = [100.0, 101.0, 100.0, 100.0, 99.0]
    >>> candles = pd.DataFrame({"high": close, "low": close, "close": close, "volume": 1.0})
    >>> rule = LabelRule(LabelSettings(kind="fixed", threshold=0.005), 1, candles_per_day=288)
    >>> make_labels(candles, rule).round(4)
       &-signal  label_event_end  label_return
    0       2.0              1.0        0.0100
    1       0.0              2.0       -0.0099
    2       1.0              3.0        0.0000
    3       0.0              4.0       -0.0100
    4       NaN              NaN           NaN
    """
    _check(candles)
    prices = [candles[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in _NEEDED]
    columns = label_columns(prices, barrier_width(prices[2], rule), rule)
    # One array of columns becomes the frame's only block: a dictionary of columns would be copied.
    names = [LABEL_COLUMN, EVENT_END_COLUMN, REALISED_RETURN_COLUMN]
    return pd.DataFrame(columns.T, index=candles.index, columns=names, copy=False)


def label_columns(raw: Sequence[Array], width: Array, rule: LabelRule) -> Array:
    """Columns of :func:`make_labels` as rows of one array, shape ``(3, n)``.

    Parameters
    ----------
    raw
        ``high low close volume``, shape ``(n,)`` each.
    width
        Of the barriers, shape ``(n,)``, from :func:`barrier_width`.
    rule
        As for :func:`make_labels`.
    """
    settings, horizon, rows = rule.settings, rule.horizon, len(width)
    columns = np.full((3, rows), np.nan)
    whole = ~_holes(raw[3] > 0, horizon)
    # The last ``horizon`` rows stay NaN.
    for first in range(0, rows - horizon, _BLOCK_ROWS):
        stop = min(first + _BLOCK_ROWS, rows - horizon)
        prices = _Prices.clean(*(values[first : stop + horizon] for values in raw))
        events = _events(prices, width[first:stop], settings, horizon)
        events = replace(events, known=events.known & whole[first:stop])
        _write(columns[:, first:stop], events, first)
    return columns


def _holes(traded: BoolArray, horizon: int) -> BoolArray:
    """Rows whose next ``horizon`` candles have a hole; the last ``horizon`` rows are left out.

    A hole is a quarter of the horizon without a trade, or a last candle without one: of a longer
    hole only its beginning may lie within the horizon, and later candles must not decide. In a
    market of few trades, the rows that this costs are not those of one class.
    """
    rows = max(len(traded) - horizon, 0)
    shortest = max(horizon // 4, 1)
    idle = np.concatenate([[0], np.cumsum(~traded)])
    # At candle i: whether the ``shortest`` candles up to it are all without a trade.
    runs = np.zeros(len(traded), np.int64)
    runs[shortest - 1 :] = idle[shortest:] - idle[:-shortest] == shortest
    ended = np.concatenate([[0], np.cumsum(runs)])
    # A run that ends within the horizon and began there too, so not with the row's own candle.
    inside = ended[horizon + 1 :][:rows] - ended[shortest : shortest + rows]
    return np.asarray((inside > 0) | ~traded[horizon : horizon + rows])


@dataclass(frozen=True)
class _Prices:
    """Prices, all NaN in candles where any of them is invalid; arrays of shape (n,)."""

    high: Array
    low: Array
    close: Array
    traded: BoolArray
    bad_so_far: IntArray

    @classmethod
    def clean(cls, high: Array, low: Array, close: Array, volume: Array) -> "_Prices":
        good = is_price(high) & is_price(low) & is_price(close)
        high, low, close = (np.where(good, values, np.nan) for values in (high, low, close))
        # The difference of two of these counts tells whether any candle between them is bad.
        return cls(high, low, close, volume > 0, np.cumsum(~good))


@dataclass(frozen=True)
class _Events:
    """Outcomes of the first m rows; arrays of shape (m,), undefined where not ``known``."""

    label: Array
    end: IntArray
    realised: Array
    known: BoolArray


def _events(prices: _Prices, width: Array, settings: LabelSettings, horizon: int) -> _Events:
    if settings.kind == "triple_barrier":
        return _triple_barrier_events(prices, width, horizon)
    return _horizon_events(prices, width, horizon)


def _horizon_events(prices: _Prices, width: Array, horizon: int) -> _Events:
    end = np.arange(len(width)) + horizon
    realised = _return_at(prices.close, end)
    label = _classes(realised > width, realised < -width)
    return _Events(label, end, realised, _is_known(prices, width, end, realised))


def _triple_barrier_events(prices: _Prices, width: Array, horizon: int) -> _Events:
    close = prices.close[: len(width)]
    upper, lower = close * (1 + width), close * (1 - width)
    untouched = candles_before_touch(prices.high, prices.low, upper, lower, horizon)
    # Without a touch the vertical barrier ends the event.
    end = np.arange(len(width)) + np.minimum(untouched + 1, horizon)
    at_upper = prices.high[end] >= upper
    at_lower = prices.low[end] <= lower
    buy, sell = at_upper & ~at_lower, at_lower & ~at_upper
    realised = np.where(buy, width, np.where(sell, -width, _return_at(prices.close, end)))
    return _Events(_classes(buy, sell), end, realised, _is_known(prices, width, end, realised))


def _classes(buy: BoolArray, sell: BoolArray) -> Array:
    label = np.full(len(buy), float(SignalClass.HOLD))
    label[buy] = SignalClass.BUY
    label[sell] = SignalClass.SELL
    return label


def _return_at(close: Array, end: IntArray) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(close[end] / close[: len(end)] - 1, dtype=np.float64)


def _is_known(prices: _Prices, width: Array, end: IntArray, realised: Array) -> BoolArray:
    rows = slice(len(width))
    bad_inside = prices.bad_so_far[end] != prices.bad_so_far[rows]
    # The difference of counts misses the row's own candle; if that is bad, the return is NaN.
    defined = np.isfinite(width) & np.isfinite(realised)
    return np.asarray(defined & prices.traded[rows] & ~bad_inside)


def _write(columns: Array, events: _Events, first: int) -> None:
    for column, values in zip(
        columns, (events.label, events.end + first, events.realised), strict=True
    ):
        np.copyto(column, values, where=events.known)


def _check(candles: pd.DataFrame) -> None:
    missing = [name for name in _NEEDED if name not in candles]
    if missing:
        raise ValueError(
            f"candles lack the columns {missing}, got {list(candles.columns)}; "
            "pass freqtrade's frame with open, high, low, close and volume"
        )
