"""The subcommand ``status``: is the bot alive, what serves, levels, open problems."""

import argparse
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from freqai_signals.commands.locations import (
    Locations,
    add_locations,
    ledger_location,
    locations,
    registry_location,
)

_FEW_EVENTS: Final = 5
_ALL_EVENTS: Final = 30

_EXAMPLES: Final = """examples:
  freqai-signals status                        one screen, of the bot in ./user_data
  freqai-signals status --watch 30             the same, every 30 seconds until Ctrl-C
  freqai-signals status --check                for a monitor: one line, exit status 0, 1 or 2
  freqai-signals status --details --days 30    the tables behind it
  freqai-signals status --json | jq .problems
"""


def add_status(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add ``status``: is the bot alive, what serves, levels, open problems."""
    parser = commands.add_parser(
        "status",
        help="is the bot alive, what serves, levels, open problems",
        description="Shows on one screen whether the bot is alive, what serves and how good it is, "
        "the level of each pair with cause and consequence, and open problems. Also of a bot that "
        "is dead or hung. Writes nothing.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_locations(parser)
    parser.add_argument(
        "--ledger",
        metavar="FILE|URL",
        help="SQLite file or SQLAlchemy URL (default: the config's, else below --userdir)",
    )
    parser.add_argument(
        "--registry", type=Path, metavar="DIR", help="default: the config's, else below --userdir"
    )
    parser.add_argument(
        "--days",
        type=float,
        default=7.0,
        help="span of live quality, back from the newest candle (default: 7)",
    )
    parser.add_argument(
        "--events", type=int, help="newest events shown (default: 5, with --json or --details 30)"
    )
    parser.add_argument(
        "--details", action="store_true", help="also signals, live quality, decisions, roots"
    )
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print JSON")
    shown.add_argument(
        "--check",
        action="store_true",
        help="print open problems only; exit status 0: well, 1: warning, 2: critical, or the "
        "ledger cannot be read",
    )
    shown.add_argument(
        "--watch",
        type=float,
        nargs="?",
        const=10.0,
        metavar="SECONDS",
        help="show it again and again, until Ctrl-C (default: every 10)",
    )
    parser.set_defaults(run=_run, usage_error=parser.error)


def _run(arguments: argparse.Namespace) -> int:
    from freqai_signals.live.status.screen import print_check, print_details, print_screen
    from freqai_signals.terminal import print_json, table_console, time_text

    if arguments.watch is not None and arguments.watch < 1:
        arguments.usage_error(f"--watch must be at least 1 second, got {arguments.watch:g}")
    where = locations(arguments)
    found = _found(arguments, where)
    if arguments.json:
        print_json(found)
        return 0
    if arguments.check:
        return print_check(found)
    while True:
        if arguments.watch is not None:
            table_console().clear()
        print_screen(found)
        if arguments.details:
            print_details(found)
        if arguments.watch is None:
            return 0
        while True:
            time.sleep(arguments.watch)
            try:
                found = _found(arguments, where)
                break
            # Whoever watches wants to see the end of a trouble too.
            except (ValueError, OSError) as error:
                table_console().print(f"{time_text(int(time.time()))}: {error}", markup=False)


def _found(arguments: argparse.Namespace, where: Locations) -> dict[str, Any]:
    from sqlalchemy.exc import SQLAlchemyError

    from freqai_signals.ledger.damage import sqlite_file
    from freqai_signals.ledger.ledger import Ledger
    from freqai_signals.live.bot_status import status
    from freqai_signals.settings import DriftSettings

    registry = registry_location(where, arguments.registry)
    url = ledger_location(where, arguments.ledger)
    file = sqlite_file(url)
    beside = [where.userdir / "signals", *([file.parent] if file is not None else [])]
    drift = DriftSettings.model_validate(where.section("drift"))
    events = arguments.events
    if events is None:
        events = _ALL_EVENTS if arguments.json or arguments.details else _FEW_EVENTS
    try:
        with closing(Ledger(url, read_only=True)) as ledger:
            return status(ledger, registry, arguments.days, events, beside, drift)
    except SQLAlchemyError as error:
        raise ValueError(f"the ledger cannot be read: {str(error).splitlines()[0]}") from error
