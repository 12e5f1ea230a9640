"""Counters of signals: by hand, twice over the same frame, and after a restart."""

from collections.abc import Callable

import pandas as pd
import pytest

from freqai_signals.settings import DecisionSettings
from freqai_signals.signals.counters import SignalCount, SignalCounters
from freqai_signals.signals.decide import PairContext, decide

Frames = Callable[..., pd.DataFrame]


def update(counters: SignalCounters, pair: str, frame: pd.DataFrame) -> None:
    counters.update(pair, frame, decide(frame, DecisionSettings(), PairContext(300)))


def test_counts_by_hand(predictions: Frames) -> None:
    counters = SignalCounters()
    frame = predictions("BBHhS", confidence=[0.99, 0.95, 0.1, 0.1, 0.97])
    update(counters, "A/B", frame)
    assert counters.pairs["A/B"] == SignalCount(
        generated=3,
        weak=0,
        medium=1,
        strong=1,
        last_time=frame["date"].iloc[-1].isoformat(),
        last_signal="sell",
        last_confidence=0.97,
    )


def test_row_seen_again_counts_once(predictions: Frames) -> None:
    counters = SignalCounters()
    frame = predictions("BShhhhhhB")
    update(counters, "A/B", frame.iloc[:3])
    update(counters, "A/B", frame)
    update(counters, "A/B", frame)
    assert counters.pairs["A/B"].generated == 3


def test_total_adds_pairs_and_keeps_the_latest_signal(predictions: Frames) -> None:
    counters = SignalCounters()
    update(counters, "A/B", predictions("hhS"))
    update(counters, "C/D", predictions("B"))
    assert counters.total.generated == 2
    assert counters.total.weak == 2
    assert counters.total.last_signal == "sell"
    assert SignalCounters().total == SignalCount()


def test_pair_without_signals_has_no_count(predictions: Frames) -> None:
    counters = SignalCounters()
    update(counters, "A/B", predictions("hh"))
    update(counters, "A/B", predictions("hh").drop(columns="date"))
    assert counters.pairs == {}


def test_counts_survive_a_restart(predictions: Frames) -> None:
    counters = SignalCounters()
    update(counters, "A/B", predictions("BS"))
    again = SignalCounters.from_json(counters.to_json())
    assert again == counters
    update(again, "A/B", predictions("BS"))
    assert again == counters


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"A/B": 3}', '{"A/B": {"colour": 1}}', '{"A/B": {"generated": 1, "weak": 2}}',
     '{"A/B": {"last_time": "soon"}}'],
)  # fmt: skip
def test_text_that_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        SignalCounters.from_json(text)
