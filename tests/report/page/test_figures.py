"""Drawings that depend on what a table holds."""

import pandas as pd
import pytest

from freqai_signals.report.page.charts import heatmap
from freqai_signals.report.page.figures import figures
from freqai_signals.report.page.parts.page_section import Section

DAYS = pd.date_range("2024-01-01", periods=2, freq="D", tz="UTC")


def wide(days: int, **columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"day": DAYS[:days], **columns})


def test_days_run_along_a_map_of_more_than_one_day() -> None:
    drawn = heatmap(wide(2, A=[0.1, 0.2], B=[0.3, 0.4]), "day")
    assert drawn.layout.xaxis.type == "date"
    assert list(drawn.data[0].y) == ["A", "B"]
    assert drawn.data[0].z.tolist() == [[0.1, 0.2], [0.3, 0.4]]


def test_a_single_day_is_a_name_rather_than_a_time() -> None:
    drawn = heatmap(wide(1, A=[0.1], B=[0.3]), "day")
    assert drawn.layout.xaxis.type == "category"
    assert list(drawn.data[0].x) == ["2024-01-01"]


def test_a_map_of_small_shares_does_not_shout() -> None:
    """Its brightest colour is 10 % at least, so that one missing candle stays dark."""
    assert heatmap(wide(2, A=[0.0, 0.003]), "day").data[0].zmax == 0.1
    assert heatmap(wide(2, A=[0.0, 0.7]), "day").data[0].zmax == 0.7


@pytest.mark.parametrize(("values", "middle"), [([0.0, 2.0], None), ([-1.0, 2.0], 0)])
def test_a_map_with_a_sign_has_its_middle_at_zero(
    values: list[float], middle: float | None
) -> None:
    section = Section("drift", "", "", "", {"Shift": wide(2, A=values)})
    (drawn,) = figures(section).values()
    assert drawn.data[0].zmid == middle


def test_events_stand_beside_the_model_they_are_about() -> None:
    models = pd.DataFrame(
        {"model_version": ["v1", "v2"], "first_used": DAYS, "last_used": DAYS,
         "trained_until": DAYS, "verdict": ["", "refuse"]}
    )  # fmt: skip
    events = pd.DataFrame(
        {"date": DAYS, "what": "serving", "subject": ["v2", "A/USDT"], "detail": ""}
    )
    section = Section("models", "", "", "", {"Models": models, "Events": events})
    (drawn,) = figures(section).values()
    shown = {trace.name: trace for trace in drawn.data}
    assert list(shown["event"].y) == ["v2", "events"]
    colours = [trace.line.color for trace in drawn.data[:2]]
    assert colours[0] != colours[1], "a refused model is drawn in another colour"


def test_one_bin_of_signals_is_told_in_the_table_alone() -> None:
    row = {"predicted": 0.1, "realised": 0.1, "low": 0.0, "high": 0.2, "rows": 9}
    two = pd.DataFrame([row, row | {"predicted": 0.2}])
    section = Section("returns", "", "", "", {"All": two, "Emitted": two[:1]})
    assert list(figures(section)) == ["All"]
    assert list(figures(Section("returns", "", "", "", {"All": two, "Emitted": two}))) == [
        "All", "Emitted",
    ]  # fmt: skip
    assert figures(Section("returns", "", "", "", {"All": two[:1], "Emitted": two[:1]})) == {}


def test_no_trade_at_any_cost_draws_no_axes() -> None:
    row = {"cost": 0.001, "net": float("nan"), "low": float("nan"), "high": float("nan")}
    table = pd.DataFrame([row | {"trades": 0}, row | {"cost": 0.002, "trades": 0}])
    marks = pd.DataFrame({"who": ["this run"], "cost": [0.002]})
    tables = {"By round-trip cost": table, "Marks": marks}
    assert figures(Section("fees", "", "", "", tables)) == {}
    tables["By round-trip cost"] = table.assign(trades=[1, 0], net=[0.001, float("nan")])
    assert list(figures(Section("fees", "", "", "", tables))) == ["Net per trade and trades left"]


def test_a_missing_section_is_not_drawn() -> None:
    assert figures(Section("fees", "", "", "", missing="nothing")) == {}
