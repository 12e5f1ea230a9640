"""Class probabilities of triple-barrier labels, by nested simulation from the latent state."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from freqai_signals.sandbox.market.dynamics import DYNAMICS, Array, candle_volatility, wicks
from freqai_signals.sandbox.posterior.horizon_posterior import (
    LatentState,
    PathSampling,
    seasonal_ahead,
)
from freqai_signals.schema import CLASS_COUNT, SignalClass

DEFAULT_PATHS: Final = PathSampling(paths=512)

# Rows simulated together: their path arrays stay in a core's cache.
_BLOCK_ROWS: Final = 64


@dataclass(frozen=True)
class SimulatedPosterior:
    """Class frequencies among simulated futures.

    Parameters
    ----------
    proba
        Shape ``(n, 3)``, from all paths.
    halves
        Shape ``(2, n, 3)``, from two independent halves of the paths; their larger error shows
        how much the error of all paths distorts a log loss.
    paths
        Number of futures per row.
    """

    proba: Array
    halves: Array
    paths: int

    def standard_error(self) -> Array:
        """Monte-Carlo standard error of every probability, shape ``(n, 3)`` (an upper bound)."""
        return np.sqrt(self.proba * (1.0 - self.proba) / self.paths)


def barrier_posterior(
    state: LatentState,
    width: Array,
    horizon: int,
    sampling: PathSampling = DEFAULT_PATHS,
) -> SimulatedPosterior:
    """Class probabilities of the label kind ``triple_barrier``.

    Parameters
    ----------
    state
        ``n`` rows; choose a few thousand, the cost is rows times paths times horizon.
    width
        Shape ``(n,)``, finite: distance of both barriers as a fraction of the row's close.
    horizon
        Candles to the vertical barrier.
    sampling
        Futures per row, half of them mirror images of the others in direction.

    Returns
    -------
    SimulatedPosterior
    """
    if len(width) != len(state) or not np.isfinite(width).all():
        raise ValueError("width must be finite and have one value per row of the state")
    # Two halves, and in each of them a path with its mirror image.
    if sampling.paths % 4:
        raise ValueError(f"paths must be a multiple of 4, got {sampling.paths}")
    generator = np.random.default_rng(sampling.seed)
    halves = np.empty((2, len(state), CLASS_COUNT))
    for first in range(0, len(state), _BLOCK_ROWS):
        block = slice(first, first + _BLOCK_ROWS)
        for half in halves:
            simulation = _Simulation(state.rows(block), sampling.paths // 4, generator)
            half[block] = simulation.frequencies(width[block], horizon)
    return SimulatedPosterior(halves.mean(axis=0), halves, sampling.paths)


class _Simulation:
    """Futures of a block of rows, candle by candle; arrays of shape (2, rows, pairs of paths).

    The two sheets are mirror images: drift shocks, return shocks and wicks change sides.
    """

    def __init__(self, state: LatentState, pairs: int, generator: np.random.Generator) -> None:
        shape = (len(state), pairs)
        self._state = state
        self._generator = generator
        self._shape = shape
        self._level = np.broadcast_to(state.log_volatility[:, None], shape)
        self._drift = np.broadcast_to(state.drift[:, None], (2, *shape))
        self._price = np.zeros((2, *shape))
        if state.volatility_error:
            self._level = self._level + state.volatility_error * self._normal()
        if state.drift_error:
            self._drift = self._drift + state.drift_error * _mirrored(self._normal())

    def frequencies(self, width: Array, horizon: int) -> Array:
        """Class frequencies per row, shape ``(rows, 3)``."""
        upper, lower = np.log1p(width)[:, None], np.log1p(-width)[:, None]
        open_events = np.ones(self._price.shape, dtype=bool)
        bought = np.zeros(self._price.shape, dtype=bool)
        sold = np.zeros(self._price.shape, dtype=bool)
        for seasonal in seasonal_ahead(self._state, horizon).T:
            high, low = self._next_candle(seasonal[:, None])
            at_upper, at_lower = high >= upper, low <= lower
            bought |= open_events & at_upper & ~at_lower
            sold |= open_events & at_lower & ~at_upper
            open_events &= ~(at_upper | at_lower)
        out = np.empty((len(width), CLASS_COUNT))
        out[:, SignalClass.BUY] = bought.mean(axis=(0, 2))
        out[:, SignalClass.SELL] = sold.mean(axis=(0, 2))
        out[:, SignalClass.HOLD] = 1.0 - out[:, SignalClass.BUY] - out[:, SignalClass.SELL]
        return out

    def _next_candle(self, seasonal: Array) -> tuple[Array, Array]:
        """Advance all paths by a candle and return its log high and low."""
        memory = DYNAMICS.volatility_memory
        step = DYNAMICS.volatility_deviation * np.sqrt(1.0 - memory**2)
        self._level = memory * self._level + step * self._normal()
        sigma = candle_volatility(self._state.volatility, self._level, self._normal(), seasonal)
        memory = DYNAMICS.drift_memory
        shock = _mirrored(self._normal())
        self._drift = memory * self._drift + np.sqrt(1.0 - memory**2) * shock
        before = self._price
        move = self._state.kappa * self._drift + sigma * _mirrored(self._normal())
        self._price = before + move
        noise = np.stack([self._normal(), self._normal()])
        # Reversed for the low: the mirror image of a path swaps its wicks.
        up, down = wicks(sigma, shock, noise, noise[::-1])
        return np.maximum(before, self._price) + up, np.minimum(before, self._price) - down

    def _normal(self) -> NDArray[np.float64]:
        return self._generator.standard_normal(self._shape)


def _mirrored(shock: Array) -> Array:
    return np.stack([shock, -shock])
