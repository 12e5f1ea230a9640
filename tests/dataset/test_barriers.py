import numpy as np
import pytest

from freqai_signals.dataset.barriers import candles_before_touch

NAN = float("nan")


def naive_count(high, low, upper, lower, row, horizon) -> int:
    for count in range(horizon):
        candle = row + 1 + count
        if candle >= len(high) or not (high[candle] < upper and low[candle] > lower):
            return count
    return horizon


def test_counts_of_twelve_rows() -> None:
    high = np.array([1, 2, 3, 4, 3, 2, 1, 2, 5, 2, 1, 1], dtype=float)
    low = np.full(12, 1.0)

    counts = candles_before_touch(high, low, np.full(12, 4.0), np.full(12, 0.0), horizon=3)

    #             highs >= 4 stand at rows 3 and 8; the end of the arrays is unknown
    assert counts.tolist() == [2, 1, 0, 3, 3, 2, 1, 0, 3, 2, 1, 0]


def test_an_unknown_candle_is_never_skipped() -> None:
    high = np.array([1, 1, NAN, 1, 1, 1, 1], dtype=float)

    counts = candles_before_touch(high, np.ones(7), np.full(3, 9.0), np.zeros(3), horizon=4)

    assert counts.tolist() == [1, 0, 4]


@pytest.mark.parametrize("horizon", [1, 2, 3, 4, 7, 8, 24, 48, 63, 64])
def test_counts_equal_the_definition(horizon: int) -> None:
    rng = np.random.default_rng(horizon)
    middle = np.cumsum(rng.normal(size=300))
    high, low = middle + rng.random(300), middle - rng.random(300)
    upper, lower = middle + 4 * rng.random(300), middle - 4 * rng.random(300)

    counts = candles_before_touch(high, low, upper, lower, horizon)

    expected = [naive_count(high, low, upper[t], lower[t], t, horizon) for t in range(300)]
    assert counts.tolist() == expected
