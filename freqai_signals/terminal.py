"""The one printer of tables and JSON: what the package's commands show."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WORD: Final = 16
_BORDER: Final = 3
"""Characters that a column takes beside its text; the last one takes one more."""


@dataclass(frozen=True)
class TableColumn:
    """How one column of a table is shown.

    Attributes
    ----------
    name
        Key of the rows, and headline.
    priority
        Where the terminal is too narrow, columns of the highest number go first; those of 0 never.
    is_number
        Numbers stand to the right and are never broken; words may be.
    keep_whole
        Whether words are never broken either: names and ids that one copies.
    """

    name: str
    priority: int = 0
    is_number: bool = False
    keep_whole: bool = False


def table_console(width: int = 160) -> Console:
    """The terminal as it is; into a file or pipe, wide enough for every table.

    Parameters
    ----------
    width
        Columns of a file or pipe, for which rich would assume 80.
    """
    console = Console()
    return console if console.is_terminal else Console(width=width)


def utc_text(moment: str | datetime) -> str:
    """A time as all commands show it; ISO text without an offset is UTC already.

    Examples
    --------
    >>> utc_text("2024-03-04T23:45:00+01:00"), utc_text("")
    ('2024-03-04 22:45 UTC', '')
    """
    if isinstance(moment, str):
        if not moment:
            return ""
        moment = datetime.fromisoformat(moment)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def print_table(
    console: Console,
    title: str,
    columns: Sequence[TableColumn],
    rows: Sequence[Mapping[str, str]],
) -> None:
    """Print a table that fits: columns are left out by priority, then rows become blocks.

    Whatever stands in it is shown as it is: square brackets are no markup.

    Parameters
    ----------
    console
        Where; a pipe of :func:`table_console` has room for all columns.
    title
        Above the table; also says that there is nothing, if so.
    columns
        From left to right.
    rows
        Column to text; a missing one is empty.
    """
    if not rows:
        _line(console, f"{title}: none")
        return
    kept = fitting(columns, rows, console.width)
    if kept is None:
        _print_blocks(console, title, columns, rows)
        return
    table = Table(title=Text(title, style="bold"), title_justify="left")
    for column in kept:
        justify: Any = "right" if column.is_number else "left"
        whole = column.is_number or column.keep_whole
        table.add_column(Text(column.name), justify=justify, no_wrap=whole, overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(row.get(column.name, ""))) for column in kept))
    console.print(table)
    gone = [column.name for column in columns if column not in kept]
    if gone:
        left_out = f"(no room here for {', '.join(gone)}; a wider terminal or a pipe has all)"
        console.print(Text(left_out))


def fitting(
    columns: Sequence[TableColumn], rows: Sequence[Mapping[str, str]], width: int
) -> list[TableColumn] | None:
    """The columns that fit into a width, None if not even those of priority 0 do.

    Words may be broken down to their headline's or 16 characters' width, numbers never.
    """
    kept = list(columns)
    while sum(_least(column, rows) + _BORDER for column in kept) + 1 > width:
        worst = max(kept, key=lambda column: (column.priority, kept.index(column)))
        if worst.priority == 0:
            return None
        kept.remove(worst)
    return kept


def print_json(content: Any) -> None:
    """JSON for programs; without colours in a pipe, never wrapped."""
    Console(soft_wrap=True).print_json(json.dumps(content, default=str, allow_nan=False))


def _least(column: TableColumn, rows: Sequence[Mapping[str, str]]) -> int:
    head = cell_len(column.name)
    widest = max((cell_len(str(row.get(column.name, ""))) for row in rows), default=0)
    whole = column.is_number or column.keep_whole
    return max(head, widest if whole else min(widest, _WORD))


def _print_blocks(
    console: Console,
    title: str,
    columns: Sequence[TableColumn],
    rows: Sequence[Mapping[str, str]],
) -> None:
    """A row below the other, a line per column."""
    console.print(Text(title, style="bold"))
    indent = max(cell_len(column.name) for column in columns)
    for row in rows:
        for column in columns:
            _line(console, f"  {column.name:<{indent}}  {row.get(column.name, '')}")
        _line(console, "")


def _line(console: Console, text: str) -> None:
    console.print(Text(text), soft_wrap=True)
