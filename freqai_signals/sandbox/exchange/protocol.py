"""Binance's JSON: requests checked as Binance checks them, answers shaped as it shapes them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from freqai_signals.sandbox.exchange.candle_store import CandleSeries

Json = dict[str, object]

INTERVALS: Final = (
    *("1s", "1m", "3m", "5m", "15m", "30m"),
    *("1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w"),
)

_DAY_MS: Final = 86_400_000
# Not \d, which matches the digits of every script.
_WHOLE_NUMBER: Final = re.compile(r"[0-9]{1,20}")
# Half of int64, so that a time moved by whole weeks still fits into it.
_LARGEST: Final = 2**62


class BinanceError(Exception):
    """A refusal in Binance's own words.

    Parameters
    ----------
    code
        Binance's error code, negative.
    message
        Its text.
    status
        HTTP status.
    """

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status

    def body(self) -> Json:
        """JSON of the answer."""
        return {"code": self.code, "msg": self.message}


def required(query: Mapping[str, str], name: str) -> str:
    """Parameter that must be there."""
    value = query.get(name, "")
    if not value:
        raise BinanceError(
            -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
        )
    return value


def whole_number(query: Mapping[str, str], name: str) -> int | None:
    """Optional parameter that must be a number without sign."""
    value = query.get(name)
    if value is None:
        return None
    if not _WHOLE_NUMBER.fullmatch(value) or int(value) > _LARGEST:
        raise BinanceError(
            -1100,
            f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.",
        )
    return int(value)


@dataclass(frozen=True)
class KlineRequest:
    """A checked request for candles; times in ms since 1970, exchange time."""

    interval: str
    start: int | None
    end: int | None
    limit: int

    @classmethod
    def read(cls, query: Mapping[str, str], default: int, largest: int) -> "KlineRequest":
        """Check a query as Binance does; a limit above the largest one is lowered to it."""
        interval = required(query, "interval")
        if interval not in INTERVALS:
            raise BinanceError(-1120, "Invalid interval.")
        limit = whole_number(query, "limit")
        if limit == 0:
            raise BinanceError(-1130, "Data sent for parameter 'limit' is not valid.")
        start, end = whole_number(query, "startTime"), whole_number(query, "endTime")
        return cls(interval, start, end, min(limit or default, largest))


def kline_rows(
    series: CandleSeries, rows: slice, values: NDArray[np.float64], shift_ms: int
) -> list[list[object]]:
    """Binance's twelve values per candle; trade count and taker volume are plausible fillers."""
    answer: list[list[object]] = []
    times = (series.time[rows] + shift_ms).tolist()
    for opened, (first, high, low, last, volume) in zip(times, values.tolist(), strict=True):
        turnover = volume * (first + last) / 2
        answer.append(
            [
                opened,
                *(decimal(value) for value in (first, high, low, last, volume)),
                # Binance's close time is the last millisecond of the candle, not the first of the
                # next.
                opened + series.length_ms - 1,
                decimal(turnover),
                int(turnover // 1000) + (volume > 0),
                decimal(volume / 2),
                decimal(turnover / 2),
                "0",
            ]
        )
    return answer


def last_day(series: CandleSeries, now_ms: int) -> slice:
    """Rows of the last 24 hours up to the candle that is open at the given time."""
    last = max(series.last_opened(now_ms), 0)
    first = int(np.searchsorted(series.time, series.time[last] - _DAY_MS, side="right"))
    return slice(first, last + 1)


def day_ticker(
    symbol: str, series: CandleSeries, rows: slice, day: NDArray[np.float64], shift_ms: int
) -> Json:
    """Statistics of a day whose rows and values are given, the open candle as it stands."""
    first, last = rows.start, rows.stop - 1
    opened, closed = float(day[0, 0]), float(day[-1, 3])
    volume, turnover = float(day[:, 4].sum()), float((day[:, 4] * day[:, 3]).sum())
    change = closed - opened
    return {
        "symbol": symbol,
        "priceChange": decimal(change),
        "priceChangePercent": f"{100 * change / opened:.3f}",
        "weightedAvgPrice": decimal(turnover / volume if volume > 0 else closed),
        "prevClosePrice": decimal(opened),
        "lastPrice": decimal(closed),
        "lastQty": decimal(float(day[-1, 4]) / 100),
        **book_ticker(symbol, closed, series.decimals),
        "openPrice": decimal(opened),
        "highPrice": decimal(float(day[:, 1].max())),
        "lowPrice": decimal(float(day[:, 2].min())),
        "volume": decimal(volume),
        "quoteVolume": decimal(turnover),
        "openTime": int(series.time[first]) + shift_ms,
        "closeTime": int(series.time[last]) + series.length_ms - 1 + shift_ms,
        "firstId": 1,
        "lastId": len(day),
        "count": len(day),
    }


def book_ticker(symbol: str, price: float, decimals: int) -> Json:
    """Best bid and ask, one tick on either side of the price."""
    tick = 10.0**-decimals
    return {
        "symbol": symbol,
        "bidPrice": decimal(price - tick),
        "bidQty": decimal(level_quantity(price)),
        "askPrice": decimal(price + tick),
        "askQty": decimal(level_quantity(price)),
    }


def depth(price: float, decimals: int, levels: int) -> Json:
    """Order book around a price: equal amounts, one tick apart, best first."""
    tick = 10.0**-decimals
    quantity = decimal(level_quantity(price))
    steps = range(1, levels + 1)
    return {
        "lastUpdateId": 1,
        # No bids at or below 0.
        "bids": [[decimal(price - k * tick), quantity] for k in steps if price > k * tick],
        "asks": [[decimal(price + k * tick), quantity] for k in steps],
    }


def level_quantity(price: float) -> float:
    """Amount that waits on every level of the book: worth 50,000 of the quote currency."""
    return 50_000.0 / price


def decimal(value: float) -> str:
    """Number with eight decimals, as Binance writes prices and amounts.

    Examples
    --------
    >>> decimal(0.1 + 0.2)
    '0.30000000'
    """
    return f"{value:.8f}"
