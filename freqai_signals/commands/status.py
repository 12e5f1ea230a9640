"""The subcommand ``status``: serving model, live quality, open problems."""

import argparse
from contextlib import closing
from pathlib import Path
from typing import Any

from freqai_signals.commands.locations import (
    add_locations,
    ledger_location,
    locations,
    registry_location,
)


def add_status(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add ``status``: serving model, live quality, open problems."""
    parser = commands.add_parser(
        "status",
        help="serving models, levels and live quality from the ledger",
        description="Shows serving models, the level of each pair, live quality and the history. "
        "Writes nothing.",
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
        help="span evaluated, back from the newest candle (default: 7)",
    )
    parser.add_argument(
        "--events", type=int, default=30, help="newest events of the history (default: 30)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from sqlalchemy.exc import SQLAlchemyError

    from freqai_signals.ledger.damage import sqlite_file
    from freqai_signals.ledger.ledger import Ledger
    from freqai_signals.live.bot_status import print_status, status
    from freqai_signals.terminal import print_json

    where = locations(arguments)
    registry = registry_location(where, arguments.registry)
    url = ledger_location(where, arguments.ledger)
    file = sqlite_file(url)
    beside = [where.userdir / "signals", *([file.parent] if file is not None else [])]
    try:
        with closing(Ledger(url, read_only=True)) as ledger:
            found = status(ledger, registry, arguments.days, arguments.events, beside)
    except SQLAlchemyError as error:
        raise ValueError(f"the ledger cannot be read: {str(error).splitlines()[0]}") from error
    if arguments.json:
        print_json(found)
    else:
        print_status(found)
    return 0
