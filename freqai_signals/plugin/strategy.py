"""The strategy that freqtrade loads: entries, exits, stakes, callbacks, by the model's columns."""

import logging
from datetime import datetime, timedelta
from typing import Any

from freqtrade.constants import Config
from freqtrade.persistence import Trade
from freqtrade.strategy import DecimalParameter, IntParameter, IStrategy, stoploss_from_absolute
from pandas import DataFrame

from freqai_signals.live.operation import LiveOperation
from freqai_signals.plugin.freqai.small_frames import makes_tags
from freqai_signals.plugin.signal_columns import SignalColumns
from freqai_signals.schema import THRESHOLD_COLUMN, SignalClass
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.column_arrays import with_columns
from freqai_signals.signals.decide import PairContext, decisions
from freqai_signals.signals.predictions import PredictionReader
from freqai_signals.trading.columns import entry_columns, exit_columns, row_outlook
from freqai_signals.trading.plots import plot_config
from freqai_signals.trading.positions import Positions, reads_only
from freqai_signals.trading.protections import protections, stop_candles
from freqai_signals.trading.sizing import StakeLimits, stake
from freqai_signals.trading.thresholds import Thresholds, TunedSettings

logger = logging.getLogger(__name__)


class LightGBMSignalStrategy(SignalColumns, IStrategy):
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
    exits_are_ours = True

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.can_short = config.get("trading_mode", "spot") == "futures"
        if self._is_live and type(self).plot_config is LightGBMSignalStrategy.plot_config:
            self.plot_config = plot_config(live=True)
        self._reader = PredictionReader(self._candle_seconds)
        self._tuned = TunedSettings(self.signal_settings)
        self._positions = Positions(self._settings_now, self._is_live)
        self._stop_is_placed = False
        for name, limits in Thresholds.LIMITS.items():
            kind = IntParameter if limits.integer else DecimalParameter
            decimals = {} if limits.integer else {"decimals": limits.decimals}
            default = Thresholds.default(self.signal_settings, name)
            parameter = kind(
                limits.low, limits.high, default=default, space=limits.space, **decimals
            )
            setattr(self, name, parameter)

    def ft_bot_start(self, **kwargs: Any) -> None:
        """Start; exits of a parameter file are not those whose trades the model has learned."""
        super().ft_bot_start(**kwargs)
        learned, used = self.signal_settings.exits, self._settings_now().exits
        before = learned.model_dump()
        changed = {key: value for key, value in used.model_dump().items() if value != before[key]}
        if changed:
            given = ", ".join(f"{key} = {value}" for key, value in changed.items())
            logger.warning(
                "hyperopt's parameter file changes %s, but the expected return was learned from "
                "trades with the config's exits: copy them to freqai.signals.exits", given,
            )  # fmt: skip

    @property
    def protections(self) -> list[dict[str, Any]]:
        """Pause a pair after a stop, and everything after a bad day."""
        return protections(self._settings_now())

    def _settings_now(self) -> SignalSettings:
        """The settings with what hyperopt or its parameter file put in their place."""
        return self._tuned.at(tuple(getattr(self, name).value for name in Thresholds.LIMITS))

    # Columns

    @makes_tags
    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Enter on signals that pass every rule; the first rule that says no is shown."""
        pair, settings = metadata["pair"], self._settings_now()
        # Without a cooldown nothing asks for the stops, which a bot reads from its database.
        counted = self._is_live and settings.decision.cooldown_candles
        stops = tuple(self._stop_candles(pair, dataframe["date"].min())) if counted else ()
        context = PairContext(settings.candle_seconds, stops)
        read = self._reader.for_entries(dataframe)
        decided = decisions(read, len(dataframe), settings.decision, context)
        if self._is_live:
            cost, kept = self.round_trip_cost(pair), self.training_candles(pair)
            operation: LiveOperation = self.freqai.operation
            decided = operation.limit(pair, dataframe, decided, kept, cost)
        entries = entry_columns(decided, self.can_short)
        shown = {THRESHOLD_COLUMN: settings.decision.lowest_confidence}
        return with_columns(dataframe, {**decided, **entries, **shown})

    def advise_entry(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Keep what trades on these candles need, whoever decided; a subclass may."""
        frame = super().advise_entry(dataframe, metadata)
        if type(self).populate_entry_trend is LightGBMSignalStrategy.populate_entry_trend:
            self._reader.follow(dataframe, frame)
        self._positions.decided(metadata["pair"], frame)
        self.use_custom_roi = self._settings_now().exits.profit_multiple is not None
        return frame

    @makes_tags
    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Leave when the model says the opposite; time and barriers are callbacks."""
        exits, read = self._settings_now().exits, self._reader.for_exits(dataframe)
        columns = exit_columns(read, len(dataframe), exits, self.can_short)
        return with_columns(dataframe, columns)

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
        expected = row_outlook(frame.iloc[-1], signal)
        wallet = self.wallets.get_total_stake_amount()
        limits = StakeLimits(proposed_stake, min_stake or 0.0, max_stake, wallet)
        # Kelly's share is of what is exposed, a stake of what is paid in.
        return stake(self.signal_settings.sizing, limits, expected, leverage)

    def leverage(self, pair: str, max_leverage: float, **kwargs: Any) -> float:
        """The configured leverage, 1 unless set, and never more than allowed."""
        return min(self.signal_settings.sizing.leverage, max_leverage)

    @reads_only
    def order_filled(self, pair: str, trade: Trade, order: Any, **kwargs: Any) -> None:
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
        is_ours = type(self).custom_stoploss is LightGBMSignalStrategy.custom_stoploss
        if is_ours and not self._is_live:
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
