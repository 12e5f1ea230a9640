"""Daily returns of closed trades, and the loss that a search minimises."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freqai_signals.report.sharpe import expected_maximum_sharpe, moments, sharpe_score
from freqai_signals.report.trade_returns import (
    FEW_TRADES,
    NO_RESULT,
    Search,
    daily_returns,
    search_loss,
)


def search(days: int = 60, trials: int = 100) -> Search:
    start = pd.Timestamp("2024-01-01", tz="UTC")
    return Search(trials, start, start + pd.Timedelta(days=days, minutes=-5), 1000.0)


def closes(*moments: str) -> "pd.Series[pd.Timestamp]":
    return pd.Series(pd.to_datetime(list(moments), utc=True, format="ISO8601"))


STEADY = np.tile([0.01, 0.0, 0.02, -0.005], 15)


# Daily returns


def test_daily_return_is_relative_to_the_wallet_at_the_days_start() -> None:
    dates = closes("2024-01-01 00:00", "2024-01-01 23:55", "2024-01-02 10:00", "2024-01-04 01:00")
    paid = daily_returns(dates, pd.Series([60.0, 40.0, -110.0, 99.0]), search(days=4))
    assert paid == pytest.approx([0.1, -0.1, 0.0, 0.1])


def test_every_day_of_the_period_counts_though_nothing_closed() -> None:
    none = daily_returns(closes(), pd.Series([], dtype=float), search(days=60))
    assert none.shape == (60,)
    assert not none.any()


def test_trade_closed_outside_of_the_period_is_left_out() -> None:
    dates = closes("2023-12-31 23:55", "2024-01-05 00:00", "2024-01-02 12:00")
    paid = daily_returns(dates, pd.Series([500.0, 500.0, 10.0]), search(days=4))
    assert paid == pytest.approx([0.0, 0.01, 0.0, 0.0])


def test_empty_wallet_has_no_further_returns() -> None:
    dates = closes("2024-01-01 12:00", "2024-01-02 12:00", "2024-01-03 12:00")
    paid = daily_returns(dates, pd.Series([-1000.0, 50.0, 50.0]), search(days=3))
    assert paid == pytest.approx([-1.0, 0.0, 1.0])


# Loss


def test_loss_is_the_deflated_ratio_in_standard_errors() -> None:
    found = moments(STEADY)
    luck = expected_maximum_sharpe(100, 1 / 59)
    assert search_loss(STEADY, 200, search()) == pytest.approx(-sharpe_score(found, luck))


def test_longer_search_raises_the_benchmark() -> None:
    losses = [search_loss(STEADY, 200, search(trials=n)) for n in (1, 10, 100, 1000)]
    assert losses == sorted(losses)
    assert losses[0] < losses[-1]


@given(st.integers(3, 2 * FEW_TRADES))
def test_fewer_trades_are_never_better(trades: int) -> None:
    assert search_loss(STEADY, trades + 1, search()) <= search_loss(STEADY, trades, search())


def test_ten_missing_trades_cost_a_standard_error() -> None:
    days = np.concatenate([STEADY[:40]])
    enough = search_loss(days, FEW_TRADES, search(days=40))
    assert search_loss(days, FEW_TRADES - 10, search(days=40)) == pytest.approx(enough + 1.0)


@pytest.mark.parametrize("returns", [np.zeros(60), np.full(60, 0.01), np.array([]), -STEADY * 50])
def test_result_without_variation_or_with_total_loss_is_worst(returns: np.ndarray) -> None:
    loss = search_loss(returns, 100, search())
    assert 0 < loss <= NO_RESULT


def test_two_trades_are_no_result() -> None:
    assert search_loss(STEADY, 2, search()) == NO_RESULT


@given(st.lists(st.floats(-0.9, 0.9), max_size=80), st.integers(0, 500), st.integers(0, 5000))
def test_loss_is_a_number_that_a_search_can_use(
    returns: list[float], trades: int, trials: int
) -> None:
    loss = search_loss(np.array(returns), trades, search(trials=trials))
    assert np.isfinite(loss)
    assert loss <= NO_RESULT
