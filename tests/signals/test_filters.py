"""Rules one at a time; the first one that rejects a row gives the reason."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from freqai_signals.settings import DecisionSettings
from freqai_signals.signals.decide import PairContext, decide
from freqai_signals.signals.filters import (
    Cooldown,
    ExpectedValue,
    MinimumConfidence,
    Reason,
    SureHold,
    TrustedRow,
    first_rejections,
    reason_codes,
    rules,
)
from freqai_signals.signals.predictions import Predictions, read_predictions

Frames = Callable[..., pd.DataFrame]
FIRST_CANDLE = 288 * 20_000


def read(frame: pd.DataFrame) -> Predictions:
    return read_predictions(frame, 300)


def test_untrusted_row_is_rejected(predictions: Frames) -> None:
    frame = predictions("BB")
    frame.loc[0, "proba_buy"] = np.nan
    assert TrustedRow().allows(read(frame)).tolist() == [False, True]


def test_expected_value_leaves_holds_alone(predictions: Frames) -> None:
    rows = read(predictions("BhS", expected=[0.001, -1.0, 0.0011]))
    assert ExpectedValue(0.001).allows(rows).tolist() == [False, True, True]


def test_minimum_confidence_is_reached_at_its_value(predictions: Frames) -> None:
    rows = read(predictions("BhSS", confidence=[0.5, 0.1, 0.6, 0.59]))
    assert MinimumConfidence(0.6).allows(rows).tolist() == [False, True, True, False]


def test_only_highly_probable_holds_are_allowed(predictions: Frames) -> None:
    assert SureHold(0.9).allows(read(predictions("BhHS"))).tolist() == [True, False, True, True]


def test_cooldown_without_stops_or_candles_allows_everything(predictions: Frames) -> None:
    rows = read(predictions("BB"))
    assert Cooldown(5).allows(rows).all()
    assert Cooldown(0, (FIRST_CANDLE,)).allows(rows).all()


def test_cooldown_counts_from_the_latest_stop_in_any_order(predictions: Frames) -> None:
    rows = read(predictions("BBHBBB"))
    stops = (FIRST_CANDLE + 3, FIRST_CANDLE)
    allowed = Cooldown(2, stops).allows(rows)
    assert allowed.tolist() == [False, False, True, False, False, True]


def test_expected_value_rule_is_absent_when_switched_off(predictions: Frames) -> None:
    rows = read(predictions("B"))
    off = DecisionSettings(expected_value_rule=False)
    codes = [rule.reason for rule in rules(rows, DecisionSettings())]
    assert codes == [
        "untrusted", "no_direction", "unproven_edge", "no_edge", "low_confidence", "unsure_hold",
        "repeat", "cooldown",
    ]  # fmt: skip
    left = [code for code in codes if code not in ("unproven_edge", "no_edge")]
    assert [rule.reason for rule in rules(rows, off)] == left


def test_equal_sides_are_no_direction_whatever_their_confidence(predictions: Frames) -> None:
    """A difference in the seventh digit once had confidence .994 and the tier strong."""
    frame = predictions("SBh", confidence=0.994).assign(proba_sell=0.375, proba_buy=0.375)
    frame["proba_hold"] = 0.25
    decided = decide(frame, DecisionSettings(), PairContext(300))
    assert decided["reject_reason"].tolist() == ["no_direction", "no_direction", ""]
    assert decided["signal_strength"].tolist() == [0, 0, 0]


def test_without_a_slope_above_zero_no_edge_is_proven(predictions: Frames) -> None:
    frame = predictions("BSh").assign(trade_slope=[0.0, 1.2, 0.0])
    decided = decide(frame, DecisionSettings(), PairContext(300))
    assert decided["reject_reason"].tolist() == ["unproven_edge", "", ""]
    off = decide(frame, DecisionSettings(expected_value_rule=False), PairContext(300))
    assert off["signal"].tolist() == [2, 0, -1]


def test_first_rejection_gives_the_reason(predictions: Frames) -> None:
    rows = read(predictions("BBS", confidence=[0.1, 0.1, 0.9], expected=[-1.0, 1.0, 1.0]))
    active = (ExpectedValue(0.0), MinimumConfidence(0.5))
    indices = first_rejections(rows, active)
    assert indices.tolist() == [0, 1, 2]
    assert reason_codes(indices, active).tolist() == [
        Reason.NO_EDGE,
        Reason.LOW_CONFIDENCE,
        Reason.NONE,
    ]
