"""Cross-validation over purged folds, with scikit-learn's splitter interface.

``split(X, y, groups)`` cannot carry the rows' information intervals; these splitters take them in
the constructor and check that ``X`` has as many rows. All purging is done by
:mod:`freqai_signals.dataset.splits`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from freqai_signals.dataset.splits import (
    BoolArray,
    IntArray,
    Intervals,
    check_embargo,
    purged_train_mask,
    train_before,
)

Split = tuple[NDArray[np.intp], NDArray[np.intp]]

_MAX_COMBINATIONS: Final = 1000


@dataclass(frozen=True)
class PurgedKFold:
    r"""Folds contiguous in time, tested one by one or in every combination of several.

    With *N* folds of which *k* are held out there are :math:`\binom{N}{k}` splits, and every fold
    is tested in :math:`\varphi = \binom{N-1}{k-1}` of them. Backtest path *p* takes the *p*-th test
    of each fold, so each of the :math:`\varphi` paths tests every row once, by models that were not
    trained on it. With *k* = 1 this is plain purged cross-validation with one path.

    Parameters
    ----------
    intervals
        Of the rows given to ``split``, in their order.
    n_splits
        Number of folds *N*, at least 2; each spans the same number of candles that have rows.
    n_test_folds
        How many of them are held out at once, *k*, at least 1 and fewer than ``n_splits``.
    embargo
        Candles after a test span's last event end in which no training row may start.

    References
    ----------
    López de Prado, *Advances in Financial Machine Learning*, 2018, chapters 7 and 12.

    Examples
    --------
    >>> rows = Intervals(np.arange(6), np.arange(6) + 1)
    >>> for train, test in PurgedKFold(rows, n_splits=3).split():
    ...     print(train, test)
    [3 4 5] [0 1]
    [0 5] [2 3]
    [0 1 2] [4 5]
    >>> PurgedKFold(Intervals(np.arange(8), np.arange(8)), 4, n_test_folds=2).path_ids()
    array([[ 0,  0, -1, -1],
           [ 1, -1,  0, -1],
           [ 2, -1, -1,  0],
           [-1,  1,  1, -1],
           [-1,  2, -1,  1],
           [-1, -1,  2,  2]])
    """

    intervals: Intervals
    n_splits: int = 5
    n_test_folds: int = 1
    embargo: int = 0

    def __post_init__(self) -> None:
        """Reject impossible or unreasonably many combinations."""
        check_embargo(self.embargo)
        _check_folds(self.intervals, self.n_splits)
        if not 1 <= self.n_test_folds < self.n_splits:
            raise ValueError(
                f"n_test_folds must lie in 1 .. {self.n_splits - 1}, got {self.n_test_folds}; "
                "at least one fold must be left to train on"
            )
        count = self.get_n_splits()
        if count > _MAX_COMBINATIONS:
            raise ValueError(
                f"{self.n_test_folds} of {self.n_splits} folds make {count} trainings, at most "
                f"{_MAX_COMBINATIONS} are allowed; lower n_splits or n_test_folds"
            )

    def split(self, X: Any = None, y: Any = None, groups: Any = None) -> Iterator[Split]:
        """Yield training and test row numbers; the arguments only confirm the number of rows."""
        _check_length(self.intervals, X)
        folds = _fold_numbers(self.intervals.start, self.n_splits)
        for chosen in combinations(range(self.n_splits), self.n_test_folds):
            test = np.isin(folds, chosen)
            start, event_end = self.intervals.start, self.intervals.event_end
            yield _indices(purged_train_mask(start, event_end, test, self.embargo), test)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of combinations of test folds."""
        return math.comb(self.n_splits, self.n_test_folds)

    def path_ids(self) -> IntArray:
        """Path of each test fold; shape ``(splits, folds)``, -1 where it is not tested."""
        chosen = list(combinations(range(self.n_splits), self.n_test_folds))
        tested = np.array([np.isin(np.arange(self.n_splits), folds) for folds in chosen])
        return np.where(tested, tested.cumsum(axis=0) - 1, -1)

    def row_paths(self) -> IntArray:
        """Path of each test row; shape ``(splits, rows)``, -1 where it is not tested."""
        return self.path_ids()[:, _fold_numbers(self.intervals.start, self.n_splits)]


@dataclass(frozen=True)
class WalkForward:
    """Train on one span of time, test on the next, move on.

    The test spans tile the time after the first ``train_candles``; the last one may be shorter.
    Spans without rows are skipped.

    Parameters
    ----------
    intervals
        Of the rows given to ``split``, in their order.
    train_candles
        Length of the training span before each test span, in candles.
    test_candles
        Length of a test span, in candles.
    embargo
        Candles left free between the last training event and the first test row.
    expanding
        Whether training reaches back to the first row instead of ``train_candles``.

    Examples
    --------
    >>> rows = Intervals(np.arange(9), np.arange(9) + 1)
    >>> for train, test in WalkForward(rows, train_candles=4, test_candles=2).split():
    ...     print(train, test)
    [0 1 2] [4 5]
    [2 3 4] [6 7]
    [4 5 6] [8]
    """

    intervals: Intervals
    train_candles: int
    test_candles: int
    embargo: int = 0
    expanding: bool = False

    def __post_init__(self) -> None:
        """Reject spans that leave nothing to train on or nothing to test."""
        check_embargo(self.embargo)
        for name in ("train_candles", "test_candles"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.get_n_splits():
            raise ValueError(
                f"train_candles={self.train_candles} leaves nothing to test: the rows span "
                f"{_span(self.intervals.start)} candles; shorten train_candles or give more rows"
            )

    def split(self, X: Any = None, y: Any = None, groups: Any = None) -> Iterator[Split]:
        """Yield training and test row numbers; the arguments only confirm the number of rows."""
        _check_length(self.intervals, X)
        start, event_end = self.intervals.start, self.intervals.event_end
        windows = self._windows()
        for window in self._tested():
            test = windows == window
            train = train_before(start, event_end, test, self.embargo)
            if not self.expanding:
                # The test span begins ``train_candles`` after this candle.
                train &= start >= start.min() + window * self.test_candles
            yield _indices(train, test)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of test spans that hold rows."""
        return len(self._tested())

    def _windows(self) -> IntArray:
        """Index of the test span of every row, negative before the first one."""
        start = self.intervals.start
        if not len(start):
            return start
        return np.asarray((start - start.min() - self.train_candles) // self.test_candles)

    def _tested(self) -> IntArray:
        windows = np.unique(self._windows())
        return windows[windows >= 0]


def _fold_numbers(start: IntArray, n_folds: int) -> IntArray:
    """Fold of every row; rows of one candle share a fold."""
    # By candle, not by row: rows of one candle must not be separated.
    candles, candle_of_row = np.unique(start, return_inverse=True)
    sizes = [len(part) for part in np.array_split(candles, n_folds)]
    return np.repeat(np.arange(n_folds), sizes)[candle_of_row]


def _indices(train: BoolArray, test: BoolArray) -> Split:
    if not train.any():
        raise ValueError(
            f"no training row is left for {int(test.sum())} test rows: all others share candles "
            "with them or lie in the embargo; use longer folds or a smaller embargo"
        )
    return np.flatnonzero(train), np.flatnonzero(test)


def _span(start: IntArray) -> int:
    return int(start.max() - start.min()) + 1 if len(start) else 0


def _check_folds(intervals: Intervals, folds: int) -> None:
    candles = len(np.unique(intervals.start))
    if not 2 <= folds <= candles:
        raise ValueError(
            f"the number of folds must lie in 2 .. {candles}, the number of different candles "
            f"among {len(intervals)} rows, got {folds}; use fewer folds or give more rows"
        )


def _check_length(intervals: Intervals, X: Any) -> None:
    if X is not None and len(X) != len(intervals):
        raise ValueError(
            f"X has {len(X)} rows but the intervals describe {len(intervals)}; "
            "construct the splitter with the intervals of the same rows"
        )
