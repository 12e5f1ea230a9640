"""Stored candles as freqtrade reads them; an error names the file."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType
from pandas import DataFrame

from freqai_signals.dataset.candles import Span
from freqai_signals.plugin.quiet import without_log
from freqai_signals.preflight.situation import FrameReader, SpanReader

_OLDEST = pd.Timestamp("2009-01-01", tz="UTC")


def stored_candles(config: Mapping[str, Any], timeframe: str) -> FrameReader:
    """Reader of the candles in the config's data folder; see :data:`FrameReader`."""

    def read(pair: str) -> DataFrame | None:
        folder, kind = config["datadir"], CandleType.get_default(config.get("trading_mode", "spot"))
        handler = get_datahandler(folder, config.get("dataformat_ohlcv", "feather"))
        file = handler._pair_data_filename(folder, pair, timeframe, kind)
        if not file.exists():
            return None
        frame = _loaded(handler, pair, timeframe, kind)
        if frame.empty:
            raise ValueError(f"candle file {file} {_why_empty(file)}; delete it, download it again")
        dates = frame["date"]
        if not isinstance(dates.dtype, pd.DatetimeTZDtype) or dates.min() < _OLDEST:
            raise ValueError(
                f"candle file {file} has dates ({dates.dtype}, from {dates.min()}), which are "
                "not times in UTC since 2009; delete it, download it again"
            )
        return frame

    return read


def _loaded(handler: Any, pair: str, timeframe: str, kind: CandleType) -> DataFrame:
    """The file's frame; empty where freqtrade's reader logs an error and goes on."""
    try:
        with without_log(logging.CRITICAL):
            frame: DataFrame = handler._ohlcv_load(pair, timeframe, None, kind)
    # What readers of other formats raise for odd bytes or columns is nearly anything.
    except Exception:  # noqa: BLE001
        return DataFrame()
    return frame


def _why_empty(file: Path) -> str:
    """What is wrong with a file that freqtrade reads no candle from."""
    try:
        dates = pd.read_feather(file, columns=["date"])["date"]
    except (OSError, ValueError, KeyError, TypeError):
        return "is damaged or empty"
    if dates.empty:
        return "is damaged or empty"
    return f"has dates of type {dates.dtype}, which are not times in UTC"


def stored_span(config: Mapping[str, Any]) -> SpanReader:
    """Reader of first and last candle, in whatever order they stand in the file."""

    def read(pair: str, timeframe: str) -> Span | None:
        frame = stored_candles(config, timeframe)(pair)
        if frame is None:
            return None
        dates = frame["date"]
        return Span(dates.min().to_pydatetime(), dates.max().to_pydatetime())

    return read
