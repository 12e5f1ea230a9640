"""freqtrade adapter: frames of all pairs, which a backtest keeps to its end, with less in them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any, Final, TypeVar

from freqtrade.constants import Config
from freqtrade.data.btanalysis import get_tick_size_over_time
from freqtrade.enums import RunMode
from freqtrade.strategy import IStrategy
from pandas import DataFrame, Series

from freqai_signals.dataset.features.mapped import rest
from freqai_signals.schema import DIRECTION_COLUMNS
from freqai_signals.trading.lean_frames import lean, lean_columns

# What freqtrade leaves in a backtest's candles when it has looked for the size of a tick.
_DIGITS: Final = [f"{name}_count" for name in ("open", "high", "low", "close", "max")]

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
    """In a backtest the candles of its pairs, the very ones that freqtrade holds."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        if config.get("runmode") in (RunMode.BACKTEST, RunMode.HYPEROPT):
            look_for_ticks_where_traded()

    def backtest_candles(self, pair: str) -> DataFrame:
        """All candles of a pair, only to read; freqtrade's data provider would copy its own."""
        if pair in self._loaded:
            return self._loaded[pair]
        # get_pair_dataframe() cuts at the clock of the last simulation, which freqtrade never sets
        # back: an analysis after it (another strategy, FreqUI, an epoch) would lack a candle.
        stored: DataFrame = self.dp.historic_ohlcv(pair, self.timeframe)
        return stored

    def advise_all_indicators(self, data: dict[str, DataFrame]) -> dict[str, DataFrame]:
        """As freqtrade does, pair by pair."""
        for candles in data.values():
            for name in candles.columns.intersection(_DIGITS):
                del candles[name]
        rest()
        # Hyperopt's workers would get them with the strategy.
        self._loaded = dict(data) if self.dp.runmode == RunMode.BACKTEST else {}
        made = {}
        for pair, candles in data.items():
            one: dict[str, DataFrame] = super().advise_all_indicators({pair: candles})
            made[pair] = lean(one.pop(pair), candles)
        return made

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
        is_kept = self.dp.runmode == RunMode.BACKTEST
        return lean_columns(frame, DIRECTION_COLUMNS) if is_kept else frame


def look_for_ticks_where_traded() -> None:
    """Let freqtrade look for the size of ticks in the months that it simulates.

    It writes every price that it has loaded as text, those that models are trained on too: a fifth
    of a backtest's time. It never asks for the ticks of those months.
    """
    # Loaded by freqtrade where it simulates, and nowhere else.
    from freqtrade.optimize import backtesting

    load = backtesting.Backtesting.load_bt_data
    if hasattr(load, "__wrapped__"):
        return

    @wraps(load)
    def load_where_traded(self: Any) -> Any:
        look = backtesting.get_tick_size_over_time
        backtesting.get_tick_size_over_time = lambda candles: ticks(candles, self.timerange.startdt)
        try:
            return load(self)
        finally:
            backtesting.get_tick_size_over_time = look

    backtesting.Backtesting.load_bt_data = load_where_traded


def ticks(candles: DataFrame, start: datetime | None) -> Series:
    """Freqtrade's size of ticks by month, from the month of a simulation's start on.

    Parameters
    ----------
    candles
        All that are loaded.
    start
        First candle that is simulated; None if all are.
    """
    if start is not None:
        first = start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        simulated = candles[candles["date"] >= first]
        found = get_tick_size_over_time(simulated) if len(simulated) else Series(dtype=float)
        # Where a month has no digits, freqtrade takes those of the month before.
        if found.first_valid_index() == first:
            return found
    every: Series = get_tick_size_over_time(candles)
    return every
