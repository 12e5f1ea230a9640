"""The subcommand ``soak``: a bot left alone on accelerated time while everything goes wrong."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freqai_signals.commands.rehearse import add_run_options, rehearsal_of
from freqai_signals.terminal import notify

if TYPE_CHECKING:
    from freqai_signals.rehearsal.soak.endurance import Soak

_SHORT = Path("config.soak.json")


def add_soak(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add ``soak``: run the real bot unattended through all faults."""
    parser = commands.add_parser(
        "soak",
        help="leave the bot alone for market weeks while everything goes wrong",
        description=(
            "Runs `freqtrade trade --dry-run` against the loopback exchange on accelerated time "
            "(needs Debian's faketime), while a seed draws what goes wrong: requests, outages, "
            "late, missing and wrong candles, kills, restarts, sleep, a wrong clock, a full disk, "
            "a database that is away, pairlist changes, config reloads, forced exits and entries, "
            "removed folders. Judged like a rehearsal, with a list of what was injected and what "
            "followed. Exit status 1 if a check failed; then the command is printed that repeats "
            "what went before."
        ),
    )
    parser.add_argument("--hours", type=float, default=24.0, help="market hours (default: 24)")
    parser.add_argument("--seed", type=int, default=0, help="of what goes wrong (default: 0)")
    parser.add_argument("--speed", type=float, default=120.0, help="times the clock (default: 120)")
    add_run_options(parser, "soaks", faults=0.03)
    parser.add_argument(
        "--only", type=int, nargs="+", default=[], metavar="N",
        help="numbers of the injections that happen; the others are left out",
    )  # fmt: skip
    parser.add_argument("--again", type=Path, metavar="DIR", help="judge the finished soak in DIR")
    parser.set_defaults(run=_run, usage_error=parser.error)


def _run(arguments: argparse.Namespace) -> int:
    from freqai_signals.rehearsal.soak.endurance import soak
    from freqai_signals.rehearsal.soak.soak_summary import print_soak
    from freqai_signals.rehearsal.soak.verdict import judged_soak

    found = judged_soak(arguments.again) if arguments.again else soak(_request(arguments), notify)
    print_soak(found)
    return 0 if found.passed else 1


def _request(arguments: argparse.Namespace) -> "Soak":
    from freqai_signals.rehearsal.soak.endurance import Soak

    if not arguments.hours > 0:
        arguments.usage_error("--hours must be above 0")
    if not arguments.speed > 1:
        arguments.usage_error("--speed must be above 1: clocks that jump need faketime")
    found = rehearsal_of(arguments, arguments.hours / 24, "soaks")
    # Short windows and retraining belong to a soak as long as nothing else is named.
    short = () if arguments.config else tuple(_SHORT for _ in range(_SHORT.is_file()))
    rehearsal = replace(found, config=(*found.config, *short))
    return Soak(rehearsal, arguments.seed, tuple(arguments.only))
