"""freqtrade adapter: frames of all pairs, which a backtest keeps to its end, with less in them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from freqtrade.configuration import TimeRange
from freqtrade.constants import Config
from freqtrade.data.btanalysis import get_tick_size_over_time
from freqtrade.data.converter import converter, trim_dataframe
from freqtrade.enums import RunMode
from freqtrade.strategy import IStrategy
from pandas import DataFrame, DatetimeIndex, Series

from freqai_signals.dataset.features.mapped import rest
from freqai_signals.plugin.freqai.backtest_windows import WindowModels
from freqai_signals.trading.lean_frames import lean, lean_columns
from freqai_signals.trading.price_digits import decimals

_PRICES: Final = ["open", "high", "low", "close"]

Populate = TypeVar("Populate", bound=Callable[..., DataFrame])


def makes_tags(populate: Populate) -> Populate:
    """Mark a ``populate_entry_trend`` or ``populate_exit_trend`` that sets the tag of every row."""
    populate.makes_tags = True  # type: ignore[attr-defined]
    return populate


class SmallFrames(IStrategy):
    """Makes each pair's frame small before the next one's is made.

    It also calls marked methods at once, others, as a subclass's, as freqtrade does. Before them
    that adds empty tags, which takes half a millisecond, and as much again to replace: with a
    hundred pairs and both methods a fifth of a second at every candle.
    """

    _loaded: Mapping[str, DataFrame] = {}
    """In a backtest the candles of its pairs, in the same memory as those that freqtrade holds."""

    _indicated: Mapping[str, DataFrame] = {}
    """In a backtest its frames with indicators."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        if config.get("runmode") in (RunMode.BACKTEST, RunMode.HYPEROPT):
            spare_the_simulation()

    def backtest_candles(self, pair: str) -> DataFrame:
        """All candles of a pair, only to read; freqtrade's data provider would copy its own."""
        if pair in self._loaded:
            return self._loaded[pair]
        # get_pair_dataframe() cuts at the clock of the last simulation, which freqtrade never sets
        # back: an analysis after it (another strategy, FreqUI, an epoch) would lack a candle.
        stored: DataFrame = self.dp.historic_ohlcv(pair, self.timeframe)
        return stored

    def advise_all_indicators(self, data: dict[str, DataFrame]) -> dict[str, DataFrame]:
        """As freqtrade does, pair by pair; in a backtest numbers lie in files, its candles' too."""
        rest()
        # Hyperopt's workers would get them with the strategy.
        folder = self._folder()
        if folder is not None:
            # In freqtrade's own dictionary, or it would hold the others to the end.
            for pair, candles in data.items():
                data[pair] = lean(candles, candles[[]], folder)
        self._loaded = _shared(data) if folder is not None else {}
        made = {}
        for pair, candles in data.items():
            one: dict[str, DataFrame] = super().advise_all_indicators({pair: candles})
            made[pair] = lean(one.pop(pair), candles, folder)
        self._indicated = _shared(made) if folder is not None else {}
        # The simulation of trades needs them no more.
        windows = getattr(self.freqai, "windows", None)
        if isinstance(windows, WindowModels):
            windows.forget()
        rest()
        return made

    def _folder(self) -> Path | None:
        """Where numbers of all rows lie that freqtrade keeps to the end; None if it keeps none."""
        is_kept = self.dp.runmode == RunMode.BACKTEST
        return Path(self.config["user_data_dir"], "signals", "mapped") if is_kept else None

    def advise_entry(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Rows that enter, with their tags."""
        is_marked = hasattr(self.populate_entry_trend, "makes_tags")
        advise = self.populate_entry_trend if is_marked else super().advise_entry
        entered: DataFrame = advise(dataframe, metadata)
        return entered

    def advise_exit(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Rows that leave, with their tags."""
        is_marked = hasattr(self.populate_exit_trend, "makes_tags")
        advise = self.populate_exit_trend if is_marked else super().advise_exit
        left: DataFrame = advise(dataframe, metadata)
        return left

    def ft_advise_signals(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Of a backtest freqtrade keeps all rows of what comes out here too."""
        frame: DataFrame = super().ft_advise_signals(dataframe, metadata)
        if (folder := self._folder()) is None:
            return frame
        before = self._indicated.get(metadata["pair"], frame[[]])
        return lean(lean_columns(frame), before, folder)


def _shared(frames: Mapping[str, DataFrame]) -> dict[str, DataFrame]:
    """Shallow copies: pandas copies what it would change of a frame that something else shares."""
    return {pair: frame.copy(deep=False) for pair, frame in frames.items()}


def spare_the_simulation() -> None:
    """Let freqtrade find the size of ticks without text, and cut frames without copying them.

    To write each price as text would take a second and a half for a pair's year of candles of five
    minutes; the copies would be two more frames of each pair, for as long as trades are simulated.
    """
    # Loaded by freqtrade where it simulates, and nowhere else.
    from freqtrade.optimize import backtesting

    backtesting.get_tick_size_over_time = ticks
    backtesting.trim_dataframe = converter.trim_dataframe = trimmed


def ticks(candles: DataFrame) -> Series:
    """Freqtrade's size of ticks by month."""
    digits = decimals(candles[_PRICES].to_numpy(np.float64))
    if digits is None:
        # It leaves columns behind.
        found: Series = get_tick_size_over_time(candles.copy(deep=False))
        return found
    dates = DatetimeIndex(candles["date"])
    return 1 / 10 ** Series(digits, dates, name="max_count").resample("MS").max()


def trimmed(
    df: DataFrame, timerange: TimeRange, *, df_date_col: str = "date", startup_candles: int = 0
) -> DataFrame:
    """Rows that freqtrade's ``trim_dataframe`` keeps: a part of the frame, where they adjoin."""
    how: Any = {"df_date_col": df_date_col, "startup_candles": startup_candles}
    dates = DataFrame({df_date_col: df[df_date_col].array})
    kept = trim_dataframe(dates, timerange, **how).index
    first, stop = (int(kept[0]), int(kept[-1]) + 1) if len(kept) else (0, 0)
    if stop - first != len(kept):
        copied: DataFrame = trim_dataframe(df, timerange, **how)
        return copied
    return df.iloc[first:stop]
