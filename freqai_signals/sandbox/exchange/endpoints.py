"""The endpoints that spot and futures share: symbols, candles, tickers, order book."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freqai_signals.sandbox.exchange import protocol
from freqai_signals.sandbox.exchange.candle_store import CandleSeries, CandleStore
from freqai_signals.sandbox.exchange.clock import Clock
from freqai_signals.sandbox.exchange.faults import Faults
from freqai_signals.sandbox.exchange.partial_candle import merged, unfolded
from freqai_signals.sandbox.exchange.protocol import BinanceError, Json

Query = Mapping[str, str]


@dataclass(frozen=True)
class Limits:
    """Rows that an answer to a request for candles holds: by default, and at most."""

    default: int
    largest: int


class Endpoints:
    """Answers of a market whose candles are history.

    Parameters
    ----------
    store
        Its candles.
    clock
        Candles that open later than now are not shown.
    limits
        For requests for candles.
    faults
        Candles that are missing, late or halted.
    """

    def __init__(
        self, store: CandleStore, clock: Clock, limits: Limits, faults: Faults | None = None
    ) -> None:
        self.store = store
        self.faults = faults or Faults()
        self.clock = clock
        self.limits = limits
        self.symbols = {symbol_of(pair): pair for pair in store.pairs}

    def time(self) -> Json:
        """Exchange time."""
        return {"serverTime": self.clock.now_ms()}

    def klines(self, query: Query) -> list[list[object]]:
        """Candles of a symbol that have opened by now."""
        pair = self.pair(protocol.required(query, "symbol"))
        request = protocol.KlineRequest.read(query, self.limits.default, self.limits.largest)
        series = self._shown(pair, self._series(pair, request.interval))
        now = self.clock.now_ms()
        # Stored candles reach beyond now; none may be seen before it opens.
        end = now if request.end is None else min(request.end, now)
        start = None if request.start is None else self.clock.to_stored(request.start)
        rows = series.select(start, self.clock.to_stored(end), request.limit)
        values = self._values(pair, series, rows)
        answer = protocol.kline_rows(series, rows, values, self.clock.shift_ms)
        return self.faults.sent(pair, answer, is_newest=end >= now)

    def day_ticker(self, query: Query) -> Json | list[Json]:
        """Statistics of 24 hours for one symbol, some, or all."""
        answers = [self._day(symbol) for symbol in self._asked(query)]
        # As Binance: one object for one symbol, a list for everything else.
        return answers[0] if "symbol" in query else answers

    def price_ticker(self, query: Query) -> Json | list[Json]:
        """Last price for one symbol, some, or all."""
        answers: list[Json] = [
            {"symbol": symbol, "price": protocol.decimal(self.price(symbol))}
            for symbol in self._asked(query)
        ]
        return answers[0] if "symbol" in query else answers

    def book_ticker(self, query: Query) -> Json | list[Json]:
        """Best bid and ask for one symbol, some, or all."""
        answers = [
            protocol.book_ticker(symbol, self.price(symbol), self._base(symbol).decimals)
            for symbol in self._asked(query)
        ]
        return answers[0] if "symbol" in query else answers

    def depth(self, query: Query) -> Json:
        """Order book of a symbol."""
        symbol = protocol.required(query, "symbol")
        self.pair(symbol)
        levels = min(protocol.whole_number(query, "limit") or 100, 1000)
        return protocol.depth(self.price(symbol), self._base(symbol).decimals, levels)

    def price(self, symbol: str) -> float:
        """Where the candle that is open now stands."""
        pair = self.symbols[symbol]
        series = self._shown(pair, self._base(symbol))
        # Before the first candle its open stands.
        last = max(series.last_opened(self._stored_now()), 0)
        return float(self._values(pair, series, slice(last, last + 1))[-1, 3])

    def decimals(self, symbol: str) -> int:
        """Decimals of a symbol's prices."""
        return self._base(symbol).decimals

    def _day(self, symbol: str) -> Json:
        series = self._base(symbol)
        rows = protocol.last_day(series, self._stored_now())
        day = self._values(self.symbols[symbol], series, rows)
        return protocol.day_ticker(symbol, series, rows, day, self.clock.shift_ms)

    def _shown(self, pair: str, series: CandleSeries) -> CandleSeries:
        """The series without the candles that faults hide now."""
        if not self.faults.touches_candles:
            return series
        return self.faults.shown(pair, series, self.clock.now_ms(), self.clock.shift_ms)

    def _stored_now(self) -> int:
        return self.clock.to_stored(self.clock.now_ms())

    def _values(self, pair: str, series: CandleSeries, rows: slice) -> NDArray[np.float64]:
        """Values of rows, the candle that is open now as far as it has come."""
        now = self._stored_now()
        values = series.values[rows]
        last = rows.stop - 1
        if not len(values) or now >= series.time[last] + series.length_ms:
            return values
        # The slice is a view: writing into it would change the stored candle.
        values = values.copy()
        values[-1] = self._unfolding(pair, int(series.time[last]), now)
        return values

    def _unfolding(self, pair: str, opened: int, now: int) -> NDArray[np.float64]:
        """A candle of any length that opened at a stored time, from the shortest candles."""
        base = self._series(pair, self.store.timeframes(pair)[0])
        first = int(np.searchsorted(base.time, opened, side="left"))
        last = max(base.last_opened(now), first)
        share = (now - int(base.time[last])) / base.length_ms
        newest = unfolded(base.values[last], share, base.decimals)
        return merged(np.vstack([base.values[first:last], newest]))

    def _asked(self, query: Query) -> list[str]:
        if "symbol" in query:
            self.pair(query["symbol"])
            return [query["symbol"]]
        if "symbols" not in query:
            return list(self.symbols)
        try:
            symbols = json.loads(query["symbols"])
        except (ValueError, RecursionError):
            symbols = None
        if not isinstance(symbols, list) or not all(isinstance(name, str) for name in symbols):
            raise BinanceError(-1100, "Illegal characters found in parameter 'symbols'.")
        for symbol in symbols:
            self.pair(symbol)
        return symbols

    def pair(self, symbol: str) -> str:
        """Pair of a symbol; refuses one that is not listed."""
        if symbol not in self.symbols:
            raise BinanceError(-1121, "Invalid symbol.")
        return self.symbols[symbol]

    def _base(self, symbol: str) -> CandleSeries:
        pair = self.symbols[symbol]
        return self._series(pair, self.store.timeframes(pair)[0])

    def _series(self, pair: str, interval: str) -> CandleSeries:
        try:
            return self.store.series(pair, interval)
        except KeyError:
            raise BinanceError(-1121, "Invalid symbol.") from None
        except LookupError as error:
            raise BinanceError(-1120, f"Invalid interval. The sandbox: {error}.") from None


def symbol_of(pair: str) -> str:
    """Binance's name of a pair.

    Examples
    --------
    >>> symbol_of("BTC/USDT"), symbol_of("BTC/USDT:USDT")
    ('BTCUSDT', 'BTCUSDT')
    """
    return pair.partition(":")[0].replace("/", "")
