"""Costs, class returns and expected returns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freqai_signals.settings import CostSettings
from freqai_signals.signals.expected_value import (
    expected_move,
    expected_return,
    implied_move,
    realised_return,
    round_trip_cost,
    shrunk_class_returns,
)

CLASS_RETURNS = np.array([-0.01, 0.001, 0.02])
counts = st.lists(st.integers(0, 10**6), min_size=3, max_size=3)
means = st.lists(st.floats(-0.1, 0.1), min_size=3, max_size=3)


# Costs


def test_exchange_fee_follows_the_liquidity() -> None:
    assert round_trip_cost(CostSettings(), 0.001, 0.0002) == pytest.approx(0.002)
    maker = CostSettings(liquidity="maker", slippage=0.0001)
    assert round_trip_cost(maker, 0.001, 0.0002) == pytest.approx(0.0006)


def test_configured_fee_replaces_the_exchanges_even_at_zero() -> None:
    assert round_trip_cost(CostSettings(fee=0.0), 0.001, 0.0002) == 0.0
    assert round_trip_cost(CostSettings(fee=0.003), 0.001, 0.0002) == pytest.approx(0.006)


# Class returns


def test_many_rows_keep_their_mean() -> None:
    shrunk = shrunk_class_returns(CLASS_RETURNS, [10**9] * 3)
    np.testing.assert_allclose(shrunk, CLASS_RETURNS, atol=1e-8)


def test_no_rows_give_zeros() -> None:
    np.testing.assert_array_equal(shrunk_class_returns([np.nan] * 3, [0, 0, 0]), [0, 0, 0])


def test_class_without_rows_gets_minus_the_mean_of_the_other() -> None:
    # size = 1000 * 0.02 / (1000 + 1000); buy = (1000 * 0.02 + 1000 * 0.01) / 2000
    shrunk = shrunk_class_returns([0.0, 0.0, 0.02], [0, 1000, 1000], prior_rows=1000)
    np.testing.assert_allclose(shrunk, [-0.01, 0.0, 0.015])


@pytest.mark.parametrize("prior_rows", [0.0, -1.0, float("nan")])
def test_prior_without_weight_is_refused(prior_rows: float) -> None:
    with pytest.raises(ValueError, match="prior_rows must be above 0"):
        shrunk_class_returns(CLASS_RETURNS, [1, 1, 1], prior_rows)


def test_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        shrunk_class_returns([0.1, 0.2], [1, 2])


@given(mean=means, count=counts)
def test_mirrored_market_gives_mirrored_returns(mean: list[float], count: list[int]) -> None:
    shrunk = shrunk_class_returns(mean, count)
    mirrored = shrunk_class_returns([-value for value in mean[::-1]], count[::-1])
    np.testing.assert_allclose(mirrored, -shrunk[::-1], atol=1e-15)


@given(mean=means, count=counts)
def test_shrinkage_never_increases_a_return(mean: list[float], count: list[int]) -> None:
    assert np.abs(shrunk_class_returns(mean, count)).max() <= np.abs(mean).max() + 1e-15


# Expected return


def test_expected_return_of_each_action_by_hand() -> None:
    probabilities = np.array([[0.1, 0.3, 0.6], [0.2, 0.6, 0.2], [0.8, 0.2, 0.0]])
    # moves: -.001 + .0003 + .012 = .0113; irrelevant; -.008 + .0002 = -.0078
    expected = expected_return(probabilities, CLASS_RETURNS, cost=0.002)
    np.testing.assert_allclose(expected, [0.0093, 0.0, 0.0058])


def test_move_is_computed_from_the_return_of_the_action() -> None:
    probabilities = np.array([[0.1, 0.3, 0.6], [0.2, 0.6, 0.2], [0.8, 0.2, 0.0]])
    signal = probabilities.argmax(axis=1)
    expected = expected_return(probabilities, CLASS_RETURNS, cost=0.002)
    move = implied_move(signal, expected, cost=0.002)
    np.testing.assert_allclose(move, [0.0113, np.nan, -0.0078])
    np.testing.assert_allclose(move[[0, 2]], expected_move(probabilities, CLASS_RETURNS)[[0, 2]])


@given(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), st.floats(0, 0.01), st.floats(0, 0.01))
def test_higher_cost_never_raises_the_expected_return(
    weights: list[float], cost: float, more: float
) -> None:
    probabilities = np.array([weights]) / sum(weights)
    low = expected_return(probabilities, CLASS_RETURNS, cost)
    assert expected_return(probabilities, CLASS_RETURNS, cost + more) <= low


def test_realised_return_of_each_action() -> None:
    realised = realised_return([0, 1, 2, 2], [0.01, 0.01, 0.01, np.nan], cost=0.002)
    np.testing.assert_allclose(realised, [-0.012, 0.0, 0.008, np.nan])
