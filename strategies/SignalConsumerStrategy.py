"""freqtrade adapter of freqai_signals: trades on the columns of another bot, without a model."""

import math
from datetime import datetime
from typing import Any

from freqtrade.constants import Config
from freqtrade.exceptions import OperationalException
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy, stoploss_from_absolute
from pandas import DataFrame, Timestamp

from freqai_signals.config import SettingsError, settings_from_config
from freqai_signals.signals.consumed import TAGS, with_consumed
from freqai_signals.signals.exits import (
    Barriers,
    LastCandle,
    OpenTrade,
    barrier_prices,
    exit_reason,
)
from freqai_signals.signals.trading import BARRIER_COLUMN, BarrierWidths, freshness


class SignalConsumerStrategy(IStrategy):
    """Enters and leaves where LightGBMSignalStrategy of a producer bot says so.

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

    plot_config = {
        "main_plot": {},
        "subplots": {
            "Probabilities": {
                "proba_buy": {"color": "#2e9e5b"},
                "proba_sell": {"color": "#d1495b"},
            },
            "Confidence": {"confidence": {"color": "#30638e"}},
        },
    }

    def __init__(self, config: Config) -> None:
        try:
            self.signal_settings = settings_from_config(config)
        except SettingsError as error:
            raise OperationalException(str(error)) from error
        self.timeframe = self.signal_settings.timeframe
        self.can_short = config.get("trading_mode", "spot") == "futures"
        super().__init__(config)

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Lay the producer's columns beside our candles."""
        produced, _ = self.dp.get_producer_df(metadata["pair"], self.timeframe)
        return with_consumed(dataframe, produced)

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """The producer's columns say where to enter; its tag goes with them."""
        return dataframe.assign(enter_tag=dataframe[TAGS["enter_tag"]])

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """The same for leaving."""
        return dataframe.assign(exit_tag=dataframe[TAGS["exit_tag"]])

    def confirm_trade_entry(
        self, pair: str, *args: Any, current_time: datetime, **kwargs: Any
    ) -> bool:
        """Refuse an entry on a stale prediction."""
        frame, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        row = frame.iloc[-1] if len(frame) else None
        seconds = self.signal_settings.candle_seconds
        return freshness(row, Timestamp(current_time), seconds).fresh

    def custom_stoploss(
        self, pair: str, trade: Trade, current_rate: float, **kwargs: Any
    ) -> float | None:
        """A stop at the label's barrier as it was at entry."""
        stop = self._barriers(pair, trade).stop
        if stop is None:
            return None
        return float(stoploss_from_absolute(stop, current_rate, trade.is_short, trade.leverage))

    def custom_exit(
        self, pair: str, trade: Trade, current_time: datetime, current_rate: float, **kwargs: Any
    ) -> str | None:
        """Leave at the label's horizon or profit barrier."""
        settings = self.signal_settings
        held = (current_time - trade.open_date_utc).total_seconds() // settings.candle_seconds
        state = OpenTrade(
            trade.is_short,
            int(held),
            settings.label_horizon_candles,
            self._barriers(pair, trade),
        )
        reason = exit_reason(state, LastCandle(close=current_rate), settings.exits)
        return None if reason is None else str(reason)

    def _barriers(self, pair: str, trade: Trade) -> Barriers:
        """Barrier prices of a trade, from the producer's candle on which it was decided."""
        width = trade.get_custom_data(BARRIER_COLUMN)
        if width is None:
            frame, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
            opened = int(trade.open_date_utc.timestamp())
            seconds = self.signal_settings.candle_seconds
            width = BarrierWidths.of(frame).at_entry(opened, seconds) if len(frame) else math.nan
            if math.isnan(width):
                return Barriers()
            trade.set_custom_data(BARRIER_COLUMN, width)
        exits = self.signal_settings.exits
        return barrier_prices(trade.open_rate, width, trade.is_short, exits)
