"""Restrictions on signals by health level."""

import pandas as pd
import pytest

from freqai_signals.signals.health_limits import HealthLimits, apply_health_limits

DECIDED = pd.DataFrame(
    {
        "signal": [2, 2, 0, 1, -1],
        "signal_strength": [1, 2, 3, 0, 0],
        "reject_reason": ["", "", "", "", "no_edge"],
        "signal_tag": ["buy_weak", "buy_medium", "sell_strong", "hold", ""],
    }
)
FRAME = pd.DataFrame(
    {
        "date": pd.to_datetime([0, 300, 600, 900, 1200], unit="s", utc=True),
        "confidence": [0.91, 0.91, 0.99, 0.1, 0.2],
    }
)


def test_no_restriction_changes_nothing() -> None:
    assert apply_health_limits(DECIDED, FRAME, HealthLimits(), 0.9).equals(DECIDED)


def test_higher_threshold_removes_weak_signals_from_its_first_candle_on() -> None:
    found = apply_health_limits(DECIDED, FRAME, HealthLimits(0.02, since=300), 0.9)
    assert found["signal"].tolist() == [2, -1, 0, 1, -1]
    assert found["reject_reason"].tolist() == ["", "low_confidence", "", "", "no_edge"]
    assert found["signal_strength"].tolist() == [1, 0, 3, 0, 0]


def test_blocked_pair_has_no_entries_and_gives_the_reason() -> None:
    found = apply_health_limits(DECIDED, FRAME, HealthLimits(0.02, "halted", 300), 0.9)
    assert found["signal"].tolist() == [2, -1, -1, 1, -1]
    assert found["reject_reason"].tolist() == ["", "halted", "halted", "", "no_edge"]
    assert found["signal_tag"].tolist() == ["buy_weak", "", "", "hold", ""]


def test_step_is_added_to_the_configured_confidence_up_to_one() -> None:
    assert HealthLimits().confidence(0.97) == 0.97
    assert HealthLimits(0.02).confidence(0.97) == pytest.approx(0.99)
    assert HealthLimits(0.02).confidence(0.995) == 1.0
