"""Tests of metrics."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from sklearn import metrics as reference

from freqai_signals import metrics
from freqai_signals.metrics import candle_means, mean_test

LABELS = np.array([0, 1, 2, 2], dtype=np.int8)
PROBA = np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.6, 0.3, 0.1]])


def random_case(seed: int, n: int = 80) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([[0, 1, 2], rng.integers(0, 3, n)]).astype(np.int8)
    return labels, rng.dirichlet([1, 2, 1], len(labels))


def test_by_hand() -> None:
    assert metrics.log_loss(LABELS, PROBA) == pytest.approx(-np.log(0.5 * 0.8 * 0.6 * 0.1) / 4)
    brier = [0.25 + 0.0625 + 0.0625, 0.01 + 0.04 + 0.01, 0.04 + 0.04 + 0.16, 0.36 + 0.09 + 0.81]
    assert metrics.brier(LABELS, PROBA) == pytest.approx(np.mean(brier))
    assert metrics.class_counts(LABELS) == {"sell": 1, "hold": 1, "buy": 2}
    np.testing.assert_allclose(metrics.class_prior(LABELS), np.array([2, 2, 3]) / 7)
    # Directions .33, .75, .14 of one sell and two buys: one pair of two in order.
    assert metrics.direction_auc(LABELS, PROBA) == pytest.approx(0.5)
    # Chances of a move .75, .8, .7 against .2 of the only hold.
    assert metrics.move_auc(LABELS, PROBA) == pytest.approx(1.0)


def test_calibration_error_by_hand() -> None:
    """Ten rows at .7 of which six hit, ten at .9 of which nine hit: (1 + 0) / 20."""
    top = np.repeat([0.7, 0.9], 10)
    proba = np.column_stack([top, 1 - top, np.zeros(20)])
    labels = np.array([0] * 6 + [1] * 4 + [0] * 9 + [2], dtype=np.int8)
    assert metrics.expected_calibration_error(labels, proba) == pytest.approx(0.05)


@hypothesis_settings(max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_they_agree_with_scikit_learn(seed: int) -> None:
    labels, proba = random_case(seed)
    assert metrics.log_loss(labels, proba) == pytest.approx(
        reference.log_loss(labels, proba, labels=[0, 1, 2])
    )
    summary = metrics.summary(labels, proba, metrics.class_prior(labels))
    assert summary["accuracy"] == reference.accuracy_score(labels, proba.argmax(axis=1))
    moved = labels != 1
    assert summary["move_auc"] == pytest.approx(reference.roc_auc_score(moved, 1 - proba[:, 1]))
    ratio = proba[moved, 2] / (proba[moved, 0] + proba[moved, 2])
    assert summary["direction_auc"] == pytest.approx(
        reference.roc_auc_score(labels[moved] == 2, ratio)
    )
    one_hot = np.eye(3)[labels]
    assert summary["brier"] == pytest.approx(np.mean(np.sum((one_hot - proba) ** 2, axis=1)))


@hypothesis_settings(max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_skill_is_zero_for_the_prior_and_one_for_certainty(seed: int) -> None:
    labels, _ = random_case(seed)
    prior = metrics.class_prior(labels)
    always = np.broadcast_to(prior, (len(labels), 3))
    assert metrics.skill(labels, always, prior) == pytest.approx(0.0)
    assert metrics.skill(labels, np.eye(3)[labels], prior) == pytest.approx(1.0)
    assert metrics.skill(labels, np.roll(np.eye(3)[labels], 1, axis=1), prior) < 0


def test_zero_probability_of_what_happened_is_finite() -> None:
    wrong = np.array([[0.0, 1.0, 0.0]])
    assert np.isfinite(metrics.log_loss(np.array([0], dtype=np.int8), wrong))


def test_one_sided_rows_have_no_auc() -> None:
    ones = np.ones(4, dtype=np.int8)
    proba = np.full((4, 3), 1 / 3)
    assert np.isnan(metrics.move_auc(ones, proba))
    assert np.isnan(metrics.direction_auc(np.full(4, 2, np.int8), proba))


def test_no_rows_have_no_loss() -> None:
    empty = np.zeros(0, np.int8)
    assert np.isnan(metrics.log_loss(empty, np.zeros((0, 3))))
    assert np.isnan(metrics.expected_calibration_error(empty, np.zeros((0, 3))))


def test_standard_error_is_the_mean_of_squared_cosines() -> None:
    values = np.array([1.0, 4.0, 2.0, 8.0, 5.0, 7.0, 1.0, 3.0])
    count, degrees = 8, 3
    total = 0.0
    for j in range(1, degrees + 1):
        part = sum(
            value * np.cos(np.pi * j * (t - 0.5) / count)
            for t, value in enumerate(values - values.mean(), start=1)
        )
        total += (np.sqrt(2 / count) * part) ** 2
    test = mean_test(values, days=1)
    assert test.degrees == degrees
    assert test.mean == values.mean()
    assert test.standard_error == pytest.approx(np.sqrt(total / degrees / count))


def test_too_few_values_prove_nothing() -> None:
    assert mean_test(np.ones(7), days=7).bound(0.05) == -np.inf
    assert np.isnan(mean_test(np.empty(0), days=0).mean)


def test_a_constant_is_its_own_bound() -> None:
    assert mean_test(np.full(100, 0.5), days=5).bound(0.01) == pytest.approx(0.5)


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_a_mean_of_zero_is_found_positive_no_more_often_than_stated(memory: float) -> None:
    rng = np.random.default_rng(0)
    days, candles = 14, 96
    wrong = 0
    for _ in range(1000):
        noise = rng.normal(size=days * candles + 2000)
        series = lfilter([1.0], [1.0, -memory], noise)[2000:]
        wrong += mean_test(series, days).bound(0.05) > 0
    # 0.05 plus three standard errors of a thousand draws.
    assert wrong / 1000 < 0.071


def test_rows_of_one_candle_count_as_one() -> None:
    means = candle_means(np.array([5, 5, 6, 9, 9]), np.array([1.0, 3.0, 5.0, 0.0, 1.0]))
    assert means.tolist() == [2.0, 5.0, 0.5]
