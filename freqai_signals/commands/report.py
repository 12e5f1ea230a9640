"""The subcommand ``report``: what the last backtest's signals, or live ones, were worth."""

import argparse
import shlex
import sys
import webbrowser
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from freqai_signals.commands.locations import (
    Locations,
    add_locations,
    ledger_location,
    locations,
    registry_location,
)
from freqai_signals.files import write_atomically
from freqai_signals.schema import OUTCOME_COLUMN, TRUST_COLUMN
from freqai_signals.terminal import print_json, table_console

if TYPE_CHECKING:
    from freqai_signals.report.data.backtest_record import Run
    from freqai_signals.report.data.frames import SignalFrames
    from freqai_signals.report.page.parts.page_section import Section
    from freqai_signals.sandbox.posterior.skill_share import SkillShare
    from freqai_signals.settings import SignalSettings

_TIERS: Final = ("none", "weak", "medium", "strong")
_BESIDE: Final = Path("-")
"""Stands for ``--html`` without a path: beside the record."""

_EXAMPLES: Final = """examples:
  freqai-signals report                              tables of the newest backtest
  freqai-signals report --pair BTC/USDT --tier strong
  freqai-signals report --html --open                the page, in a browser
  freqai-signals report --html report.html           the page, into this file
  freqai-signals report --live --html --open         the page of what a bot predicted live
  freqai-signals report --json | jq .page.sections[0].finding
"""


@dataclass(frozen=True)
class _Report:
    """What was read, ready to be shown."""

    sections: "list[Section]"
    title: str
    page: Path
    notes: list[str]
    facts: dict[str, Any]
    folder: str = ""


def add_report(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the subcommand ``report``."""
    parser = commands.add_parser(
        "report",
        help="quality of the last backtest's signals, or of live ones",
        description="What the signals of a backtest, or of a running bot, were worth.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_locations(parser)
    parser.add_argument(
        "--identifier", metavar="NAME",
        help="FreqAI's (default: that of --config, else of the newest backtest)",
    )  # fmt: skip
    parser.add_argument("--pair", default="", metavar="PAIR", help="only this pair, by full name")
    parser.add_argument("--tier", default="", choices=_TIERS, help="only this tier of confidence")
    parser.add_argument(
        "--html", nargs="?", type=Path, const=_BESIDE, metavar="FILE",
        help="write the page there; without FILE, beside the record as report.html",
    )  # fmt: skip
    parser.add_argument("--open", action="store_true", help="write the page and open a browser")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--schema", action="store_true", help="print the JSON's schema, no report")
    parser.add_argument(
        "--since", type=float, default=0.0, metavar="SECONDS",
        help="refuse a backtest older than this Unix time",
    )  # fmt: skip
    live = parser.add_argument_group("of a running bot")
    live.add_argument("--live", action="store_true", help="report on the ledger, not a backtest")
    live.add_argument(
        "--ledger", metavar="FILE|URL", help="default: the config's, else below --userdir"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    console = table_console()
    if arguments.schema:
        from freqai_signals.report.page.json_form import ReportJson

        print_json(ReportJson.model_json_schema())
        return 0
    _check(arguments)
    where = locations(arguments)
    found = _live(arguments, where) if arguments.live else _backtest(arguments, where)
    wanted = arguments.html or (_BESIDE if arguments.open else None)
    path = found.page if wanted == _BESIDE else wanted
    if path is not None:
        _write_page(path, found)
    if arguments.json:
        print_json(found.facts | _page_json(found))
    else:
        _print(found, console)
        if path is not None:
            console.print(f"Page: {path}", markup=False, soft_wrap=True)
    if arguments.open and path is not None and not webbrowser.open(path.resolve().as_uri()):
        sys.stderr.write(f"no browser could be started; open {path} yourself\n")
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """Refuse options that would do nothing."""
    if arguments.live:
        idle = {"--identifier": arguments.identifier, "--since": arguments.since}
    else:
        idle = {"--ledger": arguments.ledger}
    given = [name for name, value in idle.items() if value]
    if given:
        kind = "a backtest: leave out --live" if arguments.live else "a running bot: add --live"
        raise ValueError(f"{', '.join(given)} is about {kind}")


def _backtest(arguments: argparse.Namespace, where: Locations) -> _Report:
    from freqai_signals.report.data.backtest_frames import newest_folder, run_frames
    from freqai_signals.report.data.backtest_record import RecordMissing, read_run
    from freqai_signals.report.data.selection import select, select_trades
    from freqai_signals.report.model_usage import RunModels
    from freqai_signals.report.page.sections import page_sections

    identifier = arguments.identifier or (where.identifier if where.named else "")
    folder = newest_folder(where.userdir, identifier or None)
    run = read_run(folder)
    made = datetime.fromisoformat(run.facts["at"])
    if made.timestamp() < int(arguments.since):
        raise RecordMissing(
            f"the newest backtest in {folder} is of {made:%Y-%m-%d %H:%M:%S} UTC, older than the "
            "command that should have made one: it failed, see its messages above"
        )
    run = select(run, arguments.pair, arguments.tier)
    models = RunModels(where.userdir / "signals" / "models")
    with_shap = bool(arguments.html or arguments.open or arguments.json)
    frames = run_frames(run, where.userdir, folder, models, with_shap=with_shap)
    frames = select_trades(frames, arguments.tier)
    share = _captured(run)
    notes = [*_chosen(arguments), *_market_notes(run, share)]
    captured = None if share is None else {**share.__dict__, "share": share.share}
    title = f"Signal report · {folder.name} · {run.facts['timerange']}"
    sections = page_sections(frames, models, _command(arguments))
    facts = {"facts": run.facts, "captured": captured}
    return _Report(sections, title, folder / "report.html", notes, facts, str(folder))


def _live(arguments: argparse.Namespace, where: Locations) -> _Report:
    from freqai_signals.live.ledger_frames import ledger_frames
    from freqai_signals.report.data.selection import select_frames, select_trades
    from freqai_signals.report.page.sections import page_sections

    signals, settings = where.userdir / "signals", _settings(where)
    registry = registry_location(where, None)
    frames = ledger_frames(
        ledger_location(where, arguments.ledger),
        settings,
        registry if registry.is_dir() else None,
    )
    frames = select_frames(_with_trades(frames, where), arguments.pair, arguments.tier)
    frames = select_trades(frames, arguments.tier)
    notes = _chosen(arguments)
    if settings is None:
        notes.append(
            "Horizon, tiers and rules are taken to be the shipped ones, since the ledger does not "
            "store them; --config names the bot's."
        )
    sections = page_sections(frames, None, _command(arguments))
    facts = {key: value for key, value in frames.facts.items() if key != "settings"}
    page = signals / "reports" / "live" / "report.html"
    return _Report(sections, "Live signal report", page, notes, {"facts": facts})


def _with_trades(frames: "SignalFrames", where: Locations) -> "SignalFrames":
    """Frames with the trades of the bot, if its config says where freqtrade keeps them."""
    from freqai_signals.live.bot_trades import bot_trades

    url = where.config.get("db_url")
    if not url:
        return frames
    wallet = where.config.get("dry_run_wallet") if where.config.get("dry_run") else None
    balance = wallet if isinstance(wallet, int | float) else None
    try:
        trades = bot_trades(str(url))
    except ValueError as error:
        # The ledger is a report all the same; the section says why it has no trades.
        return replace(frames, facts={**frames.facts, "no_trades": f"{error}."})
    why = {"balance": balance, "no_trades": "The bot has not closed a trade yet."}
    return replace(frames, facts={**frames.facts, **why}, trades=trades)


def _settings(where: Locations) -> "SignalSettings | None":
    """The bot's settings, which the ledger does not store."""
    from freqai_signals.config import settings_from_config

    return settings_from_config(where.config) if "freqai" in where.config else None


def _chosen(arguments: argparse.Namespace) -> list[str]:
    parts = [f"pair {arguments.pair}"] if arguments.pair else []
    parts += [f"tier {arguments.tier}"] if arguments.tier else []
    return [f"Only {' and '.join(parts)}."] if parts else []


def _command(arguments: argparse.Namespace) -> str:
    """What makes the same report again from the same folder; a ledger's URL may hold a password."""
    words = ["freqai-signals report --html"]
    words += ["--live"] if arguments.live else []
    given = [("userdir", arguments.userdir), *(("config", c) for c in arguments.config or ())]
    given += [(name, getattr(arguments, name)) for name in ("identifier", "pair", "tier")]
    words += [f"--{name} {shlex.quote(str(value))}" for name, value in given if value]
    return " ".join(words)


def _write_page(path: Path, found: _Report) -> None:
    from freqai_signals.report.page.html_page import page

    if path == found.page:
        path.parent.mkdir(parents=True, exist_ok=True)
    if not path.resolve().parent.is_dir():
        raise ValueError(f"--html {path}: there is no folder {path.parent}; create it first")
    write_atomically(path, page(found.sections, found.title, found.notes).encode())


def _page_json(found: _Report) -> dict[str, Any]:
    from freqai_signals.report.page.json_form import page_json

    return {"page": page_json(found.sections, found.title, found.notes)}


def _print(found: _Report, console: Any) -> None:
    from freqai_signals.report.page.parts.overview_sections import verdict_text
    from freqai_signals.report.printing import print_report

    verdict = [*found.notes, *verdict_text(found.sections[0])]
    print_report(found.sections[1:-1], found.title, console, verdict)
    if found.folder:
        console.print(f"Rows behind this report: {found.folder}", markup=False, soft_wrap=True)


def _market_notes(run: "Run", share: "SkillShare | None") -> list[str]:
    from freqai_signals.sandbox.posterior.captured_share import open_market

    if open_market(Path(run.facts.get("datadir", ""))) is None:
        return []
    notes = ["Simulated market with a planted edge: it says nothing of what real ones pay."]
    if share is not None:
        notes.append(
            f"{share.share:.0%} of the attainable skill was captured ({share.model:.3f} of "
            f"{share.attainable:.3f}, on {share.rows:,} rows whose exact class posterior is known)."
        )
    return notes


def _captured(run: "Run") -> "SkillShare | None":
    """Share of the attainable skill, if a simulated market's own candles were predicted."""
    from freqai_signals.sandbox.exchange.timeframes import BASE_TIMEFRAME
    from freqai_signals.sandbox.posterior.captured_share import captured_share, open_market

    market = open_market(Path(run.facts.get("datadir", "")))
    if market is None or run.settings.timeframe != BASE_TIMEFRAME:
        return None
    listed = {pair: run.frames[pair] for pair in market.spec.pairs if pair in run.frames}
    rows = {
        pair: frame[(frame[TRUST_COLUMN] == 1) & frame[OUTCOME_COLUMN].notna()]
        for pair, frame in listed.items()
    }
    if not any(len(frame) for frame in rows.values()):
        return None
    return captured_share(market, rows, run.settings, float(run.facts["round_trip_cost"]))
