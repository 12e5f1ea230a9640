"""Repeats against a literal implementation of the rule, row by row."""

from collections.abc import Callable
from unittest.mock import patch

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from freqai_signals.settings import DecisionSettings
from freqai_signals.signals import repeats
from freqai_signals.signals.predictions import Mask, Predictions, read_predictions
from freqai_signals.signals.repeats import HOLD_REFERENCE, new_signals

Frames = Callable[..., pd.DataFrame]


class Words:
    """The rule of the module's docstring, in quadratic time."""

    def __init__(self, rows: Predictions, settings: DecisionSettings) -> None:
        self.rows, self.settings = rows, settings
        self.block = rows.candle // settings.resync_candles
        self.score = np.where(rows.signal == 1, rows.probabilities[:, 1], rows.confidence)

    def candidate(self, i: int) -> bool:
        rows, settings = self.rows, self.settings
        if rows.signal[i] == 1:
            return bool(rows.trusted[i]) and self.score[i] >= min(
                settings.hold_confidence, HOLD_REFERENCE
            )
        exceeds = rows.expected_return[i] > min(settings.expected_value_margin, 0)
        enough = min(settings.minimum_confidence, settings.reference_confidence)
        if settings.weak > settings.minimum_confidence:
            enough = min(settings.weak, settings.reference_confidence)
        return bool(exceeds or not settings.expected_value_rule) and self.score[i] >= enough

    def peer(self, j: int, i: int) -> bool:
        """Whether ``j`` counts against ``i``."""
        hold = self.rows.signal[i] == 1
        reference = HOLD_REFERENCE if hold else self.settings.reference_confidence
        if self.score[j] < min(self.score[i], reference):
            return False
        value = self.rows.expected_return
        if hold or not self.settings.expected_value_rule:
            return True
        return bool(value[j] >= value[i] or value[j] > 0)

    def new(self) -> Mask:
        new = np.zeros(len(self.rows), dtype=np.bool_)
        for i in filter(self.candidate, range(len(self.rows))):
            new[i] = not any(self.repeats(i, j, new) for j in range(i))
        return new

    def repeats(self, i: int, j: int, new: Mask) -> bool:
        near = self.rows.candle[i] - self.rows.candle[j] <= self.settings.repeat_window_candles
        counts = new[j] if self.block[i] == self.block[j] else self.candidate(j)
        step = self.settings.repeat_confidence_step - 1e-9
        return bool(
            self.rows.signal[i] == self.rows.signal[j]
            and near
            and counts
            and self.peer(j, i)
            and self.score[i] < self.score[j] + step
        )


fractions = st.sampled_from([0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95])


@st.composite
def any_settings(draw: st.DrawFn) -> DecisionSettings:
    return DecisionSettings(
        weak=draw(fractions),
        minimum_confidence=draw(fractions),
        reference_confidence=draw(fractions),
        hold_confidence=draw(fractions),
        expected_value_rule=draw(st.booleans()),
        expected_value_margin=draw(st.sampled_from([-0.01, -0.001, 0.0, 0.001])),
        repeat_window_candles=draw(st.integers(0, 30)),
        repeat_confidence_step=draw(st.sampled_from([0.0, 0.02, 0.1])),
        resync_candles=draw(st.integers(1, 80)),
    )


@given(
    seed=st.integers(0, 10**6), settings=any_settings(), pairs=st.sampled_from([1, 40, 500, 2**22])
)
@effort(max_examples=200)
def test_repeats_equal_their_definition(
    many_predictions: Frames, seed: int, settings: DecisionSettings, pairs: int
) -> None:
    rows = read_predictions(many_predictions(120, seed), 300)
    with patch.object(repeats, "_MAX_COMPARISONS", pairs):
        new = new_signals(rows, settings)
    np.testing.assert_array_equal(new, Words(rows, settings).new())
