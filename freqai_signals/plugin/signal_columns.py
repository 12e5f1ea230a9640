"""freqtrade adapter: the model's columns for any strategy, and what watches them in operation."""

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from freqtrade.constants import Config
from freqtrade.enums import CandleType, RunMode
from freqtrade.exceptions import OperationalException
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy
from pandas import DataFrame

from freqai_signals.config import SettingsError, pool_pairs
from freqai_signals.dataset.candles import Openings
from freqai_signals.dataset.features.cache import CandleDigests, FeatureCache, with_features
from freqai_signals.dataset.features.mapped import rest
from freqai_signals.dataset.pair_tables import PairTables, add_labels, row_memory
from freqai_signals.live.operation import LiveOperation
from freqai_signals.plugin.exchange_facts import listed_fee
from freqai_signals.plugin.freqai.broken_candles import mark_broken_candles
from freqai_signals.plugin.freqai.exchange_clock import clock_of
from freqai_signals.plugin.freqai.small_frames import SmallFrames
from freqai_signals.plugin.pool import freqai_config, run_pool, using_config
from freqai_signals.plugin.startup import checked_settings, count_hyperopt
from freqai_signals.report.data.backtest_record import BacktestRecord
from freqai_signals.schema import DECISION_SIGNAL_COLUMN, PROBA_MOVE_COLUMN
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.column_arrays import with_columns
from freqai_signals.signals.expected_value import held_hours, round_trip_cost
from freqai_signals.signals.outputs import complete_outputs
from freqai_signals.trading import columns
from freqai_signals.trading.own_strategy import (
    Hook,
    complete_hooks,
    decisions_of_entries,
    features_completed,
    followed,
    targets_completed,
    without_blocked,
)
from freqai_signals.trading.plots import with_plots
from freqai_signals.trading.positions import reads_only

logger = logging.getLogger(__name__)

MODEL_HOOKS = (
    "feature_engineering_expand_all",
    "feature_engineering_expand_basic",
    "feature_engineering_standard",
    "set_freqai_targets",
    "round_trip_cost",
    "training_candles",
)
"""Methods of a strategy that shape the model: where one changes, models are trained again."""

_SWITCHES = ("process_only_new_candles", "use_exit_signal")


class SignalColumns(SmallFrames, IStrategy):
    """Gives a strategy of your own the columns of LightGBMSignalClassifier.

    ``class MyStrategy(SignalColumns, IStrategy)`` finds these in every frame, before its own
    ``populate_indicators`` runs: ``proba_sell``, ``proba_hold``, ``proba_buy``, ``proba_move`` (one
    minus hold), ``confidence``, ``expected_return`` and ``do_predict``, which is 1 where the others
    can be trusted; elsewhere they say hold. Row *t* is known at the close of candle *t*.

    ``populate_indicators``, ``populate_entry_trend``, ``populate_exit_trend`` and all callbacks are
    free. What the strategy enters goes into the report, the ledger and the alerts like the signals
    of LightGBMSignalStrategy. A hook of ours that is overridden without ``super()`` is completed.
    """

    exits_are_ours = False
    """Whether trades end by exit signals of this package, which freqtrade can switch off."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        complete_hooks(cls, _COMPLETED)

    def __init__(self, config: Config) -> None:
        if (own_timeframe := getattr(self, "timeframe", None)) is not None:
            # As freqtrade does a little later; the model must not read another one.
            config.setdefault("timeframe", own_timeframe)
        # freqtrade takes these from the class where the config has none, but only later.
        own = {name: False for name in _SWITCHES if getattr(self, name, True) is False}
        try:
            self.signal_settings = checked_settings(
                {**own, **config}, own_exits=self.exits_are_ours
            )
        except SettingsError as error:
            raise OperationalException(str(error)) from error
        self.timeframe = self.signal_settings.timeframe
        self._candle_seconds = self.signal_settings.candle_seconds
        own_startup = getattr(self, "startup_candle_count", 0) or 0
        self.startup_candle_count = max(own_startup, row_memory(self.signal_settings))
        self._is_live = config.get("runmode") in (RunMode.DRY_RUN, RunMode.LIVE)
        self._is_drawn = self._is_live or config.get("runmode") in (RunMode.WEBSERVER, RunMode.PLOT)
        super().__init__(config)
        self.features = FeatureCache(self.signal_settings, pool_pairs(self.signal_settings, config))
        mapped = Path(config["user_data_dir"], "signals", "mapped")
        self.tables = PairTables(self._candle_seconds, mapped)
        self.barrier_columns = columns.BarrierColumns(self.signal_settings, self._is_live)
        self._costs: dict[str, float] = {}
        self._openings = Openings()
        self.digests = CandleDigests(self.training_candles)
        self._report: BacktestRecord | None = None
        self._is_counted = False

    def ft_bot_start(self, **kwargs: Any) -> None:
        """Start afresh: a backtest's report is its own. Refuses a model that is not ours."""
        if self._is_live:
            # Before the first candle comes: FreqAI downloads what it trains on at its start.
            mark_broken_candles(self.dp._exchange, self._candle_seconds)
        super().ft_bot_start(**kwargs)
        self._report, self._loaded, self._indicated = None, {}, {}
        self.digests = CandleDigests(self.training_candles)
        if not hasattr(self.freqai, "signal_settings"):
            raise OperationalException(
                f"{type(self).__name__} needs the model of freqai-signals, got "
                f"{self.config.get('freqaimodel') or 'none'}: set freqai.enabled to true and give "
                "--freqaimodel LightGBMSignalClassifier; freqai-signals init prints the commands"
            )
        # In the main process alone: workers get a strategy that has started.
        self._is_counted = self._is_counted or count_hyperopt(self.config)

    def load_freqAI_model(self) -> None:
        """Settle the pool of the run, and show FreqAI the config that goes with it."""
        if not self.config.get("freqai", {}).get("enabled", False):
            super().load_freqAI_model()
            return
        pool = run_pool(self.signal_settings, self.config, self.dp, self._is_live)
        folder = Path(self.config["user_data_dir"], "signals", "features")
        self.features = FeatureCache(self.signal_settings, pool, folder)
        with using_config(self, freqai_config(self.config, self.signal_settings, pool)):
            super().load_freqAI_model()

    def gather_informative_pairs(self) -> list[tuple[str, str, CandleType]]:
        """Beside others, the candles of the whole pool, whatever pairlists leave of it."""
        pool = self.features.pool
        with using_config(self, freqai_config(self.config, self.signal_settings, pool)):
            wanted = super().gather_informative_pairs()
        return [*wanted, *((pair, self.timeframe, self.config["candle_type_def"]) for pair in pool)]

    def _settings_now(self) -> SignalSettings:
        """The settings in force; a strategy with tuned ones gives those."""
        return self.signal_settings

    # What FreqAI asks for

    def feature_engineering_standard(
        self, dataframe: DataFrame, metadata: dict[str, Any], **kwargs: Any
    ) -> DataFrame:
        """All features of one pair; none is expanded by FreqAI, none has a pair in its name."""
        # Live, every candle is a new one: nothing that was kept would be asked for again.
        make = self.features.compute if self._is_live else self.features.features
        return with_features(dataframe, make(metadata["pair"], dataframe, self.pool_candles))

    def set_freqai_targets(
        self, dataframe: DataFrame, metadata: dict[str, Any], **kwargs: Any
    ) -> DataFrame:
        """The label, and when its outcome is known."""
        return add_labels(dataframe, self.signal_settings, self.round_trip_cost(metadata["pair"]))

    # What the model adapter asks for

    def round_trip_cost(self, pair: str) -> float:
        """Fees, slippage and funding of entering and leaving, a fraction.

        Asked for once per pair: hyperopt's workers have no exchange to ask.
        """
        if pair not in self._costs:
            settings = self.signal_settings
            fee = self.config.get("fee") if settings.costs.fee is None else settings.costs.fee
            if fee is None:
                fee = listed_fee(self.dp._exchange, pair, settings.costs.liquidity)
            hours = held_hours(settings, self.config.get("trading_mode", "spot"))
            self._costs[pair] = round_trip_cost(settings.costs, fee, fee, hours)
        return self._costs[pair]

    def training_candles(self, pair: str) -> DataFrame:
        """All candles at hand: in a backtest the loaded ones, live what FreqAI keeps in memory."""
        if self._is_live:
            kept: DataFrame | None = self.freqai.dd.historic_data.get(pair, {}).get(self.timeframe)
            return DataFrame() if kept is None else kept
        return self.backtest_candles(pair)

    def newest_candle(self, pair: str) -> pd.Timestamp | None:
        """Opening of the newest candle that the exchange has shown of a pair."""
        return self._openings.last(pair, self.dp.ohlcv(pair, self.timeframe, copy=False))

    def pool_candles(self, pair: str, first: pd.Timestamp) -> DataFrame:
        """Candles from ``first`` on: live the exchange's if they reach back, else FreqAI's."""
        if not self._is_live:
            return self.training_candles(pair)
        recent: DataFrame = self.dp.ohlcv(pair, self.timeframe, copy=False)
        if self._openings.reach(pair, recent, first):
            return recent
        kept = self.training_candles(pair)
        return recent if kept.empty else kept

    # Columns. freqtrade's own ``advise_*`` are extended, so that ``populate_*`` stay the user's.

    def advise_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """The model's columns first: a strategy's own indicators may build on them."""
        frame = self._with_signals(dataframe, metadata)
        indicated: DataFrame = super().advise_indicators(frame, metadata)
        return indicated

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """The frame with the model's columns; a strategy without indicators needs no others."""
        return self._with_signals(dataframe, metadata)

    def _with_signals(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Let FreqAI predict, and make sure that every column of the contract is there."""
        if PROBA_MOVE_COLUMN in dataframe:
            return dataframe
        frame = self.freqai.start(dataframe, metadata, self)
        barriers = self.barrier_columns.of(frame, self.round_trip_cost(metadata["pair"]))
        frame = complete_outputs(frame, barriers)
        sizing, is_epoch = self.signal_settings.sizing, self.dp.runmode == RunMode.HYPEROPT
        return columns.without_report_columns(frame, sizing) if is_epoch else frame

    def advise_entry(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Let the strategy decide, then write down what it did and what became of it."""
        pair = metadata["pair"]
        frame = super().advise_entry(dataframe, metadata)
        is_kept = self._is_live or self.dp.runmode == RunMode.BACKTEST
        if is_kept and DECISION_SIGNAL_COLUMN not in frame:
            frame = self._own_entries(frame, pair)
        if self._is_live:
            operation: LiveOperation = self.freqai.operation
            operation.record(pair, frame, self.round_trip_cost(pair), self.dp.send_msg)
            if operation.wants_training(pair):
                self.freqai.retrain_early(pair)
        elif is_kept:
            self._record(frame, pair)
        live = self.freqai.operation.columns(pair, frame) if self._is_live else {}
        return with_plots(frame, self._settings_now().decision, live) if self._is_drawn else frame

    def _own_entries(self, frame: DataFrame, pair: str) -> DataFrame:
        """Entries of a strategy's own rules as decisions; a blocked pair enters nothing."""
        decided = decisions_of_entries(frame, self._settings_now().decision)
        if self._is_live:
            kept, cost = self.training_candles(pair), self.round_trip_cost(pair)
            decided = self.freqai.operation.limit(pair, frame, decided, kept, cost)
            frame = without_blocked(frame, decided)
        return with_columns(frame, decided)

    def _record(self, dataframe: DataFrame, pair: str) -> None:
        """Keep predictions, decisions and outcomes of a backtest for the report."""
        if self._report is None:
            cost = self.round_trip_cost(pair)
            self._report = BacktestRecord.of(self.config, self._settings_now(), cost)
        made = self.tables.cached(pair, dataframe)
        if made is None:
            # Every prediction came from the cache, so no model was trained on this pair's rows.
            labels = SignalColumns.set_freqai_targets(self, dataframe, {"pair": pair})
            recent = columns.predicted_part(dataframe, self.startup_candle_count)
            features = self.features.compute(pair, recent, self.pool_candles)
        else:
            labels, features = made.labels, made.features
        self._report.add(pair, dataframe, labels, features)
        rest()

    @reads_only
    def order_filled(self, pair: str, trade: Trade, order: Any, **kwargs: Any) -> None:
        """Keep the signal with the trade that it opened, where FreqUI shows it."""
        operation = getattr(getattr(self, "freqai", None), "operation", None)
        if operation is None or trade.get_custom_data("signal") is not None:
            return
        for name, value in operation.trade_data(pair, trade.open_date_utc).items():
            trade.set_custom_data(name, value)

    def bot_loop_start(self, current_time: datetime, **kwargs: Any) -> None:
        """Send the operator what has changed."""
        if self._is_live:
            operation: LiveOperation = self.freqai.operation
            ahead = clock_of(self.dp._exchange, self._candle_seconds).ahead
            whitelist = self.dp.current_whitelist()
            now, schedule = current_time.timestamp(), self.freqai.schedule(whitelist)
            for text in operation.alerts(now, whitelist, ahead, schedule):
                self.dp.send_msg(text)


# Overridden without ``super()``, these would leave the model without features or target, or the
# operator without alerts.
_COMPLETED: dict[str, Callable[[Hook], Hook]] = {
    "feature_engineering_standard": lambda own: features_completed(
        own, SignalColumns.feature_engineering_standard
    ),
    "set_freqai_targets": lambda own: targets_completed(
        own, SignalColumns.set_freqai_targets, logger.warning
    ),
    "bot_loop_start": lambda own: followed(own, SignalColumns.bot_loop_start),
    "order_filled": lambda own: followed(own, SignalColumns.order_filled),
}
