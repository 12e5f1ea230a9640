"""Candles of a rehearsal, as far as the exchange ever shows them."""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from freqai_signals.sandbox.exchange.app import contracts_of
from freqai_signals.sandbox.exchange.candle_store import CandleBook, CandleSeries
from freqai_signals.schema import OHLCV
from freqai_signals.settings import SignalSettings


def load_candles(
    folder: Path,
    pairs: tuple[str, ...],
    settings: SignalSettings,
    shift_ms: int = 0,
    missing: Mapping[str, Collection[int]] | None = None,
) -> dict[str, pd.DataFrame]:
    """Base candles of each pair on the clock of the rehearsal, without holes.

    Parameters
    ----------
    folder
        Served by the exchange.
    pairs
        Full names.
    settings
        Timeframe.
    shift_ms
        What is added to the dates of stored candles.
    missing
        Pair to the openings (ms since 1970) of candles that the exchange never shows; they are
        filled like any hole.

    Raises
    ------
    ValueError
        If the folder lacks a pair.
    """
    futures = any(":" in pair for pair in pairs)
    book = contracts_of(folder).candles if futures else CandleBook(folder)
    absent = [pair for pair in pairs if pair not in book.pairs]
    if absent:
        held = ", ".join(book.pairs)
        raise ValueError(f"{folder} has no candles of {', '.join(absent)}; it holds {held}")
    hidden = missing or {}
    return {
        pair: without_holes(
            _frame(book.series(pair, settings.timeframe), shift_ms, hidden.get(pair, ())),
            settings.candle_seconds,
        )
        for pair in pairs
    }


def without_holes(candles: pd.DataFrame, candle_seconds: int) -> pd.DataFrame:
    """Candles with missing ones filled flat at the close before, volume 0, as freqtrade does."""
    frame = candles.set_index("date").asfreq(f"{candle_seconds}s")
    frame["close"] = frame["close"].ffill()
    for name in ("open", "high", "low"):
        frame[name] = frame[name].fillna(frame["close"])
    frame = frame.fillna({"volume": 0.0}).reset_index()
    return frame.assign(date=frame["date"].dt.as_unit("ms"))


def _frame(series: CandleSeries, shift_ms: int, missing: Collection[int]) -> pd.DataFrame:
    opened = series.time + shift_ms
    kept = ~np.isin(opened, list(missing))
    dates = pd.to_datetime(opened[kept], unit="ms", utc=True).as_unit("ms")
    return pd.DataFrame(
        {"date": dates, **{name: series.values[kept, i] for i, name in enumerate(OHLCV)}}
    )
