"""Cross-validation over purged folds, in the shape of scikit-learn's splitters.

A splitter of scikit-learn is asked with ``split(X, y, groups)``, which cannot carry the rows'
information intervals; ours take them when they are made and check that ``X`` has as many rows.
All purging is done by :mod:`freqai_signals.dataset.splits`.
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

_MOST_COMBINATIONS: Final = 1000


@dataclass(frozen=True)
class PurgedKFold:
    """K folds, contiguous in time, each tested once; scikit-learn's splitter interface.

    Parameters
    ----------
    intervals
        Of the rows given to ``split``, in their order.
    n_splits
        Number of folds, at least 2; each spans the same number of candles that have rows.
    embargo
        Candles after a test fold's last event end in which no training row may start.

    Examples
    --------
    >>> rows = Intervals(np.arange(6), np.arange(6) + 1)
    >>> for train, test in PurgedKFold(rows, n_splits=3).split():
    ...     print(train, test)
    [3 4 5] [0 1]
    [0 5] [2 3]
    [0 1 2] [4 5]
    """

    intervals: Intervals
    n_splits: int = 5
    embargo: int = 0

    def __post_init__(self) -> None:
        """Refuse impossible numbers of folds."""
        check_embargo(self.embargo)
        _check_folds(self.intervals, self.n_splits)

    def split(self, X: Any = None, y: Any = None, groups: Any = None) -> Iterator[Split]:
        """Yield training and test row numbers; the arguments only confirm the number of rows."""
        _check_length(self.intervals, X)
        folds = _fold_numbers(self.intervals.start, self.n_splits)
        for fold in range(self.n_splits):
            yield _purged(self.intervals, folds == fold, self.embargo)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of folds."""
        return self.n_splits


@dataclass(frozen=True)
class WalkForward:
    """Train on a stretch of time, test on the next, move on; scikit-learn's splitter interface.

    The test spans tile the time after the first ``train_candles``, the last one may be shorter;
    spans without rows are left out.

    Parameters
    ----------
    intervals
        Of the rows given to ``split``, in their order.
    train_candles
        Candles before each test span from which rows are taken.
    test_candles
        Candles of a test span.
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
        """Refuse spans that leave nothing to train on or nothing to test."""
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
                train &= start >= start.min() + window * self.test_candles
            yield _indices(train, test)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of test spans that hold rows."""
        return len(self._tested())

    def _windows(self) -> IntArray:
        """Test span of every row, negative before the first one."""
        start = self.intervals.start
        if not len(start):
            return start
        return np.asarray((start - start.min() - self.train_candles) // self.test_candles)

    def _tested(self) -> IntArray:
        windows = np.unique(self._windows())
        return windows[windows >= 0]


@dataclass(frozen=True)
class CombinatorialPurgedKFold:
    r"""Every choice of test folds among K folds, recombined into several backtest paths.

    With *N* folds of which *k* are held out there are :math:`\binom{N}{k}` splits, and every fold
    is tested in :math:`\varphi = \frac{k}{N} \binom{N}{k} = \binom{N-1}{k-1}` of them. Path *p*
    takes the *p*-th test of each fold, so each of the :math:`\varphi` paths tests every row once,
    by models that never saw it.

    Parameters
    ----------
    intervals
        Of the rows given to ``split``, in their order.
    n_folds
        Number of folds *N*, contiguous in time.
    n_test_folds
        How many of them are held out at once, *k*, at least 1 and fewer than ``n_folds``.
    embargo
        Candles after a test span's last event end in which no training row may start.

    References
    ----------
    López de Prado, *Advances in Financial Machine Learning*, 2018, chapter 12.

    Examples
    --------
    >>> rows = Intervals(np.arange(8), np.arange(8))
    >>> for train, test in CombinatorialPurgedKFold(rows, n_folds=4, n_test_folds=3).split():
    ...     print(train, test)
    [6 7] [0 1 2 3 4 5]
    [4 5] [0 1 2 3 6 7]
    [2 3] [0 1 4 5 6 7]
    [0 1] [2 3 4 5 6 7]
    >>> CombinatorialPurgedKFold(rows, n_folds=4, n_test_folds=2).path_ids()
    array([[ 0,  0, -1, -1],
           [ 1, -1,  0, -1],
           [ 2, -1, -1,  0],
           [-1,  1,  1, -1],
           [-1,  2, -1,  1],
           [-1, -1,  2,  2]])
    """

    intervals: Intervals
    n_folds: int = 6
    n_test_folds: int = 2
    embargo: int = 0

    def __post_init__(self) -> None:
        """Refuse impossible or unreasonably many combinations."""
        check_embargo(self.embargo)
        _check_folds(self.intervals, self.n_folds)
        if not 1 <= self.n_test_folds < self.n_folds:
            raise ValueError(
                f"n_test_folds must lie in 1 .. {self.n_folds - 1}, got {self.n_test_folds}; "
                "at least one fold must be left to train on"
            )
        count = self.get_n_splits()
        if count > _MOST_COMBINATIONS:
            raise ValueError(
                f"{self.n_test_folds} of {self.n_folds} folds make {count} trainings, at most "
                f"{_MOST_COMBINATIONS} are allowed; lower n_folds or n_test_folds"
            )

    def split(self, X: Any = None, y: Any = None, groups: Any = None) -> Iterator[Split]:
        """Yield training and test row numbers; the arguments only confirm the number of rows."""
        _check_length(self.intervals, X)
        folds = _fold_numbers(self.intervals.start, self.n_folds)
        for chosen in combinations(range(self.n_folds), self.n_test_folds):
            yield _purged(self.intervals, np.isin(folds, chosen), self.embargo)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of combinations."""
        return math.comb(self.n_folds, self.n_test_folds)

    def get_n_paths(self) -> int:
        """Number of backtest paths, each of which tests every row once."""
        return math.comb(self.n_folds - 1, self.n_test_folds - 1)

    def path_ids(self) -> IntArray:
        """Path of each test fold; shape ``(n_splits, n_folds)``, -1 where it is not tested."""
        chosen = list(combinations(range(self.n_folds), self.n_test_folds))
        tested = np.array([np.isin(np.arange(self.n_folds), folds) for folds in chosen])
        return np.where(tested, tested.cumsum(axis=0) - 1, -1)

    def row_paths(self) -> IntArray:
        """Path of each test row; shape ``(n_splits, n_rows)``, -1 where it is not tested."""
        return self.path_ids()[:, _fold_numbers(self.intervals.start, self.n_folds)]


def _fold_numbers(start: IntArray, n_folds: int) -> IntArray:
    """Fold of every row; rows of one candle share it."""
    candles, candle_of_row = np.unique(start, return_inverse=True)
    sizes = [len(part) for part in np.array_split(candles, n_folds)]
    return np.repeat(np.arange(n_folds), sizes)[candle_of_row]


def _purged(intervals: Intervals, test: BoolArray, embargo: int) -> Split:
    return _indices(purged_train_mask(intervals.start, intervals.event_end, test, embargo), test)


def _indices(train: BoolArray, test: BoolArray) -> Split:
    if not train.any():
        raise ValueError(
            f"no training row is left beside {int(test.sum())} test rows: all others share candles "
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
            "make the splitter from the same rows"
        )
