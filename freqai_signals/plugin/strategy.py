"""freqtrade adapter of freqai_signals: reads from freqtrade, calls the package, writes back."""

import logging
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from freqtrade.constants import Config
from freqtrade.enums import RunMode
from freqtrade.exceptions import OperationalException
from freqtrade.persistence import Trade
from freqtrade.strategy import DecimalParameter, IntParameter, IStrategy, stoploss_from_absolute
from pandas import DataFrame

from freqai_signals.config import SettingsError, pool_pairs
from freqai_signals.dataset.features.cache import FeatureCache, with_features
from freqai_signals.dataset.pair_tables import PairTables, add_labels, row_memory
from freqai_signals.live.operation import LiveOperation
from freqai_signals.plugin.future_candles import drop_future_candles
from freqai_signals.plugin.startup import backtest_span, checked_settings, stored_spans
from freqai_signals.report.backtest_record import BacktestRecord
from freqai_signals.schema import THRESHOLD_COLUMN, SignalClass
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.decide import PairContext, decide
from freqai_signals.signals.expected_value import round_trip_cost
from freqai_signals.signals.outputs import complete_outputs
from freqai_signals.signals.predictions import PredictionReader
from freqai_signals.trading.columns import (
    entry_columns,
    exit_columns,
    predicted_part,
    row_outlook,
    with_barriers,
    without_report_columns,
)
from freqai_signals.trading.plots import plot_config
from freqai_signals.trading.positions import Positions, reads_only
from freqai_signals.trading.protections import protections, stop_candles
from freqai_signals.trading.sizing import StakeLimits, stake
from freqai_signals.trading.thresholds import Thresholds, TunedSettings

logger = logging.getLogger(__name__)


class LightGBMSignalStrategy(IStrategy):
    """Acts on the signals of LightGBMSignalClassifier.

    Long on spot, long and short on futures. All thresholds come from ``freqai.signals`` in the
    config and can be optimised in the ``buy`` and ``sell`` spaces.
    """

    INTERFACE_VERSION = 3
    process_only_new_candles = True
    position_adjustment_enable = False
    use_exit_signal = True
    use_custom_stoploss = True
    # Trades end at the label's horizon or barriers; these two are only the last resort.
    minimal_roi = {"0": 10.0}
    stoploss = -0.30
    plot_config = plot_config()

    def __init__(self, config: Config) -> None:
        try:
            self.signal_settings = checked_settings(
                config, backtest_span(config), stored_spans(config)
            )
        except SettingsError as error:
            raise OperationalException(str(error)) from error
        self.timeframe = self.signal_settings.timeframe
        self._candle_seconds = self.signal_settings.candle_seconds
        self.startup_candle_count = row_memory(self.signal_settings)
        self.can_short = config.get("trading_mode", "spot") == "futures"
        self._is_live = config.get("runmode") in (RunMode.DRY_RUN, RunMode.LIVE)
        super().__init__(config)
        self.features = FeatureCache(self.signal_settings, pool_pairs(self.signal_settings, config))
        self.tables = PairTables(self._candle_seconds)
        self._reader = PredictionReader(self._candle_seconds)
        self._costs: dict[str, float] = {}
        self._tuned = TunedSettings(self.signal_settings)
        self._positions = Positions(self._settings_now, self._is_live)
        self._stop_is_placed = False
        self._report: BacktestRecord | None = None
        for name, limits in Thresholds.LIMITS.items():
            kind = IntParameter if limits.whole else DecimalParameter
            decimals = {} if limits.whole else {"decimals": limits.decimals}
            default = Thresholds.default(self.signal_settings, name)
            parameter = kind(
                limits.low, limits.high, default=default, space=limits.space, **decimals
            )
            setattr(self, name, parameter)

    @property
    def protections(self) -> list[dict[str, Any]]:
        """Pause a pair after a stop, and everything after a bad day."""
        return protections(self._settings_now())

    def _settings_now(self) -> SignalSettings:
        """The settings with what hyperopt or its parameter file put in their place."""
        return self._tuned.at(tuple(getattr(self, name).value for name in Thresholds.LIMITS))

    # What FreqAI asks for

    def feature_engineering_standard(
        self, dataframe: DataFrame, metadata: dict[str, Any], **kwargs: Any
    ) -> DataFrame:
        """All features of one pair; none is expanded by FreqAI, none has a pair in its name."""
        # Live, every candle is a new one: nothing that was kept would be asked for again.
        make = self.features.compute if self._is_live else self.features.features
        return with_features(dataframe, make(metadata["pair"], dataframe, self._candles))

    def set_freqai_targets(
        self, dataframe: DataFrame, metadata: dict[str, Any], **kwargs: Any
    ) -> DataFrame:
        """The label, and when its outcome is known."""
        cost = self.round_trip_cost(metadata["pair"])
        return add_labels(dataframe, self.signal_settings, cost)

    # What the model adapter asks for

    def round_trip_cost(self, pair: str) -> float:
        """Fees and slippage of entering and leaving, a fraction.

        Asked for once per pair: hyperopt's workers have no exchange to ask.
        """
        if pair not in self._costs:
            costs = self.signal_settings.costs
            fee = self.config.get("fee") if costs.fee is None else costs.fee
            if fee is None:
                fee = self.dp._exchange.get_fee(pair, taker_or_maker=costs.liquidity)
            self._costs[pair] = round_trip_cost(costs, fee, fee)
        return self._costs[pair]

    def training_candles(self, pair: str) -> DataFrame:
        """All candles at hand: in a backtest the loaded ones, live what FreqAI keeps in memory."""
        if self._is_live:
            kept: DataFrame | None = self.freqai.dd.historic_data.get(pair, {}).get(self.timeframe)
            return DataFrame() if kept is None else kept
        # get_pair_dataframe() cuts at the clock of the last simulation, which freqtrade never sets
        # back: an analysis after it (another strategy, FreqUI, an epoch) would lack a candle.
        stored: DataFrame = self.dp.historic_ohlcv(pair, self.timeframe)
        return stored

    def newest_candle(self, pair: str) -> pd.Timestamp | None:
        """Opening of the newest candle that the exchange has shown of a pair."""
        frame = self.dp.ohlcv(pair, self.timeframe, copy=False)
        return None if frame.empty else frame["date"].iloc[-1]

    def _candles(self, pair: str, first: pd.Timestamp) -> DataFrame:
        """Candles from ``first`` on: live the exchange's if they reach back, else FreqAI's."""
        if not self._is_live:
            return self.training_candles(pair)
        recent = self.dp.ohlcv(pair, self.timeframe, copy=False)
        kept = self.training_candles(pair)
        reaches = len(recent) and recent["date"].iloc[0] <= first + pd.Timedelta(days=1)
        return recent if reaches or kept.empty else kept

    def bot_start(self, **kwargs: Any) -> None:
        """Begin anew: a backtest's report is its own."""
        self._report = None

    def bot_loop_start(self, current_time: datetime, **kwargs: Any) -> None:
        """Tell the operator what has changed."""
        if self._is_live:
            operation: LiveOperation = self.freqai.operation
            ahead = drop_future_candles(self.dp._exchange, pd.Timestamp(current_time))
            whitelist = self.dp.current_whitelist()
            for text in operation.alerts(current_time.timestamp(), whitelist, ahead):
                self.dp.send_msg(text)

    # Columns

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Let FreqAI predict, and make sure that every column of the contract is there."""
        frame = complete_outputs(self.freqai.start(dataframe, metadata, self))
        frame = with_barriers(frame, self.signal_settings, self.round_trip_cost(metadata["pair"]))
        if self.dp.runmode == RunMode.HYPEROPT:
            return without_report_columns(frame, self.signal_settings.sizing)
        return frame

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Enter on signals that pass every rule; the first rule that says no is shown."""
        pair, settings = metadata["pair"], self._settings_now()
        stops = tuple(self._stop_candles(pair, dataframe["date"].min())) if self._is_live else ()
        context, read = (
            PairContext(settings.candle_seconds, stops),
            self._reader.for_entries(dataframe),
        )
        decided = decide(dataframe, settings.decision, context, read)
        lowest = settings.decision.lowest_confidence
        operation: LiveOperation | None = self.freqai.operation if self._is_live else None
        if operation is not None:
            cost, kept = self.round_trip_cost(pair), self.training_candles(pair)
            decided, lowest = operation.limit(pair, dataframe, decided, kept, cost, lowest)
        for part in (decided, entry_columns(decided, self.can_short)):
            for name in part:
                dataframe[name] = part[name]
        dataframe[THRESHOLD_COLUMN] = lowest
        self._positions.decided(pair, dataframe)
        self.use_custom_roi = settings.exits.profit_multiple is not None
        if operation is not None:
            operation.record(pair, dataframe, cost, self.dp.send_msg)
            for name, value in operation.columns(pair).items():
                dataframe[name] = value
            if operation.wants_training(pair):
                self.freqai.retrain_early(pair)
        if self.dp.runmode == RunMode.BACKTEST:
            self._record(dataframe, pair)
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Leave when the model says the opposite; time and barriers are callbacks."""
        cost = self.round_trip_cost(metadata["pair"])
        exits, read = self._settings_now().exits, self._reader.for_exits(dataframe)
        columns = exit_columns(dataframe, read, exits, cost, self.can_short)
        for name in columns:
            dataframe[name] = columns[name]
        return dataframe

    def _record(self, dataframe: DataFrame, pair: str) -> None:
        """Keep predictions, decisions and outcomes of a backtest for the report."""
        if self._report is None:
            cost = self.round_trip_cost(self.config["exchange"]["pair_whitelist"][0])
            self._report = BacktestRecord.of(self.config, self._settings_now(), cost)
        made = self.tables.at_hand(pair, dataframe)
        if made is None:
            # Every prediction came from the cache, so no model was trained on this pair's rows.
            labels = self.set_freqai_targets(dataframe, metadata={"pair": pair})
            recent = predicted_part(dataframe, self.startup_candle_count)
            features = self.features.compute(pair, recent, self._candles)
        else:
            labels, features = made.labels, made.features
        self._report.add(pair, dataframe, labels, features)

    def _stop_candles(self, pair: str, since: datetime) -> list[int]:
        """Candle numbers after ``since`` in which a trade of the pair was stopped out."""
        ended = Trade.get_trades_proxy(pair=pair, is_open=False, close_date=since)
        return stop_candles(ended, self._candle_seconds)

    # Callbacks: they run in every hyperopt epoch and must not touch self.freqai.

    def confirm_trade_entry(self, pair: str, current_time: datetime, **kwargs: Any) -> bool:
        """Refuse an entry on a stale or untrusted prediction, or while a stop cools down."""
        verdict = self._positions.freshness(pair, current_time)
        if not verdict.fresh:
            logger.warning("Entry of %s refused: %s", pair, verdict.reason)
            return False
        pause = self._settings_now().decision.cooldown_candles
        if not pause:
            return True
        # A stop within the pause, counted from the start of the candle in which it happened.
        since = current_time - timedelta(seconds=(pause + 1) * self._candle_seconds)
        now = int(current_time.timestamp()) // self._candle_seconds
        return all(now - stop > pause for stop in self._stop_candles(pair, since))

    def custom_stake_amount(
        self, pair: str, proposed_stake: float, min_stake: float | None, max_stake: float,
        leverage: float, side: str, **kwargs: Any,
    ) -> float:  # fmt: skip
        """A capped fraction of Kelly's stake, or freqtrade's own."""
        if self.signal_settings.sizing.method == "fixed":
            return proposed_stake
        frame, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        if frame.empty:
            return proposed_stake
        signal = SignalClass.SELL if side == "short" else SignalClass.BUY
        expected = row_outlook(frame.iloc[-1], signal, self.round_trip_cost(pair))
        wallet = self.wallets.get_total_stake_amount()
        limits = StakeLimits(proposed_stake, min_stake or 0.0, max_stake, wallet)
        # Kelly's share is of what is exposed, a stake of what is paid in.
        return stake(self.signal_settings.sizing, limits, expected, leverage)

    def leverage(self, pair: str, max_leverage: float, **kwargs: Any) -> float:
        """The configured leverage, 1 unless set, and never more than allowed."""
        return min(self.signal_settings.sizing.leverage, max_leverage)

    @reads_only
    def order_filled(self, pair: str, trade: Trade, **kwargs: Any) -> None:
        """An entry asks for its stop now; see ``custom_stoploss``."""
        self.use_custom_stoploss |= self._stop_is_placed

    @reads_only
    def custom_stoploss(
        self, pair: str, trade: Trade, current_rate: float, after_fill: bool, **kwargs: Any
    ) -> float | None:
        """A stop at the label's barrier as it was at entry, ``stop_multiple`` widths away.

        It does not move. So a backtest asks for it once, when the entry has filled, and not in
        every candle of every trade; a running bot goes on asking, because it may be restarted.
        """
        if not self._is_live:
            self.use_custom_stoploss, self._stop_is_placed = False, True
        stop = self._positions.barriers(trade).stop
        if stop is None:
            return None
        return float(stoploss_from_absolute(stop, current_rate, trade.is_short, trade.leverage))

    @reads_only
    def custom_roi(self, pair: str, trade: Trade, **kwargs: Any) -> float | None:
        """Profit after fees of a trade that leaves at the label's profit barrier."""
        profit = self._positions.barriers(trade).profit
        return None if profit is None else float(trade.calc_profit_ratio(profit))

    @reads_only
    def custom_exit(
        self, pair: str, trade: Trade, current_time: datetime, current_rate: float, **kwargs: Any
    ) -> str | None:
        """Leave at the horizon or beyond a barrier; a running bot's stop is freqtrade's own."""
        return self._positions.exit(trade, current_time, current_rate)
