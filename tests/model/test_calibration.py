"""Calibration: each map by hand, then the promises about all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.special import expit

from freqai_signals.metrics import log_loss
from freqai_signals.model.calibration import (
    CalibrationRows,
    Calibrator,
    DirectionHistory,
    direction_log_odds,
    direction_slope,
    fit_calibrator,
)
from freqai_signals.settings import CalibrationSettings

METHODS = ["temperature", "direction_shrink"]


def calibration(method: str = "temperature", **more: object) -> CalibrationSettings:
    return CalibrationSettings(method=method, min_rows=50, **more)  # type: ignore[arg-type]


def constant_rows(counts: tuple[int, int, int], raw: tuple[float, float, float]) -> CalibrationRows:
    """Every row says the same; the classes come in turn, so that both halves are alike."""
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
    said = np.exp(sharpness * scores)
    return CalibrationRows(
        labels, said / said.sum(axis=1, keepdims=True), np.arange(n), np.arange(n)
    )


def history_of(n: int, slope: float, seed: int = 0) -> DirectionHistory:
    """Log-odds of which ``slope`` times is the truth."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 1.5, n)
    return DirectionHistory(np.arange(n), odds, rng.random(n) < expit(slope * odds))


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
    after = Calibrator("direction_shrink", ((0.5,),))(before)
    np.testing.assert_allclose(after[0], [0.5 / 3, 0.5, 1.0 / 3])
    np.testing.assert_allclose(after[:, 1], before[:, 1])
    np.testing.assert_allclose(
        Calibrator("direction_shrink", ((0.0,),))(before)[0], [0.25, 0.5, 0.25]
    )
    np.testing.assert_allclose(Calibrator("direction_shrink", ((1.0,),))(before), before, atol=1e-8)


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


# Direction slope and its history


@hypothesis_settings(max_examples=60)
@given(
    n=st.integers(1, 300),
    slope=st.floats(-3, 3),
    seed=st.integers(0, 1000),
    initial=st.floats(0, 1),
    overlap=st.floats(0.1, 50),
)
def test_the_slope_lies_between_nothing_and_everything(
    n: int, slope: float, seed: int, initial: float, overlap: float
) -> None:
    assert 0.0 <= direction_slope(history_of(n, slope, seed), initial, overlap) <= 1.0


def test_without_history_the_slope_is_the_initial_one() -> None:
    assert direction_slope(DirectionHistory(), 0.45, 1.0) == 0.45


@pytest.mark.parametrize("true", [0.0, 0.3, 0.7, 1.0])
def test_much_evidence_finds_the_true_slope(true: float) -> None:
    assert direction_slope(history_of(20_000, true), 0.45, 1.0) == pytest.approx(true, abs=0.05)


def test_overlapping_outcomes_are_weaker_evidence() -> None:
    history = history_of(300, 0.1)
    slopes = [direction_slope(history, 0.45, overlap) for overlap in (1, 10, 1000)]
    assert slopes[0] < slopes[1] < slopes[2]
    assert slopes[2] == pytest.approx(0.45, abs=0.05)


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
    kept = DirectionHistory().extended(np.arange(10), labels, raw, most=3)
    np.testing.assert_array_equal(kept.event_end, [7, 8, 9])


def test_log_odds_of_certainty_are_finite() -> None:
    assert np.isfinite(direction_log_odds(np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]]))).all()
