"""Candles that are dated ahead of the clock, taken out before anything is made of them."""

from typing import Any

import pandas as pd
from freqtrade.exchange import timeframe_to_seconds

from freqai_signals.dataset.candles import closed


def utc_now() -> pd.Timestamp:
    """Time of the clock."""
    return pd.Timestamp.now("UTC")


def drop_future_candles(exchange: Any, now: pd.Timestamp) -> tuple[str, ...]:
    """Cut such candles from freqtrade's frames and have it ask again; the pairs that had them.

    freqtrade would fill the hole before such a candle with flat ones, take none of the real ones
    that follow, and not ask again before its time has come.

    Parameters
    ----------
    exchange
        freqtrade's; its frames are in memory between two refreshes.
    now
        Time of the clock.
    """
    found = []
    # Neither is part of freqtrade's interface; without them such candles are not trusted still.
    klines = getattr(exchange, "_klines", {})
    refreshed = getattr(exchange, "_pairs_last_refresh_time", {})
    for key, frame in list(klines.items()):
        real = closed(frame, now, timeframe_to_seconds(key[1]))
        if real is frame:
            continue
        # The flat candles that lead to it were invented; real ones without a trade come again.
        traded = (real["volume"] > 0).to_numpy().nonzero()[0]
        real = real.iloc[: traded[-1] + 1 if len(traded) else 0]
        refreshed.pop(key, None)
        if real.empty:
            del klines[key]
        else:
            klines[key] = real.reset_index(drop=True)
        found.append(key[0])
    return tuple(sorted(set(found)))
