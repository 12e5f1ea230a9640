"""The report on a backtest's signals, printed after it and by ``freqai-signals report``."""

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from freqai_signals.evaluation import quality
from freqai_signals.evaluation.backtest_record import RecordMissing, Run, read_run
from freqai_signals.settings import SignalSettings

_SHARES = ("skill", "share", "right", "stated", "direction_right", "direction_stated")
_RETURNS = ("predicted", "realised", "standard_error")


def add_report(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the subcommand ``report``."""
    parser = commands.add_parser("report", help="quality of the last backtest's signals")
    parser.add_argument("--userdir", type=Path, default=Path("user_data"))
    parser.add_argument("--identifier", help="FreqAI identifier; default: the newest backtest")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    folder = _folder(arguments.userdir / "signals" / "reports", arguments.identifier)
    run = read_run(folder)
    if arguments.json:
        print(json.dumps(as_json(run), indent=1))
    else:
        print_report(run, _console())
        print(f"Rows behind this report: {folder}")
    return 0


def _console() -> Console:
    """The terminal as it is; into a file or pipe, wide enough for every table."""
    console = Console()
    return console if console.is_terminal else Console(width=160)


def _folder(reports: Path, identifier: str | None) -> Path:
    if identifier:
        return reports / identifier
    runs = sorted(reports.glob("*/run.json"), key=lambda file: file.stat().st_mtime)
    if not runs:
        raise RecordMissing(f"no backtest to report on in {reports}; run `make backtest` first")
    return runs[-1].parent


def as_json(run: Run) -> dict[str, Any]:
    """Every table of the report as nested dictionaries."""
    settings = SignalSettings.model_validate(run.facts["settings"])
    tables = {
        "quality": quality.quality_table(run.frames),
        "tiers": quality.tier_table(run.frames, settings),
        "rules": quality.rule_table(run),
    }
    out: dict[str, Any] = {
        name: json.loads(table.to_json(orient="index")) for name, table in tables.items()
    }
    out["reliability"] = json.loads(quality.reliability(run).to_json(orient="records"))
    out["facts"] = run.facts
    return out


def print_report(run: Run, console: Console) -> None:
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
    tiers = quality.tier_table(run.frames, settings)
    console.print(_table("Confidence tiers", tiers, "tier"))
    console.print(
        "right: how often the more probable direction came true, next to its stated probability; "
        "direction_*: the same among rows that moved at all."
    )
    reliable = quality.reliability(run)
    if len(reliable):
        console.print(_table("Predicted and realised return after costs", reliable, ""))
    console.print(_table("What each rule removed", quality.rule_table(run), "rule"))
    sentence = str(quality.break_even(run))
    console.print(sentence[0].upper() + sentence[1:] + ".")


def _table(title: str, frame: pd.DataFrame, index: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    if index:
        table.add_column(index)
    for name in frame.columns:
        table.add_column(str(name), justify="right")
    for label, row in frame.iterrows():
        cells = [_cell(str(name), row[name]) for name in frame.columns]
        table.add_row(*([str(label)] if index else []), *cells)
    return table


def _cell(name: str, value: Any) -> str:
    if pd.isna(value):
        return "-"
    if name in _RETURNS and abs(value) < 1:
        return f"{value:+.3%}"
    if name in _SHARES:
        return f"{value:.3f}"
    return f"{int(value):,}" if float(value).is_integer() else f"{value:.4f}"
