"""The test of a mean under serial dependence: exact on paper, right in size on simulated series."""

import numpy as np
import pytest
from scipy.signal import lfilter

from freqai_signals.mean_test import candle_means, mean_test


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
