"""Stakes by capped fractional Kelly."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from freqai_signals.schema import SignalClass
from freqai_signals.settings import SizingSettings
from freqai_signals.trading.sizing import Outlook, StakeLimits, kelly_share, outlook, stake

LIMITS = StakeLimits(proposed=100.0, minimum=10.0, maximum=500.0, wallet=1000.0)
KELLY = SizingSettings(method="kelly", kelly_fraction=0.5, maximum_stake_share=0.4)


def test_outlook_of_a_coin_flip_by_hand() -> None:
    # +1 % or -1 % with .6 / .4, no costs: mean .002, square .0001
    expected = outlook(SignalClass.BUY, 0.002, 0.0001, cost=0.0)
    assert expected.mean == pytest.approx(0.002)
    assert expected.square == pytest.approx(0.0001)
    assert kelly_share(expected) == pytest.approx(20.0)


def test_a_short_is_a_long_of_the_opposite_move() -> None:
    short = outlook(SignalClass.SELL, -0.004, 0.0001, cost=0.001)
    assert short == outlook(SignalClass.BUY, 0.004, 0.0001, cost=0.001)


def test_hold_has_expected_return_zero() -> None:
    assert kelly_share(outlook(SignalClass.HOLD, 0.01, 0.0001, cost=0.001)) == 0.0


def test_wider_outcomes_lower_the_share() -> None:
    calm = outlook(SignalClass.BUY, 0.004, 0.0001, cost=0.001)
    wild = outlook(SignalClass.BUY, 0.004, 0.0011, cost=0.001)
    assert kelly_share(wild) < kelly_share(calm)


@pytest.mark.parametrize("mean", [0.0, -0.01, math.nan])
def test_no_edge_no_share(mean: float) -> None:
    assert kelly_share(Outlook(mean, 0.0001)) == 0.0
    assert stake(KELLY, LIMITS, Outlook(mean, 0.0001)) == 0.0


@pytest.mark.parametrize("square", [math.nan, math.inf])
def test_unknown_risk_no_share(square: float) -> None:
    assert kelly_share(Outlook(0.01, square)) == 0.0


def test_fixed_method_leaves_the_proposed_stake() -> None:
    assert stake(SizingSettings(), LIMITS, Outlook(-1.0, 1.0)) == 100.0


def test_half_kelly_by_hand() -> None:
    assert stake(KELLY, LIMITS, Outlook(0.0001, 0.0002)) == pytest.approx(250.0)


def test_stake_is_capped_by_share_and_by_freqtrade() -> None:
    sure = Outlook(0.01, 0.0001)
    assert stake(KELLY, LIMITS, sure) == pytest.approx(400.0)
    generous = KELLY.model_copy(update={"maximum_stake_share": 1.0})
    assert stake(generous, LIMITS, sure) == 500.0


def test_stake_below_the_exchange_minimum_is_no_entry() -> None:
    assert stake(KELLY, LIMITS, Outlook(0.0001, 0.01)) == 0.0


@pytest.mark.parametrize("fraction", [1.01, 0.0, -0.5])
def test_kelly_fraction_outside_its_range_is_refused(fraction: float) -> None:
    with pytest.raises(ValidationError):
        SizingSettings(kelly_fraction=fraction)


@given(
    long=st.floats(-0.01, 0.01),
    spread=st.floats(0, 0.01),
    cost=st.floats(0, 0.01),
    signal=st.sampled_from(SignalClass),
)
def test_stake_stays_within_its_limits(
    long: float, spread: float, cost: float, signal: SignalClass
) -> None:
    expected = outlook(signal, long, long**2 + spread, cost)
    amount = stake(KELLY, LIMITS, expected)
    assert amount == 0.0 or LIMITS.minimum <= amount <= 400.0
    assert amount == 0.0 or expected.mean > 0
