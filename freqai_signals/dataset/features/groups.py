"""The feature groups: each maps candles to named arrays and declares how far back it looks.

To add a group: write a function like those here, enter it in ``GROUPS`` with its memory, and add
its name to ``settings.FeatureGroup``. The tests of causality, memory, scale and finiteness run over
``GROUPS`` and so cover every new group.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import talib

from freqai_signals.dataset.causal import (
    Array,
    earlier_means,
    ewma,
    lag,
    rolling_max,
    rolling_mean,
    rolling_min,
    rolling_std,
)
from freqai_signals.dataset.features.inputs import SMALLEST_VOLATILITY, FeatureInput, Spans
from freqai_signals.settings import FeatureGroup

Features = dict[str, Array]

EWMA_MEMORY_SPANS: Final = 2
"""Window of an exponential mean in spans; the weight there is exp(-4) of the newest candle's."""

_RANGE_OFFSET: Final = 1e-4
"""Added to a candle's range before taking the log, since a range can be 0."""

_WICK_OFFSET: Final = 0.05
"""Share of the candle's range that is added to both wicks: many candles lack one."""

HIGHER_LENGTH: Final = 14
"""Window of the higher-timeframe indicators, in candles of that timeframe."""


@dataclass(frozen=True)
class Group:
    """A function that computes features, and its memory in base candles."""

    compute: Callable[[FeatureInput], Features]
    memory: Callable[[Spans], int]


def _volatility_over(x: FeatureInput, window: int) -> Array:
    return np.sqrt(x.mean("squared_returns", window))


def _log_ratio(above: Array, below: Array, floor: float) -> Array:
    return np.asarray(np.log((above + floor) / (below + floor)), dtype=np.float64)


def _share(part: Array, total: Array) -> Array:
    """``part / total``, 0 where the total is 0; NaN stays NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = part / total
    return np.where(total > 0, ratio, np.where(np.isnan(total), np.nan, 0.0))


def _aroon(high: Array, low: Array, window: int) -> Array:
    """TA-Lib's Aroon oscillator in [-1, 1]: which extreme of the window is more recent."""
    if high.ndim == 2:
        recent = zip(high[-window - 1 :].T, low[-window - 1 :].T, strict=True)
        return np.array([[_aroon(*prices, window)[-1] for prices in recent]])
    bad = ~(np.isfinite(high) & np.isfinite(low))
    # TA-Lib's comparisons ignore NaN and give wrong numbers; such windows are masked below.
    high, low = np.where(bad, 0.0, high), np.where(bad, 0.0, low)
    out = np.asarray(talib.AROONOSC(high, low, timeperiod=window), dtype=np.float64) / 100
    out[:window] = np.nan
    if bad.any():
        out[rolling_max(bad.astype(np.float64), window + 1) > 0] = np.nan
    return out


def momentum(x: FeatureInput) -> Features:
    """Returns in units of volatility, Aroon, straightness (efficiency ratio); several spans."""
    path = x.log_close
    out: Features = {}
    for p in (1, 3, *x.spans.periods, x.spans.day):
        out[f"return_{p}"] = (path - lag(path, p)) / (x.sigma * np.sqrt(p))
    for p in x.spans.periods:
        out[f"aroon_{p}"] = _aroon(x.high, x.low, p)
        # Kaufman's efficiency ratio, with the sign of the move.
        travelled = x.mean("absolute_returns", p) * p
        out[f"straightness_{p}"] = _share(path - lag(path, p), travelled)
    return out


def mean_reversion(x: FeatureInput) -> Features:
    """Distance from the mean price, position in the recent range, RSI of simple means."""
    path = x.log_close
    out: Features = {}
    for p in (*x.spans.periods, x.spans.day):
        distance = path - rolling_mean(path, p)
        out[f"distance_{p}"] = distance / (x.sigma * np.sqrt(p))
        low, high = rolling_min(x.low, p), rolling_max(x.high, p)
        out[f"range_position_{p}"] = _share(x.close - low, high - low)
        # Cutler's RSI: Wilder's smoothing never forgets, so a live frame would differ from a
        # backtest.
        up = rolling_mean(np.maximum(x.returns, 0.0), p)
        out[f"rsi_{p}"] = _share(up, x.mean("absolute_returns", p))
    return out


def volatility(x: FeatureInput) -> Features:
    """How lively the market is now, against its day, its week and the same time of other days."""
    day, week = x.spans.day, x.spans.season_days * x.spans.day
    daily = np.maximum(_volatility_over(x, day), SMALLEST_VOLATILITY)
    out: Features = {
        "sigma": np.log(x.sigma),
        "sigma_day_to_week": _log_ratio(daily, _volatility_over(x, week), SMALLEST_VOLATILITY),
    }
    for p in (1, 3, *x.spans.periods, day):
        out[f"volatility_{p}"] = _log_ratio(_volatility_over(x, p), x.sigma, SMALLEST_VOLATILITY)
    for p in (1, *x.spans.periods):
        # Parkinson (1980): without drift, the mean of the squared log range is 4 ln 2 variances.
        parkinson = np.sqrt(rolling_mean(np.square(x.range), p) / (4 * np.log(2)))
        out[f"parkinson_{p}"] = _log_ratio(parkinson, x.sigma, SMALLEST_VOLATILITY)
    log_range = np.log(x.range + _RANGE_OFFSET)
    for p in x.spans.periods:
        # A mean of logs is robust against single jumps, which dominate a mean of squares.
        usual = ewma(log_range, p, EWMA_MEMORY_SPANS * p)
        out[f"usual_range_{p}"] = usual - np.log(x.sigma)
    for p in (x.spans.periods[-1], day):
        out[f"largest_move_{p}"] = rolling_max(x.absolute_returns, p) / x.sigma
        downs = rolling_mean(np.square(np.minimum(x.returns, 0.0)), p)
        out[f"down_share_{p}"] = _share(downs, x.mean("squared_returns", p))
        out[f"volatility_of_volatility_{p}"] = rolling_std(x.absolute_returns, p) / x.sigma
    # A day of long candles may have fewer than three.
    for stretch in sorted({min(3, day), x.spans.horizon}):
        season = np.sqrt(_same_time_of_day(x.squared_returns, x.spans, stretch))
        out[f"season_{stretch}"] = _log_ratio(season, x.sigma, SMALLEST_VOLATILITY)
    return out


def _same_time_of_day(values: Array, spans: Spans, stretch: int) -> Array:
    """Mean over earlier days of what followed this time of day for ``stretch`` candles.

    On each of the last ``season_days`` days the rows *t - k day + 1 .. t - k day + stretch* are
    used; with a stretch of at most one day all of them are past.
    """
    ends = [k * spans.day - stretch for k in range(1, spans.season_days + 1)]
    return np.asarray(np.mean(earlier_means(values, stretch, ends), axis=0), dtype=np.float64)


def volume(x: FeatureInput) -> Features:
    """Volume relative to the day, its direction, and its intraday seasonality."""
    daily = x.mean("volume", x.spans.day)
    out: Features = {}
    for p in (1, 3, *x.spans.periods):
        share = _share(x.mean("volume", p), daily)
        out[f"volume_{p}"] = np.log(share + 1e-3)
    signed = np.sign(x.returns) * x.volume
    for p in x.spans.periods:
        out[f"signed_volume_{p}"] = _share(rolling_mean(signed, p), x.mean("volume", p))
    season = _share(_same_time_of_day(x.volume, x.spans, x.spans.horizon), daily)
    out["volume_season"] = np.log(season + 1e-3)
    return out


def _wick_balance(x: FeatureInput) -> Array:
    """Log of the lower over the upper wick: positive after a rejection of lows; 0 if flat."""
    top, bottom = np.maximum(x.open, x.close), np.minimum(x.open, x.close)
    offset = _WICK_OFFSET * x.range
    balance = np.log(np.log(bottom / x.low) + offset) - np.log(np.log(x.high / top) + offset)
    return np.where(x.range > 0, balance, np.where(np.isnan(x.range), np.nan, 0.0))


def candle_shape(x: FeatureInput) -> Features:
    """Close location in the range, wicks and bodies of candles, money flow."""
    out: Features = {"close_location": x.close_location}
    for p in (3, *x.spans.periods):
        out[f"close_location_{p}"] = rolling_mean(x.close_location, p)
    balance = _wick_balance(x)
    out["wick_balance"] = balance
    for p in x.spans.periods:
        out[f"wick_balance_{p}"] = ewma(balance, p, EWMA_MEMORY_SPANS * p)
    for p in x.spans.periods:
        # Chaikin's money flow.
        flow = rolling_mean(x.close_location * x.volume, p)
        out[f"money_flow_{p}"] = _share(flow, x.mean("volume", p))
    top, bottom = np.maximum(x.open, x.close), np.minimum(x.open, x.close)
    out["body"] = np.log(x.close / x.open) / x.sigma
    out["upper_wick"] = np.log(x.high / top) / x.sigma
    out["lower_wick"] = np.log(bottom / x.low) / x.sigma
    return out


def calendar(x: FeatureInput) -> Features:
    """Time of day, week and hour, from the candle's date (UTC)."""
    seconds = x.date.dt.as_unit("s").astype("int64").to_numpy()
    of_day = (seconds % 86400) / 86400
    # 1 January 1970 was a Thursday, and Monday is 0.
    weekday = ((seconds // 86400 + 3) % 7).astype(np.float64)
    return {
        "time_of_day": of_day,
        "weekday": weekday,
        "time_of_week": (weekday + of_day) / 7,
        "time_of_hour": (seconds % 3600) / 3600,
        "day_sine": np.sin(2 * np.pi * of_day),
        "day_cosine": np.cos(2 * np.pi * of_day),
    }


def higher_timeframes(x: FeatureInput) -> Features:
    """Indicators over 14 candles of each higher timeframe.

    They are derived from base candles and end at the present one, so that live and backtest agree.
    """
    path = x.log_close
    out: Features = {}
    for name, candles in x.spans.higher:
        window = HIGHER_LENGTH * candles
        low, high = rolling_min(x.low, window), rolling_max(x.high, window)
        out[f"{name}_return"] = (path - lag(path, candles)) / (x.sigma * np.sqrt(candles))
        out[f"{name}_trend"] = (path - lag(path, window)) / (x.sigma * np.sqrt(window))
        out[f"{name}_range_position"] = _share(x.close - low, high - low)
        out[f"{name}_volatility"] = _log_ratio(
            _volatility_over(x, window), x.sigma, SMALLEST_VOLATILITY
        )
    return out


def cross_asset(x: FeatureInput) -> Features:
    """Returns of the pool's mean and the lead pair, and the pair's return minus the mean."""
    path = x.log_close
    mean_volatility = np.sqrt(rolling_mean(np.square(x.market_mean), x.spans.volatility))
    unit = np.maximum(mean_volatility, SMALLEST_VOLATILITY)
    out: Features = {
        "market_volatility": _log_ratio(
            np.sqrt(rolling_mean(np.square(x.market_mean), x.spans.periods[0])),
            mean_volatility,
            SMALLEST_VOLATILITY,
        )
    }
    for p in (1, *x.spans.periods):
        scale = np.sqrt(p)
        market = rolling_mean(x.market_mean, p) * p
        out[f"market_{p}"] = market / (unit * scale)
        lead = rolling_mean(x.market_lead, p) * p
        out[f"lead_{p}"] = lead / (unit * scale)
        out[f"relative_{p}"] = (path - lag(path, p) - market) / (x.sigma * scale)
    return out


def _longest(spans: Spans) -> int:
    return max(*spans.periods, spans.day, spans.volatility) + 1


def _season_memory(spans: Spans) -> int:
    return spans.season_days * spans.day + 1


def _ewma_memory(spans: Spans) -> int:
    return EWMA_MEMORY_SPANS * spans.periods[-1]


def _sigma_memory(spans: Spans) -> int:
    return 3 * spans.volatility + 1


GROUPS: Final[Mapping[FeatureGroup, Group]] = {
    "momentum": Group(momentum, lambda s: max(_longest(s), _sigma_memory(s))),
    "mean_reversion": Group(mean_reversion, lambda s: max(_longest(s), _sigma_memory(s))),
    "volatility": Group(
        volatility, lambda s: max(_longest(s), _season_memory(s), _ewma_memory(s), _sigma_memory(s))
    ),
    "volume": Group(volume, lambda s: max(_longest(s), _season_memory(s))),
    "candle_shape": Group(
        candle_shape,
        lambda s: max(_longest(s), _sigma_memory(s), _ewma_memory(s)),
    ),
    "calendar": Group(calendar, lambda s: 1),
    "higher_timeframes": Group(
        higher_timeframes,
        lambda s: max(
            [HIGHER_LENGTH * candles + 1 for _, candles in s.higher] + [_sigma_memory(s)]
        ),
    ),
    "cross_asset": Group(cross_asset, lambda s: max(_longest(s), _sigma_memory(s))),
}
"""Feature groups by their names in ``freqai.signals.features.groups``."""
