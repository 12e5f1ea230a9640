r"""The latent state of a simulated market, filtered from its candles with known dynamics.

Wicks show both parts of the state, with normal errors:

.. math::
    \log d_t - \log u_t &= 2 b z_t + \tau_w (n'_t - n_t) \\
    \tfrac12 (\log d_t + \log u_t) &= \log(\sigma w) + h_t + s(t) - m + j_t
                                    + \tfrac12 \tau_w (n_t + n'_t)

The first gives the drift, the second, of all pairs together because they share most of their
shocks, the log-volatility: two Kalman filters in their steady state. What returns and volume could
add is left out: a return hardly shows the drift, and a volume holds the same jitter as the wicks.
"""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.sandbox.market.dynamics import CANDLES_PER_DAY, DYNAMICS, Array, season
from freqai_signals.sandbox.market.market_files import Market
from freqai_signals.sandbox.market.spec import listing
from freqai_signals.sandbox.posterior.horizon_posterior import LatentState

WARM_UP_CANDLES: Final = 10 * CANDLES_PER_DAY
"""After these the initial state of the filters has no effect."""

_HALF_TICK: Final = 0.5


class Observer:
    """Filtered state of every pair of a market, computed once.

    Parameters
    ----------
    market
        From :func:`~freqai_signals.sandbox.market.market_files.ensure_market`.
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self._wicks = {pair: log_wicks(market.candles(pair), pair) for pair in market.spec.pairs}
        levels = np.stack([_shown_level(wicks, pair) for pair, wicks in self._wicks.items()])
        self._level, self._errors = _filtered_levels(levels)

    def state(self, pair: str, rows: NDArray[np.int64]) -> LatentState:
        """State at the close of chosen candles; each row uses candles up to its own only.

        Parameters
        ----------
        pair
            One of the market's.
        rows
            Positions in the pair's base candles; those within :data:`WARM_UP_CANDLES` are known
            worse than the errors say.
        """
        place = self._market.spec.pairs.index(pair)
        drift, drift_error = _filtered_drift(self._wicks[pair])
        return LatentState(
            log_volatility=self._level[rows, place],
            drift=drift[rows],
            candle=rows % CANDLES_PER_DAY,
            volatility=listing(pair).volatility,
            kappa=self._market.spec.edge * DYNAMICS.drift_return,
            volatility_error=float(self._errors[place]),
            drift_error=drift_error,
        )


def log_wicks(candles: pd.DataFrame, pair: str) -> tuple[Array, Array]:
    """Logs of the upper and of the lower wick's length, itself a log distance from the body.

    A wick that rounding has cut to nothing counts as half a tick.
    """
    opened, high, low, closed = (
        np.log(candles[name].to_numpy(np.float64)) for name in ("open", "high", "low", "close")
    )
    least = _HALF_TICK * 10.0 ** -listing(pair).decimals / np.exp(closed)
    up = np.log(np.maximum(high - np.maximum(opened, closed), least))
    return up, np.log(np.maximum(np.minimum(opened, closed) - low, least))


def _shown_level(wicks: tuple[Array, Array], pair: str) -> Array:
    """Log-volatility plus jitter and noise, shape ``(n,)``."""
    shift = DYNAMICS.volatility_deviation**2 + DYNAMICS.jitter_deviation**2
    scale = np.log(listing(pair).volatility * DYNAMICS.wick_length) - shift
    return np.asarray(np.mean(wicks, axis=0) - scale - season(np.arange(len(wicks[0]))))


def _filtered_drift(wicks: tuple[Array, Array]) -> tuple[Array, float]:
    """Mean of the drift given the wicks so far, shape ``(n,)``, and its standard error."""
    # scipy.signal takes a second to load.
    from scipy.signal import lfilter

    memory, tilt = DYNAMICS.drift_memory, 2.0 * DYNAMICS.wick_tilt
    gain = tilt / (tilt**2 + 2.0 * DYNAMICS.wick_deviation**2)
    step = np.sqrt(1.0 - memory**2) * gain
    mean = np.asarray(lfilter([step], [1.0, -memory], wicks[1] - wicks[0]), dtype=np.float64)
    # Each shock is observed once; the unobserved part decays like the drift itself.
    return mean, float(np.sqrt(1.0 - gain * tilt))


def _filtered_levels(shown: Array) -> tuple[Array, Array]:
    """Means of all log-volatilities, shape ``(n, pairs)``, and their errors ``(pairs,)``."""
    from scipy.linalg import solve_discrete_are

    pairs, memory = len(shown), DYNAMICS.volatility_memory
    share, one = DYNAMICS.volatility_shared, np.eye(pairs)
    moves = DYNAMICS.volatility_deviation**2 * (1.0 - memory**2) * (share + (1.0 - share) * one)
    noise = (DYNAMICS.jitter_deviation**2 + 0.5 * DYNAMICS.wick_deviation**2) * one
    ahead = solve_discrete_are(memory * one, one, moves, noise)
    gain = ahead @ np.linalg.inv(ahead + noise)
    mean, means = np.zeros(pairs), np.empty(shown.T.shape)
    for row, seen in enumerate(shown.T):
        mean = memory * mean
        mean = mean + gain @ (seen - mean)
        means[row] = mean
    return means, np.sqrt(np.diag(ahead - gain @ ahead))
