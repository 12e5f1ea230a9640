import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import cross_val_score

from freqai_signals.dataset.cross_validation import (
    PurgedKFold,
    WalkForward,
)
from freqai_signals.dataset.splits import Intervals


def regular(candles: int, horizon: int) -> Intervals:
    return Intervals(np.arange(candles), np.arange(candles) + horizon)


@st.composite
def pooled(draw: st.DrawFn) -> Intervals:
    """Rows of several pairs with different first and last candles, shuffled."""
    spans = draw(
        st.lists(st.tuples(st.integers(0, 20), st.integers(60, 90)), min_size=1, max_size=3)
    )
    start = np.concatenate([np.arange(first, last) for first, last in spans])
    length = draw(st.lists(st.integers(0, 5), min_size=len(start), max_size=len(start)))
    order = np.array(draw(st.permutations(range(len(start)))))
    return Intervals(start[order], (start + np.array(length))[order])


def assert_no_overlap(rows: Intervals, train: np.ndarray, test: np.ndarray, embargo: int) -> None:
    before = rows.event_end[train, None] < rows.start[test]
    after = rows.start[train, None] > rows.event_end[test] + embargo
    assert (before | after).all()


def test_k_fold_of_twelve_rows() -> None:
    splits = [
        (a.tolist(), b.tolist()) for a, b in PurgedKFold(regular(12, 2), 3, embargo=1).split()
    ]

    assert splits == [
        ([7, 8, 9, 10, 11], [0, 1, 2, 3]),
        ([0, 1, 11], [4, 5, 6, 7]),  # 8 and 9 share candles with 7, 10 is embargoed
        ([0, 1, 2, 3, 4, 5], [8, 9, 10, 11]),
    ]


def test_walk_forward_of_twelve_rows() -> None:
    rolling = WalkForward(regular(12, 1), train_candles=5, test_candles=3, embargo=1)

    assert [(a.tolist(), b.tolist()) for a, b in rolling.split()] == [
        ([0, 1, 2], [5, 6, 7]),
        ([3, 4, 5], [8, 9, 10]),
        ([6, 7, 8], [11]),
    ]


def test_expanding_walk_forward_starts_at_the_first_row() -> None:
    expanding = WalkForward(regular(12, 1), train_candles=5, test_candles=4, expanding=True)

    assert [(a.tolist(), b.tolist()) for a, b in expanding.split()] == [
        ([0, 1, 2, 3], [5, 6, 7, 8]),
        ([0, 1, 2, 3, 4, 5, 6, 7], [9, 10, 11]),
    ]


def test_walk_forward_skips_spans_in_a_gap() -> None:
    start = np.array([0, 1, 2, 3, 4, 5, 12, 13])
    splitter = WalkForward(Intervals(start, start), train_candles=4, test_candles=2, expanding=True)

    tests = [start[test].tolist() for _, test in splitter.split()]

    assert tests == [[4, 5], [12, 13]]
    assert splitter.get_n_splits() == 2


def test_combinations_of_twelve_rows() -> None:
    splitter = PurgedKFold(regular(12, 1), n_splits=4, n_test_folds=2)

    splits = [(a.tolist(), b.tolist()) for a, b in splitter.split()]

    assert splitter.get_n_splits() == len(splits) == 6
    assert splits[0] == ([7, 8, 9, 10, 11], [0, 1, 2, 3, 4, 5])
    assert splits[1] == ([4, 10, 11], [0, 1, 2, 6, 7, 8])


@given(pooled(), st.integers(2, 5), st.integers(0, 4))
def test_k_fold_tests_every_row_once_and_never_overlaps(rows, n_splits, embargo) -> None:
    splits = list(PurgedKFold(rows, n_splits, embargo=embargo).split())

    tested = np.concatenate([test for _, test in splits])
    assert sorted(tested) == list(range(len(rows)))
    for train, test in splits:
        assert_no_overlap(rows, train, test, embargo)


@given(pooled(), st.integers(2, 5))
def test_rows_of_one_candle_are_tested_together(rows, n_splits) -> None:
    for _, test in PurgedKFold(rows, n_splits).split():
        outside = np.setdiff1d(np.arange(len(rows)), test)
        assert not np.isin(rows.start[outside], rows.start[test]).any()


@given(pooled(), st.integers(15, 30), st.integers(1, 15), st.integers(0, 4), st.booleans())
def test_walk_forward_trains_on_the_past_only(rows, train_candles, test_candles, embargo, all_past):
    splitter = WalkForward(rows, train_candles, test_candles, embargo, all_past)

    splits = list(splitter.split())

    assert len(splits) == splitter.get_n_splits()
    tested = np.concatenate([test for _, test in splits])
    expected = np.flatnonzero(rows.start >= rows.start.min() + train_candles)
    assert sorted(tested) == expected.tolist()
    for train, test in splits:
        assert (rows.event_end[train] + embargo < rows.start[test].min()).all()
        if not all_past:
            reach = rows.start[test].max() - rows.start[train].min()
            assert reach < train_candles + test_candles


@given(pooled(), st.integers(0, 4))
def test_combinations_test_every_row_equally_often(rows, embargo) -> None:
    splitter = PurgedKFold(rows, n_splits=4, n_test_folds=2, embargo=embargo)

    times = np.zeros(len(rows), dtype=int)
    for train, test in splitter.split():
        times[test] += 1
        assert_no_overlap(rows, train, test, embargo)

    assert (times == math.comb(3, 1)).all()


def test_splitters_work_inside_scikit_learn() -> None:
    rows = regular(60, 3)
    features = np.zeros((60, 1))
    labels = np.arange(60) % 2

    for splitter in (PurgedKFold(rows), WalkForward(rows, 30, 10)):
        scores = cross_val_score(DummyClassifier(), features, labels, cv=splitter)
        assert len(scores) == splitter.get_n_splits()


def test_too_many_folds_are_refused() -> None:
    start = np.repeat(np.arange(4), 5)

    with pytest.raises(ValueError, match=r"2 \.\. 4, .* among 20 rows, got 5; use fewer folds"):
        PurgedKFold(Intervals(start, start), n_splits=5)


def test_one_fold_is_refused() -> None:
    with pytest.raises(ValueError, match="got 1"):
        PurgedKFold(regular(10, 1), n_splits=1)


def test_no_fold_to_train_on_is_refused() -> None:
    with pytest.raises(ValueError, match=r"n_test_folds must lie in 1 \.\. 3, got 4"):
        PurgedKFold(regular(12, 1), n_splits=4, n_test_folds=4)


def test_too_many_combinations_are_refused() -> None:
    with pytest.raises(ValueError, match="6 of 14 folds make 3003 trainings, at most 1000"):
        PurgedKFold(regular(50, 1), n_splits=14, n_test_folds=6)


def test_nothing_left_to_train_on_is_reported() -> None:
    with pytest.raises(ValueError, match="no training row is left for 5 test rows"):
        next(PurgedKFold(regular(10, 30), n_splits=2).split())


def test_walk_forward_without_test_rows_is_refused() -> None:
    with pytest.raises(ValueError, match=r"train_candles=20 .* the rows span 12 candles"):
        WalkForward(regular(12, 1), train_candles=20, test_candles=2)


def test_walk_forward_over_no_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="the rows span 0 candles"):
        WalkForward(regular(0, 1), train_candles=2, test_candles=2)


def test_empty_test_span_is_refused() -> None:
    with pytest.raises(ValueError, match="test_candles must be at least 1, got 0"):
        WalkForward(regular(12, 1), train_candles=2, test_candles=0)


def test_other_rows_than_those_of_the_intervals_are_refused() -> None:
    with pytest.raises(ValueError, match="X has 11 rows but the intervals describe 12"):
        next(PurgedKFold(regular(12, 1)).split(np.zeros((11, 2))))


def test_combinations_give_the_paths_of_lopez_de_prado() -> None:
    """Figure 12.1 of the book: 15 splits of 6 folds by twos, 5 paths."""
    splitter = PurgedKFold(regular(24, 0), n_splits=6, n_test_folds=2)

    ids = splitter.path_ids()

    assert splitter.path_ids().max() + 1 == 5
    expected = [
        [0, 0, -1, -1, -1, -1],
        [1, -1, 0, -1, -1, -1],
        [2, -1, -1, 0, -1, -1],
        [3, -1, -1, -1, 0, -1],
        [4, -1, -1, -1, -1, 0],
        [-1, 1, 1, -1, -1, -1],
        [-1, 2, -1, 1, -1, -1],
        [-1, 3, -1, -1, 1, -1],
        [-1, 4, -1, -1, -1, 1],
        [-1, -1, 2, 2, -1, -1],
        [-1, -1, 3, -1, 2, -1],
        [-1, -1, 4, -1, -1, 2],
        [-1, -1, -1, 3, 3, -1],
        [-1, -1, -1, 4, -1, 3],
        [-1, -1, -1, -1, 4, 4],
    ]
    np.testing.assert_array_equal(ids, expected)


@given(pooled(), st.integers(3, 6), st.integers(1, 2))
def test_every_path_tests_every_row_once(rows, n_folds, n_test_folds) -> None:
    splitter = PurgedKFold(rows, n_folds, n_test_folds)

    paths = splitter.row_paths()

    for (_, test), path in zip(splitter.split(), paths, strict=True):
        np.testing.assert_array_equal(np.flatnonzero(path >= 0), np.sort(test))
    for row in paths.T:
        assert sorted(row[row >= 0]) == list(range(math.comb(n_folds - 1, n_test_folds - 1)))
