"""Candles that come without a price, which freqtrade fills flat and the model must not trust."""

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Final

import numpy as np
from pandas import DataFrame

_PRICES: Final = ["open", "high", "low", "close"]
_COLUMNS: Final = 6


def mark_broken_candles(exchange: Any) -> None:
    """Have freqtrade's exchange hand such candles on as ones in which nothing was traded.

    freqtrade puts the last close where a price is missing and keeps the volume, so that afterwards
    nobody could tell. Without one the row is what any filled hole is: not trusted, trains nothing.

    Parameters
    ----------
    exchange
        freqtrade's; neither method belongs to an interface that it promises, so one that is not
        there is left alone.
    """
    if getattr(exchange, "marks_broken_candles", False):
        return
    process = getattr(exchange, "_process_ohlcv_df", None)
    if process is not None:
        exchange._process_ohlcv_df = _with_whole_ticks(process)
    download = getattr(exchange, "get_historic_ohlcv", None)
    if download is not None:
        exchange.get_historic_ohlcv = _with_whole_rows(download)
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


def _with_whole_ticks(process: Callable[..., DataFrame]) -> Callable[..., DataFrame]:
    @wraps(process)
    def marked(pair: str, timeframe: str, c_type: Any, ticks: Any, *rest: Any) -> DataFrame:
        return process(pair, timeframe, c_type, whole_ticks(ticks), *rest)

    return marked


def _with_whole_rows(download: Callable[..., DataFrame]) -> Callable[..., DataFrame]:
    @wraps(download)
    def marked(*arguments: Any, **named: Any) -> DataFrame:
        frame = download(*arguments, **named)
        if not {*_PRICES, "volume"} <= set(frame):
            # Funding rates have other columns.
            return frame
        broken = ~np.isfinite(frame[[*_PRICES, "volume"]].to_numpy(np.float64)).all(axis=1)
        frame.loc[broken, _PRICES] = np.nan
        frame.loc[broken, "volume"] = 0.0
        return frame

    return marked
