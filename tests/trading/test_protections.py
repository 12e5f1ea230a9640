"""Which trades were stopped, and freqtrade's protections from the settings."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from freqai_signals.settings import DecisionSettings, SignalSettings
from freqai_signals.trading.protections import protections, stop_candles


@dataclass
class Closed:
    exit_reason: str | None
    close_date_utc: datetime


def test_stops_are_counted_in_the_candle_in_which_they_happened() -> None:
    at = datetime(1970, 1, 1, 1, 4, 59, tzinfo=UTC)
    reasons = ["stop_loss", "horizon", None, "liquidation", "stop_barrier", "roi"]
    trades = [Closed(reason, at) for reason in reasons]
    assert stop_candles(trades, 300) == [12, 12, 12]


@pytest.mark.parametrize(("cooldown", "pause"), [(0, 1), (1, 1), (12, 12)])
def test_guard_pauses_a_pair_as_long_as_the_cooldown(cooldown: int, pause: int) -> None:
    settings = SignalSettings(decision=DecisionSettings(cooldown_candles=cooldown))
    guard, drawdown = protections(settings)
    assert guard["method"] == "StoplossGuard"
    assert guard["only_per_pair"]
    assert guard["stop_duration_candles"] == guard["lookback_period_candles"] == pause
    assert drawdown["lookback_period_candles"] == 288
