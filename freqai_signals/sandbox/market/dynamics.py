r"""The law of the simulated market: one set of equations for the generator and for the posterior.

Time runs in candles of five minutes. Every pair has a log-volatility *h* and a drift *f*, both
AR(1); the log return of candle *t* and its wicks (as log distances of high and low from the body)
are

.. math::
    \sigma_t &= \sigma \exp(h_t + j_t + s(t) - m), \qquad j_t \sim N(0, \tau_j^2) \\
    r_t &= \kappa f_t + \sigma_t \varepsilon_t \\
    u_t &= \sigma_t w \exp(\tau_w n_t - b z_t), \qquad d_t = \sigma_t w \exp(\tau_w n'_t + b z_t)

with an intraday season *s*, the drift's shock *z*, and *m* such that the mean of
:math:`\sigma_t^2` without season is :math:`\sigma^2`. A shock to the drift moves the close towards
the high or low of its candle: besides the returns themselves,
:math:`\log d_t - \log u_t = 2 b z_t + \text{noise}` is all that an observer gets to see of it.
Wicks show the shock and not the drift itself, because a lasting tilt would make future highs and
lows, and with them the barriers that are touched first, predictable even without any edge. The
jitter *j* makes single candles fat-tailed and leaves returns normal given the volatility path,
which is why the class posterior is exact.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CANDLE_SECONDS: Final = 300
CANDLES_PER_DAY: Final = 86400 // CANDLE_SECONDS


@dataclass(frozen=True)
class Dynamics:
    """Constants of the market; standard deviations are those of the stationary processes.

    ``drift_return`` is kappa at edge 1 (a fraction per candle and unit of drift);
    ``volatility_shared`` and ``return_shared`` are the correlations of volatility shocks and of
    returns between pairs; ``season`` holds amplitude and phase (fraction of a day) of the daily
    and of the half-daily harmonic of log-volatility.
    """

    volatility_memory: float = 0.998
    volatility_deviation: float = 0.40
    volatility_shared: float = 0.7
    jitter_deviation: float = 0.30
    season: tuple[tuple[float, float], tuple[float, float]] = ((0.25, 0.62), (0.10, 0.40))
    drift_memory: float = 0.93
    drift_return: float = 1.2e-4
    return_shared: float = 0.6
    wick_length: float = 0.55
    wick_deviation: float = 0.3
    wick_tilt: float = 0.65
    volume_elasticity: float = 0.9
    volume_memory: float = 0.98
    volume_deviation: float = 0.35
    volume_jitter: float = 0.35


DYNAMICS: Final = Dynamics()


def ar1(shocks: Array, memory: float) -> Array:
    """AR(1) with unit stationary variance, started in stationarity.

    Parameters
    ----------
    shocks
        Shape ``(n,)``, independent standard normals.
    memory
        Coefficient of the previous value, in [0, 1).

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``; the value at *t* uses shocks up to *t*.
    """
    # scipy.signal takes a second to load, and most sandboxes find their market ready.
    from scipy.signal import lfilter

    scaled = np.sqrt(1.0 - memory**2) * shocks
    # Unscaled: the first value has the stationary variance, so there is no run-in.
    scaled[0] = shocks[0]
    return np.asarray(lfilter([1.0], [1.0, -memory], scaled), dtype=np.float64)


def season(candle: NDArray[np.int64]) -> Array:
    """Seasonal part of log-volatility.

    Parameters
    ----------
    candle
        Candle numbers, counted from midnight UTC of any day; any shape.

    Returns
    -------
    numpy.ndarray
        Of the same shape, mean zero over a day.
    """
    day = candle / CANDLES_PER_DAY
    (daily, phase), (half_daily, half_phase) = DYNAMICS.season
    first = daily * np.cos(2.0 * np.pi * (day - phase))
    second = half_daily * np.cos(4.0 * np.pi * (day - half_phase))
    return np.asarray(first + second, dtype=np.float64)


def candle_volatility(scale: float, log_volatility: Array, jitter: Array, seasonal: Array) -> Array:
    """Standard deviation of a candle's return given its latent volatility, a fraction.

    Parameters
    ----------
    scale
        The pair's root mean square volatility per candle.
    log_volatility, jitter, seasonal
        Latent log-volatility, its jitter (standard normals) and the season; shapes broadcast.
    """
    # E exp(2x) is exp(2 Var x) for a normal x: so shifted, the mean square is that of ``scale``.
    shift = DYNAMICS.volatility_deviation**2 + DYNAMICS.jitter_deviation**2
    exponent = log_volatility + DYNAMICS.jitter_deviation * jitter + seasonal
    return scale * np.exp(exponent - shift)


def wicks(sigma: Array, shock: Array, noise_up: Array, noise_down: Array) -> tuple[Array, Array]:
    """Log distances of the high above the body and of the low below it, both positive.

    Parameters
    ----------
    sigma, shock
        Volatility of the candle and shock to the drift in it.
    noise_up, noise_down
        Standard normals of the same shape.
    """
    tilt = DYNAMICS.wick_tilt * shock
    length = DYNAMICS.wick_length * sigma
    up = length * np.exp(DYNAMICS.wick_deviation * noise_up - tilt)
    down = length * np.exp(DYNAMICS.wick_deviation * noise_down + tilt)
    return up, down
