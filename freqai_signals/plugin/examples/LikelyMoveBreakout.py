"""Example of a strategy of your own: a breakout, traded only when a move is likely.

It shows how the model's columns are used, and claims nothing: on the candles that we measured, this
gate turned no such rule into an edge (docs/your-strategy.md).
"""

from typing import Any

from freqtrade.strategy import DecimalParameter, IStrategy
from pandas import DataFrame

from freqai_signals.plugin.signal_columns import SignalColumns


class LikelyMoveBreakout(SignalColumns, IStrategy):
    """Long above the highest high of the last 48 candles, until their middle is crossed again."""

    INTERFACE_VERSION = 3
    minimal_roi = {"0": 0.04}
    stoploss = -0.03
    # Our own need; the model's is more and wins.
    startup_candle_count = 48

    move = DecimalParameter(0.05, 0.95, default=0.60, decimals=2, space="buy")

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """The channel up to the candle before; the model's columns are there already."""
        dataframe["highest"] = dataframe["high"].rolling(48).max().shift(1)
        dataframe["lowest"] = dataframe["low"].rolling(48).min().shift(1)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """A close outside the channel counts where the model trusts itself and expects a move."""
        lively = (dataframe["do_predict"] == 1) & (dataframe["proba_move"] >= self.move.value)
        broken_out = dataframe["close"] > dataframe["highest"]
        dataframe.loc[lively & broken_out, ["enter_long", "enter_tag"]] = (1, "breakout")
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Back in the lower half of the channel."""
        middle = (dataframe["highest"] + dataframe["lowest"]) / 2
        dataframe.loc[dataframe["close"] < middle, ["exit_long", "exit_tag"]] = (1, "middle")
        return dataframe
