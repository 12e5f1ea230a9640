"""The tables of the report on a backtest's signals, as JSON and on a terminal."""

import json
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from freqai_signals.report import quality
from freqai_signals.report.backtest_record import Run
from freqai_signals.report.model_usage import RunModels, group_table
from freqai_signals.settings import SignalSettings

_SHARES = (
    *("skill", "share", "right", "stated", "direction_right", "direction_stated"),
    *("least", "most"),
)
_RETURNS = ("predicted", "realised", "standard_error")
"""Of the table of returns; the quality table counts rows under the first of these names."""
_RELIABILITY = "Predicted and realised return after costs"


def as_json(run: Run, models: RunModels) -> dict[str, Any]:
    """Every table of the report as nested dictionaries."""
    settings = SignalSettings.model_validate(run.facts["settings"])
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


def print_report(run: Run, models: RunModels, console: Console) -> None:
    """Print all tables, with a sentence each on how to read them."""
    settings = SignalSettings.model_validate(run.facts["settings"])
    cost = run.facts["round_trip_cost"]
    console.print(
        f"\n[bold]Signal report[/bold] · {run.facts['timerange']} · label "
        f"{settings.labels.kind}, horizon {settings.label_horizon_candles} candles · round trip "
        f"costs {cost:.2%}"
    )
    console.print(_table("Signal quality per pair", quality.quality_table(run.frames), "pair"))
    console.print(
        "Scored rows lie after the training window of the model that predicted them. skill: 0 = "
        "the class prior of that window, 1 = certainty. direction_auc: .5 = a coin flip."
    )
    still = quality.still_pairs(run.frames)
    if still:
        console.print(
            f"{', '.join(still)}: the price never moved; left out of {quality.TOTAL!r} and below, "
            "because saying hold is no achievement there."
        )
    tiers = quality.tier_table(run.frames, settings)
    console.print(_table("Confidence tiers", tiers, "tier"))
    console.print(
        "right: how often the more probable direction came true, next to its stated probability; "
        "direction_*: the same among rows that moved at all."
    )
    reliable = quality.reliability(run)
    if len(reliable):
        console.print(_table(_RELIABILITY, reliable, "", _RETURNS))
    groups = group_table(run, models)
    if len(groups):
        console.print(_table("What the models make of each feature group", groups, "group"))
        console.print("share: of the gain of a model's trees; mean, least and most of all models.")
    console.print(_table("Signals emitted", quality.signal_table(run.frames), "pair"))
    console.print(_table("What each rule removed", quality.rule_table(run), "rule"))
    sentence = str(quality.break_even(run))
    console.print(sentence[0].upper() + sentence[1:] + ".")


def _table(title: str, frame: pd.DataFrame, index: str, returns: tuple[str, ...] = ()) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    if index:
        table.add_column(index)
    for name in frame.columns:
        table.add_column(str(name), justify="right")
    for label, row in frame.iterrows():
        cells = [
            _cell(row[name], name in returns, name in _SHARES) for name in map(str, frame.columns)
        ]
        table.add_row(*([str(label)] if index else []), *cells)
    return table


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
