"""The tables of the report on a backtest's signals, as JSON and on a terminal."""

import json
from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
from rich.console import Console
from rich.text import Text

from freqai_signals.report import quality
from freqai_signals.report.data.backtest_record import Run
from freqai_signals.report.model_usage import RunModels, group_table
from freqai_signals.report.page.parts.page_section import Section
from freqai_signals.terminal import TableColumn, print_table, utc_text

_SHARES: Final = (
    *("skill", "share", "right", "stated", "direction_right", "direction_stated"),
    *("least", "most"),
)
_RETURNS: Final = ("predicted", "realised", "standard_error")
"""Of the table of returns; the quality table counts rows under the first of these names."""

_RELIABILITY: Final = "Predicted and realised return after costs"

_LAST_KEPT: Final = (
    *("ece", "direction_auc", "move_auc", "predicted", "brier", "abstained"),
    *("last_confidence", "last_signal", "buy", "sell", "hold"),
    *("direction_right", "direction_stated", "moved", "least", "most"),
)
"""Columns that a narrow terminal can do without, the first of them the longest kept."""


def as_json(run: Run, models: RunModels) -> dict[str, Any]:
    """Every table of the report as nested dictionaries."""
    settings = run.settings
    tables = {
        "quality": quality.quality_table(run.frames),
        "tiers": quality.tier_table(run.frames, settings),
        "signals": quality.signal_table(run.frames),
        "rules": quality.rule_table(run),
        "feature_groups": group_table(run, models),
    }
    out: dict[str, Any] = {
        name: json.loads(table.to_json(orient="index")) for name, table in tables.items()
    }
    out["reliability"] = json.loads(quality.reliability(run).to_json(orient="records"))
    out["facts"] = run.facts
    return out


def print_report(
    run: Run, models: RunModels, console: Console, verdict: Sequence[str] = ()
) -> None:
    """Print the verdict and all tables, with a sentence each on how to read them.

    Parameters
    ----------
    run
        A backtest.
    models
        What is made of feature groups is left out where they are no longer there.
    console
        Of :func:`~freqai_signals.terminal.table_console`.
    verdict
        Sentences that come first.
    """
    settings = run.settings
    cost = run.facts["round_trip_cost"]
    title = (
        f"Signal report · {run.facts['timerange']} UTC · label {settings.labels.kind}, horizon "
        f"{settings.label_horizon_candles} candles · round trip costs {cost:.2%}"
    )
    console.print(Text(title, style="bold"))
    if verdict:
        console.print(Text(" ".join(verdict)))
    for ignored in run.facts.get("ignored", ()):
        _sentence(console, f"ignored: {ignored}")
    _table(console, "Signal quality per pair", quality.quality_table(run.frames), "pair")
    _sentence(
        console,
        "Scored rows lie after the training window of the model that predicted them. skill: 0 = "
        "the class prior of that window, 1 = certainty. direction_auc: .5 = a coin flip.",
    )
    still = quality.still_pairs(run.frames)
    if still:
        _sentence(
            console,
            f"{', '.join(still)}: the price never moved; left out of {quality.TOTAL!r} and below, "
            "because saying hold is no achievement there.",
        )
    _table(console, "Confidence tiers", quality.tier_table(run.frames, settings), "tier")
    _sentence(
        console,
        "right: how often the more probable direction came true, next to its stated probability; "
        "direction_*: the same among rows that moved at all.",
    )
    reliable = quality.reliability(run)
    if len(reliable):
        _table(console, _RELIABILITY, reliable, "", _RETURNS)
    groups = group_table(run, models)
    if len(groups):
        _table(console, "What the models make of each feature group", groups, "group")
        _sentence(
            console, "share: of the gain of a model's trees; mean, least and most of all models."
        )
    _table(console, "Signals emitted", quality.signal_table(run.frames), "pair")
    _table(console, "What each rule removed", quality.rule_table(run), "rule")
    sentence = str(quality.break_even(run))
    _sentence(console, sentence[0].upper() + sentence[1:] + ".")


def print_findings(
    sections: Sequence[Section], console: Console, verdict: Sequence[str] = ()
) -> None:
    """Print the verdict, then what each section of the page found."""
    console.print(Text(" ".join(verdict)))
    columns = [TableColumn("section", keep_whole=True), TableColumn("finding")]
    rows = [{"section": section.key, "finding": section.finding} for section in sections]
    print_table("Findings", rows, console, columns)


def _sentence(console: Console, text: str) -> None:
    console.print(Text(text))


def _table(
    console: Console,
    title: str,
    frame: pd.DataFrame,
    index: str,
    returns: tuple[str, ...] = (),
) -> None:
    names = [str(name) for name in frame.columns]
    columns = [TableColumn(index, keep_whole=True)] if index else []
    columns += [TableColumn(name, _priority(name), is_number=True) for name in names]
    rows = []
    for label, row in frame.iterrows():
        cells = {name: _cell(row[name], name in returns, name in _SHARES) for name in names}
        if cells.get("last_time", "-") != "-":
            cells["last_time"] = utc_text(str(row["last_time"]))
        rows.append(({index: str(label)} if index else {}) | cells)
    print_table(title, rows, console, columns)


def _priority(name: str) -> int:
    return _LAST_KEPT.index(name) + 1 if name in _LAST_KEPT else 0


def _cell(value: Any, is_return: bool, is_share: bool) -> str:
    if pd.isna(value) or value == "":
        return "-"
    if isinstance(value, str):
        return value
    if is_return:
        return f"{value:+.3%}"
    if is_share:
        return f"{value:.3f}"
    return f"{int(value):,}" if float(value).is_integer() else f"{value:.4f}"
