"""Tiers and tags."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freqai_signals.schema import SignalClass
from freqai_signals.settings import DecisionSettings
from freqai_signals.signals.strength import Strength, strengths, tag


def test_tier_begins_at_its_threshold() -> None:
    confidence = np.array([0.0, 0.8999, 0.90, 0.9699, 0.97, 0.9899, 0.99, 1.0, np.nan])
    assert strengths(confidence, DecisionSettings()).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 0]


def test_equal_tiers_give_the_strongest() -> None:
    settings = DecisionSettings(weak=0.9, medium=0.9, strong=0.9)
    assert strengths(np.array([0.89, 0.9]), settings).tolist() == [0, 3]


@pytest.mark.parametrize("kind", [SignalClass.BUY, SignalClass.SELL])
@pytest.mark.parametrize("tier", [Strength.WEAK, Strength.MEDIUM, Strength.STRONG])
def test_tag_names_signal_and_tier(kind: SignalClass, tier: Strength) -> None:
    assert tag(kind, tier) == f"{kind.name.lower()}_{tier.name.lower()}"


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_confidence_is_never_weaker(one: float, other: float) -> None:
    low, high = strengths(np.array(sorted([one, other])), DecisionSettings())
    assert low <= high
