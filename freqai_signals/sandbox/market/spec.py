"""What a simulated market is made of: the request, and the listing of each pair."""

import datetime as dt
import hashlib
import json
import math
import re
import zlib
from dataclasses import asdict, dataclass
from typing import Final

from freqai_signals.sandbox.market.dynamics import DYNAMICS

FORMAT_VERSION: Final = 1
"""Raised when the generator changes, so that no market of an older generator is taken for new."""

DEFAULT_PAIRS: Final = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "BNB/USDT", "AVAX/USDT")
DEFAULT_SEED: Final = 36
"""A history in which no coin ends far from its first price or trends over the last two months."""

DEFAULT_EDGE: Final = 2.0
"""Large enough to earn fees, small enough to look like a market: a Kalman filter over wicks and
returns forecasts more than 0.46 % over two hours in its highest 3 % of candles (edge 1.5: 0.34 %),
against a round-trip fee of 0.2 %, while returns keep an autocorrelation of 0.04."""

_STRONGEST_BREAK: Final = 10.0

DERIVED_TIMEFRAMES: Final = ("15m", "1h", "4h", "1d")


@dataclass(frozen=True)
class Listing:
    """First price, price decimals, volatility per candle (a fraction), candle turnover (quote)."""

    price: float
    decimals: int
    volatility: float
    turnover: float


_LISTINGS: Final = {
    "BTC": Listing(16500.0, 2, 0.0011, 4.0e6),
    "ETH": Listing(1200.0, 2, 0.0013, 2.5e6),
    "SOL": Listing(24.0, 4, 0.0020, 9.0e5),
    "BNB": Listing(245.0, 2, 0.0012, 7.0e5),
    "AVAX": Listing(11.0, 4, 0.0019, 3.0e5),
}


@dataclass(frozen=True)
class MarketSpec:
    """A simulated market; equal specs give identical bytes on every machine of one kind.

    Parameters
    ----------
    pairs
        Such as ``BTC/USDT``. A pair's candles do not depend on which other pairs are listed.
    start
        First day, from midnight UTC.
    days
        Number of days. The default covers 8 days of start-up, a training window of 360 days and
        two months to test on.
    seed
        Chooses the history.
    edge
        Multiplies the return that the planted drift causes; 0 is a market whose direction
        nobody can predict.
    break_day
        Days before the market's law changes for good; 0 for never.
    break_edge, break_volatility
        What edge and volatility are multiplied by from then on. An edge times -1 reverses what
        wicks predict of the next return; returns follow their own past as before.

    Examples
    --------
    >>> MarketSpec(days=30).digest() == MarketSpec(days=30).digest()
    True
    >>> MarketSpec(edge=0.0).digest() == MarketSpec().digest()
    False
    """

    pairs: tuple[str, ...] = DEFAULT_PAIRS
    start: dt.date = dt.date(2023, 1, 1)
    days: int = 430
    seed: int = DEFAULT_SEED
    edge: float = DEFAULT_EDGE
    break_day: int = 0
    break_edge: float = 1.0
    break_volatility: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        bad = [pair for pair in self.pairs if not re.fullmatch(r"[A-Z0-9]+/[A-Z0-9]+", pair)]
        if bad or not self.pairs:
            raise ValueError(f"pairs must read like BTC/USDT, got {bad or 'none'}")
        if len(set(self.pairs)) < len(self.pairs):
            raise ValueError(f"every pair may be listed once, got {', '.join(self.pairs)}")
        if not 1 <= self.days <= 3660:
            raise ValueError(f"days must lie between 1 and 3660, got {self.days}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")
        if not (math.isfinite(self.edge) and 0 <= self.edge <= 20):
            raise ValueError(f"edge must lie between 0 and 20, got {self.edge}")
        if not 0 <= self.break_day < self.days:
            raise ValueError(
                f"break_day must lie between 0 (never) and the last day {self.days - 1}, "
                f"got {self.break_day}"
            )
        if not (math.isfinite(self.break_edge) and abs(self.break_edge) <= _STRONGEST_BREAK):
            raise ValueError(f"break_edge must lie between -10 and 10, got {self.break_edge}")
        if not 1 / _STRONGEST_BREAK <= self.break_volatility <= _STRONGEST_BREAK:
            raise ValueError(
                f"break_volatility must lie between 0.1 and 10, got {self.break_volatility}"
            )

    def as_json(self) -> dict[str, object]:
        """Everything the candles depend on, as JSON values."""
        spec = asdict(self) | {"pairs": list(self.pairs), "start": self.start.isoformat()}
        if not self.break_day:
            # Without a break the others mean nothing, and a market keeps the name it always had.
            spec = {key: value for key, value in spec.items() if not key.startswith("break_")}
        return {
            "format": FORMAT_VERSION,
            "spec": spec,
            "dynamics": json.loads(json.dumps(asdict(DYNAMICS))),
        }

    def digest(self) -> str:
        """Twelve hex digits that name this market's folder."""
        text = json.dumps(self.as_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def listing(pair: str) -> Listing:
    """How a pair trades: known coins like the real ones, others by a hash of their name.

    Examples
    --------
    >>> listing("BTC/USDT").price
    16500.0
    >>> listing("DOGE/USDT") == listing("DOGE/USDT")
    True
    """
    base = pair.partition("/")[0]
    if base in _LISTINGS:
        return _LISTINGS[base]
    # Not ``hash``, which Python salts in every process.
    code = zlib.crc32(base.encode())
    price = round(10.0 ** (code % 1000 / 333.0), 2)
    # Four significant decimals below the price keep a tick under a tenth of a basis point or so.
    decimals = max(2, 4 - math.floor(math.log10(price)))
    return Listing(price, decimals, 0.0012 + 0.0012 * (code // 1000 % 100) / 100, 5.0e5)
