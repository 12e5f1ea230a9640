"""Restrictions on signals by health level."""

import numpy as np
import pandas as pd

from freqai_signals.signals.health_limits import HealthLimits, apply_health_limits

DECIDED = {
    "signal": np.array([2, 2, 0, 1, -1], dtype=np.int8),
    "signal_strength": np.array([1, 2, 3, 0, 0], dtype=np.int8),
    "reject_reason": np.array(["", "", "", "", "no_edge"], dtype=object),
    "signal_tag": np.array(["buy_weak", "buy_medium", "sell_strong", "hold", ""], dtype=object),
}
FRAME = pd.DataFrame({"date": pd.to_datetime([0, 300, 600, 900, 1200], unit="s", utc=True)})


def test_no_restriction_changes_nothing() -> None:
    assert apply_health_limits(DECIDED, FRAME, HealthLimits(since=300)) is DECIDED


def test_blocked_pair_has_no_entries_and_gives_the_reason() -> None:
    found = apply_health_limits(DECIDED, FRAME, HealthLimits("halted", 300))
    assert found["signal"].tolist() == [2, -1, -1, 1, -1]
    assert found["signal_strength"].tolist() == [1, 0, 0, 0, 0]
    assert DECIDED["signal"].tolist() == [2, 2, 0, 1, -1]
    assert found["reject_reason"].tolist() == ["", "halted", "halted", "", "no_edge"]
    assert found["signal_tag"].tolist() == ["buy_weak", "", "", "hold", ""]
