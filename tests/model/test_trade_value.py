"""What a trade is worth, by past predictions: slope, shrinkage, squares, and when to abstain."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from freqai_signals.metrics import block_slope
from freqai_signals.model.calibration import Calibrator
from freqai_signals.model.trade_value import (
    FEWEST_BLOCKS,
    TradeHistory,
    TradeValue,
    margin,
)

BLOCK, DAY = 288, 288


def history(
    slope: float, days: int = 60, per_day: int = 50, noise: float = 1.0, seed: int = 0
) -> TradeHistory:
    """Trades whose mean return is ``slope`` times margin times scale."""
    rng = np.random.default_rng(seed)
    rows = days * per_day
    raw = rng.dirichlet((2, 4, 2), rows)
    scale = rng.uniform(0.004, 0.02, rows)
    spread_out = noise * scale * np.sqrt(1.0 - raw[:, 1])
    long = slope * margin(raw) * scale + spread_out * rng.normal(size=rows)
    ends = np.sort(rng.integers(0, days * BLOCK, rows))
    ends[:days] = np.arange(days) * BLOCK
    return TradeHistory().extended(np.sort(ends), raw, scale, (long, -long))


def value_of(past: TradeHistory, calibrator: Calibrator | None = None) -> TradeValue:
    return TradeValue.of(past, calibrator or Calibrator(), BLOCK, DAY)


@pytest.mark.parametrize("true", [0.5, 1.0, 2.0])
def test_much_evidence_finds_the_true_slope(true: float) -> None:
    value = value_of(history(true, days=200, per_day=200))
    assert value.estimate == pytest.approx(true, abs=4 * value.error)
    assert value.slope == pytest.approx(value.estimate, rel=0.05)
    assert value.days == 200
    assert "in force" in value.text()


def test_slope_and_shrinkage_by_hand() -> None:
    value = value_of(history(0.6))
    past = history(0.6)
    predicted = margin(past.raw()) * past.scale.astype(float)
    size = np.abs(predicted)
    top = size >= np.quantile(size, 0.75)
    found = block_slope(predicted[top], past.long[top].astype(float), past.event_end[top] // BLOCK)
    assert (value.estimate, value.error) == (found.value, found.error)
    critical = 1.671 * found.error / found.value  # Student's t, 59 degrees of freedom
    assert value.slope == pytest.approx(found.value * (1 - critical**2), rel=1e-3)


@hypothesis_settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), true=st.sampled_from([0.0, -1.0]))
def test_the_shrunk_slope_lies_between_zero_and_the_estimate(seed: int, true: float) -> None:
    value = value_of(history(true, per_day=10, seed=seed))
    assert 0.0 <= value.slope <= max(value.estimate, 0.0)


def test_of_worthless_predictions_about_one_in_twenty_passes() -> None:
    passed = [value_of(history(0.0, per_day=8, seed=seed)).slope > 0 for seed in range(300)]
    assert np.mean(passed) == pytest.approx(0.05, abs=0.035)


def test_an_unproven_slope_is_zero_and_names_the_days_it_needs() -> None:
    # Among few seeds the first with a positive estimate that cannot be told from 0.
    values = (value_of(history(0.1, per_day=8, seed=seed)) for seed in range(20))
    value = next(one for one in values if one.slope == 0 and one.estimate > 0)
    assert value.needed_days > value.days
    assert "not distinguishable from 0" in value.text()
    assert f"about {value.needed_days:.0f} days" in value.text()
    assert (value.mean(np.array([[0.1, 0.2, 0.7]]), 0.01) == 0).all()


def test_a_slope_below_zero_needs_no_number_of_days() -> None:
    value = value_of(history(-2.0))
    assert value.slope == 0
    assert value.needed_days is None
    assert "it is not above 0" in value.text()


def test_too_little_history_says_how_much_is_needed() -> None:
    value = value_of(history(2.0, days=FEWEST_BLOCKS - 1))
    assert value.slope == 0
    assert value.needed_days == FEWEST_BLOCKS
    assert f"at least {FEWEST_BLOCKS} are needed" in value.text()
    assert value_of(TradeHistory()).slope == 0


def test_outcomes_of_one_block_are_one_observation() -> None:
    past = history(1.0)
    doubled = TradeHistory(*(np.repeat(values, 2) for values in past.arrays().values()))
    assert value_of(doubled).error == pytest.approx(value_of(past).error, rel=1e-6)


def test_the_mean_square_is_that_of_the_trades() -> None:
    past = history(1.0, days=100, per_day=200)
    value = value_of(past)
    square = value.mean_square(past.raw(), past.scale.astype(float))
    assert square.mean() == pytest.approx(
        float(np.square(past.long.astype(float)).mean()), rel=0.05
    )
    assert (square >= 0).all()


def test_no_tick_outweighs_the_rest() -> None:
    past = history(1.0)
    raw, scale = np.array([[0.1, 0.2, 0.7]]), np.array([0.01])
    end = np.array([past.event_end[-1] + 1])
    absurd = past.extended(end, raw, scale, (np.array([1e6]), np.array([-1e6])))
    assert absurd.long[-1] == pytest.approx(0.1)


def test_a_buy_by_its_long_and_a_sell_by_its_short() -> None:
    """Stops make the two differ; only the side that would be taken counts."""
    past = history(1.0)
    long_side = margin(past.raw()) > 0
    other = TradeHistory(
        past.event_end, past.move, past.log_odds, past.scale,
        np.where(long_side, past.long, 9.0).astype(np.float32),
        np.where(long_side, 9.0, past.short).astype(np.float32),
    )  # fmt: skip
    assert value_of(other).estimate == pytest.approx(value_of(past).estimate)


def test_history_keeps_each_row_once_and_the_newest() -> None:
    raw = np.tile([0.2, 0.5, 0.3], (4, 1))
    scale, ends = np.full(4, 0.01), np.arange(4)
    returns = (np.array([0.01, np.nan, 0.02, 0.03]), np.zeros(4))
    once = TradeHistory().extended(ends, raw, scale, returns)
    assert once.event_end.tolist() == [0, 2, 3]
    np.testing.assert_allclose(once.raw(), raw[:3], atol=1e-6)
    assert once.extended(ends, raw, scale, returns).event_end.tolist() == [0, 2, 3]
    later = once.extended(ends + 4, raw, scale, returns, max_rows=2)
    assert later.event_end.tolist() == [6, 7]
