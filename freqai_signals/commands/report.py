"""The subcommand ``report``: quality of the last backtest's signals."""

import argparse
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from freqai_signals.report.backtest_record import RecordMissing, Run, read_run
from freqai_signals.report.model_usage import RunModels
from freqai_signals.report.printing import as_json, print_report
from freqai_signals.report.quality import known_rows
from freqai_signals.report.signal_export import signal_records, write_signals
from freqai_signals.sandbox.exchange.timeframes import BASE_TIMEFRAME
from freqai_signals.sandbox.posterior.captured_share import captured_share, open_market
from freqai_signals.sandbox.posterior.skill_share import SkillShare
from freqai_signals.settings import SignalSettings
from freqai_signals.terminal import table_console


def add_report(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the subcommand ``report``."""
    parser = commands.add_parser("report", help="quality of the last backtest's signals")
    parser.add_argument("--userdir", type=Path, default=Path("user_data"))
    parser.add_argument("--identifier", help="FreqAI identifier; default: the newest backtest")
    parser.add_argument(
        "--since", type=float, default=0.0, help="refuse a backtest older than this Unix time"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument(
        "--signals",
        type=Path,
        metavar="FILE",
        help="also write the signals there, a JSON line each",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    folder = _folder(arguments.userdir / "signals" / "reports", arguments.identifier)
    run = read_run(folder)
    made = datetime.fromisoformat(run.facts["at"])
    if made.timestamp() < int(arguments.since):
        raise RecordMissing(
            f"the newest backtest in {folder} is of {made:%Y-%m-%d %H:%M:%S} UTC, older than the "
            "command that should have made one: it failed, see its messages above"
        )
    models = RunModels(arguments.userdir / "signals" / "models")
    if arguments.signals is not None:
        _write_signals(arguments.signals, run, models)
    share = _captured(run)
    if arguments.json:
        captured = None if share is None else {**share.__dict__, "share": share.share}
        Console(soft_wrap=True).print_json(
            json.dumps(as_json(run, models) | {"captured": captured})
        )
        return 0
    console = table_console()
    print_report(run, models, console)
    if share is not None:
        console.print(
            f"Simulated market: {share.share:.0%} of the attainable skill was captured "
            f"({share.model:.3f} of {share.attainable:.3f}, on {share.rows:,} rows whose exact "
            "class posterior is known)."
        )
    console.print(f"Rows behind this report: {folder}", markup=False, soft_wrap=True)
    return 0


def _write_signals(path: Path, run: Run, models: RunModels) -> None:
    if not path.resolve().parent.is_dir():
        raise ValueError(f"--signals {path}: there is no folder {path.parent}; create it first")
    count = write_signals(path, signal_records(run, models))
    sys.stderr.write(f"{count} signals written to {path}\n")


def _captured(run: Run) -> SkillShare | None:
    """Share of the attainable skill, if a simulated market's own candles were predicted."""
    market = open_market(Path(run.facts.get("datadir", "")))
    settings = SignalSettings.model_validate(run.facts["settings"])
    if market is None or settings.timeframe != BASE_TIMEFRAME:
        return None
    listed = {pair: run.frames[pair] for pair in market.spec.pairs if pair in run.frames}
    rows = {pair: known_rows(frame) for pair, frame in listed.items()}
    if not any(len(frame) for frame in rows.values()):
        return None
    return captured_share(market, rows, settings, float(run.facts["round_trip_cost"]))


def _folder(reports: Path, identifier: str | None) -> Path:
    if identifier:
        return reports / identifier
    runs = sorted(reports.glob("*/run.json"), key=lambda file: file.stat().st_mtime)
    if not runs:
        raise RecordMissing(f"no backtest to report on in {reports}; run `make backtest` first")
    return runs[-1].parent
