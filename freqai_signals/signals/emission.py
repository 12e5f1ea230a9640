"""Which signals are news: repeat suppression and the share of candles acted on.

Both depend on signals emitted before, which raises two questions.

**Does a later start of the frame change the answer?** Time is cut into blocks of
``resync_candles`` that are counted from 1970 (288 candles of 5m are one UTC day). What was emitted
is remembered within a block only. Across its start, a row is compared with what can be told
without memory, always on the cautious side: repeats with every *candidate* of the ``window``
candles before the block, the share with every *new* signal of the share's window, whether or not
it was emitted. So decisions depend on at most :func:`memory_candles` candles. The price: in the
first ``repeat_window_candles`` of a block a signal may wait longer than it had to (half an hour
once a day with shipped settings), and after a block in which the share was exhausted the next
one starts with as little room as if all of its new signals had been emitted. The limits themselves
hold across blocks, exactly.

**Does raising a threshold ever add a signal?** Taken word for word, it does, in any rule of this
kind: take 0.91 followed by 0.95. With a minimum of 0.90 the first is emitted and silences the
second; with 0.93 the first is gone and the second is emitted. So the rules say which earlier
signals count against a row: its *peers*, those at least as confident as itself, and those that
like itself reach ``reference_confidence``; likewise for the expected return and 0, while that rule
is on. Peers of a row that survives a higher threshold survive it too, hence emitted signals at a
higher threshold are exactly those of the lower one that reach it. At
``minimum_confidence == reference_confidence`` (shipped) the rules hold word for word. Above it, a
row may be called a repeat of a signal that was too weak to be shown; below it, a slightly more
confident signal may follow a weaker one. Set both to the same value to have the words back.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from freqai_signals.schema import SignalClass
from freqai_signals.settings import DecisionSettings
from freqai_signals.signals.predictions import Floats, Integers, Mask, Predictions

HOLD_REFERENCE: Final = 0.85
"""Probability from which hold signals are told apart exactly; the founding threshold."""

_STEP_TOLERANCE: Final = 1e-9


def memory_candles(settings: DecisionSettings) -> int:
    """Candles before a row that its decision can depend on.

    A live frame gives the same decisions as the whole history from this row on.

    Examples
    --------
    >>> memory_candles(DecisionSettings())
    870
    """
    return (
        2 * settings.resync_candles
        + settings.maximum_share_window_candles
        + settings.repeat_window_candles
    )


def new_signals(rows: Predictions, settings: DecisionSettings) -> Mask:
    """Rows that repeat no signal of the last ``repeat_window_candles``.

    A row is a repeat if a peer of its class was new at most that many candles before and the row
    is not ``repeat_confidence_step`` more confident. Signals of another class do not matter. Rows
    that can be no signal at any threshold in force are never new.
    """
    new = np.zeros(len(rows), dtype=np.bool_)
    for candidates in _streams(rows, settings):
        new[candidates.position] = _without_repeats(candidates, settings)
    return new


def within_share(rows: Predictions, new: Mask, settings: DecisionSettings) -> Mask:
    """Buy and sell rows for which the share leaves room; rows not ``new`` are counted nowhere.

    At most ``maximum_share * maximum_share_window_candles`` peers are emitted in any stretch of
    ``maximum_share_window_candles``.
    """
    position = np.flatnonzero(new & rows.directional)
    room = np.ones(len(rows), dtype=np.bool_)
    room[position] = _with_room(
        rows.candle[position], _levels(rows, settings)[:, position], settings
    )
    return room


def _with_room(candle: Integers, level: Floats, settings: DecisionSettings) -> Mask:
    """Visit new signals in order, counting those kept in the block and all in the block before."""
    opened = candle - settings.maximum_share_window_candles + 1
    start = np.searchsorted(candle, opened).tolist()
    first = np.searchsorted(candle, np.maximum(opened, _block_start(candle, settings))).tolist()
    all_peers = bool((level == level[:, :1]).all())
    most = settings.most_signals
    passed = np.ones(len(candle), dtype=np.bool_)
    kept = [0]  # how many were kept before each place
    for i in range(len(candle)):
        counted = first[i] - start[i] + kept[i] - kept[first[i]]
        if counted >= most and not all_peers:
            peers = np.logical_and.reduce(level[:, start[i] : i] >= level[:, i : i + 1])
            peers[first[i] - start[i] :] &= passed[first[i] : i]
            counted = np.count_nonzero(peers)
        keeps = counted < most
        kept.append(kept[i] + keeps)
        if not keeps:
            passed[i] = False
    return passed


@dataclass(frozen=True)
class _Stream:
    """Candidates of one class, oldest first.

    ``level`` has one line for each threshold; a candidate is a peer of another if none of its
    levels is lower. ``top`` marks those that are peers of all.
    """

    position: Integers
    candle: Integers
    score: Floats
    level: Floats
    top: Mask


def _streams(rows: Predictions, settings: DecisionSettings) -> list[_Stream]:
    hold = rows.probabilities[:, SignalClass.HOLD]
    sure = (
        rows.trusted & ~rows.directional & (hold >= min(settings.hold_confidence, HOLD_REFERENCE))
    )
    strong = rows.trusted & (
        rows.confidence >= min(settings.lowest_confidence, settings.reference_confidence)
    )
    if settings.expected_value_rule:
        strong &= rows.expected_return > min(settings.expected_value_margin, 0.0)
    levels = _levels(rows, settings)
    hold_levels = np.minimum(hold, HOLD_REFERENCE)[None, :]
    return [
        _stream(strong & (rows.signal == SignalClass.BUY), rows.candle, rows.confidence, levels),
        _stream(strong & (rows.signal == SignalClass.SELL), rows.candle, rows.confidence, levels),
        _stream(sure, rows.candle, hold, hold_levels),
    ]


def _levels(rows: Predictions, settings: DecisionSettings) -> Floats:
    """Confidence and expected return, cut where further differences do not count."""
    confidence = np.minimum(rows.confidence, settings.reference_confidence)
    expected = np.where(rows.expected_return > 0, 1.0, rows.expected_return)
    if not settings.expected_value_rule:
        expected = np.zeros_like(expected)
    return np.stack([confidence, expected])


def _stream(chosen: Mask, candle: Integers, score: Floats, level: Floats) -> _Stream:
    position = np.flatnonzero(chosen)
    own = level[:, position]
    top = (own >= own.max(axis=1, initial=0.0, keepdims=True)).all(axis=0)
    return _Stream(position, candle[position], score[position], own, top)


def _without_repeats(stream: _Stream, settings: DecisionSettings) -> Mask:
    """Visit candidates in order; after one that silences all that follow, jump over them."""
    candle, window = stream.candle, settings.repeat_window_candles
    window_end = np.searchsorted(candle, candle + window, side="right").tolist()
    repeats = _Repeats(stream, settings)
    scores, top = repeats.score, stream.top.tolist()
    i = 0
    while i < len(candle):
        if repeats.silenced(i):
            i += 1
            continue
        repeats.kept.append(i)
        enough = scores[i] + repeats.step
        silences_all = top[i] and max(scores[i + 1 : window_end[i]], default=0.0) < enough
        i = window_end[i] if silences_all else i + 1
    new = np.zeros(len(candle), dtype=np.bool_)
    new[repeats.kept] = True
    return new


class _Repeats:
    """Candidates kept so far, and whether they silence the next; plain lists, being faster."""

    def __init__(self, stream: _Stream, settings: DecisionSettings) -> None:
        self.candle: list[int] = stream.candle.tolist()
        self.block_start: list[int] = _block_start(stream.candle, settings).tolist()
        self.score: list[float] = stream.score.tolist()
        self.levels: list[list[float]] = stream.level.tolist()
        self.window = settings.repeat_window_candles
        self.step = settings.repeat_confidence_step - _STEP_TOLERANCE
        self.kept: list[int] = []

    def silenced(self, i: int) -> bool:
        """By one that was kept, or by any candidate of the blocks before."""
        oldest = self.candle[i] - self.window
        if self.kept and self.candle[self.kept[-1]] >= oldest and self._by(self.kept, i):
            return True
        if self.block_start[i] <= oldest:
            return False
        return self._by(range(bisect_left(self.candle, self.block_start[i])), i)

    def _by(self, places: Sequence[int], i: int) -> bool:
        """By one of ``places`` within the window, asked latest first."""
        oldest = self.candle[i] - self.window
        for j in reversed(places):
            if self.candle[j] < oldest:
                return False
            if self._counts(j, i):
                return True
        return False

    def _counts(self, j: int, i: int) -> bool:
        """Whether ``j`` is a peer of ``i`` that ``i`` does not exceed by the step."""
        if self.score[i] >= self.score[j] + self.step:
            return False
        return all(level[j] >= level[i] for level in self.levels)


def _block_start(candle: Integers, settings: DecisionSettings) -> Integers:
    return candle - candle % settings.resync_candles
