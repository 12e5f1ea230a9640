"""freqtrade adapter of freqai_signals: reads candles, calls the package, writes columns back."""

import logging
from typing import Any

import pandas as pd
from freqtrade.constants import Config
from freqtrade.enums import RunMode
from freqtrade.exceptions import OperationalException
from freqtrade.strategy import IStrategy
from pandas import DataFrame

from freqai_signals.config import SettingsError, pool_pairs, settings_from_config
from freqai_signals.signals.decide import PairContext, decide
from freqai_signals.signals.outputs import complete_outputs
from freqai_signals.training.features import feature_memory
from freqai_signals.training.panel import FeatureCache, add_labels

logger = logging.getLogger(__name__)


class LightGBMSignalStrategy(IStrategy):
    """Acts on the signals of LightGBMSignalClassifier."""

    INTERFACE_VERSION = 3
    process_only_new_candles = True
    use_exit_signal = True
    minimal_roi = {"0": 10.0}
    stoploss = -0.25

    def __init__(self, config: Config) -> None:
        try:
            self.signal_settings = settings_from_config(config)
        except SettingsError as error:
            raise OperationalException(str(error)) from error
        self.timeframe = self.signal_settings.timeframe
        self.startup_candle_count = feature_memory(self.signal_settings)
        self.can_short = config.get("trading_mode", "spot") == "futures"
        super().__init__(config)
        self.features = FeatureCache(self.signal_settings, pool_pairs(self.signal_settings, config))

    # What FreqAI asks for

    def feature_engineering_expand_all(
        self, dataframe: DataFrame, period: int, metadata: dict, **kwargs: Any
    ) -> DataFrame:
        """Nothing: all features come from one place, without pair or period in their name."""
        return dataframe

    def feature_engineering_expand_basic(
        self, dataframe: DataFrame, metadata: dict, **kwargs: Any
    ) -> DataFrame:
        """Nothing, as above."""
        return dataframe

    def feature_engineering_standard(
        self, dataframe: DataFrame, metadata: dict, **kwargs: Any
    ) -> DataFrame:
        """All features of one pair."""
        features = self.features.features(metadata["pair"], dataframe, self._candles)
        return pd.concat([dataframe, features], axis=1)

    def set_freqai_targets(
        self, dataframe: DataFrame, metadata: dict, **kwargs: Any
    ) -> DataFrame:
        """The label, and when its outcome is known."""
        cost = self.round_trip_cost(metadata["pair"])
        return add_labels(dataframe, self.signal_settings, cost)

    # What the model adapter asks for

    def round_trip_cost(self, pair: str) -> float:
        """Fees and slippage of entering and leaving, a fraction."""
        costs = self.signal_settings.costs
        fee = costs.fee
        if fee is None:
            fee = self.config.get("fee")
        if fee is None:
            fee = self.dp._exchange.get_fee(pair, taker_or_maker=costs.liquidity)
        return 2 * (fee + costs.slippage)

    def training_candles(self, pair: str) -> DataFrame:
        """All candles at hand: in a backtest the loaded ones, live what FreqAI keeps in memory."""
        if self._is_live():
            kept = self.freqai.dd.historic_data.get(pair, {}).get(self.timeframe)
            return self._no_candles() if kept is None else kept
        return self.dp.get_pair_dataframe(pair, self.timeframe)

    def _candles(self, pair: str, first: pd.Timestamp) -> DataFrame:
        """Candles from ``first`` on: live the exchange's if they reach back, else FreqAI's."""
        if not self._is_live():
            return self.training_candles(pair)
        recent = self.dp.get_pair_dataframe(pair, self.timeframe)
        kept = self.training_candles(pair)
        day = pd.Timedelta(days=1)
        reaches = len(recent) and recent["date"].iloc[0] <= first + day
        return recent if reaches or kept.empty else kept

    def _is_live(self) -> bool:
        return self.dp.runmode in (RunMode.DRY_RUN, RunMode.LIVE)

    @staticmethod
    def _no_candles() -> DataFrame:
        return DataFrame({"date": pd.DatetimeIndex([], tz="UTC"), "close": []})

    # Decisions

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        """Let FreqAI predict, and make sure that every column of the contract is there."""
        return complete_outputs(self.freqai.start(dataframe, metadata, self))

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        """Enter on signals that pass every rule."""
        context = PairContext(self.signal_settings.candle_seconds)
        decided = decide(dataframe, self.signal_settings.decision, context)
        dataframe[decided.columns] = decided
        dataframe.loc[decided["signal"] == 2, ["enter_long", "enter_tag"]] = (1, "x")
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        """Leave on the opposite signal."""
        dataframe.loc[dataframe["signal"] == 0, ["exit_long", "exit_tag"]] = (1, "y")
        return dataframe
