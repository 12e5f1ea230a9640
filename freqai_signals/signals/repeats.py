"""Suppression of repeats. It depends on signals emitted before, which raises two questions.

**Does the result depend on where the frame starts?** Time is divided into blocks of
``resync_candles`` counted from 1970 (288 candles of 5m are one UTC day). Emitted signals are
remembered within a block only. For the ``repeat_window_candles`` before the block a row is
compared with every *candidate*, emitted or not, which is conservative. So a decision depends on
one block and one window: 294 candles with shipped settings. The price: in the first
``repeat_window_candles`` of a block a signal may be suppressed longer than necessary (half an hour
once a day with shipped settings). The limit itself holds across blocks, exactly.

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
"""Pairs of signals compared at a time."""


def new_signals(rows: Predictions, settings: DecisionSettings) -> Mask:
    """Rows that repeat no signal of the last ``repeat_window_candles``.

    A row is a repeat if a peer of its class was new at most that many candles before and the row
    is not ``repeat_confidence_step`` more confident. Signals of other classes do not count. Rows
    that are no candidates are never new.
    """
    signals = _stream(rows, np.flatnonzero(_candidates(rows, settings)), settings)
    block = signals.candle // settings.resync_candles
    step = settings.repeat_confidence_step - _STEP_TOLERANCE
    new = np.zeros(len(rows), dtype=np.bool_)
    new[signals.position] = _kept(signals, block, settings.repeat_window_candles, step)
    return new


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


def _kept(stream: _Stream, block: Integers, window: int, step: float) -> Mask:
    """Signals with none against them: kept ones of their block, all of other blocks."""
    count = len(stream.candle)
    reach = np.arange(count) - np.searchsorted(stream.candle, stream.candle - window)
    kept = [True] * count
    # At a time, so that memory does not grow with the window.
    some = max(_MAX_COMPARISONS // max(int(reach.max(initial=0)), 1), 1)
    for begin in range(0, count, some):
        later, earlier = _against(stream, reach, slice(begin, begin + some), step)
        same = block[later] == block[earlier]
        for signal in later[~same].tolist():
            kept[signal] = False
        # Sorted by the later one, so what is known of the earlier one is final.
        for signal, before in zip(later[same].tolist(), earlier[same].tolist(), strict=True):
            if kept[before]:
                kept[signal] = False
    return np.array(kept, dtype=np.bool_)


def _against(
    stream: _Stream, reach: Integers, chosen: slice, step: float
) -> tuple[Integers, Integers]:
    """Each chosen signal with every one before it that counts against it if it was kept."""
    signals = np.arange(len(reach))[chosen]
    found = []
    for lag in range(1, int(reach[chosen].max(initial=0)) + 1):
        later = signals[reach[chosen] >= lag]
        earlier = later - lag
        counts = stream.kind[earlier] == stream.kind[later]
        counts &= stream.score[later] < stream.score[earlier] + step
        for level in stream.level:
            counts &= level[earlier] >= level[later]
        found.append(np.stack([later[counts], earlier[counts]]))
    if not found:
        return signals[:0], signals[:0]
    later, earlier = np.concatenate(found, axis=1)
    order = np.argsort(later, kind="stable")
    return later[order], earlier[order]
