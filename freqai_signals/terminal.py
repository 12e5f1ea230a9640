"""Output of the commands: tables on standard output, progress on standard error."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


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


def notify(line: str) -> None:
    """Print a line of progress on standard error."""
    sys.stderr.write(f"freqai-signals: {line}\n")
    sys.stderr.flush()
