"""Rate limits on signals: suppression of repeats, and the maximum share of candles acted on.

Both depend on signals emitted before, which raises two questions.

**Does the result depend on where the frame starts?** Time is divided into blocks of
``resync_candles`` counted from 1970 (288 candles of 5m are one UTC day). Emitted signals are
remembered within a block only. For earlier candles a row is compared with what does not depend on
emitted signals, always conservatively: repeats with every *candidate* of the
``repeat_window_candles`` before the block, the share with every *new* signal of its window, emitted
or not. So decisions depend on at most two blocks, the share's window and that of repeats: 870
candles with shipped settings. The price: in the first ``repeat_window_candles`` of a block a signal
may be suppressed longer than necessary (half an hour once a day with shipped settings), and a block
starts as if all new signals of the one before had been emitted. The limits themselves hold across
blocks, exactly.

**Can raising a threshold add a signal?** With naive rules it can: 0.91 is followed by 0.95. With a
minimum of 0.90 the first is emitted and suppresses the second; with 0.93 the first is not a signal
and the second is emitted. Therefore only the *peers* of a row count against it: earlier signals at
least as confident as itself, and those that, like itself, reach ``reference_confidence``; likewise
for the expected return and 0, if that rule is on. Peers of a row that passes a higher threshold
pass it too, hence the signals at a higher threshold are exactly those of the lower one that reach
it. At ``minimum_confidence == reference_confidence`` (shipped) the rules equal the naive ones.
Above it, a row may be a repeat of a signal that was too weak to be emitted; below it, a slightly
more confident signal may follow a weaker one. Set both to the same value for the naive rules.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from freqai_signals.schema import SignalClass
from freqai_signals.settings import DecisionSettings
from freqai_signals.signals.predictions import Floats, Integers, Mask, Predictions

HOLD_REFERENCE: Final = 0.85
"""What ``reference_confidence`` is for buys and sells; the founding threshold."""

_STEP_TOLERANCE: Final = 1e-9  # rounding must not turn an exact step into a repeat
_MAX_COMPARISONS: Final = 2**22
"""Pairs of signals compared at a time, one byte each."""


def new_signals(rows: Predictions, settings: DecisionSettings) -> Mask:
    """Rows that repeat no signal of the last ``repeat_window_candles``.

    A row is a repeat if a peer of its class was new at most that many candles before and the row
    is not ``repeat_confidence_step`` more confident. Signals of other classes do not count. Rows
    that are no candidates are never new.
    """
    signals = _stream(rows, np.flatnonzero(_candidates(rows, settings)), settings)
    limiter = _Limiter(signals, settings.resync_candles, settings.repeat_window_candles)
    new = np.zeros(len(rows), dtype=np.bool_)
    new[signals.position] = limiter.kept(1, settings.repeat_confidence_step - _STEP_TOLERANCE)
    return new


def within_share(rows: Predictions, new: Mask, settings: DecisionSettings) -> Mask:
    """Buy and sell rows within the maximum share; rows not ``new`` do not count.

    At most ``maximum_share * maximum_share_window_candles`` peers are emitted in any window of
    ``maximum_share_window_candles``.
    """
    signals = _stream(rows, np.flatnonzero(new & rows.directional), settings)
    # A window of n candles reaches n - 1 back.
    limiter = _Limiter(signals, settings.resync_candles, settings.maximum_share_window_candles - 1)
    allowed = np.ones(len(rows), dtype=np.bool_)
    allowed[signals.position] = limiter.kept(settings.most_signals)
    return allowed


def _candidates(rows: Predictions, settings: DecisionSettings) -> Mask:
    """Rows that are a signal at some threshold from the lower of reference and minimum up."""
    lowest = min(settings.lowest_confidence, settings.reference_confidence)
    strong = rows.confidence >= lowest
    if settings.expected_value_rule:
        strong &= rows.expected_return > min(settings.expected_value_margin, 0.0)
        strong &= rows.proven
    hold = rows.probabilities[:, SignalClass.HOLD]
    sure = hold >= min(settings.hold_confidence, HOLD_REFERENCE)
    return rows.trusted & np.where(rows.directional, strong, sure)


@dataclass(frozen=True)
class _Stream:
    """Signals that may count against each other, oldest first.

    ``score`` is the value that a repeat has to exceed. ``level`` has one row for each threshold on
    which signals differ, capped at its reference; an earlier signal is a peer of a later one if
    none of its levels is lower.
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
    # Levels on which all signals agree cannot exclude a peer.
    differ = [row for row in level if (row != row[:1]).any()]
    levels = np.stack(differ) if differ else np.empty((0, len(position)))
    return _Stream(position, rows.candle[position], kind, score, levels)


class _Limiter:
    """Decides a stream in order; the comparisons of signals are vectorised beforehand.

    Parameters
    ----------
    stream
        The signals.
    block
        Candles of a block.
    window
        A signal counts against later ones up to this many candles away.
    """

    def __init__(self, stream: _Stream, block: int, window: int) -> None:
        candle, index = stream.candle, np.arange(len(stream.candle))
        self._stream = stream
        # How many signals back the window reaches, and how many of those lie in the same block.
        self._reach = index - np.searchsorted(candle, candle - window)
        begins = np.diff(candle // block, prepend=-1) != 0
        self._own = np.minimum(
            self._reach, index - np.maximum.accumulate(np.where(begins, index, 0))
        )
        self._lags = int(self._reach.max(initial=0))

    def kept(self, limit: int, step: float | None = None) -> Mask:
        """Signals with fewer than ``limit`` against them: kept ones, and all of other blocks.

        With a ``step``, only those of the same class count that the signal does not exceed by it.
        """
        kept: list[bool] = []
        recent = 0  # bit d - 1: whether the signal d back was kept
        everything = (1 << self._lags) - 1
        rows = max(_MAX_COMPARISONS // max(self._lags, 1), 1)
        for begin in range(0, len(self._reach), rows):
            for own, others in zip(*self._against(begin, begin + rows, step), strict=True):
                keeps = others + (own & recent).bit_count() < limit
                recent = (recent << 1 | keeps) & everything
                kept.append(keeps)
        return np.array(kept, dtype=np.bool_)

    def _against(self, begin: int, end: int, step: float | None) -> tuple[list[int], list[int]]:
        """For each signal: bits of those of its block that may count, and how many others do."""
        reach, own = self._reach[begin:end], self._own[begin:end]
        count = len(reach)
        # In column order: a lag, and so a column, is written at a time.
        same = np.zeros((count, 64 * (1 + self._lags // 64)), dtype=np.bool_, order="F")
        others = np.zeros(count, dtype=np.int32)
        for lag in range(1, int(reach.max(initial=0)) + 1):
            skipped = max(lag - begin, 0)
            counts = self._counts(slice(begin + skipped, begin + count), lag, step)
            in_block = own[skipped:] >= lag
            same[skipped:, lag - 1] = counts & in_block
            # Booleans: within reach but not in the block.
            others[skipped:] += counts & (in_block < (reach[skipped:] >= lag))
        return _integers(same), others.tolist()

    def _counts(self, later: slice, lag: int, step: float | None) -> Mask:
        """Whether the signals ``lag`` positions before count against these, if they are kept."""
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
    # Python integers of any length: one operation compares a row with all recent signals.
    numbers: list[int] = words[-1].tolist()
    for word in words[-2::-1]:
        numbers = [high << 64 | low for high, low in zip(numbers, word.tolist(), strict=True)]
    return numbers
