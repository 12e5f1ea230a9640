"""Exits of open trades: barriers fixed at entry, and the label's horizon."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol, TypeVar

import pandas as pd

from freqai_signals.schema import BARRIER_COLUMN
from freqai_signals.settings import SignalSettings
from freqai_signals.trading.entries import DecidedCandles, Freshness, freshness
from freqai_signals.trading.exits import (
    Barriers,
    OpenTrade,
    barrier_prices,
    exit_reason,
)


class HeldTrade(Protocol):
    """The attributes of freqtrade's trade that are used."""

    pair: str
    open_date: datetime
    open_rate: float
    is_short: bool
    stop_loss: float

    @property
    def open_date_utc(self) -> datetime:
        """When it was opened."""

    def get_custom_data(self, key: str) -> Any:
        """A value stored with the trade."""

    def set_custom_data(self, key: str, value: Any) -> None:
        """Store a value with the trade."""


@dataclass(frozen=True)
class Position:
    """One open trade.

    Attributes
    ----------
    barriers
        Prices, fixed at entry.
    below, above
        Between these prices no barrier is touched.
    ends
        Seconds since 1970 at which the horizon is reached.
    """

    barriers: Barriers
    below: float
    above: float
    ends: float

    def stays_open(self, now: datetime, rate: float) -> bool:
        """Whether no exit rule applies now."""
        return self.below < rate < self.above and now.timestamp() < self.ends


class Positions:
    """The open trades of one bot or backtest, and the candles on which they were decided.

    Barriers are computed once a trade, since freqtrade's callbacks run in every candle of each.

    Parameters
    ----------
    settings
        Returns the current settings, which hyperopt and its parameter file change.
    is_live
        Whether a bot runs. Then the barrier width is stored with the trade, so that it survives a
        restart, and a stop that freqtrade has set is left to freqtrade. In a backtest freqtrade
        would fill at the stop price even if a candle opens beyond it; our exit fills at the open.
    """

    def __init__(self, settings: Callable[[], SignalSettings], is_live: bool) -> None:
        self._settings = settings
        self._is_live = is_live
        self._candles: dict[str, DecidedCandles] = {}
        self._held: dict[tuple[str, datetime], Position] = {}

    def decided(self, pair: str, frame: pd.DataFrame) -> None:
        """Set a pair's decided frame; in a backtest, also forget all trades."""
        self._candles[pair] = DecidedCandles.of(frame)
        # The next epoch of hyperopt may have other barriers.
        if not self._is_live:
            self._held.clear()

    def freshness(self, pair: str, now: datetime) -> Freshness:
        """Whether the pair's last decided candle may open a trade now."""
        return freshness(self._candles.get(pair), now, self._settings().candle_seconds)

    def barriers(self, trade: HeldTrade) -> Barriers:
        """Barrier prices of a trade, both None if its entry candle is unknown."""
        return self._of(trade).barriers

    def exit(self, trade: HeldTrade, now: datetime, rate: float) -> str | None:
        """Reason to exit the trade at this rate and time, None if there is none.

        freqtrade calls this before it checks its own stop and uses the first result. If a running
        bot's stop were returned here, the exit would use ``order_types["exit"]`` instead of
        ``order_types["stoploss"]``, and StoplossGuard would not count it.
        """
        position = self._of(trade)
        if position.stays_open(now, rate):
            return None
        settings = self._settings()
        # A candle counts once it has closed, as in the label.
        held = (now - trade.open_date_utc).total_seconds() // settings.candle_seconds
        horizon = settings.label_horizon_candles
        barriers = position.barriers
        if self._is_live and _has_stop(trade, barriers.stop):
            barriers = replace(barriers, stop=None)
        state = OpenTrade(trade.is_short, int(held), horizon, barriers)
        reason = exit_reason(state, rate, settings.exits)
        return None if reason is None else str(reason)

    def _of(self, trade: HeldTrade) -> Position:
        key = (trade.pair, trade.open_date)
        position = self._held.get(key)
        if position is None:
            width = self._width(trade)
            position = _position(trade, width, self._settings())
            # Without its entry candle a trade is looked up again, once the pair has been analysed.
            if not math.isnan(width):
                self._held[key] = position
        return position

    def _width(self, trade: HeldTrade) -> float:
        stored = trade.get_custom_data(BARRIER_COLUMN) if self._is_live else None
        if stored is not None:
            return float(stored)
        candles = self._candles.get(trade.pair)
        if candles is None:
            return math.nan
        opened = int(trade.open_date_utc.timestamp())
        width = candles.width_at_entry(opened, self._settings().candle_seconds)
        # After a restart the candle of the entry may lie before all that the bot has.
        if self._is_live and not math.isnan(width):
            trade.set_custom_data(BARRIER_COLUMN, width)
        return width


def _has_stop(trade: HeldTrade, stop: float | None) -> bool:
    """Whether freqtrade has set its own stop at this price or nearer.

    It has not if the config disables ``use_custom_stoploss``, or if the price had passed the
    barrier before freqtrade called for it.
    """
    if stop is None or not trade.stop_loss:
        return False
    if math.isclose(trade.stop_loss, stop):
        return True
    # freqtrade rounds a stop to the tick towards the price, so its own may lie nearer.
    return trade.stop_loss < stop if trade.is_short else trade.stop_loss > stop


def _position(trade: HeldTrade, width: float, settings: SignalSettings) -> Position:
    barriers = barrier_prices(trade.open_rate, width, trade.is_short, settings.exits)
    low, high = barriers.stop, barriers.profit
    # A short's profit lies below, its stop above.
    if trade.is_short:
        low, high = high, low
    horizon = settings.label_horizon_candles * settings.candle_seconds
    return Position(
        barriers,
        below=-math.inf if low is None else low,
        above=math.inf if high is None else high,
        ends=trade.open_date_utc.timestamp() + horizon if settings.exits.horizon else math.inf,
    )


Callback = TypeVar("Callback", bound=Callable[..., Any])


def reads_only(callback: Callback) -> Callback:
    """Mark a callback that does not modify its trade, so that freqtrade does not copy the trade.

    freqtrade passes a deep copy of the trade, which takes a millisecond for each candle of each
    open trade and nine tenths of a backtest's time, unless the callback's qualified name is that of
    ``IStrategy``. Should freqtrade change that, backtests only get slower.
    """
    callback.__qualname__ = f"IStrategy.{callback.__name__}"
    return callback
