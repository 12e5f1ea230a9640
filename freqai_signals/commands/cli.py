"""The command ``freqai-signals``; each subcommand is a module of this package."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Final

from freqai_signals import __version__
from freqai_signals.commands.examples import EXAMPLES, with_examples

WRONG_USE: Final = 2
"""Exit status for arguments, settings or files that cannot work."""

_HINT: Final = "freqai-signals sandbox [options] -- COMMAND ..., with -- before the command"

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C, as in shells."""

SUBCOMMANDS: Final[Mapping[str, str]] = {
    "sandbox": "freqai_signals.commands.sandbox:add_sandbox",
    "market": "freqai_signals.commands.market:add_market",
    "credentials": "freqai_signals.commands.credentials:add_credentials",
    "rehearse": "freqai_signals.commands.rehearse:add_rehearse",
    "soak": "freqai_signals.commands.soak:add_soak",
    "report": "freqai_signals.commands.report:add_report",
    "settings": "freqai_signals.commands.settings:add_settings",
    "init": "freqai_signals.commands.init:add_init",
    "hyperopt": "freqai_signals.commands.hyperopt:add_hyperopt",
    "models": "freqai_signals.commands.models:add_models",
    "tune": "freqai_signals.commands.tune:add_tune",
    "train": "freqai_signals.commands.train:add_train",
    "status": "freqai_signals.commands.status:add_status",
    "ledger": "freqai_signals.commands.ledger_proof:add_ledger",
    "doctor": "freqai_signals.commands.doctor:add_doctor",
}
"""Name of each subcommand and the function that adds its parser, imported only when it is needed.

The parser's default ``run`` takes the parsed arguments and returns the exit status; with a default
``takes_more`` it also gets those that its parser does not know, as ``more``. It raises
``ValueError`` or ``OSError`` for what the user can correct; the message goes to standard error
and the status is 2.
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
    words = list(sys.argv[1:] if argv is None else argv)
    own, command = _split(words)
    parser = _parser(own[:1])
    arguments, unknown = parser.parse_known_args(own, argparse.Namespace(command=command))
    arguments.more = unknown
    if unknown and not getattr(arguments, "takes_more", False):
        hint = f": write {_HINT}" if own[0] == "sandbox" and "--" not in words else ""
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
    try:
        return int(arguments.run(arguments))
    except (ValueError, OSError) as error:
        print(f"freqai-signals: error: {error}", file=sys.stderr)
        return WRONG_USE
    # No traceback: whoever presses Ctrl-C knows what happened.
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser(chosen: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="freqai-signals", description="Calibrated signals for freqtrade."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", required=True)
    # The sandbox starts a second earlier without the libraries of the others.
    for name in [name for name in SUBCOMMANDS if name in chosen] or SUBCOMMANDS:
        module, _, function = SUBCOMMANDS[name].partition(":")
        getattr(import_module(module), function)(commands)
        if name in EXAMPLES:
            with_examples(commands.choices[name], name)
    return parser


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """Words before the first ``--``, and the command after it."""
    if "--" not in words:
        return words, []
    place = words.index("--")
    return words[:place], words[place + 1 :]


if __name__ == "__main__":
    sys.exit(main())
