"""Rows that the ledger does not take: told from the others, or kept on disk until it can.

On disk, one call of the writer a line.
"""

import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import DataError, IntegrityError

from freqai_signals.ledger.ledger import Entry, Ledger
from freqai_signals.ledger.sql_tables import COUNTERS, METADATA

logger = logging.getLogger(__name__)

_IMPOSSIBLE: Final = (DataError, IntegrityError, ArithmeticError, KeyError, TypeError, ValueError)


def spill(path: Path, waiting: Iterable[Sequence[Entry]]) -> int:
    """Append rows to a file and flush it to the disk; how many.

    Raises
    ------
    OSError
        If the file cannot be written; it may then hold a part of them, which harms nothing.
    """
    lines, rows = [], 0
    for entries in waiting:
        rows += sum(map(len, entries))
        named = [[entry.table, [dict(row) for row in entry.rows]] for entry in entries]
        lines.append(json.dumps(named, default=str))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        # A line that was cut short by a full disk must not swallow the next one.
        file.write("".join(f"\n{line}" for line in lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return rows


def take_in(path: Path) -> list[list[Entry]]:
    """What :func:`spill` wrote, oldest first; lines that cannot be read are logged and left out."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        logger.warning("Rows kept for the ledger cannot be read: %s", error)
        return []
    found = []
    for line in filter(None, lines):
        try:
            found.append([_entry(*item) for item in json.loads(line)])
        except (ValueError, TypeError, RecursionError) as error:
            logger.error("%s: a line is not taken into the ledger (%s)", path, error)
    return found


def forget(path: Path) -> None:
    """Remove a file whose rows are written.

    Where its folder takes no change it is emptied: taken in once more, its counters would undo
    newer ones. One that cannot be changed either is logged; its rows change nothing, since a row
    that is there stays as it is.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError:
        try:
            path.write_text("")
        except OSError as error:
            logger.warning("%s can be neither removed nor emptied (%s)", path, error)


def without_counters(entries: Sequence[Entry]) -> list[Entry]:
    """Tables whose rows may be written late; late counters would undo newer ones."""
    return [entry for entry in entries if entry.table != COUNTERS.name]


def _entry(table: str, rows: list[dict[str, object]]) -> Entry:
    if table not in METADATA.tables or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"no rows of {table!r}")
    return Entry(table, rows)


def write_batch(ledger: Ledger, batch: Sequence[tuple[int, Sequence[Entry]]]) -> dict[int, int]:
    """Write a batch; rows that can never be written are logged, and counted by ticket."""
    try:
        ledger.write([entry for _, entries in batch for entry in entries])
    except _IMPOSSIBLE:
        if len(batch) > 1:
            return {
                key: value for item in batch for key, value in write_batch(ledger, [item]).items()
            }
        ((ticket, entries),) = batch
        impossible = sum(_write_row(ledger, e.table, row) for e in entries for row in e.rows)
        return {ticket: impossible} if impossible else {}
    return {}


def _write_row(ledger: Ledger, table: str, row: Mapping[str, Any]) -> bool:
    """Whether a row can never be written."""
    try:
        ledger.write([Entry(table, [row])])
    except _IMPOSSIBLE as error:
        logger.error("The ledger refuses a row (%s): %s", first_line(error), dict(row))
        return True
    return False


def first_line(error: Exception) -> str:
    """What an error says, shortly."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
