"""Example of a strategy of your own: mean reversion, traded only when no move is likely.

It shows informative pairs and the model's columns side by side, and claims nothing: on the candles
that we measured, this gate turned no such rule into an edge (docs/your-strategy.md).
"""

from typing import Any

from freqtrade.strategy import DecimalParameter, IStrategy, informative
from pandas import DataFrame

from freqai_signals.plugin.signal_columns import SignalColumns


class CalmMeanReversion(SignalColumns, IStrategy):
    """Long two standard deviations below the mean of 40 candles, while the day's trend holds."""

    INTERFACE_VERSION = 3
    minimal_roi = {"0": 0.02}
    stoploss = -0.02
    startup_candle_count = 40

    calm = DecimalParameter(0.05, 0.95, default=0.35, decimals=2, space="buy")

    @informative("4h")
    def populate_indicators_4h(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Where the price stands in its longer trend, from whole 4h candles."""
        dataframe["mean"] = dataframe["close"].rolling(6).mean()
        return dataframe

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Distance from the mean in standard deviations."""
        close = dataframe["close"].rolling(40)
        dataframe["z_score"] = (dataframe["close"] - close.mean()) / close.std()
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Where the model abstains, hold is certain: without ``do_predict`` that would be calm."""
        calm = (dataframe["do_predict"] == 1) & (dataframe["proba_move"] <= self.calm.value)
        cheap = (dataframe["z_score"] < -2) & (dataframe["close"] > 0.97 * dataframe["mean_4h"])
        dataframe.loc[calm & cheap, ["enter_long", "enter_tag"]] = (1, "below_mean")
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """At the mean again."""
        dataframe.loc[dataframe["z_score"] > 0, ["exit_long", "exit_tag"]] = (1, "mean")
        return dataframe
