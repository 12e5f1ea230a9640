import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freqai_signals.dataset.splits import Intervals, purged_tail, purged_train_mask, train_before

CANDLES = np.arange(12)


@st.composite
def intervals(draw: st.DrawFn, min_rows: int = 1) -> Intervals:
    """Rows of several pairs: unordered, with ties, gaps and events of different lengths."""
    rows = draw(
        st.lists(st.tuples(st.integers(0, 60), st.integers(0, 15)), min_size=min_rows, max_size=60)
    )
    start, length = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    return Intervals(start, start + length)


def naive_train_mask(rows: Intervals, test: np.ndarray, embargo: int) -> np.ndarray:
    """The definition, pair of rows by pair of rows."""
    mask = ~test
    for row in range(len(rows)):
        for held_out in np.flatnonzero(test):
            before = rows.event_end[row] < rows.start[held_out]
            after = rows.start[row] > rows.event_end[held_out] + embargo
            mask[row] &= before or after
    return mask


def test_rows_whose_event_reaches_into_the_test_span_are_purged() -> None:
    test = (CANDLES == 6) | (CANDLES == 7)

    mask = purged_train_mask(CANDLES, CANDLES + 2, test)

    # 4 and 5 end at 6 and 7; 8 and 9 start before the outcome of 7 is known, at 9.
    assert np.flatnonzero(mask).tolist() == [0, 1, 2, 3, 10, 11]


def test_embargo_follows_the_last_event_end_of_the_test_span() -> None:
    test = (CANDLES == 6) | (CANDLES == 7)

    mask = purged_train_mask(CANDLES, CANDLES + 2, test, embargo=1)

    assert np.flatnonzero(mask).tolist() == [0, 1, 2, 3, 11]


def test_purging_goes_by_event_end_not_by_row_count() -> None:
    event_end = CANDLES.copy()
    event_end[0] = 6  # one long event far away, all others end at once
    test = CANDLES == 6

    assert np.flatnonzero(~purged_train_mask(CANDLES, event_end, test)).tolist() == [0, 6]


def test_each_test_span_is_purged_on_its_own() -> None:
    test = np.isin(CANDLES, [2, 8])

    mask = purged_train_mask(CANDLES, CANDLES + 1, test, embargo=1)

    assert np.flatnonzero(mask).tolist() == [0, 5, 6, 11]


def test_rows_of_other_pairs_are_purged_too() -> None:
    start = np.array([5, 0, 5, 9, 4])  # two pairs, unordered
    test = np.array([True, False, False, False, False])

    mask = purged_train_mask(start, start + 1, test)

    assert mask.tolist() == [False, True, False, True, False]


def test_without_test_rows_everything_is_trained_on() -> None:
    assert purged_train_mask(CANDLES, CANDLES, np.zeros(12, dtype=bool)).all()


@given(intervals(), st.integers(0, 10), st.data())
def test_mask_equals_the_definition(rows: Intervals, embargo: int, data: st.DataObject) -> None:
    flags = st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))
    test = np.array(data.draw(flags), dtype=bool)

    mask = purged_train_mask(rows.start, rows.event_end, test, embargo)

    np.testing.assert_array_equal(mask, naive_train_mask(rows, test, embargo))


@given(intervals(min_rows=2), st.integers(0, 10), st.randoms(use_true_random=False))
def test_mask_does_not_depend_on_the_order_of_rows(rows, embargo, random) -> None:
    order = np.array(random.sample(range(len(rows)), len(rows)))
    test = rows.start >= np.median(rows.start)

    mask = purged_train_mask(rows.start, rows.event_end, test, embargo)
    shuffled = purged_train_mask(rows.start[order], rows.event_end[order], test[order], embargo)

    np.testing.assert_array_equal(shuffled, mask[order])


def test_tail_is_the_last_fraction_of_the_time() -> None:
    train, test = purged_tail(CANDLES, CANDLES + 3, fraction=0.25)

    assert np.flatnonzero(test).tolist() == [9, 10, 11]
    assert np.flatnonzero(train).tolist() == [0, 1, 2, 3, 4, 5]


def test_embargo_of_a_tail_lies_before_it() -> None:
    train, _ = purged_tail(CANDLES, CANDLES + 3, fraction=0.25, embargo=2)

    assert np.flatnonzero(train).tolist() == [0, 1, 2, 3]


def test_tail_goes_by_time_where_rows_are_uneven() -> None:
    start = np.array([0, 10, 11, 11, 12, 13, 14, 19])

    _, test = purged_tail(start, start, fraction=0.25)

    assert start[test].tolist() == [19]


@given(st.integers(1, 20), st.integers(30, 80), st.floats(0.05, 0.5))
def test_gap_before_a_tail_is_at_least_the_label_horizon(horizon, candles, fraction) -> None:
    start = np.arange(candles)

    train, test = purged_tail(start, start + horizon, fraction)

    if train.any():
        assert start[test].min() - start[train].max() - 1 >= horizon


@given(intervals(), st.floats(0.01, 0.99), st.integers(0, 10))
def test_no_training_event_reaches_into_a_tail(rows, fraction, embargo) -> None:
    train, test = purged_tail(rows.start, rows.event_end, fraction, embargo)

    assert test.any()
    assert not (train & test).any()
    assert (rows.event_end[train] + embargo < rows.start[test].min()).all()
    # Nothing is lost but what must be.
    lost = ~train & ~test
    assert (rows.event_end[lost] + embargo >= rows.start[test].min()).all()


def test_tail_of_no_rows_is_empty() -> None:
    empty = np.zeros(0, dtype=np.int64)

    train, test = purged_tail(empty, empty, 0.2)

    assert len(train) == len(test) == 0


def test_tail_of_one_row_leaves_nothing_to_train_on() -> None:
    train, test = purged_tail(np.array([5]), np.array([6]), 0.2)

    assert (train.tolist(), test.tolist()) == ([False], [True])


def test_train_before_ignores_what_follows_the_test_rows() -> None:
    test = (CANDLES == 6) | (CANDLES == 7)

    mask = train_before(CANDLES, CANDLES + 1, test, embargo=1)

    assert np.flatnonzero(mask).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan")])
def test_impossible_fraction_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match="strictly between 0 and 1, got"):
        purged_tail(CANDLES, CANDLES, fraction)


def test_unknown_outcomes_are_refused() -> None:
    event_end = np.where(CANDLES < 9, CANDLES + 3.0, np.nan)

    with pytest.raises(TypeError, match="event_end must hold integer candle numbers, got float64"):
        Intervals(CANDLES, event_end)


def test_events_that_end_before_they_start_are_refused() -> None:
    with pytest.raises(ValueError, match="row 2 starts at 2 and ends at 1"):
        Intervals(np.arange(3), np.array([1, 2, 1]))


def test_arrays_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got shapes \(12,\) and \(11,\)"):
        Intervals(CANDLES, CANDLES[1:])


def test_negative_embargo_is_refused() -> None:
    with pytest.raises(ValueError, match="embargo must be a number of candles >= 0, got -1"):
        purged_train_mask(CANDLES, CANDLES, CANDLES > 8, embargo=-1)
