r"""Exact class probabilities of labels in the simulated market, given its latent state.

Given the future volatility path, the log return over *H* candles is normal:

.. math:: R \mid V \sim N\Big(\kappa f_t \sum_{i=1}^{H} \varphi^i,\; V + \kappa^2 (1 - \varphi^2)
          \sum_{i=1}^{H} \Big(\frac{1 - \varphi^i}{1 - \varphi}\Big)^2\Big)

with *V* the summed candle variances and :math:`\varphi` the memory of the drift. Only *V* is
sampled. An observer who knows the latent state at the close of row *t*, which no trader does, gets
a skill that cannot be reached. ``observer`` gives the state as the candles show it, with its
errors; the same functions then give the best class probabilities that candles allow.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from freqai_signals.sandbox.market.dynamics import (
    CANDLES_PER_DAY,
    DYNAMICS,
    Array,
    candle_volatility,
    season,
)
from freqai_signals.sandbox.market.market_files import Market
from freqai_signals.sandbox.market.spec import listing
from freqai_signals.schema import CLASS_COUNT, SignalClass

# Rows that share one set of volatility paths: few enough that its error averages out over rows.
_BLOCK_ROWS = 1024


@dataclass(frozen=True)
class LatentState:
    """What the posterior conditions on: the market at the close of chosen candles.

    ``log_volatility``, ``drift`` and ``candle`` (number of the candle since midnight UTC) have
    shape ``(n,)``; ``volatility`` is the pair's scale and ``kappa`` the return per candle and unit
    of drift, both fractions. The last two are the standard errors, of normal distribution, with
    which log-volatility and drift are known.
    """

    log_volatility: Array
    drift: Array
    candle: NDArray[np.int64]
    volatility: float
    kappa: float
    volatility_error: float = 0.0
    drift_error: float = 0.0

    def __len__(self) -> int:
        return len(self.drift)

    def rows(self, chosen: slice) -> "LatentState":
        """State at some of the rows."""
        return replace(
            self,
            log_volatility=self.log_volatility[chosen],
            drift=self.drift[chosen],
            candle=self.candle[chosen],
        )


@dataclass(frozen=True)
class PathSampling:
    """How many volatility paths (an even number: each comes with its mirror image), which seed."""

    paths: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse odd or missing paths."""
        if self.paths < 2 or self.paths % 2:
            raise ValueError(f"paths must be an even number from 2 on, got {self.paths}")


DEFAULT_SAMPLING = PathSampling()


def latent_state(market: Market, pair: str, rows: NDArray[np.int64] | slice) -> LatentState:
    """Latent state at the close of chosen base candles of a pair.

    Parameters
    ----------
    market
        From :func:`~freqai_signals.sandbox.market.market_files.ensure_market`.
    pair
        One of its pairs.
    rows
        Positions in the pair's base candles, in any order.
    """
    frame = market.latent(pair)
    return LatentState(
        log_volatility=frame["log_volatility"].to_numpy(dtype=np.float64)[rows],
        drift=frame["drift"].to_numpy(dtype=np.float64)[rows],
        candle=np.arange(len(frame), dtype=np.int64)[rows] % CANDLES_PER_DAY,
        volatility=listing(pair).volatility,
        kappa=market.spec.edge * DYNAMICS.drift_return,
    )


def horizon_posterior(
    state: LatentState, width: Array, horizon: int, sampling: PathSampling = DEFAULT_SAMPLING
) -> Array:
    """Class probabilities of the label kinds ``fixed`` and ``volatility``.

    Parameters
    ----------
    state
        ``n`` rows.
    width
        Shape ``(n,)``, the threshold of each row as a fraction of its close: buy when the simple
        return over the horizon exceeds it, sell when it falls short of its negative.
    horizon
        Candles.
    sampling
        Volatility paths per row.

    Returns
    -------
    numpy.ndarray
        Shape ``(n, 3)`` in the order of :class:`~freqai_signals.schema.SignalClass`; NaN where
        ``width`` is NaN.
    """
    if len(width) != len(state):
        raise ValueError(f"width must have one value per row, got {len(width)} for {len(state)}")
    generator = np.random.default_rng(sampling.seed)
    out = np.empty((len(state), CLASS_COUNT))
    for first in range(0, len(state), _BLOCK_ROWS):
        block = slice(first, first + _BLOCK_ROWS)
        part = state.rows(block)
        variance = _path_variance(part, horizon, sampling.paths, generator)
        unsure = (part.kappa * part.drift_error * drift_persistence(horizon)) ** 2
        deviation = np.sqrt(variance + drift_variance(part.kappa, horizon) + unsure)
        mean = (part.kappa * part.drift * drift_persistence(horizon))[:, None]
        # Thresholds are simple returns, the paths are log returns.
        upper, lower = np.log1p(width[block])[:, None], np.log1p(-width[block])[:, None]
        buy = ndtr((mean - upper) / deviation).mean(axis=1)
        sell = ndtr((lower - mean) / deviation).mean(axis=1)
        out[block, SignalClass.BUY] = buy
        out[block, SignalClass.SELL] = sell
        out[block, SignalClass.HOLD] = 1.0 - buy - sell
    return out


def drift_persistence(horizon: int) -> float:
    """Expected sum of the next ``horizon`` drifts per unit of the present drift."""
    return float(np.sum(DYNAMICS.drift_memory ** np.arange(1, horizon + 1)))


def drift_variance(kappa: float, horizon: int) -> float:
    """Variance that drifts yet to come add to the return over the horizon."""
    memory = DYNAMICS.drift_memory
    weights = (1.0 - memory ** np.arange(1, horizon + 1)) / (1.0 - memory)
    return float(kappa**2 * (1.0 - memory**2) * np.sum(weights**2))


def seasonal_ahead(state: LatentState, horizon: int) -> Array:
    """Season of the next ``horizon`` candles of each row, shape ``(n, horizon)``."""
    return season(state.candle[:, None] + np.arange(1, horizon + 1))


def _path_variance(
    state: LatentState, horizon: int, paths: int, generator: np.random.Generator
) -> Array:
    """Sums of candle variances over the horizon, shape ``(n, paths)``."""
    level, jitter = (generator.standard_normal((horizon, paths // 2)) for _ in range(2))
    level = np.concatenate([level, -level], axis=1)
    jitter = np.concatenate([jitter, -jitter], axis=1)
    memory = DYNAMICS.volatility_memory
    step = DYNAMICS.volatility_deviation * np.sqrt(1.0 - memory**2)
    deviation = np.zeros_like(level)
    running = np.zeros(paths)
    if state.volatility_error:
        start = generator.standard_normal(paths // 2)
        running += state.volatility_error * np.concatenate([start, -start])
    for candle in range(horizon):
        running = memory * running + step * level[candle]
        deviation[candle] = running
    # The exponent is a sum of what a row knows and what a path adds: one matrix product does all.
    decay = memory ** np.arange(1, horizon + 1)
    known = np.exp(2.0 * (state.log_volatility[:, None] * decay + seasonal_ahead(state, horizon)))
    added = candle_volatility(state.volatility, deviation, jitter, np.zeros_like(deviation)) ** 2
    return np.asarray(known @ added, dtype=np.float64)
