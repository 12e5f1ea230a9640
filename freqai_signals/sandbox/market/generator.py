"""Latent paths and candles of one pair, vectorised over its whole history."""

import datetime as dt
import zlib
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from freqai_signals.sandbox.market.dynamics import (
    CANDLES_PER_DAY,
    DYNAMICS,
    Array,
    ar1,
    candle_volatility,
    season,
    wicks,
)
from freqai_signals.sandbox.market.spec import Listing, MarketSpec, listing

# Streams of the random generator: a pair's own name, or this for what all pairs share.
_SHARED_STREAM = 0


@dataclass(frozen=True)
class LatentPath:
    """What the market knows and the trader does not; all of shape ``(n,)``, one row per candle."""

    log_volatility: Array
    drift: Array
    drift_shock: Array
    sigma: Array


@dataclass(frozen=True)
class PairHistory:
    """Candles of a pair and the latent path that made them."""

    candles: pd.DataFrame
    latent: LatentPath

    def latent_frame(self) -> pd.DataFrame:
        """Latent state per candle as it is stored beside the candles."""
        return pd.DataFrame(
            {
                "date": self.candles["date"],
                "log_volatility": self.latent.log_volatility,
                "drift": self.latent.drift,
                "sigma": self.latent.sigma,
            }
        )


def simulate(spec: MarketSpec, pair: str) -> PairHistory:
    """Candles and latent path of one pair.

    Parameters
    ----------
    spec
        The market; only its pairs do not matter.
    pair
        Need not be among the spec's pairs.
    """
    rows = spec.days * CANDLES_PER_DAY
    # Every pair draws the shared stream again from its start and sees the same shocks.
    shared = np.random.default_rng([spec.seed, _SHARED_STREAM])
    # crc32, since Python salts ``hash`` in every process; plus 1 keeps off the shared stream.
    own = np.random.default_rng([spec.seed, 1 + zlib.crc32(pair.encode())])
    terms = listing(pair)
    latent = _latent_path(rows, terms, shared, own)
    # Without a break no row comes after it.
    after = np.arange(rows) >= (spec.break_day * CANDLES_PER_DAY or rows)
    latent = replace(latent, sigma=np.where(after, spec.break_volatility, 1.0) * latent.sigma)
    edge = spec.edge * np.where(after, spec.break_edge, 1.0)
    # The order of draws is part of a market: another one needs another FORMAT_VERSION.
    market_shock = shared.standard_normal(rows)
    own_shock = own.standard_normal(rows)
    share = DYNAMICS.return_shared
    shock = np.sqrt(share) * market_shock + np.sqrt(1.0 - share) * own_shock
    returns = edge * DYNAMICS.drift_return * latent.drift + latent.sigma * shock
    candles = _candles(terms, latent, returns, own)
    candles.insert(0, "date", _dates(spec.start, rows))
    return PairHistory(candles, latent)


def _latent_path(
    rows: int, terms: Listing, shared: np.random.Generator, own: np.random.Generator
) -> LatentPath:
    share = DYNAMICS.volatility_shared
    shocks = np.sqrt(share) * shared.standard_normal(rows)
    shocks += np.sqrt(1.0 - share) * own.standard_normal(rows)
    level = DYNAMICS.volatility_deviation * ar1(shocks, DYNAMICS.volatility_memory)
    jitter = own.standard_normal(rows)
    drift_shock = own.standard_normal(rows)
    drift = ar1(drift_shock, DYNAMICS.drift_memory)
    seasonal = season(np.arange(rows))
    sigma = candle_volatility(terms.volatility, level, jitter, seasonal)
    return LatentPath(level, drift, drift_shock, sigma)


def _candles(
    terms: Listing, latent: LatentPath, returns: Array, own: np.random.Generator
) -> pd.DataFrame:
    log_close = np.log(terms.price) + np.cumsum(returns)
    log_open = np.concatenate([[np.log(terms.price)], log_close[:-1]])
    up, down = wicks(
        latent.sigma,
        latent.drift_shock,
        own.standard_normal(len(returns)),
        own.standard_normal(len(returns)),
    )
    # Opens, closes and extremes are rounded each for itself; a final maximum and minimum keeps
    # the candle consistent where rounding would cut a wick below its body.
    opened = np.round(np.exp(log_open), terms.decimals)
    closed = np.round(np.exp(log_close), terms.decimals)
    top = np.round(np.exp(np.maximum(log_open, log_close) + up), terms.decimals)
    bottom = np.round(np.exp(np.minimum(log_open, log_close) - down), terms.decimals)
    tick = 10.0**-terms.decimals
    return pd.DataFrame(
        {
            "open": np.maximum(opened, tick),
            "high": np.maximum.reduce([top, opened, closed, np.full(len(top), tick)]),
            "low": np.maximum(np.minimum.reduce([bottom, opened, closed]), tick),
            "close": np.maximum(closed, tick),
            "volume": _volume(terms, latent, closed, own),
        }
    )


def _volume(terms: Listing, latent: LatentPath, close: Array, own: np.random.Generator) -> Array:
    slow = DYNAMICS.volume_deviation * ar1(own.standard_normal(len(close)), DYNAMICS.volume_memory)
    fast = DYNAMICS.volume_jitter * own.standard_normal(len(close))
    activity = DYNAMICS.volume_elasticity * np.log(latent.sigma / terms.volatility)
    volume = terms.turnover / np.maximum(close, 1e-8) * np.exp(activity + slow + fast)
    return np.maximum(np.round(volume, 5), 1e-5)


def _dates(start: dt.date, rows: int) -> pd.DatetimeIndex:
    first = pd.Timestamp(start, tz="UTC").as_unit("ms")
    return pd.date_range(first, periods=rows, freq="5min", unit="ms")
