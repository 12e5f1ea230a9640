"""Acting on extreme scores only, and only while the pair is lively."""

import numpy as np
import pandas as pd
import pytest

from freqai_signals.config import SettingsError, settings_from_config
from freqai_signals.schema import LABEL_COLUMN, SCORE_COLUMN
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.decide import PairContext, decide
from freqai_signals.signals.extremes import (
    EXTREME_COLUMN,
    LIVELY_COLUMN,
    above_median,
    extremes,
    memory_candles,
    with_marks,
)

DAY = 24


def settings(**decision: object) -> SignalSettings:
    rules = {
        "weak": 0.0,
        "minimum_confidence": 0.0,
        "reference_confidence": 0.0,
        "expected_value_rule": False,
        "repeat_window_candles": 0,
        "maximum_share": 1.0,
        "score_share": 0.1,
        "score_window_days": 4,
        "lively_window_days": 4,
        **decision,
    }
    labels = {"ensemble_kinds": ["volatility"], "ensemble_horizons_candles": [4]}
    return SignalSettings.model_validate(
        {"timeframe": "1h", "labels": labels, "decision": rules,
         "features": {"higher_timeframes": ["4h"]}}
    )  # fmt: skip


def frame(count: int = 24 * 30, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    lively = 1 + (np.arange(count) // 72 % 2)
    score = rng.normal(size=count)
    return pd.DataFrame(
        {
            "date": pd.date_range("2024-01-01", periods=count, freq="1h", tz="UTC"),
            "close": 100 * np.exp(np.cumsum(rng.normal(size=count) * 0.005 * lively)),
            LABEL_COLUMN: np.where(score > 0, 2.0, 0.0),
            "proba_sell": 0.3,
            "proba_hold": 0.4,
            "proba_buy": 0.3,
            "confidence": 0.5,
            "expected_return": -0.001,
            "do_predict": 1,
            SCORE_COLUMN: score,
        }
    )


def decided(rows: pd.DataFrame, chosen: SignalSettings) -> pd.DataFrame:
    return decide(with_marks(rows, chosen), chosen.decision, PairContext(3600))


def test_extremes_are_counted_over_the_window_and_only_over_known_rows() -> None:
    scores = pd.Series([np.nan, 1.0, 2.0, 3.0, 4.0, 5.0, 0.0, np.nan, 2.5])
    assert extremes(scores, 0.2, 5).tolist() == [0, 0, 1, 1, 1, 1, -1, 0, 0]
    assert extremes(scores, 0.2, 40).tolist() == [0] * 9  # fewer than ten known


def test_a_share_of_scores_is_extreme_on_either_side() -> None:
    marks = extremes(pd.Series(np.random.default_rng(1).normal(size=20_000)), 0.03, 1440)
    assert (marks[1440:] == 1).mean() == pytest.approx(0.03, abs=0.005)
    assert (marks[1440:] == -1).mean() == pytest.approx(0.03, abs=0.005)


def test_lively_is_above_the_own_median() -> None:
    sigma = np.array([np.nan, 1.0, 1.0, 3.0, 2.0, 1.0, 1.0, 5.0])
    assert above_median(sigma, 4).tolist() == [0, 0, 0, 1, 1, 0, 0, 1]


def test_only_extreme_scores_of_lively_candles_become_signals() -> None:
    chosen, rows = settings(), frame()
    marked = with_marks(rows, chosen)
    out = decided(rows, chosen)
    acted = out["signal"].isin((0, 2)).to_numpy()
    side = rows[LABEL_COLUMN].to_numpy() - 1
    extreme = marked[EXTREME_COLUMN].to_numpy() == side
    lively = marked[LIVELY_COLUMN].to_numpy() == 1
    np.testing.assert_array_equal(acted, extreme & lively)
    assert 20 < acted.sum() < 0.2 * len(rows)
    assert set(out["reject_reason"][~extreme]) == {"ordinary_score"}
    assert set(out["reject_reason"][extreme & ~lively]) == {"calm"}


def test_switched_off_nothing_is_marked_or_refused() -> None:
    chosen = settings(score_share=None, lively_window_days=None)
    assert not {EXTREME_COLUMN, LIVELY_COLUMN} & {*with_marks(frame(), chosen)}
    assert decided(frame(), chosen)["signal"].isin((0, 2)).all()
    assert memory_candles(chosen) == 0


def test_a_score_that_is_not_there_allows_nothing() -> None:
    out = decided(frame().drop(columns=SCORE_COLUMN), settings())
    assert (out["signal"] == -1).all()


def test_what_comes_later_changes_no_mark() -> None:
    chosen, rows = settings(), frame()
    changed = rows.copy()
    changed.loc[400:, ["close", SCORE_COLUMN]] *= -50.0
    before, after = (with_marks(part, chosen)[:400] for part in (rows, changed))
    for name in (EXTREME_COLUMN, LIVELY_COLUMN):
        np.testing.assert_array_equal(before[name], after[name])


def test_a_live_frame_decides_like_the_whole_history() -> None:
    """A frame as long as the rules remember gives its last rows the decisions of a backtest."""
    chosen, rows = settings(), frame()
    whole = decided(rows, chosen)
    length = memory_candles(chosen)
    assert length == (4 + 3) * DAY + 1
    for stop in range(400, 700, 7):
        live = decided(rows[stop - length - 3 : stop].reset_index(drop=True), chosen)
        assert live["signal"].tolist()[-4:] == whole["signal"].tolist()[stop - 4 : stop]
        assert live["reject_reason"].iloc[-1] == whole["reject_reason"].iloc[stop - 1]


def test_a_shorter_frame_would_decide_otherwise() -> None:
    chosen, rows = settings(), frame()
    whole = decided(rows, chosen)["reject_reason"]
    short = [
        decided(rows[stop - 48 : stop].reset_index(drop=True), chosen)["reject_reason"].iloc[-1]
        for stop in range(400, 700, 7)
    ]
    assert short != [whole.iloc[stop - 1] for stop in range(400, 700, 7)]


def test_a_share_without_a_label_ensemble_is_refused() -> None:
    config = {"freqai": {"signals": {"decision": {"score_share": 0.03}}}}
    with pytest.raises(SettingsError, match="needs the score of a label ensemble"):
        settings_from_config(config)
