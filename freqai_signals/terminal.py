"""The one printer of tables and JSON: what the package's commands show."""

import json
import math
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

_WORD: Final = 16
_LONGEST_ID: Final = 32
"""Characters of the longest word that is never broken; ids of models have some 25, digests 64."""

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


def time_text(seconds: float) -> str:
    """A time in seconds since 1970 as all commands show it.

    Examples
    --------
    >>> time_text(86_400)
    '1970-01-02 00:00 UTC'
    """
    return utc_text(datetime.fromtimestamp(seconds, UTC))


def span_text(seconds: float) -> str:
    """A length of time in its two largest units.

    Examples
    --------
    >>> [span_text(seconds) for seconds in (12, 200, 7_500, 280_000)]
    ['12 s', '3 min 20 s', '2 h 5 min', '3 d 5 h']
    """
    rest, parts = max(int(seconds), 0), []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        number, rest = divmod(rest, size)
        parts.append((number, unit))
    first = next((i for i, (number, _) in enumerate(parts) if number), len(parts) - 1)
    return (
        " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number) or "0 s"
    )


def print_table(
    title: str,
    rows: Sequence[Mapping[str, Any]],
    console: Console | None = None,
    columns: Sequence[TableColumn] = (),
) -> None:
    """Print a table that fits: columns are left out by priority, then rows become blocks.

    Parameters
    ----------
    title
        Above the table; also says that there is nothing, if so.
    rows
        Column to value; a missing one is empty. Shown literally: operators' texts and paths may
        contain what rich reads as markup, and control characters of a terminal.
    console
        :func:`table_console` by default; its pipe has room for all columns.
    columns
        From left to right; by default the keys of the first row, none of which is left out.
    """
    console = console or table_console()
    if not rows:
        print_line(f"{title}: none", console)
        return
    columns = columns or [TableColumn(name) for name in rows[0]]
    kept = fitting(columns, rows, console.width)
    if kept is None:
        _print_blocks(console, title, columns, rows)
        return
    # Above the table rather than in it, where a narrow table would wrap it.
    console.print(literal(title), style="bold")
    table = Table()
    for column in kept:
        justify: Any = "right" if column.is_number else "left"
        whole = column.is_number or column.keep_whole
        table.add_column(
            literal(column.name), justify=justify, no_wrap=whole, overflow="fold",
            min_width=_least(column, rows),
        )  # fmt: skip
    for row in rows:
        table.add_row(*(literal(row.get(column.name, "")) for column in kept))
    console.print(table)
    gone = [column.name for column in columns if column not in kept]
    if gone:
        left_out = f"(no room here for {', '.join(gone)}; a wider terminal or a pipe has all)"
        console.print(literal(left_out))


def print_entries(
    title: str, entries: Sequence[tuple[str, object]], console: Console | None = None
) -> None:
    """Print texts behind their heads, a hanging paragraph each; no word, so no id, is broken."""
    console = console or table_console()
    if not entries:
        print_line(f"{title}: none", console)
        return
    console.print(literal(title), style="bold")
    indent = max(cell_len(head) for head, _ in entries) + 4
    for head, text in entries:
        lines = textwrap.wrap(
            literal(text).plain, max(console.width - indent, _WORD), break_long_words=False,
            break_on_hyphens=False,
        )  # fmt: skip
        for place, line in enumerate(lines or [""]):
            print_line(f"  {'' if place else head:<{indent - 2}}{line}".rstrip(), console)


def print_line(line: str, console: Console | None = None) -> None:
    """Print one line literally, without wrapping."""
    (console or table_console()).print(literal(line), soft_wrap=True)


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


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[float], None]]:
    """Show how far a long piece of work is and how long it will take: a bar, or a line a step.

    Parameters
    ----------
    title
        What is done.
    total
        Number of steps; yields a function that adds so many steps, or a part of one.
    """
    console = _error_console()
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(),
                   TextColumn("{task.completed:.0f} of {task.total:.0f}"),
                   TimeRemainingColumn(elapsed_when_finished=True))  # fmt: skip
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(title, total=total)
            yield lambda steps: bar.advance(task, steps)
        return
    begin, done = time.monotonic(), 0.0

    def step(steps: float) -> None:
        nonlocal done
        before, done = done, done + steps
        if int(done + 1e-9) > int(before + 1e-9):
            left = (time.monotonic() - begin) / done * (total - done)
            notify(f"{title}: {done:.0f} of {total}, {max(left, 0.0):.0f} s left")

    yield step


def _error_console() -> Console:
    """Standard error; freqtrade's console of it where freqtrade runs.

    Bars of two consoles are drawn over each other, those of one below each other: since rich 14.1,
    which keeps a stack of them.
    """
    theirs = getattr(sys.modules.get("freqtrade.loggers"), "error_console", None)
    if isinstance(theirs, Console) and hasattr(theirs, "_live_stack"):
        return theirs
    return Console(stderr=True)


def fitting(
    columns: Sequence[TableColumn], rows: Sequence[Mapping[str, Any]], width: int
) -> list[TableColumn] | None:
    """The columns that fit into a width, None if not even those of priority 0 do.

    Texts may be broken down to their headline's or 16 characters' width, but no word that could be
    an id; numbers never.
    """
    kept = list(columns)
    while sum(_least(column, rows) + _BORDER for column in kept) + 1 > width:
        worst = max(kept, key=lambda column: (column.priority, kept.index(column)))
        if worst.priority == 0:
            return None
        kept.remove(worst)
    return kept


def print_json(content: Any) -> None:
    """JSON for programs; without colours in a pipe, never wrapped. Null for what is no number."""
    Console(soft_wrap=True).print_json(json.dumps(_finite(content), default=str, allow_nan=False))


def _finite(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def _least(column: TableColumn, rows: Sequence[Mapping[str, Any]]) -> int:
    head = cell_len(column.name)
    widest = max((cell_len(str(row.get(column.name, ""))) for row in rows), default=0)
    whole = column.is_number or column.keep_whole
    if whole:
        return max(head, widest)
    words = (cell_len(word) for row in rows for word in str(row.get(column.name, "")).split())
    # An id in two parts cannot be copied.
    return max(head, min(widest, _WORD), *(n for n in words if n <= _LONGEST_ID), 0)


def _print_blocks(
    console: Console,
    title: str,
    columns: Sequence[TableColumn],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """A row below the other, a line per column."""
    console.print(literal(title), style="bold")
    indent = max(cell_len(column.name) for column in columns)
    for row in rows:
        for column in columns:
            print_line(f"  {column.name:<{indent}}  {row.get(column.name, '')}", console)
        print_line("", console)
