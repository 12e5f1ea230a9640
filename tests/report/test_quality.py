"""Quality tables of a few rows, computed by hand."""

from math import log

import numpy as np
import pandas as pd
import pytest

from freqai_signals.report.quality import (
    TOTAL,
    break_even,
    flat_pairs,
    quality_table,
    reliability,
    scored_rows,
    signal_table,
    tier_table,
)
from freqai_signals.report.rule_counts import removed_by_rule
from freqai_signals.schema import PRIOR_COLUMNS, PROBA_COLUMNS, Reason
from freqai_signals.settings import SignalSettings
from tests.report.run_rows import COST, rows_of, run_of

MEASURES = ["skill", "ece", "brier", "direction_auc", "move_auc"]


def test_scored_rows_are_trusted_and_have_an_outcome() -> None:
    frame = rows_of("BBBB", "B?B?", do_predict=[1, 1, 0, 0])
    assert scored_rows(frame).index.tolist() == [0]


@pytest.mark.parametrize("trust", [0, 2, 3])
def test_expired_and_incomplete_rows_are_not_scored(trust: int) -> None:
    assert scored_rows(rows_of("B", "B", do_predict=trust)).empty


def test_predicted_abstained_and_scored_rows_are_counted() -> None:
    frame = rows_of("BShBB", "BSh?B", do_predict=[1, 1, 1, 1, 0])
    row = quality_table({"A": frame}).loc["A"]
    assert row[["predicted", "abstained", "scored"]].tolist() == [4, 1, 3]
    assert row[["sell", "hold", "buy"]].tolist() == [1, 1, 2]


def test_one_row_is_scored_as_by_hand() -> None:
    """(0.1, 0.3, 0.6) and a buy: loss -ln 0.6 against -ln 0.25, 0.1² + 0.3² + 0.4², 1 - 0.6."""
    row = quality_table({"A": rows_of("B", "B")}).loc["A"]
    assert row["skill"] == pytest.approx(1 - log(0.6) / log(0.25))
    assert row["brier"] == pytest.approx(0.26)
    assert row["ece"] == pytest.approx(0.4)


def test_untrusted_and_unscored_rows_change_no_score() -> None:
    alone = quality_table({"A": rows_of("BSh", "BhS")}).loc["A", MEASURES]
    more = rows_of("BShSB", "BhSB?", do_predict=[1, 1, 1, 0, 1])
    pd.testing.assert_series_equal(quality_table({"A": more}).loc["A", MEASURES], alone)


def test_skill_is_measured_against_the_prior_of_each_rows_own_window() -> None:
    """Predicting the window's prior has skill 0, although the prior differs by row."""
    priors = np.array([[0.1, 0.8, 0.1], [0.5, 0.1, 0.4], [0.2, 0.2, 0.6]])
    columns = dict(zip((*PRIOR_COLUMNS, *PROBA_COLUMNS), (*priors.T, *priors.T), strict=True))
    frame = rows_of("hSB", "BSh").assign(**columns)
    assert quality_table({"A": frame}).loc["A", "skill"] == pytest.approx(0.0)
    stated = rows_of("BB", "BB", prior_sell=0.2, prior_hold=[0.55, 0.2], prior_buy=[0.25, 0.6])
    assert quality_table({"A": stated}).loc["A", "skill"] == pytest.approx(
        1 - 2 * log(0.6) / (log(0.25) + log(0.6))
    )


def test_direction_auc_is_of_moves_and_nan_with_one_class() -> None:
    table = quality_table({"A": rows_of("BSh", "BSh"), "B": rows_of("BBh", "BBh")})
    assert table.loc["A", "direction_auc"] == 1.0
    assert table.loc["A", "move_auc"] == 1.0
    assert np.isnan(table.loc["B", "direction_auc"])


def test_all_pairs_together_are_the_last_row() -> None:
    table = quality_table({"A": rows_of("BS", "BS"), "B": rows_of("h", "?")})
    assert table.index.tolist() == ["A", "B", TOTAL]
    assert table.loc[TOTAL, ["predicted", "scored"]].tolist() == [3, 2]


def test_nothing_to_score_is_nan_not_zero() -> None:
    table = quality_table({"A": rows_of("BS", "??"), "B": rows_of("", "")})
    assert table.loc[:, MEASURES].isna().all(axis=None)
    assert table["predicted"].tolist() == [2, 0, 2]


def test_no_pairs_give_an_empty_quality_table() -> None:
    assert quality_table({}).empty


def test_tiers_hold_precision_next_to_what_was_stated() -> None:
    """Medium (0.98): a buy right at 0.6 and a sell wrong at 0.6; one of them moved at all."""
    frame = rows_of("BSB", "BhS", confidence=[0.98, 0.98, 0.5], signal_strength=[2, 0, 0])
    table = tier_table({"A": frame}, SignalSettings())
    assert table.index.tolist() == ["none", "weak", "medium", "strong"]
    medium = table.loc["medium"]
    assert medium["rows"] == 2
    assert medium["right"] == 0.5
    assert medium["stated"] == pytest.approx(0.6)
    assert medium["moved"] == 1
    assert medium["direction_right"] == 1.0
    assert medium["direction_stated"] == pytest.approx(0.6 / 0.7)
    assert medium["signals"] == 1
    assert table.loc["none", ["rows", "right", "direction_right"]].tolist() == [1, 0.0, 0.0]


def test_tiers_without_rows_are_nan_and_rows_without_outcome_take_no_part() -> None:
    frame = rows_of("BB", "?B", confidence=0.995, do_predict=[1, 0], signal_strength=3)
    table = tier_table({"A": frame, "B": rows_of("", "")}, SignalSettings())
    assert (table[["rows", "moved", "signals"]] == 0).all(axis=None)
    assert table[["right", "stated", "direction_right", "direction_stated"]].isna().all(axis=None)


def test_reliability_compares_returns_after_costs_of_buys_and_sells() -> None:
    """A rise of 1 % earns a buy 0.8 % and loses a sell 1.2 %; holds earn nothing and stay out."""
    frame = rows_of("BSh", "BBB", expected_return=[0.02, 0.01, 0.0])
    table = reliability(run_of(A=frame), bins=2)
    assert table["predicted"].tolist() == [0.01, 0.02]
    np.testing.assert_allclose(table["realised"], [-0.01 - COST, 0.01 - COST])
    assert table["count"].tolist() == [1, 1]
    assert table["standard_error"].isna().all()


def test_reliability_counts_overlapping_outcomes_once() -> None:
    """Two rows within one horizon are one outcome: the error is their deviation, undivided."""
    table = reliability(run_of(A=rows_of("BB", "BS")))
    assert table["count"].tolist() == [2]
    assert table["realised"].item() == pytest.approx(-COST)
    assert table["standard_error"].item() == pytest.approx(0.01 * 2**0.5)


def test_reliability_without_moves_or_outcomes_is_empty() -> None:
    assert reliability(run_of(A=rows_of("hh", "BS"), B=rows_of("B", "?"))).empty
    assert reliability(run_of(A=rows_of("", ""))).empty


def test_emitted_signals_are_counted_by_pair_and_strength() -> None:
    frame = rows_of(
        "BhS", "???", signal=[2, 1, 0], signal_strength=[1, 0, 3], confidence=[0.91, 0.9, 0.99]
    )
    table = signal_table({"A": frame, "B": rows_of("B", "B")})
    counts = ["generated", "weak", "medium", "strong"]
    assert table.loc["A", counts].tolist() == [3, 1, 0, 1]
    assert table.loc["A", "last_time"] == "2024-01-01T00:10:00+00:00"
    assert table.loc["A", ["last_signal", "last_confidence"]].tolist() == ["sell", 0.99]
    assert table.loc["B", counts].tolist() == [0, 0, 0, 0]
    assert table.loc["B", "last_time"] == ""
    assert table.loc[TOTAL, counts].tolist() == [3, 1, 0, 1]


def test_no_pairs_give_no_signals() -> None:
    assert signal_table({}).loc[TOTAL, "generated"] == 0


def test_rows_are_counted_by_the_rule_that_rejected_them_first() -> None:
    reasons = [Reason.NO_EDGE, Reason.NO_EDGE, Reason.REPEAT, Reason.NONE]
    frame = rows_of("BBBB", "????", reject_reason=reasons, signal_strength=[0, 0, 0, 2])
    table = removed_by_rule(run_of(A=frame, B=rows_of("", "")).frames.values())
    assert table["rows"].to_dict() == dict.fromkeys(table.index, 0) | {
        "no_edge": 2, "repeat": 1, "emitted": 1,
    }  # fmt: skip
    assert table.loc["no_edge", "share"] == 0.5


def test_break_even_is_the_cost_at_which_rejected_signals_would_have_passed() -> None:
    """At 0.2 % they would lose 0.05, 0.1 and 0.3 %; the other row lacks confidence anyway."""
    frame = rows_of(
        "BBBB",
        "????",
        reject_reason=Reason.NO_EDGE,
        expected_return=[-0.0005, -0.001, -0.003, -0.0001],
        confidence=[0.95, 0.95, 0.95, 0.5],
    )
    found = break_even(run_of(A=frame))
    assert found.signals == 3
    assert found.best == pytest.approx(0.0015)
    assert found.median == pytest.approx(0.001)
    assert "3 signals" in str(found)


def test_break_even_without_rejected_signals() -> None:
    found = break_even(run_of(A=rows_of("B", "B"), B=rows_of("", "")))
    assert found.signals == 0
    assert np.isnan(found.best)
    assert "removed no signal" in str(found)


# No outcomes, and flat prices


def test_no_pairs_give_tables_without_numbers() -> None:
    assert quality_table({}).empty
    tiers = tier_table({}, SignalSettings())
    assert tiers["rows"].tolist() == [0, 0, 0, 0]
    assert tiers["right"].isna().all()
    assert reliability(run_of()).empty
    assert signal_table({}).loc[TOTAL, "generated"] == 0
    assert removed_by_rule(run_of().frames.values()).loc["emitted", "rows"] == 0


def test_flat_pair_is_shown_but_does_not_count_in_the_total() -> None:
    moving = rows_of("BSBh", "BSSh")
    flat = rows_of("hhhh", "hhhh", confidence=0.5)
    alone, with_flat = quality_table({"A": moving}), quality_table({"A": moving, "B": flat})
    assert flat_pairs({"A": moving, "B": flat}) == ["B"]
    assert with_flat.loc["B", "scored"] == 4
    pd.testing.assert_series_equal(with_flat.loc[TOTAL], alone.loc[TOTAL])
    settings = SignalSettings()
    pd.testing.assert_frame_equal(
        tier_table({"A": moving, "B": flat}, settings), tier_table({"A": moving}, settings)
    )
    pd.testing.assert_frame_equal(
        reliability(run_of(A=moving, B=flat)), reliability(run_of(A=moving))
    )


def test_pair_without_known_outcomes_is_not_flat() -> None:
    assert flat_pairs({"A": rows_of("hh", "??")}) == []
