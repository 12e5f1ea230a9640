"""Stored candles as freqtrade reads them; whatever is wrong with a file is told with its name."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType
from pandas import DataFrame

from freqai_signals.dataset.candles import Span
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
        try:
            frame: DataFrame = handler._ohlcv_load(pair, timeframe, None, kind)
        # What a reader raises for odd bytes or columns is nearly anything.
        except Exception as error:
            raise ValueError(
                f"candle file {file} cannot be read ({error}); delete it, download anew"
            ) from error
        if frame.empty:
            raise ValueError(f"candle file {file} is damaged or empty; delete it, download anew")
        dates = frame["date"]
        if not isinstance(dates.dtype, pd.DatetimeTZDtype) or dates.min() < _OLDEST:
            raise ValueError(
                f"candle file {file}: its dates ({dates.dtype}, from {dates.min()}) are not times "
                "in UTC, or not milliseconds since 1970; download it anew"
            )
        return frame

    return read


def stored_span(config: Mapping[str, Any]) -> SpanReader:
    """Reader of first and last candle, in whatever order they stand in the file."""

    def read(pair: str, timeframe: str) -> Span | None:
        frame = stored_candles(config, timeframe)(pair)
        if frame is None:
            return None
        dates = frame["date"]
        return Span(dates.min().to_pydatetime(), dates.max().to_pydatetime())

    return read
