"""Exit rules, one at a time and in order."""

import math

import pytest

from freqai_signals.schema import SignalClass
from freqai_signals.settings import ExitSettings
from freqai_signals.signals.exits import (
    Barriers,
    ExitReason,
    LastCandle,
    OpenTrade,
    barrier_prices,
    barrier_touched,
    exit_reason,
    horizon_reached,
    negative_expected_value,
    opposite_signal,
)

LONG = OpenTrade(is_short=False, candles_held=3, horizon=24, barriers=Barriers(110.0, 90.0))
SHORT = OpenTrade(is_short=True, candles_held=3, horizon=24, barriers=Barriers(90.0, 110.0))
ALL = ExitSettings(negative_expected_value=True)


def candle(
    close: float = 100.0,
    signal: SignalClass = SignalClass.HOLD,
    move: float = math.nan,
    trusted: bool = True,
) -> LastCandle:
    return LastCandle(close, signal, move, trusted)


# Barriers


def test_shipped_settings_place_a_wide_stop_and_no_profit_barrier() -> None:
    assert barrier_prices(100.0, 0.01, False, ExitSettings()) == Barriers(None, 97.0)
    assert barrier_prices(100.0, 0.01, True, ExitSettings()) == Barriers(None, 103.0)


@pytest.mark.parametrize("width", [math.nan, math.inf, 0.0, -0.01])
def test_unknown_width_places_nothing(width: float) -> None:
    assert barrier_prices(100.0, width, False, ExitSettings(profit_multiple=1.0)) == Barriers()


@pytest.mark.parametrize("price", [math.nan, math.inf, 0.0, -1.0])
def test_unknown_price_places_nothing(price: float) -> None:
    assert barrier_prices(price, 0.01, False, ExitSettings(profit_multiple=1.0)) == Barriers()


def test_price_below_zero_is_no_barrier() -> None:
    settings = ExitSettings(stop_multiple=3.0, profit_multiple=3.0)
    assert barrier_prices(100.0, 0.4, False, settings).stop is None
    assert barrier_prices(100.0, 0.4, True, settings).profit is None


@pytest.mark.parametrize(
    ("close", "long", "short"),
    [
        (100.0, None, None),
        (90.0, ExitReason.STOP_BARRIER, ExitReason.PROFIT_BARRIER),
        (110.0, ExitReason.PROFIT_BARRIER, ExitReason.STOP_BARRIER),
        (math.nan, None, None),
    ],
)
def test_barrier_is_touched_at_its_price(
    close: float, long: ExitReason | None, short: ExitReason | None
) -> None:
    assert barrier_touched(LONG, candle(close)) == long
    assert barrier_touched(SHORT, candle(close)) == short


def test_missing_barrier_is_never_touched() -> None:
    bare = OpenTrade(is_short=False, candles_held=0, horizon=24)
    assert barrier_touched(bare, candle(0.01)) is None


# Other rules


@pytest.mark.parametrize(("held", "ends"), [(23, False), (24, True), (25, True)])
def test_horizon_ends_the_trade(held: int, ends: bool) -> None:
    reason = horizon_reached(OpenTrade(False, held, 24))
    assert reason == (ExitReason.HORIZON if ends else None)


def test_opposite_signal_ends_the_trade() -> None:
    sell, buy = candle(signal=SignalClass.SELL), candle(signal=SignalClass.BUY)
    assert opposite_signal(LONG, sell) == opposite_signal(SHORT, buy) == ExitReason.OPPOSITE_SIGNAL
    assert opposite_signal(LONG, buy) is opposite_signal(SHORT, sell) is None
    assert opposite_signal(LONG, candle()) is None


def test_negative_expected_value_ends_the_trade() -> None:
    reason = ExitReason.NEGATIVE_EXPECTED_VALUE
    assert negative_expected_value(LONG, candle(move=-0.001)) == reason
    assert negative_expected_value(SHORT, candle(move=0.001)) == reason
    assert negative_expected_value(LONG, candle(move=0.001)) is None
    assert negative_expected_value(SHORT, candle(move=math.nan)) is None


def test_untrusted_candle_ends_no_trade_and_hinders_no_exit() -> None:
    bad = candle(signal=SignalClass.SELL, move=-1.0, trusted=False)
    assert exit_reason(LONG, bad, ALL) is None
    assert exit_reason(OpenTrade(False, 24, 24), bad, ALL) == ExitReason.HORIZON
    crash = candle(close=50.0, trusted=False)
    assert exit_reason(LONG, crash, ALL) == ExitReason.STOP_BARRIER


def test_first_rule_gives_the_reason() -> None:
    late = OpenTrade(False, 30, 24, Barriers(110.0, 90.0))
    against = candle(close=80.0, signal=SignalClass.SELL, move=-0.01)
    assert exit_reason(late, against, ALL) == ExitReason.STOP_BARRIER
    against = candle(signal=SignalClass.SELL, move=-0.01)
    assert exit_reason(late, against, ALL) == ExitReason.HORIZON
    assert exit_reason(LONG, against, ALL) == ExitReason.OPPOSITE_SIGNAL
    assert exit_reason(LONG, candle(move=-0.01), ALL) == ExitReason.NEGATIVE_EXPECTED_VALUE


def test_rules_can_be_switched_off() -> None:
    off = ExitSettings(horizon=False, opposite_signal=False, negative_expected_value=False)
    late = OpenTrade(False, 30, 24)
    assert exit_reason(late, candle(signal=SignalClass.SELL, move=-0.01), off) is None
