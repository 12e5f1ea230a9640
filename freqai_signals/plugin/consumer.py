"""freqtrade adapter of freqai_signals: trades on the columns of another bot, without a model."""

from datetime import datetime
from typing import Any

from freqtrade.constants import Config
from freqtrade.exceptions import OperationalException
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy, stoploss_from_absolute
from pandas import DataFrame

from freqai_signals.config import SettingsError, settings_from_config
from freqai_signals.schema import TAGS
from freqai_signals.trading.plots import plot_config, with_plots
from freqai_signals.trading.positions import Positions, reads_only
from freqai_signals.trading.producer import with_producer_columns


class SignalConsumerStrategy(IStrategy):
    """Enters and leaves where LightGBMSignalStrategy of a producer bot signals it.

    Needs freqtrade's ``external_message_consumer`` and the producer's ``freqai`` section, disabled.
    """

    INTERFACE_VERSION = 3
    # The producer's columns arrive after the candle: they are looked for until they are there.
    process_only_new_candles = False
    use_exit_signal = True
    use_custom_stoploss = True
    minimal_roi = {"0": 10.0}
    stoploss = -0.30
    startup_candle_count = 30

    plot_config = plot_config("Prob. %", "Rank", "Strength")

    def __init__(self, config: Config) -> None:
        try:
            self.signal_settings = settings_from_config(config)
        except SettingsError as error:
            raise OperationalException(str(error)) from error
        self.timeframe = self.signal_settings.timeframe
        self.can_short = config.get("trading_mode", "spot") == "futures"
        super().__init__(config)
        self._positions = Positions(lambda: self.signal_settings, is_live=True)

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Lay the producer's columns beside our candles."""
        produced, _ = self.dp.get_producer_df(metadata["pair"], self.timeframe)
        joined = with_producer_columns(dataframe, produced)
        return with_plots(joined, self.signal_settings.decision)

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Enter where the producer's columns do; its tag goes with them."""
        self._positions.decided(metadata["pair"], dataframe)
        return dataframe.assign(enter_tag=dataframe[TAGS["enter_tag"]])

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """The same for leaving."""
        return dataframe.assign(exit_tag=dataframe[TAGS["exit_tag"]])

    def confirm_trade_entry(self, pair: str, current_time: datetime, **kwargs: Any) -> bool:
        """Refuse an entry on a stale prediction."""
        return self._positions.freshness(pair, current_time).fresh

    @reads_only
    def custom_stoploss(
        self, pair: str, trade: Trade, current_rate: float, **kwargs: Any
    ) -> float | None:
        """A stop at the label's barrier as it was at entry."""
        stop = self._positions.barriers(trade).stop
        if stop is None:
            return None
        return float(stoploss_from_absolute(stop, current_rate, trade.is_short, trade.leverage))

    @reads_only
    def custom_exit(
        self, pair: str, trade: Trade, current_time: datetime, current_rate: float, **kwargs: Any
    ) -> str | None:
        """Leave at the label's horizon or profit barrier."""
        return self._positions.exit(trade, current_time, current_rate)
