"""Where the package's commands print their tables."""

from rich.console import Console


def table_console(width: int = 160) -> Console:
    """The terminal as it is; into a file or pipe, wide enough for every table.

    Parameters
    ----------
    width
        Columns of a file or pipe, for which rich would assume 80.
    """
    console = Console()
    return console if console.is_terminal else Console(width=width)
