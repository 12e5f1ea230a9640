"""Counts of signals, by hand."""

from collections.abc import Callable

import pandas as pd

from freqai_signals.settings import DecisionSettings
from freqai_signals.signals.counters import SignalCount
from freqai_signals.signals.decide import PairContext, decide

Frames = Callable[..., pd.DataFrame]


def count(frame: pd.DataFrame) -> SignalCount:
    decided = decide(frame, DecisionSettings(), PairContext(300))
    return SignalCount.of(frame.assign(**decided)[decided["signal"] >= 0])


def test_counts_by_hand(predictions: Frames) -> None:
    frame = predictions("BBHhS", confidence=[0.99, 0.95, 0.1, 0.1, 0.97])
    assert count(frame) == SignalCount(
        generated=3,
        weak=0,
        medium=1,
        strong=1,
        last_time=frame["date"].iloc[-1].isoformat(),
        last_signal="sell",
        last_confidence=0.97,
    )


def test_a_total_adds_pairs_and_keeps_the_latest_signal(predictions: Frames) -> None:
    later, earlier = count(predictions("hhS")), count(predictions("B"))
    for total in (later + earlier, earlier + later):
        assert total.generated == 2
        assert total.weak == 2
        assert total.last_signal == "sell"
    assert sum([], SignalCount()) == SignalCount()


def test_a_pair_without_signals_counts_none(predictions: Frames) -> None:
    assert count(predictions("hh")) == SignalCount()
