"""Settings that fit a timeframe: the one rule from which ``freqai-signals init`` takes its values.

The shipped values were measured on 5m candles. What they mean in hours is kept where a timeframe
allows it, and what they mean in candles where it does not.
"""

from itertools import product
from math import gcd
from typing import Any, Final

from freqai_signals.dataset.pair_tables import row_memory
from freqai_signals.settings import SignalSettings, timeframe_seconds

TIMEFRAMES: Final = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "1d")
"""Base timeframes that the rule is meant for."""

MOST_CANDLES: Final = 4999
"""Start-up candles that freqtrade allows where a request gives 1,000: five requests less one."""

_HORIZON_SECONDS: Final = 2 * 3600
_LEAST_HORIZON: Final = 4
_SHORTEST_PERIODS: Final = (6, 12, 36, 144)
_PERIOD_SECONDS: Final = (1800, 3600, 10_800, 43_200)
_STEP_SHARE: Final = 0.3
_LEAST_VOLATILITY_CANDLES: Final = 24
_DAY_CANDLES: Final = 288
_TRAIN_DAYS: Final = {"1m": 180, "3m": 270, "1h": 720, "2h": 900, "4h": 1080, "1d": 1080}
_SHIPPED_TRAIN_DAYS: Final = 360
_HIGHER: Final = {
    "1m": ("15m", "1h"), "3m": ("30m", "2h"), "5m": ("1h", "4h"), "15m": ("1h", "4h"),
    "30m": ("4h", "1d"), "1h": ("4h", "1d"), "2h": ("8h", "1d"), "4h": ("1d",), "1d": (),
}  # fmt: skip

# From what measured best to what needs the fewest candles.
_MEMORIES: Final = tuple(product((1.0, 0.5, 1 / 3), (7, 6, 5, 4, 3, 2, 1)))


def timeframe_defaults(timeframe: str, most_candles: int = MOST_CANDLES) -> SignalSettings:
    """Settings for a timeframe whose features need at most so many candles.

    ========================  =====================================================================
    Key                       Rule
    ========================  =====================================================================
    label horizon             2 hours, at least 4 candles
    ``row_step``              0.3 horizons at most, without a common divisor with a day's candles
    indicator periods         ½, 1, 3, 12 hours, at least 6, 12, 36, 144 candles
    ``higher_timeframes``     4 to 15 and 12 to 60 candles, up to a day
    ``train_period_days``     360; 180 at 1m, 720 at 1h, 1,080 from 4h on, for enough rows
    ``volatility_span_days``  a day, at least 24 candles; less where ``most_candles`` asks for it
    ``season_days``           a week; less where ``most_candles`` asks for it
    repeats, resync           a quarter of the horizon; a day, 24 to 288 candles
    ========================  =====================================================================

    Parameters
    ----------
    timeframe
        One of ``TIMEFRAMES``.
    most_candles
        Start-up candles that the exchange allows.

    Raises
    ------
    ValueError
        If the timeframe is none of them, or no settings fit the exchange.

    Examples
    --------
    >>> fitting = timeframe_defaults("1h")
    >>> fitting.label_horizon_candles, fitting.model.row_step, fitting.features.higher_timeframes
    (4, 1, ('4h', '1d'))
    >>> timeframe_defaults("1m").features.season_days
    3
    """
    if timeframe not in TIMEFRAMES:
        raise ValueError(
            f"timeframe {timeframe!r}: there is a rule for {', '.join(TIMEFRAMES)}; for another "
            "one, write the keys by hand (freqai-signals settings lists them)"
        )
    for share, season_days in _MEMORIES:
        values = _values(timeframe, most_candles)
        span = round(values["labels"]["volatility_span_days"] * share, 3)
        values["labels"]["volatility_span_days"] = span
        values["features"] |= {"volatility_span_days": span, "season_days": season_days}
        settings = SignalSettings.model_validate(values)
        if row_memory(settings) <= most_candles:
            return settings
    raise ValueError(
        f"timeframe {timeframe}: its features need at least {row_memory(settings)} candles, and "
        f"the exchange allows {most_candles} at start; choose a longer timeframe"
    )


def _values(timeframe: str, most_candles: int) -> dict[str, Any]:
    """All values but those that shorten the memory."""
    seconds = timeframe_seconds(timeframe)
    day = 86400 // seconds
    horizon = max(_HORIZON_SECONDS // seconds, _LEAST_HORIZON)
    # A live frame holds about a request more than the start-up; rules must not look further back.
    window = max(min(day, _DAY_CANDLES, most_candles // 5), _LEAST_VOLATILITY_CANDLES)
    spans = zip(_PERIOD_SECONDS, _SHORTEST_PERIODS, strict=True)
    return {
        "timeframe": timeframe,
        "label_horizon_candles": horizon,
        "indicator_periods_candles": tuple(max(span // seconds, least) for span, least in spans),
        "train_period_days": _TRAIN_DAYS.get(timeframe, _SHIPPED_TRAIN_DAYS),
        "labels": {"volatility_span_days": max(_LEAST_VOLATILITY_CANDLES / day, 1.0)},
        "features": {"higher_timeframes": _HIGHER[timeframe]},
        "model": {"row_step": _row_step(horizon, day)},
        "decision": {
            "repeat_window_candles": max(horizon // 4, 1),
            "resync_candles": window,
        },
    }


def _row_step(horizon: int, day: int) -> int:
    """The largest step up to a share of the horizon that meets every time of day."""
    steps = range(max(int(horizon * _STEP_SHARE), 1), 0, -1)
    return next(step for step in steps if gcd(step, day) == 1)
