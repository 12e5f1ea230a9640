"""What goes wrong at an exchange, on demand: slow, refused and broken answers, candles amiss."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Final, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from freqai_signals.sandbox.exchange.candle_store import CandleSeries
from freqai_signals.sandbox.exchange.protocol import decimal

Kind = Literal["slow", "timeout", "limit", "banned", "error", "unavailable", "drop"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_ANSWERS: Final[Mapping[Kind, tuple[int, int, str]]] = {
    "limit": (429, -1003, "Too many requests; please use the websocket for live updates."),
    "banned": (418, -1003, "Way too many requests; IP banned until the time in Retry-After."),
    "error": (500, -1000, "An unknown error occurred while processing the request."),
    "unavailable": (503, -1001, "Internal error; unable to process your request."),
}
"""HTTP status, Binance's code and message of the faults that are answers."""


Spoiling = Literal["no price", "no close", "spike", "wick", "zero"]
"""What is wrong with a spoiled candle: see :func:`spoiled`."""
SPOILINGS: Final[tuple[Spoiling, ...]] = get_args(Spoiling)
UNPRICED: Final = ("no price", "no close")
"""Spoilings after which a candle counts as one that never came."""

_DAY_MS: Final = 86_400_000
_FACTOR: Final = 100.0


class Dropped(Exception):
    """The connection is to be cut without an answer."""


@dataclass(frozen=True)
class Refusal:
    """An answer that refuses: HTTP status, body, headers."""

    status: int
    body: dict[str, object]
    headers: dict[str, str]


@dataclass
class Faults:
    """Switches that a test or a rehearsal sets while the exchange runs.

    Attributes
    ----------
    share
        Share of requests that meet a fault of ``kinds``, 0 to 1.
    kinds
        Faults that are drawn from.
    slow_seconds, timeout_seconds
        How long a slow answer takes, and one that comes too late for the client.
    retry_after_seconds
        How long 429 and 418 ask the client to wait.
    down
        The whole exchange is unavailable.
    missing
        Pair to the openings (ms since 1970, exchange time) of candles that never come.
    late_ms
        Pair to the time by which each of its candles begins to show too late.
    halted
        Pair to the time (ms) from which nothing trades: no candles come any more.
    spoiled
        Pair to the openings (ms since 1970, exchange time) of candles that come with wrong values.
    ahead
        Pairs whose newest candles are followed by one of tomorrow.
    seed
        Of the draw.
    """

    share: float = 0.0
    kinds: tuple[Kind, ...] = KINDS
    slow_seconds: float = 1.0
    timeout_seconds: float = 30.0
    retry_after_seconds: int = 1
    down: bool = False
    missing: dict[str, set[int]] = field(default_factory=dict)
    late_ms: dict[str, int] = field(default_factory=dict)
    halted: dict[str, int] = field(default_factory=dict)
    spoiled: dict[str, dict[int, Spoiling]] = field(default_factory=dict)
    ahead: set[str] = field(default_factory=set)
    seed: int = 0

    def __post_init__(self) -> None:
        """Begin the draw; it repeats with the seed."""
        self._random = random.Random(self.seed)
        self._lock = Lock()
        self.counts: dict[str, int] = {}

    async def meet(self) -> Refusal | None:
        """Draw for one request: wait, refuse, or let it pass.

        Raises
        ------
        Dropped
            If the connection is to be cut.
        """
        kind = self._draw()
        if kind == "drop":
            raise Dropped
        if kind == "slow":
            await asyncio.sleep(self.slow_seconds)
        if kind == "timeout":
            await asyncio.sleep(self.timeout_seconds)
        return None if kind is None or kind not in _ANSWERS else self._refusal(kind)

    def shown(self, pair: str, series: CandleSeries, now_ms: int, shift_ms: int) -> CandleSeries:
        """A pair's candles without those that never come or have not come yet.

        Parameters
        ----------
        pair
            Full name.
        series
            Its stored candles.
        now_ms
            Exchange time.
        shift_ms
            What is added to the dates of stored candles.
        """
        opened = series.time + shift_ms
        kept = ~np.isin(opened, list(self.missing.get(pair, ())))
        if pair in self.halted:
            kept &= opened < self.halted[pair]
        kept &= opened + self.late_ms.get(pair, 0) <= now_ms
        return replace(series, time=series.time[kept], values=series.values[kept])

    def sent(self, pair: str, rows: list[list[object]], is_newest: bool) -> list[list[object]]:
        """Rows of an answer as this exchange sends them: spoiled ones, and one of tomorrow.

        Parameters
        ----------
        pair
            Full name.
        rows
            Binance's candles, oldest first.
        is_newest
            Whether the last row is the newest candle there is.
        """
        wrong = self.spoiled.get(pair)
        if wrong:
            rows = [_spoiled_row(row, wrong.get(cast("int", row[0]))) for row in rows]
        if pair in self.ahead and is_newest and rows:
            opened, closed = cast("int", rows[-1][0]), cast("int", rows[-1][6])
            tomorrow = [opened + _DAY_MS, *rows[-1][1:6], closed + _DAY_MS, *rows[-1][7:]]
            rows = [*rows, tomorrow]
        return rows

    @property
    def touches_candles(self) -> bool:
        """Whether any pair's candles are amiss."""
        return bool(self.missing or self.late_ms or self.halted)

    def _draw(self) -> Kind | None:
        with self._lock:
            if self.down:
                kind: Kind | None = "unavailable"
            elif self.share and self._random.random() < self.share:
                kind = self._random.choice(self.kinds)
            else:
                return None
            assert kind is not None
            self.counts[kind] = self.counts.get(kind, 0) + 1
            return kind

    def _refusal(self, kind: Kind) -> Refusal:
        status, code, message = _ANSWERS[kind]
        limited = kind in ("limit", "banned")
        headers = {"Retry-After": str(self.retry_after_seconds)} if limited else {}
        return Refusal(status, {"code": code, "msg": message}, headers)


def spoiled(kind: Spoiling, prices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Open, high, low and close of a candle that comes with wrong values.

    NaN where no price comes; all a hundredfold (``spike``), only the highest one (``wick``), or the
    lowest and the last one 0 (``zero``).

    Examples
    --------
    >>> spoiled("wick", np.array([2.0, 3.0, 1.0, 2.0])).tolist()
    [2.0, 300.0, 1.0, 2.0]
    """
    wrong = prices.copy()
    if kind == "no price":
        wrong[:] = np.nan
    elif kind == "no close":
        wrong[3] = np.nan
    elif kind == "spike":
        wrong *= _FACTOR
    elif kind == "wick":
        wrong[1] *= _FACTOR
    else:
        wrong[2:] = 0.0
    return wrong


def _spoiled_row(row: list[object], kind: Spoiling | None) -> list[object]:
    if kind is None:
        return row
    prices = spoiled(kind, np.array([float(cast("str", text)) for text in row[1:5]]))
    return [row[0], *(None if np.isnan(p) else decimal(float(p)) for p in prices), *row[5:]]
