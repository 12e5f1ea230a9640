"""Where open trades end: barriers as they were at entry, and the label's horizon."""

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
    """What is read of freqtrade's trade."""

    pair: str
    open_date: datetime
    open_rate: float
    is_short: bool
    stop_loss: float

    @property
    def open_date_utc(self) -> datetime:
        """When it was opened."""

    def get_custom_data(self, key: str) -> Any:
        """What was kept with the trade."""

    def set_custom_data(self, key: str, value: Any) -> None:
        """Keep a value with the trade."""


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

    def goes_on(self, now: datetime, rate: float) -> bool:
        """Whether no rule can end the trade now."""
        return self.below < rate < self.above and now.timestamp() < self.ends


class Positions:
    """The open trades of one bot or backtest, and the candles on which they were decided.

    Barriers are worked out once for each trade: freqtrade asks in every candle of each.

    Parameters
    ----------
    settings
        Gives the settings in force; asked once for each trade.
    is_live
        Whether a bot runs. Then a trade's width is kept with the trade, so that it survives a
        restart, and a stop that freqtrade has in place is left to freqtrade. In a backtest
        freqtrade would pay the stop's own price where a candle opens beyond it; an exit of ours
        pays the open.
    """

    def __init__(self, settings: Callable[[], SignalSettings], is_live: bool) -> None:
        self._settings = settings
        self._is_live = is_live
        self._candles: dict[str, DecidedCandles] = {}
        self._held: dict[tuple[str, datetime], Position] = {}

    def decided(self, pair: str, frame: pd.DataFrame) -> None:
        """Take over a pair's decided frame; a backtest forgets the trades known so far."""
        self._candles[pair] = DecidedCandles.of(frame)
        if not self._is_live:
            self._held.clear()

    def freshness(self, pair: str, now: datetime) -> Freshness:
        """Whether the pair's last decided candle may open a trade now."""
        return freshness(self._candles.get(pair), now, self._settings().candle_seconds)

    def barriers(self, trade: HeldTrade) -> Barriers:
        """Barrier prices of a trade, both None where its entry's candle is unknown."""
        return self._of(trade).barriers

    def exit(self, trade: HeldTrade, now: datetime, rate: float) -> str | None:
        """Why the trade ends at this rate and time, None if it does not.

        freqtrade asks for this before its own stop and takes the first answer. Were a running
        bot's stop told here too, it would leave by ``order_types["exit"]`` instead of
        ``order_types["stoploss"]``, and StoplossGuard would not count it.
        """
        position = self._of(trade)
        if position.goes_on(now, rate):
            return None
        settings = self._settings()
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
            if not math.isnan(width):
                self._held[key] = position
        return position

    def _width(self, trade: HeldTrade) -> float:
        kept = trade.get_custom_data(BARRIER_COLUMN) if self._is_live else None
        if kept is not None:
            return float(kept)
        candles = self._candles.get(trade.pair)
        if candles is None:
            return math.nan
        opened = int(trade.open_date_utc.timestamp())
        width = candles.width_at_entry(opened, self._settings().candle_seconds)
        if self._is_live and not math.isnan(width):
            trade.set_custom_data(BARRIER_COLUMN, width)
        return width


def _has_stop(trade: HeldTrade, stop: float | None) -> bool:
    """Whether freqtrade's own stop is in place, at this price or nearer.

    It is not where a config has switched ``use_custom_stoploss`` off, or where the price had
    passed the barrier before freqtrade asked for it.
    """
    if stop is None or not trade.stop_loss:
        return False
    if math.isclose(trade.stop_loss, stop):
        return True
    return trade.stop_loss < stop if trade.is_short else trade.stop_loss > stop


def _position(trade: HeldTrade, width: float, settings: SignalSettings) -> Position:
    barriers = barrier_prices(trade.open_rate, width, trade.is_short, settings.exits)
    low, high = barriers.stop, barriers.profit
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
    """Mark a callback that leaves its trade alone, so that freqtrade does not copy the trade.

    freqtrade hands callbacks a deep copy of the trade, a millisecond for each candle of each open
    trade and nine tenths of a backtest's time, unless the callback's name says that it is
    ``IStrategy``'s own. Should that change, backtests get slower and nothing else.
    """
    callback.__qualname__ = f"IStrategy.{callback.__name__}"
    return callback
