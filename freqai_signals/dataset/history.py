"""Candles kept in memory while the bot runs, extended by what the exchange shows."""

import pandas as pd


def extended(kept: pd.DataFrame | None, recent: pd.DataFrame, candle_seconds: int) -> pd.DataFrame:
    """Kept candles with the newer ones of a recent frame behind them.

    Parameters
    ----------
    kept
        freqtrade's frame of base candles, or None.
    recent
        Another one, which may begin long before the end of the first, or, after an outage, later.
    candle_seconds
        Length of a candle.

    Returns
    -------
    pandas.DataFrame
        Without holes between the two: like freqtrade does, missing candles are filled flat at the
        last close, with volume 0, by which they are told from real ones. Kept candles are never
        replaced; the very same frame comes back if there is nothing new.
    """
    if kept is None or kept.empty:
        return recent
    if recent.empty:
        return kept
    # pandas makes objects of dates with different units.
    recent = recent.assign(date=recent["date"].astype(kept["date"].dtype))
    new = recent[recent["date"] > kept["date"].iloc[-1]]
    if new.empty:
        return kept
    parts = [kept, _hole(kept, new["date"].iloc[0], candle_seconds), new]
    whole: pd.DataFrame = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return whole


def _hole(kept: pd.DataFrame, until: pd.Timestamp, candle_seconds: int) -> pd.DataFrame:
    """Flat candles between the last kept one and a date."""
    step = pd.Timedelta(seconds=candle_seconds)
    dates = pd.date_range(kept["date"].iloc[-1] + step, until - step, freq=step)
    close = float(kept["close"].iloc[-1])
    prices = dict.fromkeys(("open", "high", "low", "close"), close)
    return pd.DataFrame(
        {"date": pd.Series(dates).astype(kept["date"].dtype), **prices, "volume": 0.0}
    )
