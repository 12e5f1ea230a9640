"""Exit rules, one at a time and in order."""

import math

import pytest

from freqai_signals.settings import ExitSettings
from freqai_signals.trading.exits import (
    Barriers,
    ExitReason,
    OpenTrade,
    barrier_prices,
    barrier_touched,
    exit_reason,
    horizon_reached,
)

LONG = OpenTrade(is_short=False, candles_held=3, horizon=24, barriers=Barriers(110.0, 90.0))
SHORT = OpenTrade(is_short=True, candles_held=3, horizon=24, barriers=Barriers(90.0, 110.0))


# Barriers


def test_shipped_settings_give_a_wide_stop_and_no_profit_barrier() -> None:
    assert barrier_prices(100.0, 0.01, False, ExitSettings()) == Barriers(None, 97.0)
    assert barrier_prices(100.0, 0.01, True, ExitSettings()) == Barriers(None, 103.0)


@pytest.mark.parametrize("width", [math.nan, math.inf, 0.0, -0.01])
def test_unknown_width_gives_no_barrier(width: float) -> None:
    assert barrier_prices(100.0, width, False, ExitSettings(profit_multiple=1.0)) == Barriers()


@pytest.mark.parametrize("price", [math.nan, math.inf, 0.0, -1.0])
def test_unknown_price_gives_no_barrier(price: float) -> None:
    assert barrier_prices(price, 0.01, False, ExitSettings(profit_multiple=1.0)) == Barriers()


def test_price_below_zero_is_no_barrier() -> None:
    settings = ExitSettings(stop_multiple=3.0, profit_multiple=3.0)
    assert barrier_prices(100.0, 0.4, False, settings).stop is None
    assert barrier_prices(100.0, 0.4, True, settings).profit is None


@pytest.mark.parametrize(
    ("rate", "long", "short"),
    [
        (100.0, None, None),
        (90.0, ExitReason.STOP_BARRIER, ExitReason.PROFIT_BARRIER),
        (110.0, ExitReason.PROFIT_BARRIER, ExitReason.STOP_BARRIER),
        (math.nan, None, None),
    ],
)
def test_barrier_is_touched_at_its_price(
    rate: float, long: ExitReason | None, short: ExitReason | None
) -> None:
    assert barrier_touched(LONG, rate) == long
    assert barrier_touched(SHORT, rate) == short


def test_missing_barrier_is_never_touched() -> None:
    bare = OpenTrade(is_short=False, candles_held=0, horizon=24)
    assert barrier_touched(bare, 0.01) is None


# Time, and the order


@pytest.mark.parametrize(("held", "ends"), [(23, False), (24, True), (25, True)])
def test_horizon_ends_the_trade(held: int, ends: bool) -> None:
    reason = horizon_reached(OpenTrade(False, held, 24))
    assert reason == (ExitReason.HORIZON if ends else None)


def test_first_rule_gives_the_reason() -> None:
    late = OpenTrade(False, 30, 24, Barriers(110.0, 90.0))
    assert exit_reason(late, 80.0, ExitSettings()) == ExitReason.STOP_BARRIER
    assert exit_reason(late, 100.0, ExitSettings()) == ExitReason.HORIZON
    assert exit_reason(LONG, 100.0, ExitSettings()) is None


def test_horizon_can_be_disabled() -> None:
    assert exit_reason(OpenTrade(False, 30, 24), 100.0, ExitSettings(horizon=False)) is None
