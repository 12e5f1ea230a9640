"""freqtrade adapter of freqai_signals: reads from freqtrade, calls the package, writes back."""

import logging
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from freqtrade.configuration import TimeRange
from freqtrade.constants import Config
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType, RunMode
from freqtrade.exceptions import OperationalException
from freqtrade.persistence import Trade
from freqtrade.strategy import (
    DecimalParameter,
    IntParameter,
    IStrategy,
    stoploss_from_absolute,
)
from pandas import DataFrame

from freqai_signals.config import SettingsError, pool_pairs
from freqai_signals.evaluation.backtest_record import BacktestRecord
from freqai_signals.evaluation.live_record import LiveRecord
from freqai_signals.evaluation.operation import LiveOperation
from freqai_signals.schema import LABEL_COLUMN, SignalClass
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.decide import PairContext, decide
from freqai_signals.signals.exits import (
    Barriers,
    ExitReason,
    LastCandle,
    OpenTrade,
    barrier_prices,
    exit_reason,
)
from freqai_signals.signals.expected_value import round_trip_cost
from freqai_signals.signals.outputs import complete_outputs
from freqai_signals.signals.restraint import restrain
from freqai_signals.signals.sizing import StakeLimits, stake
from freqai_signals.signals.thresholds import Thresholds
from freqai_signals.signals.trading import (
    BARRIER_COLUMN,
    THRESHOLD_COLUMN,
    BarrierWidths,
    entry_columns,
    exit_columns,
    freshness,
    row_outlook,
    with_barriers,
)
from freqai_signals.startup import SpanReader, checked_settings
from freqai_signals.training.coverage import Span
from freqai_signals.training.panel import FeatureCache, add_labels, row_memory

logger = logging.getLogger(__name__)

Callback = TypeVar("Callback", bound=Callable[..., Any])


def _reads_only(callback: Callback) -> Callback:
    """Mark a callback that leaves its trade alone, so that freqtrade does not copy the trade.

    freqtrade hands callbacks a deep copy of the trade, a millisecond for each candle of each open
    trade and nine tenths of a backtest's time, unless the callback's name says that it is
    ``IStrategy``'s own. Should that change, backtests get slower and nothing else.
    """
    callback.__qualname__ = f"IStrategy.{callback.__name__}"
    return callback


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

    plot_config = {
        "main_plot": {},
        "subplots": {
            "Probabilities": {
                "proba_buy": {"color": "#2e9e5b"},
                "proba_sell": {"color": "#d1495b"},
            },
            "Confidence": {
                "confidence": {"color": "#30638e"},
                "confidence_threshold": {"color": "#999999"},
            },
            "Expected return": {"expected_return": {"color": "#edae49"}},
            "Strength": {"signal_strength": {"color": "#003d5b", "type": "bar"}},
            "Trusted": {"do_predict": {"color": "#66a182"}},
            "Live quality": {
                "live_skill": {"color": "#30638e"},
                "live_accuracy": {"color": "#2e9e5b"},
            },
            "Level": {"drift_level": {"color": "#d1495b"}},
        },
    }

    def __init__(self, config: Config) -> None:
        try:
            self.signal_settings = checked_settings(config, _backtest(config), _spans(config))
        except SettingsError as error:
            raise OperationalException(str(error)) from error
        self.timeframe = self.signal_settings.timeframe
        self._candle_seconds = self.signal_settings.candle_seconds
        self.startup_candle_count = row_memory(self.signal_settings)
        self.can_short = config.get("trading_mode", "spot") == "futures"
        super().__init__(config)
        self.features = FeatureCache(self.signal_settings, pool_pairs(self.signal_settings, config))
        self.live_record = LiveRecord.from_environment()
        self._costs: dict[str, float] = {}
        self._widths: dict[str, BarrierWidths] = {}
        self._barriers: dict[tuple[str, datetime], Barriers] = {}
        self._applied: tuple[tuple[Any, ...], SignalSettings] = ((), self.signal_settings)
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
        day = self.signal_settings.candles_per_day
        pause = max(self.signal_settings.decision.cooldown_candles, 1)
        return [
            {
                "method": "StoplossGuard",
                "lookback_period_candles": pause,
                "stop_duration_candles": pause,
                "trade_limit": 1,
                "only_per_pair": True,
            },
            {
                "method": "MaxDrawdown",
                "lookback_period_candles": day,
                "stop_duration_candles": day // 2,
                "trade_limit": 10,
                "max_allowed_drawdown": 0.10,
            },
        ]

    # What FreqAI asks for

    def feature_engineering_expand_all(
        self, dataframe: DataFrame, period: int, metadata: dict[str, Any], **kwargs: Any
    ) -> DataFrame:
        """Nothing: all features come from one place, without pair or period in their name."""
        return dataframe

    def feature_engineering_expand_basic(
        self, dataframe: DataFrame, metadata: dict[str, Any], **kwargs: Any
    ) -> DataFrame:
        """Nothing, as above."""
        return dataframe

    def feature_engineering_standard(
        self, dataframe: DataFrame, metadata: dict[str, Any], **kwargs: Any
    ) -> DataFrame:
        """All features of one pair."""
        # Live, every candle is a new one: nothing that was kept would be asked for again.
        make = self.features.compute if self._is_live() else self.features.features
        features = make(metadata["pair"], dataframe, self._candles)
        if features.columns[0] in dataframe:
            # FreqAI's check of a cached window hands back a frame that has them already, and
            # copies of them under longer names.
            copies = dataframe.columns.str.startswith(tuple(features.columns))
            dataframe = dataframe.loc[:, ~copies]
        return pd.concat([dataframe, features], axis=1)

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
            fee = costs.fee
            if fee is None:
                fee = self.config.get("fee")
            if fee is None:
                fee = self.dp._exchange.get_fee(pair, taker_or_maker=costs.liquidity)
            self._costs[pair] = round_trip_cost(costs, fee, fee)
        return self._costs[pair]

    def training_candles(self, pair: str) -> DataFrame:
        """All candles at hand: in a backtest the loaded ones, live what FreqAI keeps in memory."""
        if self._is_live():
            kept: DataFrame | None = self.freqai.dd.historic_data.get(pair, {}).get(self.timeframe)
            return DataFrame() if kept is None else kept
        stored: DataFrame = self.dp.get_pair_dataframe(pair, self.timeframe)
        return stored

    def newest_candle(self, pair: str) -> pd.Timestamp | None:
        """Opening of the newest candle that the exchange has shown of a pair."""
        frame = self.dp.get_pair_dataframe(pair, self.timeframe)
        return None if frame.empty else frame["date"].iloc[-1]

    def _candles(self, pair: str, first: pd.Timestamp) -> DataFrame:
        """Candles from ``first`` on: live the exchange's if they reach back, else FreqAI's."""
        if not self._is_live():
            return self.training_candles(pair)
        recent = self.dp.get_pair_dataframe(pair, self.timeframe)
        kept = self.training_candles(pair)
        reaches = len(recent) and recent["date"].iloc[0] <= first + pd.Timedelta(days=1)
        return recent if reaches or kept.empty else kept

    def _is_live(self) -> bool:
        return self.dp.runmode in (RunMode.DRY_RUN, RunMode.LIVE)

    def _operation(self) -> LiveOperation | None:
        """What runs beside the model, in dry and live mode only."""
        return self.freqai.operation if self._is_live() else None

    def bot_loop_start(self, current_time: datetime, **kwargs: Any) -> None:
        """Tell the operator what has changed."""
        operation = self._operation()
        if operation is not None:
            for text in operation.news(current_time.timestamp(), self.dp.current_whitelist()):
                self.dp.send_msg(text)

    # Columns

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Let FreqAI predict, and make sure that every column of the contract is there."""
        frame = complete_outputs(self.freqai.start(dataframe, metadata, self))
        return with_barriers(frame, self.signal_settings, self.round_trip_cost(metadata["pair"]))

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Enter on signals that pass every rule; the first rule that says no is shown."""
        pair, settings = metadata["pair"], self._settings_now()
        stops = tuple(self._stop_candles(pair, dataframe["date"].min())) if self._is_live() else ()
        context = PairContext(settings.candle_seconds, stops)
        decided = decide(dataframe, settings.decision, context)
        lowest = settings.decision.lowest_confidence
        operation = self._operation()
        if operation is not None:
            cost, kept = self.round_trip_cost(pair), self.training_candles(pair)
            if self.live_record is not None:
                self.live_record.add(pair, dataframe.assign(**decided), cost)
            is_whole = len(kept) and kept["date"].iloc[-1] >= dataframe["date"].iloc[-1]
            restraint = operation.judge(pair, kept if is_whole else dataframe, cost)
            decided = restrain(decided, dataframe, restraint)
            lowest = max(lowest, restraint.minimum_confidence)
        for part in (decided, entry_columns(decided, self.can_short)):
            for name in part:
                dataframe[name] = part[name]
        dataframe[THRESHOLD_COLUMN] = lowest
        self._widths[pair] = BarrierWidths.of(dataframe)
        if not self._is_live():
            self._barriers.clear()  # of the epoch before
        self.use_custom_roi = settings.exits.profit_multiple is not None
        if operation is not None:
            operation.record(pair, dataframe, self.round_trip_cost(pair), self.dp.send_msg)
            for name, value in operation.columns(pair).items():
                dataframe[name] = value
            if operation.wants_training(pair):
                self.freqai.retrain_early(pair)
        if self.dp.runmode == RunMode.BACKTEST:
            labelled = self.set_freqai_targets(dataframe, metadata)
            self._record().add(pair, labelled, dataframe[LABEL_COLUMN])
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Leave when the model says the opposite; time and barriers are callbacks."""
        cost = self.round_trip_cost(metadata["pair"])
        exits = self._settings_now().exits
        columns = exit_columns(dataframe, exits, cost, self._candle_seconds)
        for name in columns:
            dataframe[name] = columns[name]
        return dataframe

    def _settings_now(self) -> SignalSettings:
        """The settings with what hyperopt or its parameter file put in their place."""
        values = tuple(getattr(self, name).value for name in Thresholds.LIMITS)
        if self._applied[0] != values:
            named = dict(zip(Thresholds.LIMITS, values, strict=True))
            self._applied = (values, Thresholds.apply(self.signal_settings, named))
        return self._applied[1]

    def _record(self) -> BacktestRecord:
        folder = Path(self.config["user_data_dir"]) / "signals" / "reports"
        return BacktestRecord(
            folder / self.config["freqai"]["identifier"],
            self.signal_settings,
            self.round_trip_cost(self.config["exchange"]["pair_whitelist"][0]),
            str(self.config.get("timerange", "")),
            str(Path(self.config["datadir"]).resolve()),
        )

    def _stop_candles(self, pair: str, since: datetime) -> list[int]:
        """Candle numbers after ``since`` in which a trade of the pair was stopped out."""
        seconds = self.signal_settings.candle_seconds
        return [
            int(trade.close_date_utc.timestamp()) // seconds
            for trade in Trade.get_trades_proxy(pair=pair, is_open=False, close_date=since)
            if trade.exit_reason in _STOPPED
        ]

    # Callbacks: they run in every hyperopt epoch and must not touch self.freqai.

    def confirm_trade_entry(
        self,
        pair: str,
        order_type: str,
        amount: float,
        rate: float,
        time_in_force: str,
        current_time: datetime,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> bool:
        """Refuse an entry on a stale or untrusted prediction, or while a stop cools down."""
        seconds = self.signal_settings.candle_seconds
        verdict = freshness(self._last_row(pair), pd.Timestamp(current_time), seconds)
        if not verdict.fresh:
            logger.warning("Entry of %s refused: %s", pair, verdict.reason)
            return False
        pause = self._settings_now().decision.cooldown_candles
        if not pause:
            return True
        # A stop within the pause, counted from the start of the candle in which it happened.
        since = current_time - timedelta(seconds=(pause + 1) * seconds)
        now = int(current_time.timestamp()) // seconds
        return all(now - stop > pause for stop in self._stop_candles(pair, since))

    def custom_stake_amount(
        self,
        pair: str,
        current_time: datetime,
        current_rate: float,
        proposed_stake: float,
        min_stake: float | None,
        max_stake: float,
        leverage: float,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> float:
        """A capped fraction of Kelly's stake, or freqtrade's own."""
        if self.signal_settings.sizing.method == "fixed":
            return proposed_stake
        row = self._last_row(pair)
        if row is None:
            return proposed_stake
        signal = SignalClass.SELL if side == "short" else SignalClass.BUY
        expected = row_outlook(row, signal, self.round_trip_cost(pair))
        limits = StakeLimits(
            proposed_stake, min_stake or 0.0, max_stake, self.wallets.get_total_stake_amount()
        )
        # Kelly's share is of what is exposed, a stake of what is paid in.
        return stake(self.signal_settings.sizing, limits, expected, leverage)

    def leverage(
        self,
        pair: str,
        current_time: datetime,
        current_rate: float,
        proposed_leverage: float,
        max_leverage: float,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> float:
        """The configured leverage, 1 unless set, and never more than allowed."""
        return min(self.signal_settings.sizing.leverage, max_leverage)

    @_reads_only
    def custom_stoploss(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        after_fill: bool,
        **kwargs: Any,
    ) -> float | None:
        """A stop at the label's barrier as it was at entry, ``stop_multiple`` widths away."""
        stop = self._barriers_of(pair, trade).stop
        if stop is None:
            return None
        return float(stoploss_from_absolute(stop, current_rate, trade.is_short, trade.leverage))

    @_reads_only
    def custom_roi(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        trade_duration: int,
        entry_tag: str | None,
        side: str,
        **kwargs: Any,
    ) -> float | None:
        """Profit after fees of a trade that leaves at the label's profit barrier."""
        profit = self._barriers_of(pair, trade).profit
        return None if profit is None else float(trade.calc_profit_ratio(profit))

    @_reads_only
    def custom_exit(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        **kwargs: Any,
    ) -> str | None:
        """Leave at the label's horizon, or where the price has jumped over a barrier."""
        settings = self._settings_now()
        held = (current_time - trade.open_date_utc).total_seconds() // self._candle_seconds
        state = OpenTrade(
            trade.is_short,
            int(held),
            settings.label_horizon_candles,
            self._barriers_of(pair, trade),
        )
        reason = exit_reason(state, LastCandle(close=current_rate), settings.exits)
        return None if reason is None else str(reason)

    def _barriers_of(self, pair: str, trade: Trade) -> Barriers:
        """Barrier prices of a trade, from the candle on which it was decided."""
        key = (pair, trade.open_date_utc)
        if key not in self._barriers:
            width = trade.get_custom_data(BARRIER_COLUMN) if self._is_live() else None
            if width is None:
                width = self._width_at(pair, trade.open_date_utc)
                if math.isnan(width):
                    return Barriers()
                if self._is_live():
                    trade.set_custom_data(BARRIER_COLUMN, width)
            exits = self._settings_now().exits
            self._barriers[key] = barrier_prices(trade.open_rate, width, trade.is_short, exits)
        return self._barriers[key]

    def _width_at(self, pair: str, opened: datetime) -> float:
        widths = self._widths.get(pair)
        if widths is None:
            return math.nan
        return widths.at_entry(int(opened.timestamp()), self._candle_seconds)

    def _last_row(self, pair: str) -> Any:
        frame, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        return frame.iloc[-1] if len(frame) else None


_STOPPED = ("stop_loss", "trailing_stop_loss", "stoploss_on_exchange", str(ExitReason.STOP_BARRIER))


def _backtest(config: Config) -> tuple[int, int] | None:
    """Start and end of what is to be backtested; None where nothing is, or start-up is varied."""
    if config.get("runmode") not in (RunMode.BACKTEST, RunMode.HYPEROPT):
        return None
    timerange = TimeRange.parse_timerange(config.get("timerange"))
    return (timerange.startts, timerange.stopts) if timerange.stopts else None


def _spans(config: Config) -> SpanReader:
    """Reads the span of a pair's stored candles."""

    def read(pair: str, timeframe: str) -> Span | None:
        folder, kind = config["datadir"], CandleType.get_default(config.get("trading_mode", "spot"))
        handler = get_datahandler(folder, config.get("dataformat_ohlcv", "feather"))
        first, last, count = handler.ohlcv_data_min_max(pair, timeframe, kind)
        file = handler._pair_data_filename(folder, pair, timeframe, kind)
        if not count and file.exists():
            raise ValueError(f"candle file {file} is damaged or empty; delete it, download anew")
        return Span(first, last) if count else None

    return read
