"""Candles that freqtrade would trust and the model must not: without a price, or not closed."""

import inspect
import logging
import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Final

import numpy as np
import pandas as pd
from freqtrade.exchange import timeframe_to_seconds
from pandas import DataFrame

from freqai_signals.plugin.freqai.exchange_clock import ExchangeClock, clock_of

logger = logging.getLogger(__name__)

_PRICES: Final = ["open", "high", "low", "close"]
_COLUMNS: Final = 6


def mark_broken_candles(exchange: Any, candle_seconds: int) -> None:
    """Have freqtrade's exchange hand on no open candle, and broken ones as if nothing was traded.

    freqtrade puts the last close where a price is missing and keeps the volume, so that afterwards
    nobody could tell. Without one the row is what any filled hole is: not trusted, trains nothing.
    Which candle is open is told by the exchange's clock where this machine's is ahead of it.

    Parameters
    ----------
    exchange
        freqtrade's; neither method belongs to an interface that it promises, so one that is not
        there is left alone.
    candle_seconds
        Length of a candle.
    """
    if getattr(exchange, "marks_broken_candles", False):
        return
    clock = clock_of(exchange, candle_seconds)
    process = getattr(exchange, "_process_ohlcv_df", None)
    if process is not None:
        exchange._process_ohlcv_df = _with_whole_ticks(process, clock)
    download = getattr(exchange, "get_historic_ohlcv", None)
    if download is not None:
        exchange.get_historic_ohlcv = _with_whole_rows(download, clock)
    exchange.marks_broken_candles = True


def whole_ticks(ticks: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """Candles as ccxt has them; one whose prices or volume are no numbers has none and no volume.

    Examples
    --------
    >>> whole_ticks([[0, 1.0, 1.0, 1.0, 1.0, 9.0], [60_000, 1.0, 1.0, 1.0, None, 9.0]])
    [[0, 1.0, 1.0, 1.0, 1.0, 9.0], [60000, None, None, None, None, 0.0]]
    """
    return [
        # Funding rates have two columns.
        tick if len(tick) < _COLUMNS or all(map(_is_number, tick[1:_COLUMNS]))
        else [tick[0], *[None] * len(_PRICES), 0.0]
        for tick in ticks
    ]  # fmt: skip


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError):
        return False


def _with_whole_ticks(
    process: Callable[..., DataFrame], clock: ExchangeClock
) -> Callable[..., DataFrame]:
    signature = inspect.signature(process)
    if not {"ticks", "fetch_start_ms"} <= signature.parameters.keys():
        logger.warning("Open and broken candles are not found in this version of freqtrade")
        return process

    @wraps(process)
    def marked(*arguments: Any, **named: Any) -> DataFrame:
        bound = signature.bind(*arguments, **named)
        given = bound.arguments
        key = tuple(given.get(name) for name in ("pair", "timeframe", "c_type"))
        # freqtrade takes the open candle out itself, by this time.
        given["fetch_start_ms"] = now = clock.time_ms(given["fetch_start_ms"])
        given["ticks"] = clock.opened(key, whole_ticks(given["ticks"]), now)
        return process(*bound.args, **bound.kwargs)

    return marked


def _with_whole_rows(
    download: Callable[..., DataFrame], clock: ExchangeClock
) -> Callable[..., DataFrame]:
    signature = inspect.signature(download)

    @wraps(download)
    def marked(*arguments: Any, **named: Any) -> DataFrame:
        timeframe = signature.bind(*arguments, **named).arguments.get("timeframe")
        now = pd.Timestamp(clock.time_ms(), unit="ms", tz="UTC")
        frame = download(*arguments, **named)
        if not {*_PRICES, "volume"} <= set(frame):
            # Funding rates have other columns.
            return frame
        broken = ~np.isfinite(frame[[*_PRICES, "volume"]].to_numpy(np.float64)).all(axis=1)
        frame.loc[broken, _PRICES] = np.nan
        frame.loc[broken, "volume"] = 0.0
        if timeframe is None or frame.empty:
            return frame
        return frame[frame["date"] <= now - pd.Timedelta(seconds=timeframe_to_seconds(timeframe))]

    return marked
