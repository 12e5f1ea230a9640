"""Purged splits: held-out rows whose outcomes share no candle with the training rows.

A row carries information about the candles from its ``start`` (where its features end) to its
``event_end`` (where its outcome is known). Two rows whose closed intervals overlap depend on the
same candles, so training on one and testing on the other leaks. Everything here counts in candle
numbers (seconds since 1970 divided by the candle length), so rows of many pairs, in any order, can
be split together: all rows of one candle fall on the same side.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


def purged_train_mask(
    start: IntArray, event_end: IntArray, test: BoolArray, embargo: int = 0
) -> BoolArray:
    """Rows that may be trained on when the given test rows are held out.

    All purging happens here; every other split uses it.

    Parameters
    ----------
    start, event_end
        Shape ``(n,)``, candle numbers of each row, in any order.
    test
        Shape ``(n,)``, true for the rows held out; they need not be contiguous.
    embargo
        Candles after the last event end of a test span in which no training row may start.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``. True where the row is no test row and, for every test row, its event ends
        before the test row starts, or it starts more than ``embargo`` candles after the test row's
        event end.

    Examples
    --------
    >>> start = np.arange(8)
    >>> test = (start == 3) | (start == 4)
    >>> np.flatnonzero(purged_train_mask(start, start + 1, test))
    array([0, 1, 6, 7])
    >>> np.flatnonzero(purged_train_mask(start, start + 1, test, embargo=1))
    array([0, 1, 7])
    """
    start, event_end = _checked(start, event_end, embargo)
    if not test.any():
        return np.ones(len(start), dtype=np.bool_)
    first, last = _merged(start[test], event_end[test] + embargo)
    # Test spans are disjoint: only the last one that starts by an event's end can overlap it.
    span = np.searchsorted(first, event_end, side="right") - 1
    overlaps = (span >= 0) & (last[span] >= start)
    return np.asarray(~overlaps & ~test)


def purged_tail(
    start: IntArray, event_end: IntArray, fraction: float, embargo: int = 0
) -> tuple[BoolArray, BoolArray]:
    """Hold out the last part of the rows' time span.

    Parameters
    ----------
    start, event_end
        Shape ``(n,)``, candle numbers of each row, in any order.
    fraction
        Share of the time from the first to the last start, in (0, 1); at least one candle.
    embargo
        Candles left free between the last training event and the first held-out row. No training
        row follows a tail, so here the embargo lies before it.

    Returns
    -------
    tuple of numpy.ndarray
        Train mask and test mask, each of shape ``(n,)``. Rows whose event reaches into the tail are
        in neither. A mask may be all false with too few rows; the caller has to check.

    Examples
    --------
    >>> start = np.arange(10)
    >>> train, test = purged_tail(start, start + 2, fraction=0.3)
    >>> np.flatnonzero(train), np.flatnonzero(test)
    (array([0, 1, 2, 3, 4]), array([7, 8, 9]))
    """
    start, event_end = _checked(start, event_end, embargo)
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must lie strictly between 0 and 1, got {fraction}")
    if not len(start):
        return np.zeros(0, dtype=np.bool_), np.zeros(0, dtype=np.bool_)
    candles = int(start.max() - start.min()) + 1
    test = start > start.max() - max(round(fraction * candles), 1)
    return train_before(start, event_end, test, embargo), test


def train_before(
    start: IntArray, event_end: IntArray, test: BoolArray, embargo: int = 0
) -> BoolArray:
    """Rows that may be trained on before a later test span.

    Parameters
    ----------
    start, event_end
        Shape ``(n,)``, candle numbers of each row, in any order.
    test
        Shape ``(n,)``, true for the rows held out, at least one.
    embargo
        Candles left free between the last training event and the first test row.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, true where ``event_end + embargo`` lies before the first test row.
    """
    earlier = start < start[test].min()
    # Longer events, not an embargo after the test span: here the gap has to lie before it.
    return np.asarray(purged_train_mask(start, event_end + embargo, test) & earlier)


@dataclass(frozen=True, eq=False)
class Intervals:
    """Information intervals of the rows to be split.

    Attributes
    ----------
    start
        Shape ``(n,)``, candle number at whose close a row's features are known.
    event_end
        Shape ``(n,)``, candle number at whose close its outcome is known, at or after ``start``.
    """

    start: IntArray
    event_end: IntArray

    def __post_init__(self) -> None:
        """Reject intervals that are not integers or end before they start."""
        _checked(self.start, self.event_end, 0)

    def __len__(self) -> int:
        return len(self.start)


def _merged(first: IntArray, last: IntArray) -> tuple[IntArray, IntArray]:
    """Merge closed intervals into disjoint ones in ascending order."""
    order = np.argsort(first, kind="stable")
    first, reached = first[order], np.maximum.accumulate(last[order])
    # Closed intervals: one that begins where another ends still shares that candle.
    opens = np.append(True, first[1:] > reached[:-1])
    closes = np.append(opens[1:], True)
    return first[opens], reached[closes]


def _checked(start: IntArray, event_end: IntArray, embargo: int) -> tuple[IntArray, IntArray]:
    start, event_end = np.asarray(start), np.asarray(event_end)
    if start.ndim != 1 or start.shape != event_end.shape:
        raise ValueError(
            "start and event_end must be one-dimensional and equally long, "
            f"got shapes {start.shape} and {event_end.shape}"
        )
    for name, values in (("start", start), ("event_end", event_end)):
        if not np.issubdtype(values.dtype, np.integer):
            raise TypeError(
                f"{name} must hold integer candle numbers, got {values.dtype}; "
                "drop the rows whose outcome is unknown, then convert to int64"
            )
    backwards = np.flatnonzero(event_end < start)
    if len(backwards):
        row = backwards[0]
        raise ValueError(
            f"an event must not end before its row: {len(backwards)} do, "
            f"row {row} starts at {start[row]} and ends at {event_end[row]}"
        )
    check_embargo(embargo)
    return start.astype(np.int64, copy=False), event_end.astype(np.int64, copy=False)


def check_embargo(embargo: int) -> None:
    """Reject a negative embargo."""
    if embargo < 0:
        raise ValueError(f"embargo must be a number of candles >= 0, got {embargo}")
