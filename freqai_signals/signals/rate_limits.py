"""Which signals are news: repeat suppression and the share of candles acted on.

Both depend on signals emitted before, which raises two questions.

**Does a later start of the frame change the answer?** Time is cut into blocks of
``resync_candles`` that are counted from 1970 (288 candles of 5m are one UTC day). What was emitted
is remembered within a block only. Across its start, a row is compared with what can be told
without memory, always on the cautious side: repeats with every *candidate* of the ``window``
candles before the block, the share with every *new* signal of the share's window, whether or not
it was emitted. So decisions depend on at most two blocks, the share's window and that of repeats:
870 candles with shipped settings. The price: in the first ``repeat_window_candles`` of a block a
signal may wait longer than it had to (half an hour once a day with shipped settings), and after a
block in which the share was exhausted the next one starts with as little room as if all of its new
signals had been emitted. The limits themselves hold across blocks, exactly.

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

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from freqai_signals.schema import SignalClass
from freqai_signals.settings import DecisionSettings
from freqai_signals.signals.predictions import Floats, Integers, Mask, Predictions

HOLD_REFERENCE: Final = 0.85
"""Probability from which hold signals are told apart exactly; the founding threshold."""

_STEP_TOLERANCE: Final = 1e-9
_MOST_PAIRS: Final = 2**22
"""Pairs of signals that are compared at a time, one byte each."""


def new_signals(rows: Predictions, settings: DecisionSettings) -> Mask:
    """Rows that repeat no signal of the last ``repeat_window_candles``.

    A row is a repeat if a peer of its class was new at most that many candles before and the row
    is not ``repeat_confidence_step`` more confident. Signals of another class do not matter. Rows
    that can be no signal at any threshold in force are never new.
    """
    signals = _stream(rows, np.flatnonzero(_candidates(rows, settings)), settings)
    visit = _Visit(signals, settings.resync_candles, settings.repeat_window_candles)
    new = np.zeros(len(rows), dtype=np.bool_)
    new[signals.position] = visit.kept(1, settings.repeat_confidence_step - _STEP_TOLERANCE)
    return new


def within_share(rows: Predictions, new: Mask, settings: DecisionSettings) -> Mask:
    """Buy and sell rows for which the share leaves room; rows not ``new`` are counted nowhere.

    At most ``maximum_share * maximum_share_window_candles`` peers are emitted in any stretch of
    ``maximum_share_window_candles``.
    """
    signals = _stream(rows, np.flatnonzero(new & rows.directional), settings)
    visit = _Visit(signals, settings.resync_candles, settings.maximum_share_window_candles - 1)
    room = np.ones(len(rows), dtype=np.bool_)
    room[signals.position] = visit.kept(settings.most_signals)
    return room


def _candidates(rows: Predictions, settings: DecisionSettings) -> Mask:
    """Rows that can be a signal at some threshold from the lower of reference and minimum up."""
    lowest = min(settings.lowest_confidence, settings.reference_confidence)
    strong = rows.confidence >= lowest
    if settings.expected_value_rule:
        strong &= rows.expected_return > min(settings.expected_value_margin, 0.0)
    hold = rows.probabilities[:, SignalClass.HOLD]
    sure = hold >= min(settings.hold_confidence, HOLD_REFERENCE)
    return rows.trusted & np.where(rows.directional, strong, sure)


@dataclass(frozen=True)
class _Stream:
    """Signals that may count against each other, oldest first.

    ``score`` is what a repeat has to exceed. ``level`` has one line for each threshold on which
    signals differ, cut where further differences do not count; a signal is a peer of another of
    its kind if none of its levels is lower.
    """

    position: Integers
    candle: Integers
    kind: NDArray[np.int8]
    score: Floats
    level: Floats


def _stream(rows: Predictions, position: Integers, settings: DecisionSettings) -> _Stream:
    kind = rows.signal[position]
    holds = kind == SignalClass.HOLD
    hold = rows.probabilities[position, SignalClass.HOLD]
    score = np.where(holds, hold, rows.confidence[position])
    level = [np.minimum(score, np.where(holds, HOLD_REFERENCE, settings.reference_confidence))]
    if settings.expected_value_rule:
        expected = rows.expected_return[position]
        level.append(np.where(holds | (expected > 0), 1.0, expected))
    differ = [line for line in level if (line != line[:1]).any()]
    lines = np.stack(differ) if differ else np.empty((0, len(position)))
    return _Stream(position, rows.candle[position], kind, score, lines)


class _Visit:
    """Visits a stream in order; whom each signal counts against is worked out for all beforehand.

    Parameters
    ----------
    stream
        The signals.
    block
        Candles of a block.
    window
        A signal counts against later ones up to so many candles away.
    """

    def __init__(self, stream: _Stream, block: int, window: int) -> None:
        candle, place = stream.candle, np.arange(len(stream.candle))
        self._stream = stream
        # How many places back the window reaches, and how many of those lie in the same block.
        self._reach = place - np.searchsorted(candle, candle - window)
        begins = np.diff(candle // block, prepend=-1) != 0
        self._own = np.minimum(
            self._reach, place - np.maximum.accumulate(np.where(begins, place, 0))
        )
        self._lags = int(self._reach.max(initial=0))

    def kept(self, most: int, step: float | None = None) -> Mask:
        """Signals against which fewer than ``most`` count: kept ones, and all of other blocks.

        With a ``step``, only those of the same kind count that the signal does not exceed by it.
        """
        kept: list[bool] = []
        recent = 0  # bit d - 1: whether the one d places back was kept
        everything = (1 << self._lags) - 1
        rows = max(_MOST_PAIRS // max(self._lags, 1), 1)
        for begin in range(0, len(self._reach), rows):
            for own, others in zip(*self._against(begin, begin + rows, step), strict=True):
                keeps = others + (own & recent).bit_count() < most
                recent = (recent << 1 | keeps) & everything
                kept.append(keeps)
        return np.array(kept, dtype=np.bool_)

    def _against(self, begin: int, end: int, step: float | None) -> tuple[list[int], list[int]]:
        """For each row: bits of those of its block that would count, and how many others do."""
        reach, own = self._reach[begin:end], self._own[begin:end]
        count = len(reach)
        same = np.zeros((count, 64 * (1 + self._lags // 64)), dtype=np.bool_, order="F")
        others = np.zeros(count, dtype=np.int32)
        for lag in range(1, int(reach.max(initial=0)) + 1):
            skipped = max(lag - begin, 0)
            counts = self._counts(slice(begin + skipped, begin + count), lag, step)
            in_block = own[skipped:] >= lag
            same[skipped:, lag - 1] = counts & in_block
            others[skipped:] += counts & (in_block < (reach[skipped:] >= lag))
        return _integers(same), others.tolist()

    def _counts(self, later: slice, lag: int, step: float | None) -> Mask:
        """Whether the signals ``lag`` places before count against these, if they are kept."""
        stream, earlier = self._stream, slice(later.start - lag, later.stop - lag)
        counts = np.ones(later.stop - later.start, dtype=np.bool_)
        for level in stream.level:
            counts &= level[earlier] >= level[later]
        if step is not None:
            counts &= stream.kind[earlier] == stream.kind[later]
            counts &= stream.score[later] < stream.score[earlier] + step
        return counts


def _integers(bits: Mask) -> list[int]:
    """Each row of bits, lowest first, as one integer; a row has a multiple of 64 bits."""
    words = np.packbits(np.ascontiguousarray(bits), axis=1, bitorder="little").view("<u8").T
    numbers: list[int] = words[-1].tolist()
    for word in words[-2::-1]:
        numbers = [high << 64 | low for high, low in zip(numbers, word.tolist(), strict=True)]
    return numbers
