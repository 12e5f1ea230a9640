"""Costs, class returns and expected returns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freqai_signals.settings import CostSettings, SignalSettings
from freqai_signals.signals.expected_value import (
    expected_return,
    held_hours,
    realised_return,
    round_trip_cost,
)

# Costs


def test_exchange_fee_follows_the_liquidity() -> None:
    assert round_trip_cost(CostSettings(), 0.001, 0.0002) == pytest.approx(0.002)
    maker = CostSettings(liquidity="maker", slippage=0.0001)
    assert round_trip_cost(maker, 0.001, 0.0002) == pytest.approx(0.0006)


def test_configured_fee_replaces_the_exchanges_even_at_zero() -> None:
    assert round_trip_cost(CostSettings(fee=0.0), 0.001, 0.0002) == 0.0
    assert round_trip_cost(CostSettings(fee=0.003), 0.001, 0.0002) == pytest.approx(0.006)


def test_futures_pay_funding_for_the_hours_held() -> None:
    costs = CostSettings(fee=0.0, funding=0.0001)
    settings = SignalSettings(timeframe="1h", label_horizon_candles=16)
    assert round_trip_cost(costs, 0.0, 0.0, held_hours(settings, "futures")) == pytest.approx(
        0.0002
    )
    assert round_trip_cost(costs, 0.0, 0.0, held_hours(settings, "spot")) == 0.0


# Expected return


def test_expected_return_of_each_action_by_hand() -> None:
    probabilities = np.array([[0.1, 0.3, 0.6], [0.2, 0.6, 0.2], [0.8, 0.2, 0.0]])
    expected = expected_return(probabilities, np.array([0.0113, 0.5, -0.0078]), cost=0.002)
    np.testing.assert_allclose(expected, [0.0093, 0.0, 0.0058])


@given(st.floats(-0.1, 0.1), st.floats(0, 0.01), st.floats(0, 0.01))
def test_higher_cost_never_raises_the_expected_return(
    long: float, cost: float, more: float
) -> None:
    probabilities, move = np.array([[0.1, 0.2, 0.7]]), np.array([long])
    low = expected_return(probabilities, move, cost)
    assert expected_return(probabilities, move, cost + more) <= low


def test_realised_return_of_each_action() -> None:
    realised = realised_return([0, 1, 2, 2], [0.01, 0.01, 0.01, np.nan], cost=0.002)
    np.testing.assert_allclose(realised, [-0.012, 0.0, 0.008, np.nan])
