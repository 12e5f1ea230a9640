"""The subcommand ``soak``: a bot left alone on accelerated time while everything goes wrong."""

import argparse
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freqai_signals.commands.locations import locations
from freqai_signals.commands.rehearse import add_run_options
from freqai_signals.terminal import notify, print_line, table_console

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
            "followed. Exit status 1 if a check failed; then --shrink finds fewer injections that "
            "fail the same check."
        ),
    )
    parser.add_argument("--hours", type=float, default=24.0, help="market hours (default: 24)")
    parser.add_argument("--seed", type=int, default=0, help="of what goes wrong (default: 0)")
    parser.add_argument("--speed", type=float, default=120.0, help="times the clock (default: 120)")
    add_run_options(parser, "soaks")
    parser.add_argument(
        "--faults",
        type=float,
        default=0.03,
        metavar="SHARE",
        help="share of requests that fail or are slow all the time (default: 0.03)",
    )
    parser.add_argument(
        "--only", type=int, nargs="+", default=[], metavar="N",
        help="numbers of the injections that happen; the others are left out",
    )  # fmt: skip
    _add_repetitions(parser)
    parser.set_defaults(run=_run, usage_error=parser.error)


def _add_repetitions(parser: argparse.ArgumentParser) -> None:
    """What is done with a finished soak."""
    parser.add_argument("--again", type=Path, metavar="DIR", help="judge the finished soak in DIR")
    parser.add_argument(
        "--shrink", type=Path, metavar="DIR",
        help="repeat the failed soak in DIR with fewer and fewer of its injections",
    )  # fmt: skip


def _run(arguments: argparse.Namespace) -> int:
    from freqai_signals.rehearsal.soak.aftermath import judged_soak
    from freqai_signals.rehearsal.soak.endurance import soak
    from freqai_signals.rehearsal.soak.shrinking import shrink
    from freqai_signals.rehearsal.soak.soak_summary import print_soak

    if arguments.shrink:
        command = shrink(arguments.shrink, _request(arguments), notify)
        print_line(command or "The soak did not fail.", table_console())
        return 1 if command else 0
    found = judged_soak(arguments.again) if arguments.again else soak(_request(arguments), notify)
    print_soak(found)
    return 0 if found.passed else 1


def _request(arguments: argparse.Namespace) -> "Soak":
    from freqai_signals.rehearsal.scenario import Rehearsal
    from freqai_signals.rehearsal.soak.endurance import Soak

    if not arguments.hours > 0:
        arguments.usage_error("--hours must be above 0")
    if not arguments.speed > 1:
        arguments.usage_error("--speed must be above 1: clocks that jump need faketime")
    if not 0 <= arguments.faults < 1:
        arguments.usage_error("--faults is a share below 1")
    now, where = dt.datetime.now(dt.UTC), locations(arguments)
    if not where.configs:
        raise ValueError("no config to soak; name one with --config, or its folder: --userdir")
    # Short windows and retraining belong to a soak as long as nothing else is named.
    short = () if where.named else tuple(_SHORT for _ in range(_SHORT.is_file()))
    start = arguments.start
    rehearsal = Rehearsal(
        config=(*where.configs, *short),
        folder=arguments.folder or where.userdir / "soaks" / f"{now:%Y%m%dT%H%M%S}",
        days=arguments.hours / 24,
        speed=arguments.speed,
        datadir=arguments.datadir,
        pairs=tuple(arguments.pairs),
        start=None if start is None else start.replace(tzinfo=start.tzinfo or dt.UTC),
        faults=arguments.faults,
    )
    return Soak(rehearsal, arguments.seed, tuple(arguments.only))
