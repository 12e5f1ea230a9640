"""The subcommand ``status``: serving model, live quality, open problems."""

import argparse
from contextlib import closing
from pathlib import Path
from typing import Any

from freqai_signals.commands.locations import add_locations, locations


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

    from freqai_signals.ledger.database import ledger_url
    from freqai_signals.ledger.ledger import Ledger
    from freqai_signals.live.bot_status import print_status, status
    from freqai_signals.registry.registry import registry_folder
    from freqai_signals.settings import LedgerSettings, RegistrySettings
    from freqai_signals.terminal import print_json

    where = locations(arguments)
    ledgers = LedgerSettings.model_validate(where.section("ledger"))
    url = str(arguments.ledger or ledger_url(ledgers, where.userdir)).removeprefix("sqlite:///")
    registry = arguments.registry or registry_folder(
        RegistrySettings.model_validate(where.section("registry")), where.userdir
    )
    if "://" not in url:
        if not Path(url).is_file():
            raise ValueError(
                f"no ledger at {url}; a dry or live run creates it, or name one with --ledger"
            )
        url = f"sqlite:///{Path(url).absolute()}"
    try:
        with closing(Ledger(url, read_only=True)) as ledger:
            found = status(ledger, registry, arguments.days, arguments.events)
    except SQLAlchemyError as error:
        raise ValueError(f"the ledger cannot be read: {str(error).splitlines()[0]}") from error
    if arguments.json:
        print_json(found)
    else:
        print_status(found)
    return 0
