"""Restrictions on signals by health level."""

import pandas as pd

from freqai_signals.signals.health_limits import HealthLimits, apply_health_limits

DECIDED = pd.DataFrame(
    {
        "signal": [2, 2, 0, 1, -1],
        "signal_strength": [1, 2, 3, 0, 0],
        "reject_reason": ["", "", "", "", "no_edge"],
        "signal_tag": ["buy_weak", "buy_medium", "sell_strong", "hold", ""],
    }
)
FRAME = pd.DataFrame({"date": pd.to_datetime([0, 300, 600, 900, 1200], unit="s", utc=True)})


def test_no_restriction_changes_nothing() -> None:
    assert apply_health_limits(DECIDED, FRAME, HealthLimits(since=300)).equals(DECIDED)


def test_blocked_pair_has_no_entries_and_gives_the_reason() -> None:
    found = apply_health_limits(DECIDED, FRAME, HealthLimits("halted", 300))
    assert found["signal"].tolist() == [2, -1, -1, 1, -1]
    assert found["reject_reason"].tolist() == ["", "halted", "halted", "", "no_edge"]
    assert found["signal_tag"].tolist() == ["buy_weak", "", "", "hold", ""]
