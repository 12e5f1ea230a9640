import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freqai_signals.sandbox.exchange.partial_candle import merged, unfolded

RISING = np.array([10.0, 13.0, 8.0, 12.0, 4.0])
FALLING = np.array([12.0, 13.0, 8.0, 10.0, 4.0])


def test_a_rising_candle_falls_first() -> None:
    # The way is 2 down, 5 up, 1 down: after half of it, 2 up from the low.
    np.testing.assert_allclose(unfolded(RISING, 0.5, 2), [10.0, 10.0, 8.0, 10.0, 2.0])


def test_a_falling_candle_rises_first() -> None:
    # 1 up, 5 down, 2 up: after a quarter, 1 below the high.
    np.testing.assert_allclose(unfolded(FALLING, 0.25, 2), [12.0, 13.0, 12.0, 12.0, 1.0])


def test_it_begins_at_the_open_and_ends_complete() -> None:
    np.testing.assert_allclose(unfolded(RISING, 0.0, 2), [10.0, 10.0, 10.0, 10.0, 0.0])
    for share in (1.0, 7.0):
        assert unfolded(RISING, share, 2) is RISING


def test_a_flat_candle_stays_flat() -> None:
    flat = np.array([5.0, 5.0, 5.0, 5.0, 0.0])
    np.testing.assert_array_equal(unfolded(flat, 0.3, 2), flat)


@given(st.lists(st.integers(1, 10_000), min_size=4, max_size=4), st.data())
def test_what_was_seen_is_never_taken_back(prices: list[int], data: st.DataObject) -> None:
    low, *ends, high = sorted(prices)
    first, last = data.draw(st.permutations(ends))
    candle = np.array([first, high, low, last, 100.0]) / 100
    shares = sorted(data.draw(st.lists(st.floats(0, 1), min_size=2, max_size=2)))
    early, late = (unfolded(candle, share, 2) for share in shares)
    assert early[1] <= late[1] <= candle[1]
    assert early[2] >= late[2] >= candle[2]
    assert early[4] <= late[4] <= candle[4]
    for seen in (early, late):
        assert seen[2] <= seen[3] <= seen[1]
        assert seen[0] == candle[0]


def test_candles_merge_into_one() -> None:
    np.testing.assert_allclose(merged(np.stack([RISING, FALLING])), [10.0, 13.0, 8.0, 10.0, 8.0])


@pytest.mark.parametrize("share", [-0.5, 0.0])
def test_before_its_time_nothing_has_traded(share: float) -> None:
    assert unfolded(RISING, share, 2)[4] == 0
