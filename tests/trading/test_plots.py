"""What charts draw: percentages, and nothing where nothing is known."""

import numpy as np
import pandas as pd
import pytest

from freqai_signals.schema import REASON_CODES, Reason
from freqai_signals.settings import DecisionSettings
from freqai_signals.trading.plots import LIVE_SUBPLOTS, SUBPLOTS, plot_config, with_plots


@pytest.fixture
def frame() -> pd.DataFrame:
    """A buy, a sell that was rejected, a hold, a row that is not trusted."""
    return pd.DataFrame(
        {
            "&-signal": [2.0, 0.0, 1.0, 1.0],
            "proba_sell": [0.1, 0.61234, 0.2, 0.0],
            "proba_hold": [0.2, 0.28766, 0.6, 1.0],
            "proba_buy": [0.7, 0.1, 0.2, 0.0],
            "proba_move": [0.8, 0.71234, 0.4, 0.0],
            "confidence": [0.99, 0.8, 0.3, 0.0],
            "expected_return": [0.012345, -0.001, 0.0, 0.0],
            "do_predict": [1, 1, 1, 0],
            "signal_strength": [3, 0, 0, 0],
            "reject_reason": ["", "low_confidence", "unsure_hold", "untrusted"],
            "confidence_threshold": [0.9] * 4,
        }
    )


LIVE = {
    "live_skill": np.array([np.nan, 0.0123, 0.0123, np.nan]),
    "drift_level": np.array([np.nan, 0.0, 1.0, 1.0]),
}


def shown(frame: pd.DataFrame, name: str) -> list[object]:
    values = with_plots(frame, DecisionSettings(), LIVE)[name]
    return [None if np.isnan(value) else value for value in values]


def test_probabilities_are_percentages_and_empty_where_not_trusted(frame: pd.DataFrame) -> None:
    assert shown(frame, "P(sell)") == [10.0, 61.2, 20.0, None]
    assert shown(frame, "P(buy)") == [70.0, 10.0, 20.0, None]
    assert shown(frame, "P(move)") == [80.0, 71.2, 40.0, None]
    assert shown(frame, "Confidence rank") == [99.0, 80.0, 30.0, None]


def test_a_hold_has_no_expected_return(frame: pd.DataFrame) -> None:
    assert shown(frame, "Expected return") == [1.234, -0.1, None, None]


def test_sells_point_down_and_only_emitted_signals_are_drawn(frame: pd.DataFrame) -> None:
    sell = frame.assign(signal_strength=[3, 2, 0, 0])
    assert shown(sell, "Buy strength") == [3.0, None, None, None]
    assert shown(sell, "Sell strength") == [None, -2.0, None, None]


def test_a_frame_that_was_drawn_before_is_drawn_anew(frame: pd.DataFrame) -> None:
    once = with_plots(frame, DecisionSettings())
    twice = with_plots(once.assign(**{"P(buy)": 0.0}), DecisionSettings())
    pd.testing.assert_frame_equal(twice, once, check_like=True)
    unknown = frame.assign(reject_reason=["", None, "of another version", "halted"])
    assert shown(unknown, "Reject code") == [None, None, None, 10.0]


def test_reasons_are_small_numbers(frame: pd.DataFrame) -> None:
    assert shown(frame, "Reject code") == [None, 5.0, 6.0, 1.0]
    assert set(Reason) - {""} <= set(REASON_CODES)


def test_live_skill_that_is_unknown_is_empty_and_only_a_bot_has_any(frame: pd.DataFrame) -> None:
    assert shown(frame, "Live skill") == [None, 1.2, 1.2, None]
    assert shown(frame, "drift_level") == shown(frame, "Level") == [None, 0.0, 1.0, 1.0]
    assert not {*LIVE, "Live skill", "Level"} & set(with_plots(frame, DecisionSettings()))


def test_every_column_of_every_sub_plot_is_made(frame: pd.DataFrame) -> None:
    drawn = {name for plot in (SUBPLOTS | LIVE_SUBPLOTS).values() for name in plot}
    assert drawn <= set(with_plots(frame, DecisionSettings(), LIVE))
    # FreqAI would take a name with a percent sign for a feature, one with an ampersand for a label.
    assert not [name for name in drawn if "%" in name or "&" in name]


def test_a_backtest_has_no_sub_plot_that_could_only_be_empty() -> None:
    drawn = {name for plot in plot_config()["subplots"].values() for name in plot}
    assert not drawn & {"Live skill", "Level"}
    assert {"Live skill", "Level"} <= {
        name for plot in plot_config(live=True)["subplots"].values() for name in plot
    }


def test_what_can_be_negative_has_a_zero_line_and_a_level_of_0_is_told_from_an_unknown() -> None:
    plots = plot_config(live=True)["subplots"]
    for name in ("Return %", "Strength", "Skill %", "Level"):
        assert "Zero" in plots[name], name
    # A bar of 0 has no height; a line of it is seen if nothing is drawn over it.
    assert plots["Level"]["Level"].get("type", "line") == "line"
    assert list(plots["Level"])[-1] == "Level"
