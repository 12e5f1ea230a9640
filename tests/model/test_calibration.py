"""Calibration: each method by hand, then invariants of all of them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.special import expit

from freqai_signals.metrics import log_loss
from freqai_signals.model.calibration import CalibrationRows, Calibrator, fit_calibrator
from freqai_signals.model.direction import (
    DirectionHistory,
    DirectionSlopes,
    direction_log_odds,
    direction_slopes,
)
from freqai_signals.settings import CalibrationSettings

METHODS = ["temperature", "direction_shrink"]


def calibration(method: str = "temperature", **more: object) -> CalibrationSettings:
    return CalibrationSettings(method=method, min_rows=50, **more)  # type: ignore[arg-type]


def constant_rows(counts: tuple[int, int, int], raw: tuple[float, float, float]) -> CalibrationRows:
    """Equal predictions in all rows; labels are shuffled, so that both halves are alike."""
    labels = np.concatenate([np.full(count, kind) for kind, count in enumerate(counts)])
    labels = np.random.default_rng(0).permutation(labels).astype(np.int8)
    return CalibrationRows(
        labels, np.tile(raw, (len(labels), 1)), np.arange(len(labels)), np.arange(len(labels))
    )


def drawn(n: int, sharpness: float, seed: int = 0) -> CalibrationRows:
    """Labels drawn from probabilities, reported with their logits times ``sharpness``."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 1, (n, 3))
    true = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    labels = (true.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(0, 2).astype(np.int8)
    stated = np.exp(sharpness * scores)
    return CalibrationRows(
        labels, stated / stated.sum(axis=1, keepdims=True), np.arange(n), np.arange(n)
    )


def history_of(n: int, slope: float, seed: int = 0) -> DirectionHistory:
    """Log-odds whose true value is ``slope`` times as large."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 1.5, n)
    return DirectionHistory(np.arange(n), odds, rng.random(n) < expit(slope * odds))


def shrink(inner: float, outer: float | None = None, knot: float = math.inf) -> Calibrator:
    values = (inner, inner if outer is None else outer, knot, 0.1)
    return Calibrator("direction_shrink", (values,))


# By hand


def test_temperature_by_hand() -> None:
    """(.8, .1, .1) where (.6, .2, .2) is true: odds of 8 become odds of 3."""
    rows = constant_rows((120, 40, 40), (0.8, 0.1, 0.1))
    fitted = fit_calibrator(rows, DirectionHistory(), calibration("temperature"))
    assert fitted.method == "temperature"
    assert fitted.values[0][0] == pytest.approx(np.log(8) / np.log(3), rel=1e-3)
    np.testing.assert_allclose(fitted(rows.raw)[0], [0.6, 0.2, 0.2], atol=1e-4)


def test_direction_shrink_by_hand() -> None:
    """Slope one half: odds of 4 become odds of 2, the chance of a move stays."""
    before = np.array([[0.1, 0.5, 0.4], [0.6, 0.4, 0.0]])
    after = shrink(0.5)(before)
    np.testing.assert_allclose(after[0], [0.5 / 3, 0.5, 1.0 / 3])
    np.testing.assert_allclose(after[:, 1], before[:, 1])
    np.testing.assert_allclose(shrink(0.0)(before)[0], [0.25, 0.5, 0.25])
    np.testing.assert_allclose(shrink(1.0)(before), before, atol=1e-8)


def test_beyond_the_knot_the_outer_slope_applies() -> None:
    """Log-odds of 3 with a knot at 1: 1 * 1 + 0.5 * 2 = 2."""
    buy = float(expit(3.0))
    after = shrink(1.0, 0.5, knot=1.0)(np.array([[1 - buy, 0.0, buy], [buy, 0.0, 1 - buy]]))
    np.testing.assert_allclose(after[:, 2], expit([2.0, -2.0]))


def test_no_calibration_returns_its_input() -> None:
    raw = drawn(20, 1.0).raw
    assert Calibrator()(raw) is raw


# Promises about all of them


@pytest.mark.parametrize("method", METHODS)
@hypothesis_settings(max_examples=15)
@given(seed=st.integers(0, 1000), sharpness=st.floats(0.2, 4.0), n=st.integers(60, 400))
def test_rows_sum_to_one_for_any_input(method: str, seed: int, sharpness: float, n: int) -> None:
    rows = drawn(n, sharpness, seed)
    fitted = fit_calibrator(rows, history_of(200, 0.5, seed), calibration(method))
    extreme = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1 / 3] * 3])
    for raw in (rows.raw, extreme):
        out = fitted(raw)
        np.testing.assert_allclose(out.sum(axis=1), 1.0, atol=1e-9)
        assert np.isfinite(out).all()
        assert ((out >= 0) & (out <= 1)).all()


def test_few_rows_are_not_calibrated() -> None:
    rows = drawn(49, 3.0)
    assert fit_calibrator(rows, history_of(500, 0.3), calibration()).method == "none"


@hypothesis_settings(max_examples=20)
@given(seed=st.integers(0, 10_000), sharpness=st.floats(0.3, 3.0), n=st.integers(60, 600))
def test_the_purged_log_loss_never_gets_worse_than_without(
    seed: int, sharpness: float, n: int
) -> None:
    rows = drawn(n, sharpness, seed)
    fitted = fit_calibrator(rows, DirectionHistory(), calibration())
    assert log_loss(rows.labels, fitted(rows.raw)) <= log_loss(rows.labels, rows.raw) + 1e-6


def test_a_method_that_loses_on_the_second_half_is_replaced_by_none() -> None:
    """Fitted where the classes were swapped, it would only help in-sample."""
    early, late = drawn(200, 1.0, 1), drawn(200, 1.0, 2)
    labels = np.concatenate([2 - early.labels, late.labels]).astype(np.int8)
    rows = CalibrationRows(labels, np.vstack([early.raw, late.raw]), np.arange(400), np.arange(400))
    assert fit_calibrator(rows, DirectionHistory(), calibration()).method == "none"


@pytest.mark.parametrize("sharpness", [0.5, 3.0])
def test_temperature_corrects_over_and_underconfidence_on_fresh_rows(
    sharpness: float,
) -> None:
    fitted = fit_calibrator(drawn(4000, sharpness, 1), DirectionHistory(), calibration())
    fresh = drawn(4000, sharpness, 2)
    assert log_loss(fresh.labels, fitted(fresh.raw)) < log_loss(fresh.labels, fresh.raw) - 0.01


# Direction slopes and their history


@hypothesis_settings(max_examples=60)
@given(
    n=st.integers(1, 300),
    slope=st.floats(-3, 3),
    seed=st.integers(0, 1000),
    initial=st.floats(0, 1),
    overlap=st.floats(0.1, 50),
)
def test_the_slopes_are_never_negative_nor_steep(
    n: int, slope: float, seed: int, initial: float, overlap: float
) -> None:
    found = direction_slopes(history_of(n, slope, seed), initial, overlap)
    assert 0.0 <= found.inner <= 3.0
    assert 0.0 <= found.outer <= 3.0


def test_without_history_the_slope_is_the_initial_one() -> None:
    assert direction_slopes(DirectionHistory(), 0.45, 1.0) == DirectionSlopes(0.45, 0.45)


@pytest.mark.parametrize("true", [0.3, 0.7, 1.0])
def test_much_evidence_finds_the_true_slope(true: float) -> None:
    found = direction_slopes(history_of(40_000, true), 0.45, 1.0)
    assert found.inner == pytest.approx(true, abs=0.06)
    assert found.outer == pytest.approx(true, abs=0.15)
    assert found.error < 0.05


def test_extremes_that_hold_less_than_the_middle_get_their_own_slope() -> None:
    rng = np.random.default_rng(4)
    odds = rng.normal(0, 1.5, 60_000)
    knot = float(np.quantile(np.abs(odds), 0.9))
    inside = np.clip(odds, -knot, knot)
    bought = rng.random(len(odds)) < expit(0.9 * inside + 0.2 * (odds - inside))
    found = direction_slopes(DirectionHistory(np.arange(len(odds)), odds, bought), 0.45, 1.0)
    assert found.knot == pytest.approx(knot)
    assert found.inner == pytest.approx(0.9, abs=0.05)
    assert found.outer == pytest.approx(0.2, abs=0.1)


@pytest.mark.parametrize("true", [0.0, -0.5])
def test_a_slope_within_its_error_of_zero_is_no_direction(true: float) -> None:
    # Of this seed a true slope of 0 is fitted as half its error, and not as the bound of 0.
    history = history_of(20_000, true, seed=4)
    found = direction_slopes(history, 0.45, 1.0)
    assert (found.inner, found.outer) == (0.0, 0.0)
    equal = fit_calibrator(drawn(60, 1.0), history, calibration("direction_shrink"))
    assert not equal.has_direction
    after = equal(drawn(200, 1.0).raw)
    assert (after[:, 0] == after[:, 2]).all()


def test_too_few_blocks_have_one_slope_and_an_error_without_end() -> None:
    found = direction_slopes(history_of(9, -2.0), 0.45, 1.0)
    assert found.inner == found.outer > 0
    assert found.error == math.inf


def test_outcomes_of_one_block_are_one_observation() -> None:
    """The same evidence in blocks of which each holds one outcome many times."""
    one = history_of(400, 0.5)
    many = DirectionHistory(*(np.repeat(values, 20) for values in (
        one.event_end, one.log_odds, one.bought)))  # fmt: skip
    alone = direction_slopes(one, 0.45, 1.0)
    repeated = direction_slopes(many, 0.45, 20.0)
    assert repeated.error == pytest.approx(alone.error, rel=1e-6)


def test_overlapping_outcomes_are_weaker_evidence() -> None:
    history = history_of(300, 1.0)
    slopes = [direction_slopes(history, 0.45, overlap).inner for overlap in (1, 10, 1000)]
    assert slopes[0] > slopes[1] > slopes[2]
    assert slopes[2] == pytest.approx(0.45, abs=0.05)


@hypothesis_settings(max_examples=20)
@given(seed=st.integers(0, 1000), slope=st.floats(0.2, 2.0))
def test_the_shrink_is_monotone_and_prefers_no_side(seed: int, slope: float) -> None:
    fitted = fit_calibrator(
        drawn(60, 1.0), history_of(500, slope, seed), calibration("direction_shrink")
    )
    buy = expit(np.linspace(-4, 4, 81))
    after = fitted(np.column_stack([1 - buy, np.zeros(81), buy]))[:, 2]
    assert (np.diff(after) >= 0).all()
    np.testing.assert_allclose(after + after[::-1], 1.0)


def test_history_keeps_moves_only_and_each_row_once() -> None:
    raw = np.array([[0.2, 0.5, 0.3], [0.1, 0.8, 0.1], [0.4, 0.2, 0.4], [0.6, 0.2, 0.2]])
    labels = np.array([2, 1, 0, 0], dtype=np.int8)
    once = DirectionHistory().extended(np.array([5, 6, 7, 8]), labels, raw)
    np.testing.assert_array_equal(once.event_end, [5, 7, 8])
    np.testing.assert_array_equal(once.bought, [True, False, False])
    np.testing.assert_allclose(once.log_odds, np.log([1.5, 1.0, 1 / 3]))
    again = once.extended(np.array([5, 6, 7, 8]), labels, raw)
    np.testing.assert_array_equal(again.event_end, once.event_end)


def test_history_keeps_the_newest() -> None:
    raw = np.tile([0.2, 0.5, 0.3], (10, 1))
    labels = np.full(10, 2, np.int8)
    kept = DirectionHistory().extended(np.arange(10), labels, raw, max_rows=3)
    np.testing.assert_array_equal(kept.event_end, [7, 8, 9])


def test_log_odds_of_certainty_are_finite() -> None:
    assert np.isfinite(direction_log_odds(np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]]))).all()
