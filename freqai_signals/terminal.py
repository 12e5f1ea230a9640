"""Tables, lines and JSON of the package's commands."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def table_console(width: int = 160) -> "Console":
    """Console of the terminal's width; for a file or pipe, wide enough for every table.

    Parameters
    ----------
    width
        Columns of a file or pipe, for which rich would assume 80.
    """
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=width)


def print_table(
    title: str, rows: Sequence[Mapping[str, Any]], console: Console | None = None
) -> None:
    """Print rows as a table with the keys of the first one as header.

    Parameters
    ----------
    title, rows
        Shown literally: operators' texts and paths may contain what rich reads as markup, and
        control characters of a terminal.
    console
        :func:`table_console` by default.
    """
    console = console or table_console()
    if not rows:
        print_line(f"{title}: none", console)
        return
    table = Table(title=literal(title), title_justify="left", title_style="italic")
    for name in rows[0]:
        table.add_column(literal(name), overflow="fold")
    for row in rows:
        table.add_row(*(literal(value) for value in row.values()))
    console.print(table)


def print_line(line: str, console: Console | None = None) -> None:
    """Print one line literally, without wrapping."""
    (console or table_console()).print(literal(line), soft_wrap=True)


def print_json(value: Any) -> None:
    """Print JSON; dates and paths as text."""
    Console(soft_wrap=True).print_json(json.dumps(value, default=str))


def literal(value: object) -> Text:
    r"""Text that rich shows as it is.

    Examples
    --------
    >>> literal("[/red] \x1b[2J").plain
    '[/red] ?[2J'
    """
    return Text("".join(c if c.isprintable() or c == "\n" else "?" for c in str(value)))


def notify(line: str) -> None:
    """Print a line of progress on standard error."""
    sys.stderr.write(f"freqai-signals: {line}\n")
    sys.stderr.flush()
