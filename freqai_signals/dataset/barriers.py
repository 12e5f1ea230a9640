"""Barriers of a label: their width, and which one a price path touches first."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from freqai_signals.dataset.causal import daily_volatility
from freqai_signals.settings import LabelSettings, SignalSettings

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


def candles_before_touch(
    high: Array, low: Array, upper: Array, lower: Array, horizon: int
) -> IntArray:
    """Count the candles after each row that pass before a barrier is touched.

    Row *t* looks at candles *t + 1 .. t + horizon*. A candle touches when its high reaches
    ``upper[t]`` or its low reaches ``lower[t]``, and also when either price is NaN, so that a count
    never spans a missing candle.

    Parameters
    ----------
    high, low
        Shape ``(n,)``, prices.
    upper, lower
        Shape ``(m,)`` with ``m <= n``, prices of the barriers of the first ``m`` rows.
    horizon
        Candles to look ahead.

    Returns
    -------
    numpy.ndarray
        Shape ``(m,)``, candles: 0 when the very next candle touches, ``horizon`` when none does.
        Candles beyond the end of the arrays count as missing.

    Notes
    -----
    A sparse table holds the extremes over 1, 2, 4, ... candles; each row then skips the longest
    span that stays between its barriers, the next shorter one, and so on. The cost is
    ``n * log2(horizon)`` for any prices, about an eighth of advancing all undecided rows one candle
    at a time (horizon 48), as long as the table fits into a core's cache: pass about ten thousand
    rows at a time.

    Examples
    --------
    >>> high = np.array([10.0, 10.2, 10.6, 10.1])
    >>> low = np.array([10.0, 9.9, 10.1, 9.4])
    >>> candles_before_touch(high, low, np.array([10.5, 11.0]), np.array([9.5, 9.5]), horizon=2)
    array([1, 1])
    """
    # The power of two above the horizon: spans 1, 2, 4, ... below it add up to reach - 1 >=
    # horizon.
    reach = 1 << horizon.bit_length()
    length = len(upper) + reach
    # From index 1: the row's own candle is past when its label begins.
    highest = _span_extremes(np.maximum, _padded(high[1:length], length), reach)
    lowest = _span_extremes(np.minimum, _padded(low[1:length], length), reach)
    return np.minimum(_skip(highest, lowest, upper, lower), horizon)


def _padded(prices: Array, length: int) -> Array:
    out = np.full(length, np.nan)
    out[: len(prices)] = prices
    return out


def _span_extremes(extreme: np.ufunc, prices: Array, reach: int) -> list[Array]:
    """Extremes over ``prices[i : i + 2**level]``, one array per level, spans shorter than reach."""
    levels = [prices]
    for level in range(reach.bit_length() - 2):
        half = 1 << level
        levels.append(extreme(levels[-1][:-half], levels[-1][half:]))
    return levels


def _skip(highest: list[Array], lowest: list[Array], upper: Array, lower: Array) -> IntArray:
    rows = np.arange(len(upper))
    position = rows.copy()
    for level in reversed(range(len(highest))):
        # A comparison with NaN is false: missing candles are never skipped.
        inside = (highest[level].take(position) < upper) & (lowest[level].take(position) > lower)
        position += inside.astype(np.int64) << level
    return np.asarray(position - rows, dtype=np.int64)


@dataclass(frozen=True)
class LabelRule:
    """Everything that labels, barriers and return scales depend on besides the candles.

    Attributes
    ----------
    settings
        The kind of label and its parameters.
    horizon
        Candles, ``label_horizon_candles``.
    candles_per_day
        Candles in 24 hours; scales ``volatility_span_days``.
    round_trip_cost
        Fees and slippage of entry and exit, a fraction; lower limit of the barrier width of
        ``volatility`` and ``triple_barrier``.

    Examples
    --------
    >>> LabelRule(LabelSettings(volatility_span_days=0.5), 24, candles_per_day=288).memory
    433
    """

    settings: LabelSettings
    horizon: int
    candles_per_day: int
    round_trip_cost: float = 0.0

    def __post_init__(self) -> None:
        """Reject values for which no label is defined."""
        if self.horizon < 1:
            raise ValueError(f"horizon must be at least 1 candle, got {self.horizon}")
        if self.candles_per_day < 1:
            raise ValueError(f"candles_per_day must be at least 1, got {self.candles_per_day}")
        if not 0 <= self.round_trip_cost < 1:
            raise ValueError(
                f"round_trip_cost must be a fraction in [0, 1), got {self.round_trip_cost}"
            )

    @classmethod
    def of(cls, settings: SignalSettings, round_trip_cost: float = 0.0) -> "LabelRule":
        """The rule of the config's labels."""
        horizon, day = settings.label_horizon_candles, settings.candles_per_day
        return cls(settings.labels, horizon, day, round_trip_cost)

    @property
    def volatility_span(self) -> int:
        """Candles over which volatility is averaged."""
        return max(round(self.settings.volatility_span_days * self.candles_per_day), 1)

    @property
    def volatility_scaled(self) -> "LabelRule":
        """The rule whose width scales with volatility: this one, unless its threshold is fixed."""
        if self.settings.kind != "fixed":
            return self
        changes = {"kind": "volatility", "k": 1.0, "floor": self.settings.threshold}
        return replace(self, settings=self.settings.model_copy(update=changes))

    @property
    def memory(self) -> int:
        """Candles that a frame needs so that the barrier of its last row is defined."""
        # Three spans of returns, and a return needs one more close.
        return 3 * self.volatility_span + 1


def barrier_width(close: Array, rule: LabelRule) -> Array:
    r"""Distance of the barriers (or the threshold) from the close.

    ``fixed`` uses its constant threshold. The other kinds use

    .. math:: w_t = \max(k \, \sigma_t \sqrt{H},\; \mathrm{floor},\; \mathrm{cost})

    with the horizon :math:`H` and :math:`\sigma_t` from
    :func:`~freqai_signals.dataset.causal.daily_volatility`.

    Parameters
    ----------
    close
        Shape ``(n,)``, prices.
    rule
        Kind, ``k``, floor, horizon and cost.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, a fraction of the close (0.004 = 0.4 %), known at the close of row *t*. NaN
        where the close is not a positive number or the volatility is undefined.

    Examples
    --------
    >>> close = 100 * np.exp(0.001 * (np.arange(8) % 2))  # moves by 0.1 % with every candle
    >>> settings = LabelSettings(kind="volatility", k=2.0, volatility_span_days=0.5, floor=0.0)
    >>> barrier_width(close, LabelRule(settings, horizon=4, candles_per_day=4)).round(6)
    array([  nan,   nan,   nan,   nan,   nan,   nan, 0.004, 0.004])
    """
    settings, valid = rule.settings, is_price(close)
    if settings.kind == "fixed":
        return np.where(valid, settings.threshold, np.nan)
    sigma = daily_volatility(np.where(valid, close, np.nan), rule.volatility_span)
    narrowest = max(settings.floor, rule.round_trip_cost)
    # np.maximum keeps NaN, unlike np.fmax: an undefined volatility must not become the floor.
    return np.maximum(settings.k * sigma * math.sqrt(rule.horizon), narrowest)


def return_scale(close: Array, rule: LabelRule) -> Array:
    """Unit in which the returns of a label are measured.

    A buy pays more in volatile markets than in calm ones; in units of this scale they are
    comparable. It is :func:`barrier_width` where that scales with volatility; for ``fixed`` labels
    it is the width of a volatility barrier with ``k`` of 1, at least the threshold. Parameters, NaN
    policy and what is known when are those of :func:`barrier_width`.
    """
    return barrier_width(close, rule.volatility_scaled)


def is_price(values: Array) -> BoolArray:
    """Whether each value is a positive number."""
    return np.asarray(np.isfinite(values) & (values > 0))


def width_and_scale(close: Array, rule: LabelRule) -> tuple[Array, Array]:
    """:func:`barrier_width` and :func:`return_scale`, with volatility, the slow part, once."""
    width = barrier_width(close, rule)
    return width, width if rule.volatility_scaled is rule else return_scale(close, rule)
