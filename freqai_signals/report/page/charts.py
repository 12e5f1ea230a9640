"""The few kinds of drawing that the page is made of, in one palette."""

from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

# Okabe and Ito's colours that keep a contrast of 3 on white and on near black.
BLUE: Final = "#0072B2"
VERMILION: Final = "#D55E00"
GREEN: Final = "#009E73"
PURPLE: Final = "#CC79A7"
GREY: Final = "#808080"

WHISKER: Final = {"thickness": 1.5, "color": GREY}
"""Error bars; plotly's own colour would vanish on dark paper."""

CLASS_COLOURS: Final = {"sell": VERMILION, "hold": GREY, "buy": BLUE}
_SEQUENTIAL: Final = "Cividis"
_DIVERGING: Final = [[0.0, VERMILION], [0.5, "#8c8c8c"], [1.0, BLUE]]


def figure(height: int = 320, x: str = "", y: str = "", **layout: Any) -> go.Figure:
    """An empty figure; text and grid get their colours from the page's theme."""
    drawn = go.Figure()
    style(drawn, height, **layout)
    drawn.update_xaxes(title_text=x)
    drawn.update_yaxes(title_text=y)
    return drawn


def style(drawn: go.Figure, height: int, **layout: Any) -> None:
    """What all figures have in common."""
    drawn.update_layout(
        template="none",
        height=height,
        margin={"l": 56, "r": 12, "t": 28, "b": 44},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0.0},
        hovermode="closest",
        **layout,
    )
    drawn.update_xaxes(automargin=True, zeroline=False)
    drawn.update_yaxes(automargin=True, zeroline=False)


def band(drawn: go.Figure, x: Any, table: pd.DataFrame, colour: str, **place: Any) -> None:
    """The interval between ``low`` and ``high`` as an area; nothing where it is not known."""
    known = table["low"].notna() & table["high"].notna()
    if not known.any():
        return
    x = pd.Series(x).reset_index(drop=True)[known.to_numpy()]
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    drawn.add_scatter(x=x, y=table["high"][known], **edge, **place)
    drawn.add_scatter(
        x=x, y=table["low"][known], fill="tonexty", fillcolor=faint(colour), **edge, **place
    )


def faint(colour: str, share: float = 0.2) -> str:
    """A colour of which little is left, for areas.

    Examples
    --------
    >>> faint("#0072B2")
    'rgba(0,114,178,0.2)'
    """
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share})"


def reliability(table: pd.DataFrame, colour: str, raw: pd.DataFrame | None = None) -> go.Figure:
    """Happened over stated with its band and the diagonal, above a histogram of rows."""
    drawn = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.78, 0.22], vertical_spacing=0.04
    )
    style(drawn, 380)
    top = {"row": 1, "col": 1}
    dashes = {"color": GREY, "dash": "dot", "width": 1}
    drawn.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line=dashes, name="right", hoverinfo="skip", **top
    )
    band(drawn, table["stated"], table, colour, **top)
    if raw is not None and len(raw):
        drawn.add_scatter(
            x=raw["stated"], y=raw["happened"], mode="lines", name="before calibration",
            line={"color": PURPLE, "dash": "dash", "width": 1.5}, **top,
        )  # fmt: skip
    drawn.add_scatter(
        x=table["stated"], y=table["happened"], mode="lines+markers", name="calibrated",
        line={"color": colour}, customdata=table["rows"],
        hovertemplate="stated %{x:.1%}, happened %{y:.1%}, %{customdata:,} rows", **top,
    )  # fmt: skip
    drawn.add_bar(
        x=table["stated"], y=table["rows"], width=0.03, marker_color=faint(colour, 0.6),
        showlegend=False, hovertemplate="%{y:,} rows at %{x:.1%}", row=2, col=1,
    )  # fmt: skip
    drawn.update_xaxes(range=[0, 1], tickformat=".0%", dtick=0.2)
    drawn.update_xaxes(title_text="stated", row=2, col=1)
    drawn.update_yaxes(range=[0, 1], tickformat=".0%", dtick=0.2, title_text="happened", **top)
    drawn.update_yaxes(title_text="rows", nticks=3, row=2, col=1)
    return drawn


def heatmap(
    wide: pd.DataFrame, index: str, number: str = ".0%", *, text: bool = False, sign: bool = False
) -> go.Figure:
    """A wide table as colours: a row of it is a column of the map if ``index`` is a time."""
    table = wide.set_index(index)
    over_time = pd.api.types.is_datetime64_any_dtype(table.index)
    if over_time and len(table) < 2:
        # One day has no width on an axis of time.
        table.index = pd.Index([f"{day:%Y-%m-%d}" for day in table.index])
    if over_time:
        table = table.T
        over_time = table.shape[1] > 1
    height = 140 + 22 * len(table)
    values = table.to_numpy(dtype=float)
    drawn = figure(height=max(height, 220))
    drawn.add_heatmap(
        x=list(table.columns) if over_time else [str(name) for name in table.columns],
        y=[str(name) for name in table.index],
        z=values,
        colorscale=_DIVERGING if sign else _SEQUENTIAL,
        zmid=0 if sign else None,
        zmin=None if sign else 0,
        # With a floor, or a table of tiny numbers would be drawn in the brightest colours.
        zmax=None
        if sign
        else max(float(np.nanmax(values)) if np.isfinite(values).any() else 0, 0.1),
        colorbar={"tickformat": number, "thickness": 10, "outlinewidth": 0},
        texttemplate=f"%{{z:{number}}}" if text else None,
        hovertemplate=f"%{{y}}, %{{x}}: %{{z:{number}}}<extra></extra>",
        xgap=1 if table.shape[1] < 40 else 0,
        ygap=1,
    )
    drawn.update_xaxes(type="date" if over_time else "category", showgrid=False)
    # plotly draws the first row at the bottom.
    drawn.update_yaxes(type="category", autorange="reversed", showgrid=False)
    return drawn


def whiskers(table: pd.DataFrame, value: str) -> dict[str, Any]:
    """Error bars to ``low`` and ``high``; none where they are not known."""
    return {
        "type": "data",
        "symmetric": False,
        "array": (table["high"] - table[value]).fillna(0.0),
        "arrayminus": (table[value] - table["low"]).fillna(0.0),
        **WHISKER,
    }


def mark(drawn: go.Figure, x: Any, text: str, colour: str = GREY, **place: Any) -> None:
    """A vertical line with a name."""
    drawn.add_vline(
        x=x, line={"color": colour, "dash": "dash", "width": 1}, annotation_text=text,
        annotation_font_size=11, annotation_textangle=-90, annotation_position="top left", **place,
    )  # fmt: skip
