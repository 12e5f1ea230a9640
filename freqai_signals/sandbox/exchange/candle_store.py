"""Candles of a freqtrade data directory, read when first asked for."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.sandbox.exchange.timeframes import interval_seconds, resample
from freqai_signals.sandbox.market.market_files import read_candles
from freqai_signals.schema import OHLCV

_TIMEFRAME: Final = r"(?P<timeframe>\d+[mhdw])"


@dataclass(frozen=True)
class Layout:
    """How freqtrade names the candle files of one kind of market below an exchange's folder."""

    folder: str
    pattern: re.Pattern[str]
    pair: str


SPOT: Final = Layout(
    ".",
    re.compile(rf"(?P<base>[A-Z0-9]+)_(?P<quote>[A-Z0-9]+)-{_TIMEFRAME}\.feather"),
    "{base}/{quote}",
)
_FUTURES_NAME: Final = r"(?P<base>[A-Z0-9]+)_(?P<quote>[A-Z0-9]+)_(?P<settle>[A-Z0-9]+)"
FUTURES: Final = Layout(
    "futures",
    re.compile(rf"{_FUTURES_NAME}-{_TIMEFRAME}-futures\.feather"),
    "{base}/{quote}:{settle}",
)
MARK: Final = Layout(
    "futures",
    re.compile(rf"{_FUTURES_NAME}-{_TIMEFRAME}-mark\.feather"),
    "{base}/{quote}:{settle}",
)


FUNDING: Final = Layout(
    "futures",
    re.compile(rf"{_FUTURES_NAME}-{_TIMEFRAME}-funding_rate\.feather"),
    "{base}/{quote}:{settle}",
)
PERPETUAL: Final = Layout(SPOT.folder, SPOT.pattern, "{base}/{quote}:{quote}")
"""Spot candles taken for those of perpetual contracts, where a folder holds no others."""


@dataclass(frozen=True)
class CandleSeries:
    """Candles of one pair and timeframe; ``time`` (opening, ms since 1970) is sorted.

    Prices and volume have the shape of ``time``; ``decimals`` are those of the prices.
    """

    time: NDArray[np.int64]
    values: NDArray[np.float64]
    length_ms: int
    decimals: int

    def select(self, start: int | None, end: int | None, limit: int) -> slice:
        """Rows of a request for candles, as Binance chooses them.

        Parameters
        ----------
        start, end
            Bounds of the opening time in ms, both inclusive; None is open.
        limit
            Most rows to return: the first ones when ``start`` is given, else the last ones.
        """
        first = 0 if start is None else int(np.searchsorted(self.time, start, side="left"))
        stop = len(self.time)
        if end is not None:
            stop = int(np.searchsorted(self.time, end, side="right"))
        if start is None:
            return slice(max(stop - limit, 0), stop)
        # An end before the start gives no rows.
        return slice(first, max(min(first + limit, stop), first))

    def last_opened(self, time_ms: int) -> int:
        """Position of the last candle that opened at or before a time; -1 where there is none."""
        return int(np.searchsorted(self.time, time_ms, side="right")) - 1


class CandleStore:
    """Lazy access to the candles of a data directory.

    Parameters
    ----------
    folder
        freqtrade's data directory of one exchange, such as ``user_data/data/binance``.
    layout
        Kind of market.

    Notes
    -----
    A timeframe without a file is made of the longest shorter one that divides it.
    """

    def __init__(self, folder: Path, layout: Layout = SPOT) -> None:
        self._files = _index(folder, layout)
        self._series: dict[tuple[str, str], CandleSeries] = {}
        self._lock = Lock()

    @property
    def pairs(self) -> tuple[str, ...]:
        """Pairs that have at least one file, sorted."""
        return tuple(sorted(self._files))

    def timeframes(self, pair: str) -> tuple[str, ...]:
        """Timeframes of a pair that have a file, shortest first."""
        return tuple(sorted(self._files[pair], key=interval_seconds))

    def series(self, pair: str, timeframe: str) -> CandleSeries:
        """Candles of a pair, from its file or made of shorter ones.

        Raises
        ------
        KeyError
            For a pair that is not there.
        LookupError
            For a timeframe that neither is there nor can be made.
        ValueError
            Naming the file, when it is damaged.
        """
        with self._lock:
            if (pair, timeframe) not in self._series:
                self._series[pair, timeframe] = self._load(pair, timeframe)
            return self._series[pair, timeframe]

    def check(self, pairs: Iterable[str]) -> None:
        """Read the shortest timeframe of each pair; raises ValueError naming a damaged file."""
        for pair in pairs:
            self.series(pair, self.timeframes(pair)[0])

    def _load(self, pair: str, timeframe: str) -> CandleSeries:
        files = self._files[pair]
        if timeframe in files:
            return _series(read_candles(files[timeframe]), timeframe)
        wanted = interval_seconds(timeframe)
        shorter = [name for name in self.timeframes(pair) if wanted % interval_seconds(name) == 0]
        if not shorter or interval_seconds(shorter[0]) > wanted:
            held = ", ".join(self.timeframes(pair))
            raise LookupError(f"{pair} has candles of {held}; {timeframe} cannot be made of them")
        return _series(resample(read_candles(files[shorter[-1]]), timeframe), timeframe)


def _index(folder: Path, layout: Layout) -> dict[str, dict[str, Path]]:
    files: dict[str, dict[str, Path]] = {}
    for path in sorted((folder / layout.folder).glob("*.feather")):
        match = layout.pattern.fullmatch(path.name)
        if match is not None:
            parts = match.groupdict()
            timeframe = parts.pop("timeframe")
            files.setdefault(layout.pair.format(**parts), {})[timeframe] = path
    return files


def _series(frame: pd.DataFrame, timeframe: str) -> CandleSeries:
    time = frame["date"].dt.as_unit("ms").astype("int64").to_numpy()
    # Mark prices come without volume.
    full = frame.reindex(columns=list(OHLCV), fill_value=0.0)
    values = full.to_numpy(dtype=np.float64)
    order = np.argsort(time, kind="stable")
    length = interval_seconds(timeframe) * 1000
    return CandleSeries(time[order], values[order], length, _decimals(values[-2000:, 3]))


def _decimals(prices: NDArray[np.float64]) -> int:
    """Fewest decimals that show all given prices exactly, between 1 and 8."""
    for decimals in range(1, 8):
        if np.array_equal(np.round(prices, decimals), prices):
            return decimals
    return 8
