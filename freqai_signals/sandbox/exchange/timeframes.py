"""Timeframes: their lengths, and longer candles made of shorter ones."""

from typing import Final

import pandas as pd

from freqai_signals.settings import timeframe_seconds

BASE_TIMEFRAME: Final = "5m"

# A Monday: exchanges begin weekly candles there, pandas on the first date of a frame.
_WEEK_START: Final = pd.Timestamp("2020-01-06", tz="UTC")
_HOW: Final = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}


def interval_seconds(interval: str) -> int:
    """Seconds of a timeframe, weeks included.

    Examples
    --------
    >>> interval_seconds("5m"), interval_seconds("1w")
    (300, 604800)
    """
    if interval.endswith("w"):
        return 7 * timeframe_seconds(interval[:-1] + "d")
    return timeframe_seconds(interval)


def resample(candles: pd.DataFrame, timeframe: str) -> pd.DataFrame:
    """Candles of a longer timeframe, aligned to midnight UTC (weeks to Monday).

    Parameters
    ----------
    candles
        freqtrade's frame, sorted by date; holes are allowed.
    timeframe
        A multiple of the candles' own.

    Returns
    -------
    pandas.DataFrame
        Of the same columns and date unit. A stretch without candles has no row; the last candle
        may be incomplete. Each is known once the last of its parts has closed.
    """
    rule = f"{interval_seconds(timeframe)}s"
    groups = candles.resample(rule, on="date", origin=_WEEK_START)
    longer = groups.agg(_HOW).dropna(subset=["open"]).reset_index()
    # Sums carry floating-point residue; Binance shows eight decimals.
    longer["volume"] = longer["volume"].round(8)
    longer["date"] = longer["date"].dt.as_unit("ms")
    return longer
