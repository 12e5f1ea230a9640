"""The command ``freqai-signals``: one function per subcommand, each in its own room."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

from freqai_signals import __version__
from freqai_signals.evaluation.report import add_report
from freqai_signals.sandbox.commands import add_market, add_sandbox

WRONG_USE: Final = 2
"""Exit status for arguments, settings or files that cannot work."""

SUBCOMMANDS: Final[tuple[Callable[["argparse._SubParsersAction[Any]"], None], ...]] = (
    add_sandbox,
    add_market,
    add_report,
)
"""Each adds a parser whose default ``run`` takes the parsed arguments and returns the status.

A ``run`` raises ``ValueError`` or ``OSError`` for what the user can put right; the message goes to
standard error and the status is 2. It imports what it needs itself, so that ``--help`` is quick.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit status.

    Parameters
    ----------
    argv
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        The subcommand's status; 2 for wrong use.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    own, command = _split(given)
    arguments = _parser().parse_args(own, argparse.Namespace(command=command))
    try:
        return int(arguments.run(arguments))
    except (ValueError, OSError) as error:
        print(f"freqai-signals: error: {error}", file=sys.stderr)
        return WRONG_USE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="freqai-signals", description="Signals for freqtrade that can be trusted."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", required=True)
    for add in SUBCOMMANDS:
        add(commands)
    return parser


def _split(given: list[str]) -> tuple[list[str], list[str]]:
    """What stands before the first ``--``, and the command after it."""
    if "--" not in given:
        return given, []
    place = given.index("--")
    return given[:place], given[place + 1 :]


if __name__ == "__main__":
    sys.exit(main())
