"""Sharpe ratios against the numbers printed in the papers, and overfitting on simulated trials."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freqai_signals.report.sharpe import (
    Moments,
    backtest_overfitting,
    deflated_sharpe,
    expected_maximum_sharpe,
    moments,
    probabilistic_sharpe,
    sharpe_score,
)

# Moments


def test_moments_of_four_returns_by_hand() -> None:
    # Mean 0.01, deviations 0, -0.02, 0.02, 0: variance 0.0002 of the sample 0.0008 / 3.
    found = moments([0.01, -0.01, 0.03, 0.01])
    assert found.sharpe == pytest.approx(0.01 / math.sqrt(0.0008 / 3))
    assert (found.skew, found.kurtosis, found.observations) == (0.0, 2.0, 4)


def test_normal_sample_has_skew_zero_and_kurtosis_three() -> None:
    found = moments(np.random.default_rng(1).normal(0.1, 1.0, 200_000))
    assert found.sharpe == pytest.approx(0.1, abs=0.01)
    assert found.skew == pytest.approx(0.0, abs=0.02)
    assert found.kurtosis == pytest.approx(3.0, abs=0.05)


@pytest.mark.parametrize("returns", [[], [0.1], [0.1, 0.2], [0.1] * 30, [0.0] * 30])
def test_constant_or_short_sample_has_ratio_zero(returns: list[float]) -> None:
    assert moments(returns).sharpe == 0.0


# Probabilistic and deflated ratio: numbers of the papers


def test_fund_of_the_paper_is_less_credible_than_a_normal_one() -> None:
    fat = Moments(0.458, skew=-2.448, kurtosis=10.164, observations=24)
    normal = Moments(0.458, observations=24)
    assert probabilistic_sharpe(fat) == pytest.approx(0.913, abs=5e-4)
    assert probabilistic_sharpe(normal) == pytest.approx(0.982, abs=5e-4)


@pytest.mark.parametrize(
    ("trials", "skew", "kurtosis", "probability"),
    [(100, -3.0, 10.0, 0.9004), (46, -3.0, 10.0, 0.9505), (88, 0.0, 3.0, 0.9505)],
)
def test_deflated_ratio_of_the_paper(
    trials: int, skew: float, kurtosis: float, probability: float
) -> None:
    best = Moments(2.5 / math.sqrt(250), skew, kurtosis, observations=1250)
    assert deflated_sharpe(best, trials, 1 / (2 * 250)) == pytest.approx(probability, abs=5e-5)


def test_one_trial_deflates_nothing() -> None:
    found = Moments(0.1, observations=100)
    assert expected_maximum_sharpe(1, 0.01) == 0.0
    assert deflated_sharpe(found, 1, 0.01) == probabilistic_sharpe(found)


@pytest.mark.parametrize("trials", [10, 100, 1000])
def test_expected_maximum_is_that_of_simulated_trials_without_skill(trials: int) -> None:
    luck = np.random.default_rng(2).normal(0.0, 0.1, (4000, trials)).max(axis=1).mean()
    assert expected_maximum_sharpe(trials, 0.01) == pytest.approx(luck, rel=0.03)


@pytest.mark.parametrize(("trials", "variance"), [(0, 0.1), (-1, 0.1), (5, -0.1)])
def test_invalid_search_is_refused(trials: int, variance: float) -> None:
    with pytest.raises(ValueError, match="needs trials >= 1"):
        expected_maximum_sharpe(trials, variance)


def test_two_observations_have_probability_zero() -> None:
    assert sharpe_score(Moments(1.0, observations=2)) == -math.inf
    assert probabilistic_sharpe(Moments(1.0, observations=2)) == 0.0


@given(st.lists(st.floats(-0.5, 0.5), min_size=3, max_size=40), st.integers(1, 10_000))
def test_more_trials_never_make_a_result_more_credible(returns: list[float], trials: int) -> None:
    found = moments(returns)
    score = sharpe_score(found, expected_maximum_sharpe(trials, 0.01))
    assert sharpe_score(found, expected_maximum_sharpe(trials + 1, 0.01)) <= score
    assert not math.isnan(score)


# Overfitting


def overfitting_by_the_words(table: np.ndarray, blocks: int) -> tuple[float, float]:
    """The recipe of the paper, a loop for each of its sentences."""
    parts = np.split(table, blocks)
    below, losing, splits = 0, 0, 0
    for half in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[i] for i in half])
        outside = np.concatenate([parts[i] for i in range(blocks) if i not in half])
        best = np.argmax(inside.mean(axis=0) / inside.std(axis=0))
        ratio = outside.mean(axis=0) / outside.std(axis=0)
        rank = 1 + np.sum(ratio < ratio[best])
        relative = rank / (table.shape[1] + 1)
        below += math.log(relative / (1 - relative)) <= 0
        losing += ratio[best] < 0
        splits += 1
    return below / splits, losing / splits


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_overfitting_equals_the_papers_algorithm(seed: int) -> None:
    table = np.random.default_rng(seed).normal(0.0, 0.01, (48, 7))
    found = backtest_overfitting(table, blocks=6)
    assert (found.probability, found.losing) == pytest.approx(overfitting_by_the_words(table, 6))
    assert found.splits == 20


def test_choosing_among_trials_without_skill_is_a_coin_flip() -> None:
    rng = np.random.default_rng(4)
    found = [backtest_overfitting(rng.normal(size=(160, 20)), 8).probability for _ in range(40)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.08)


def test_true_skill_is_not_overfit() -> None:
    table = np.random.default_rng(5).normal(0.0, 0.01, (320, 20))
    table[:, 3] += 0.01
    found = backtest_overfitting(table, blocks=8)
    assert found.probability < 0.01
    assert found.losing == 0.0


def test_rows_left_over_at_the_start_are_dropped() -> None:
    table = np.random.default_rng(6).normal(0.0, 0.01, (50, 5))
    assert backtest_overfitting(table, 4) == backtest_overfitting(table[2:], 4)


@pytest.mark.parametrize(
    ("shape", "blocks"), [((40, 5), 3), ((40, 1), 4), ((7, 5), 4), ((40, 5), 0), ((40,), 4)]
)
def test_table_that_cannot_be_split_is_refused(shape: tuple[int, ...], blocks: int) -> None:
    with pytest.raises(ValueError, match="even number of blocks"):
        backtest_overfitting(np.zeros(shape), blocks)


def test_trials_without_spread_are_no_error() -> None:
    assert backtest_overfitting(np.zeros((40, 3)), 4).probability in (0.0, 1.0)
