"""The table of removed signals and the cost at which they would have passed."""

import math
from collections.abc import Callable

import pandas as pd
import pytest

from freqai_signals.report.rule_counts import passing_cost, removed_by_rule
from freqai_signals.settings import DecisionSettings
from freqai_signals.signals.decide import PairContext, decide

Frames = Callable[..., pd.DataFrame]
CONTEXT = PairContext(300)


def test_table_counts_each_row_once_in_order_of_the_rules(predictions: Frames) -> None:
    frame = predictions("BBSSHh", confidence=[0.95, 0.95, 0.2, 0.95, 0.1, 0.1])
    frame.loc[3, "proba_sell"] = math.nan
    table = removed_by_rule([decide(frame, DecisionSettings(), CONTEXT)] * 2)
    assert list(table.index) == [
        "missing_columns", "untrusted", "no_direction", "unproven_edge", "no_edge",
        "low_confidence",
        "repeat", "cooldown", "share", "emitted",
    ]  # fmt: skip
    assert table["rows"].tolist() == [0, 2, 0, 0, 0, 2, 2, 0, 0, 2]
    assert table["share"].sum() == pytest.approx(1.0)


def test_table_without_pairs_is_all_zero() -> None:
    assert (removed_by_rule([])["rows"] == 0).all()
    assert (removed_by_rule([])["share"] == 0).all()


def test_passing_cost_by_hand(predictions: Frames) -> None:
    frame = predictions(
        "BBBB", confidence=[0.95, 0.95, 0.95, 0.2], expected=[-0.0005, -0.0015, 0.01, -0.0001]
    )
    pairs = [(frame, decide(frame, DecisionSettings(), CONTEXT))]
    cost = passing_cost(pairs, 0.002, DecisionSettings())
    assert cost.signals == 2
    assert cost.best == pytest.approx(0.0015)
    assert cost.median == pytest.approx(0.001)
    assert "removed 2 signals at a round-trip cost of 0.200%" in str(cost)


def test_passing_cost_without_removed_signals() -> None:
    cost = passing_cost([], 0.002, DecisionSettings())
    assert str(cost) == "the expected-value rule removed no signal"
    assert math.isnan(cost.best)


def test_frame_without_expected_return_is_no_error(predictions: Frames) -> None:
    frame = predictions("BB").drop(columns="expected_return")
    pairs = [(frame, decide(frame, DecisionSettings(), CONTEXT))]
    assert passing_cost(pairs, 0.002, DecisionSettings()).signals == 0
