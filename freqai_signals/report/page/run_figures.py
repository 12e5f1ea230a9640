"""Drawings of trades, models, drift, luck and gaps, made from the sections' tables alone."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from freqai_signals.report.page.charts import (
    BLUE,
    GREEN,
    GREY,
    PURPLE,
    VERMILION,
    WHISKER,
    faint,
    figure,
    heatmap,
    style,
)

Tables = Mapping[str, pd.DataFrame]
Drawn = dict[str, go.Figure]


def draw_trades(tables: Tables) -> Drawn:
    """Equity against the market and under water; where it came from; months."""
    equity, groups, months = tables.values()
    lines = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.7, 0.3], vertical_spacing=0.05
    )
    style(lines, 400)
    for name, colour, dash in (("wallet", BLUE, "solid"), ("buy and hold", GREY, "dash")):
        lines.add_scatter(
            x=equity["date"], y=equity[name], mode="lines", name=name,
            line={"color": colour, "dash": dash}, row=1, col=1,
        )  # fmt: skip
    lines.add_scatter(
        x=equity["date"], y=equity["under water"], mode="lines", name="under water",
        line={"color": VERMILION, "width": 1}, fill="tozeroy", fillcolor=faint(VERMILION, 0.35),
        row=2, col=1,
    )  # fmt: skip
    lines.update_yaxes(tickformat="+.0%", row=1)
    lines.update_yaxes(tickformat=".1%", row=2)
    names = groups["by"] + " · " + groups["group"]
    bars = figure(height=130 + 24 * len(groups), x="net return per trade")
    bars.add_bar(
        x=groups["net"], y=names, orientation="h", name="net per trade",
        marker_color=[BLUE if value >= 0 else VERMILION for value in groups["net"]],
        # 95 % of a normal error.
        error_x={"type": "data", "array": (1.96 * groups["error"]).fillna(0.0), **WHISKER},
        customdata=groups[["trades"]], showlegend=False,
        hovertemplate="%{y}: %{x:+.3%} each, %{customdata[0]:,} trades<extra></extra>",
    )  # fmt: skip
    bars.update_xaxes(tickformat="+.2%")
    bars.update_yaxes(type="category", autorange="reversed")
    return {
        "Wallet after fees": lines,
        "Net per trade": bars,
        "Months": heatmap(months, "year", "+.1%", text=True, sign=True),
    }


def draw_features(tables: Tables) -> Drawn:
    """Shares of gain and SHAP with their range over models."""
    table = tables["Feature groups"]
    bars = figure(height=140 + 40 * len(table), x="share", barmode="group")
    for kind, colour in (("gain", BLUE), ("shap", GREEN)):
        if kind not in table:
            continue
        bars.add_bar(
            x=table[kind], y=table["group"], orientation="h", name=kind.replace("shap", "SHAP"),
            marker_color=colour,
            error_x={
                "type": "data", "symmetric": False, "array": table[f"{kind} most"] - table[kind],
                "arrayminus": table[kind] - table[f"{kind} least"], **WHISKER,
            },
        )  # fmt: skip
    bars.update_xaxes(tickformat=".0%", rangemode="tozero")
    bars.update_yaxes(type="category", autorange="reversed")
    return {"Share by feature group": bars}


def draw_timeline(tables: Tables) -> Drawn:
    """A bar in time per model, events as marks."""
    models = tables["Models"].dropna(subset="first_used")
    bars = figure(height=min(150 + 24 * len(models), 900))
    refused = models["verdict"].astype(str).str.startswith("refuse")
    for model, bad in zip(models.itertuples(), refused, strict=True):
        bars.add_scatter(
            x=[model.first_used, model.last_used], y=[model.model_version] * 2, mode="lines",
            line={"width": 10, "color": VERMILION if bad else BLUE}, showlegend=False,
            hovertemplate=f"{model.model_version}: %{{x}}<extra></extra>",
        )  # fmt: skip
    bars.add_scatter(
        x=models["trained_until"], y=models["model_version"], mode="markers", name="trained until",
        marker={"color": GREEN, "symbol": "diamond", "size": 9},
    )  # fmt: skip
    events = tables.get("Events")
    if events is not None and len(models):
        # An event of no model in the picture gets a row of its own.
        rows = events["subject"].where(events["subject"].isin(models["model_version"]), "events")
        bars.add_scatter(
            x=events["date"], y=rows, mode="markers",
            name="event", text=events["what"] + " " + events["subject"],
            marker={"color": PURPLE, "symbol": "triangle-down", "size": 9},
        )  # fmt: skip
    bars.update_yaxes(type="category", autorange="reversed")
    bars.update_xaxes(type="date")
    return {"Models in time": bars}


def draw_wide(number: str) -> Any:
    """A drawing of a wide table over time, the last of a section's tables."""

    def draw(tables: Tables) -> Drawn:
        name, table = list(tables.items())[-1]
        index = str(table.columns[0])
        sign = bool((table.drop(columns=index) < 0).any(axis=None))
        return {name: heatmap(table, index, number, sign=sign)}

    return draw


def draw_luck(tables: Tables) -> Drawn:
    """Histogram of logits, where there is one."""
    table = tables.get("Logits of the out-of-sample rank")
    if table is None:
        return {}
    bars = figure(height=260, x="logit of the rank in the other half", y="splits")
    bars.add_bar(
        x=table["logit"], y=table["splits"], showlegend=False,
        marker_color=[VERMILION if value < 0 else BLUE for value in table["logit"]],
    )  # fmt: skip
    bars.add_vline(x=0, line={"color": GREY, "dash": "dash", "width": 1})
    return {"Where the pick came out in the other half": bars}
