"""Subcommand of this room: ``status``."""

import argparse
import json
from pathlib import Path
from typing import Any

from freqai_signals.commands.locations import add_locations, locations


def add_status(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add ``status``: who speaks, how good it has been, what is wrong."""
    parser = commands.add_parser(
        "status",
        help="serving models, levels and live quality from the ledger",
        description="Shows which models serve, the level of each pair, and live quality.",
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
        help="span judged, back from the newest candle (default: 7)",
    )
    parser.add_argument(
        "--events", type=int, default=30, help="newest events of the history (default: 30)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from sqlalchemy.exc import SQLAlchemyError

    from freqai_signals.ledger.database import ledger_url
    from freqai_signals.ledger.ledger import Ledger
    from freqai_signals.live.bot_status import print_status, status
    from freqai_signals.registry.registry import registry_folder
    from freqai_signals.settings import LedgerSettings, RegistrySettings
    from freqai_signals.terminal import table_console

    where = locations(arguments)
    ledgers = LedgerSettings.model_validate(where.section("ledger"))
    url = str(arguments.ledger or ledger_url(ledgers, where.userdir)).removeprefix("sqlite:///")
    registry = arguments.registry or registry_folder(
        RegistrySettings.model_validate(where.section("registry")), where.userdir
    )
    if "://" not in url:
        if not Path(url).is_file():
            raise ValueError(f"no ledger at {url}; a dry or live run writes it, or use --ledger")
        url = f"sqlite:///{Path(url).absolute()}"
    try:
        ledger = Ledger(url)
        found = status(ledger, registry, arguments.days, arguments.events)
    except SQLAlchemyError as error:
        raise ValueError(f"the ledger cannot be read: {str(error).splitlines()[0]}") from error
    if arguments.json:
        Console(soft_wrap=True).print_json(json.dumps(found))
    else:
        print_status(found, table_console())
    ledger.close()
    return 0
