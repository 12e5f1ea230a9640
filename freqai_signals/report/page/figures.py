"""Drawings of the sections, made from their tables alone."""

import math
from collections.abc import Callable, Mapping
from typing import Final

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from freqai_signals.report.page import run_figures
from freqai_signals.report.page.charts import (
    BLUE,
    CLASS_COLOURS,
    GREEN,
    GREY,
    PURPLE,
    VERMILION,
    band,
    faint,
    figure,
    heatmap,
    mark,
    reliability,
    style,
    whiskers,
)
from freqai_signals.report.page.parts.page_section import Section

Tables = Mapping[str, pd.DataFrame]
Drawn = dict[str, go.Figure]

_CONFIDENCES: Final = (0.0, 0.5, 0.75, 0.9, 0.97, 0.99, 0.995)


def figures(section: Section) -> Drawn:
    """Caption to figure; none for a section that is read rather than looked at."""
    draw = _DRAW.get(section.key)
    return {} if section.missing or draw is None else draw(section.tables)


def _reliability(tables: Tables) -> Drawn:
    table = tables["Reliability of classes"]
    drawn = {}
    for name, colour in CLASS_COLOURS.items():
        mine = table[table["class"] == name]
        kinds = [
            mine[mine["probability"] == kind].reset_index(drop=True)
            for kind in ("calibrated", "raw")
        ]
        drawn[name.capitalize()] = reliability(kinds[0], colour, kinds[1])
    return drawn


def _direction(tables: Tables) -> Drawn:
    return {"Buy, given a move": reliability(tables["Reliability of direction"], GREEN)}


def _skill(tables: Tables) -> Drawn:
    over_time, by_pair, _ = tables.values()
    word = str(over_time.columns[0])
    time = figure(x=word, y="skill")
    band(time, over_time[word], over_time, BLUE)
    time.add_scatter(
        x=over_time[word], y=over_time["skill"], mode="lines+markers", name="over the prior",
        line_color=BLUE,
    )  # fmt: skip
    time.add_scatter(
        x=over_time[word], y=over_time["over climatology"], mode="lines", name="over climatology",
        line={"color": VERMILION, "dash": "dash"},
    )  # fmt: skip
    pairs = figure(height=120 + 26 * len(by_pair), x="skill")
    pairs.add_scatter(
        x=by_pair["skill"], y=by_pair["pair"], mode="markers", error_x=whiskers(by_pair, "skill"),
        name="over the prior", marker={"color": BLUE, "size": 9},
    )  # fmt: skip
    pairs.add_scatter(
        x=by_pair["over climatology"], y=by_pair["pair"], mode="markers", name="over climatology",
        marker={"color": VERMILION, "size": 8, "symbol": "diamond-open"},
    )  # fmt: skip
    pairs.update_yaxes(type="category", autorange="reversed")
    for drawn, axis in ((time, "y"), (pairs, "x")):
        drawn.update_layout({f"{axis}axis": {"tickformat": ".1%", "rangemode": "tozero"}})
    return {"Over time": time, "By pair": pairs}


def _tiers(tables: Tables) -> Drawn:
    tiers = tables["Tiers"][tables["Tiers"]["rows"] > 0]
    dots = figure(y="share")
    dots.add_scatter(
        x=tiers["tier"], y=tiers["right"], mode="markers", error_y=whiskers(tiers, "right"),
        name="right", marker={"color": BLUE, "size": 11},
    )  # fmt: skip
    dots.add_scatter(
        x=tiers["tier"], y=tiers["stated"], mode="markers", name="stated",
        marker={"color": VERMILION, "size": 10, "symbol": "diamond-open"},
    )  # fmt: skip
    dots.update_yaxes(tickformat=".0%")
    dots.update_xaxes(type="category")
    curve = tables["Precision and coverage by confidence"]
    curve = curve[(curve["rows"] > 0) & (curve["confidence"] < 1)]
    # The upper tail is what is traded: it gets the room.
    curve = curve.assign(rest=1.0 - curve["confidence"])
    line = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.06)
    style(line, 380)
    band(line, curve["rest"], curve, BLUE, row=1, col=1)
    line.add_scatter(
        x=curve["rest"], y=curve["right"], mode="lines+markers", name="precision",
        line_color=BLUE, row=1, col=1,
    )  # fmt: skip
    line.add_scatter(
        x=curve["rest"], y=curve["coverage"], mode="lines+markers", name="coverage",
        line_color=GREEN, row=2, col=1,
    )  # fmt: skip
    line.update_yaxes(tickformat=".0%")
    line.update_yaxes(title_text="right", row=1)
    line.update_yaxes(title_text="rows", type="log", row=2)
    line.update_xaxes(
        type="log", autorange="reversed", tickvals=[1.0 - value for value in _CONFIDENCES],
        ticktext=[f"{value * 100:g} %" for value in _CONFIDENCES],
    )  # fmt: skip
    line.update_xaxes(title_text="confidence at least", row=2)
    for name, limit in tables["Thresholds"].itertuples(index=False):
        # At a confidence of 1 nothing is left, and a logarithmic axis has no 0.
        if limit < 1:
            line.add_vline(x=1.0 - limit, line={"color": GREY, "dash": "dash", "width": 1})
            line.add_annotation(
                # On a logarithmic axis plotly places annotations by the exponent, lines by the
                # value.
                x=math.log10(1.0 - limit), y=1, yref="y domain", text=name, showarrow=False,
                xanchor="right", yanchor="top", font_size=11,
            )  # fmt: skip
    return {"Right against stated": dots, "Precision and coverage": line}


def _returns(tables: Tables) -> Drawn:
    drawn: Drawn = {}
    for (name, table), colour in zip(tables.items(), (BLUE, GREEN), strict=False):
        # One point has no scale; the table says it.
        if len(table) < 2:
            continue
        plot = figure(x="predicted net return", y="realised net return")
        ends = [table["predicted"].min(), table["predicted"].max()]
        plot.add_scatter(
            x=ends, y=ends, mode="lines", name="right", hoverinfo="skip",
            line={"color": GREY, "dash": "dot", "width": 1},
        )  # fmt: skip
        plot.add_scatter(
            x=table["predicted"], y=table["realised"], mode="markers", name="mean of a bin",
            error_y=whiskers(table, "realised"), marker={"color": colour, "size": 9},
            customdata=table["rows"],
            hovertemplate="predicted %{x:.3%}, realised %{y:.3%}, %{customdata:,} rows",
        )  # fmt: skip
        plot.update_xaxes(tickformat="+.2%")
        plot.update_yaxes(tickformat="+.2%")
        drawn[name] = plot
    return drawn


def _fees(tables: Tables) -> Drawn:
    table, marks = tables["By round-trip cost"], tables["Marks"]
    if not table["trades"].any():
        return {}
    plot = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.65, 0.35], vertical_spacing=0.06
    )
    style(plot, 420)
    band(plot, table["cost"], table, BLUE, row=1, col=1)
    plot.add_scatter(
        x=table["cost"], y=table["net"], mode="lines+markers", name="net per trade",
        line_color=BLUE, row=1, col=1,
    )  # fmt: skip
    plot.add_hline(y=0, line={"color": GREY, "width": 1}, row=1, col=1)
    plot.add_bar(
        x=table["cost"], y=table["trades"], name="trades left", marker_color=faint(GREEN, 0.7),
        row=2, col=1,
    )  # fmt: skip
    for cost, names in marks.groupby("cost")["who"]:
        colour = VERMILION if "this run" in set(names) else GREY
        mark(plot, cost, ", ".join(names), colour, row=1, col=1)
    plot.update_yaxes(title_text="net return", tickformat="+.2%", row=1)
    plot.update_yaxes(title_text="trades", rangemode="tozero", row=2)
    plot.update_xaxes(tickformat=".2%")
    plot.update_xaxes(title_text="round-trip cost", row=2)
    return {"Net per trade and trades left": plot}


def _rules(tables: Tables) -> Drawn:
    table = tables["Rules"]
    # All predictions: those that a rule removed, and those that are left.
    start = int(table["removed"].sum() + table["left"].iloc[-1])
    names = ["predictions", *("after " + table["rule"].iloc[:-1]), "emitted"]
    left = [start, *table["left"].iloc[:-1], table["left"].iloc[-1]]
    plot = figure(height=120 + 44 * len(names))
    plot.add_funnel(
        y=names, x=left, marker_color=[BLUE] * (len(names) - 1) + [GREEN],
        texttemplate="%{percentInitial:.1%}", textposition="auto", cliponaxis=False,
        hovertemplate="%{y}: %{x:,} left<extra></extra>", connector={"fillcolor": faint(BLUE)},
    )  # fmt: skip
    plot.update_xaxes(visible=False)
    return {"Predictions left after each rule": plot}


def _move(tables: Tables) -> Drawn:
    _, stated, share = tables.values()
    return {
        "Share that moved, by hour (UTC)": heatmap(share, "P(move)"),
        "Reliability of P(move)": reliability(stated, GREEN),
    }


def _classes(tables: Tables) -> Drawn:
    matrix, by_time = tables.values()
    shown = matrix.drop(columns="rows")
    shown.columns = [str(name).removeprefix("predicted ") for name in shown.columns]
    confusion = heatmap(shown, "happened as", text=True)
    confusion.update_xaxes(title_text="predicted")
    confusion.update_yaxes(title_text="happened")
    word = str(by_time.columns[0])
    area = figure(x=word, y="share")
    for name, colour in CLASS_COLOURS.items():
        area.add_scatter(
            x=by_time[word], y=by_time[f"{name} happened"], stackgroup="happened", mode="lines",
            name=name, line={"color": colour, "width": 0.5}, fillcolor=faint(colour, 0.6),
        )  # fmt: skip
    stated = by_time[[f"{name} stated" for name in CLASS_COLOURS]].cumsum(axis=1)
    # The last cumulated share is 1 throughout.
    for name in list(stated.columns)[:-1]:
        area.add_scatter(
            x=by_time[word], y=stated[name], mode="lines", name="as stated",
            showlegend=name == "sell stated",
            line={"color": PURPLE, "dash": "dash", "width": 2},
        )  # fmt: skip
    area.update_yaxes(tickformat=".0%", range=[0, 1])
    return {"Confusion": confusion, "Class shares": area}


_DRAW: Final[dict[str, Callable[[Tables], Drawn]]] = {
    "reliability": _reliability,
    "direction": _direction,
    "skill": _skill,
    "tiers": _tiers,
    "returns": _returns,
    "fees": _fees,
    "rules": _rules,
    "move": _move,
    "classes": _classes,
    "trades": run_figures.draw_trades,
    "features": run_figures.draw_features,
    "models": run_figures.draw_timeline,
    "drift": run_figures.draw_wide(".2f"),
    "luck": run_figures.draw_luck,
    "gaps": run_figures.draw_wide(".1%"),
}
