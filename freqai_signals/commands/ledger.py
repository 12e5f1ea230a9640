"""Subcommand of this room: ``ledger``."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from freqai_signals.ledger.ledger import Ledger

_EDITED: Final = 1
_FILE: Final = Path("user_data/signals/ledger.sqlite")


def add_ledger(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add ``ledger``: check that nothing was edited, and export a track record."""
    parser = commands.add_parser(
        "ledger",
        help="check that no row was edited, export a track record",
        description=(
            "verify walks the chain of hashes and names every row that was changed, removed or "
            "inserted; export writes rows, hashes and outcomes as files that others can check."
        ),
    )
    parser.add_argument("action", choices=("verify", "export"), help="what to do")
    parser.add_argument(
        "--ledger",
        default=str(_FILE),
        metavar="FILE|URL",
        help="SQLite file or SQLAlchemy URL (default: %(default)s)",
    )
    parser.add_argument(
        "--roots",
        type=Path,
        metavar="FILE",
        help="roots.csv of an earlier export, to hold the ledger against",
    )
    parser.add_argument("--out", type=Path, default=Path("track_record"), metavar="DIR")
    parser.add_argument("--format", choices=("csv", "parquet"), default="csv", help="of export")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        ledger = _opened(str(arguments.ledger))
        try:
            if arguments.action == "export":
                return _export(ledger, arguments)
            return _verify(ledger, arguments)
        finally:
            ledger.close()
    except SQLAlchemyError as error:
        raise ValueError(f"the ledger cannot be read: {str(error).splitlines()[0]}") from error


def _opened(url: str) -> "Ledger":
    """A ledger that is there and up to date: looking at one must not make or change it."""
    from sqlalchemy import inspect, select

    from freqai_signals.ledger.database import open_engine
    from freqai_signals.ledger.ledger import Ledger
    from freqai_signals.ledger.sql_tables import SCHEMA, VERSION

    if "://" not in url:
        if not Path(url).is_file():
            raise ValueError(f"no ledger at {url}; a dry or live run writes it, or use --ledger")
        url = f"sqlite:///{Path(url).absolute()}"
    engine = open_engine(url)
    with engine.connect().execution_options(reads=True) as connection:
        there = inspect(connection).has_table(SCHEMA.name)
        found = connection.execute(select(SCHEMA.c.version)).scalar() if there else 0
    engine.dispose()
    if found != VERSION:
        raise ValueError(
            f"{engine.url.render_as_string()} has schema version {found}, this freqai-signals "
            f"reads {VERSION}; a dry or live run brings an older ledger up to date"
        )
    return Ledger(url)


def _verify(ledger: "Ledger", arguments: argparse.Namespace) -> int:
    from freqai_signals.ledger.verification import verify

    roots = _noted(arguments.roots) if arguments.roots else None
    found = verify(ledger, roots)
    kept = ledger.rows("chain_heads").to_dict("records")
    if arguments.json:
        _print_json({"rows": found.rows, "problems": found.problems, "heads": kept})
    else:
        _print_table(f"{found.rows} rows", kept)
        _print_table("Problems", list(found.problems))
    return _EDITED if found.problems else 0


def _noted(path: Path) -> dict[tuple[str, int], str]:
    import pandas as pd

    try:
        rows = pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")
        return {(row["bot"], int(row["day"])): row["hash"] for row in rows}
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path}: not a roots.csv of an export ({error})") from error


def _export(ledger: "Ledger", arguments: argparse.Namespace) -> int:
    from freqai_signals.ledger.track_record import export

    files = [str(path) for path in export(ledger, arguments.out, arguments.format)]
    if arguments.json:
        _print_json({"files": files})
    else:
        _print_table("Written", [{"file": path} for path in files])
    return 0


def _print_json(found: Any) -> None:
    from rich.console import Console

    Console(soft_wrap=True).print_json(json.dumps(found, default=str))


def _print_table(title: str, rows: Sequence[Mapping[Any, Any]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from freqai_signals.terminal import table_console

    table = Table(title=title, title_justify="left")
    for name in rows[0] if rows else ():
        table.add_column(str(name), overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row.values()))
    table_console().print(table if rows else f"{title}: none")
