"""The subcommand ``ledger``: verify its chain, export a track record."""

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from freqai_signals.commands.locations import add_locations, ledger_location, locations

if TYPE_CHECKING:
    from freqai_signals.ledger.ledger import Ledger

_EDITED: Final = 1


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
    add_locations(parser)
    parser.add_argument(
        "--ledger",
        metavar="FILE|URL",
        help="SQLite file or SQLAlchemy URL (default: the config's, else below --userdir)",
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

    from freqai_signals.ledger.ledger import Ledger

    url = ledger_location(locations(arguments), arguments.ledger)
    run = _export if arguments.action == "export" else _verify
    try:
        # Read-only: a check must not change what it vouches for, nor hold up a running bot.
        with closing(Ledger(url, read_only=True)) as ledger:
            return run(ledger, arguments)
    except SQLAlchemyError as error:
        raise ValueError(f"the ledger cannot be read: {str(error).splitlines()[0]}") from error


def _verify(ledger: "Ledger", arguments: argparse.Namespace) -> int:
    from freqai_signals.ledger.proof.verification import verify
    from freqai_signals.terminal import print_json, print_table

    roots = _noted(arguments.roots) if arguments.roots else None
    found = verify(ledger, roots)
    heads = ledger.rows("chain_heads").to_dict("records")
    kept = [{str(name): value for name, value in head.items()} for head in heads]
    if arguments.json:
        print_json({"rows": found.rows, "problems": found.problems, "heads": kept})
    else:
        print_table(f"{found.rows} rows", kept)
        print_table("Problems", list(found.problems))
    return _EDITED if found.problems else 0


def _noted(path: Path) -> dict[tuple[str, int], str]:
    import pandas as pd

    try:
        # As text: a hash of digits only would become a number, and a bot named NA nothing.
        rows = pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")
        return {(row["bot"], int(row["day"])): row["hash"] for row in rows}
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path}: not a roots.csv of an export ({error})") from error


def _export(ledger: "Ledger", arguments: argparse.Namespace) -> int:
    from freqai_signals.ledger.proof.track_record import export
    from freqai_signals.terminal import print_json, print_table

    files = [str(path) for path in export(ledger, arguments.out, arguments.format)]
    if arguments.json:
        print_json({"files": files})
    else:
        print_table("Written", [{"file": path} for path in files])
    return 0
