"""Protections: no entries after a stop or a drawdown."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Protocol

from freqai_signals.settings import SignalSettings
from freqai_signals.trading.exits import ExitReason

STOPPED: Final = (
    "stop_loss",
    "trailing_stop_loss",
    "stoploss_on_exchange",
    "liquidation",
    str(ExitReason.STOP_BARRIER),
)
"""Exit reasons of trades that were stopped out: those of freqtrade's StoplossGuard, and ours."""


class ClosedTrade(Protocol):
    """The attributes of freqtrade's closed trade that are used."""

    @property
    def exit_reason(self) -> str | None:
        """Why it was closed."""

    @property
    def close_date_utc(self) -> datetime:
        """When it was closed."""


def stop_candles(trades: Iterable[ClosedTrade], candle_seconds: int) -> list[int]:
    """Candle numbers (seconds since 1970 // ``candle_seconds``) in which trades were stopped."""
    return [
        int(trade.close_date_utc.timestamp()) // candle_seconds
        for trade in trades
        if trade.exit_reason in STOPPED
    ]


def protections(settings: SignalSettings) -> list[dict[str, Any]]:
    """Freqtrade's protections: lock a pair after a stop, and all pairs after a drawdown.

    A lock lasts to the end of a candle, so one candle is the minimum: ``cooldown_candles`` of 0 and
    1 have the same effect. Protections apply in a running bot and ``make backtest``; a backtest
    without ``--enable-protections`` has none.
    """
    day = settings.candles_per_day
    pause = max(settings.decision.cooldown_candles, 1)
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
