"""The subcommand ``rehearse``: the real bot on accelerated time."""

import argparse
import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freqai_signals.commands.locations import add_locations, locations
from freqai_signals.terminal import notify

if TYPE_CHECKING:
    from freqai_signals.rehearsal.scenario import Rehearsal


def add_rehearse(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add ``rehearse``: run the real bot against the sandbox on accelerated time."""
    parser = commands.add_parser(
        "rehearse",
        help="run the bot against the loopback exchange on accelerated time",
        description=(
            "Runs `freqtrade trade --dry-run` with its own data folder and database against the "
            "loopback exchange, faster than the clock, and prints trades, signals, quality and "
            "the comparison of every live candle with the history. Speeds above 1 need Debian's "
            "faketime. Exit status 1 if a live candle differs from the history, or if the bot "
            "crashed, stopped deciding, entered twice, missed an exit, lost a row of the ledger or "
            "kept growing."
        ),
    )
    parser.add_argument("--days", type=float, default=1.0, help="market days (default: 1)")
    parser.add_argument("--speed", type=float, default=60.0, help="times the clock (default: 60)")
    add_run_options(parser, "rehearsals", faults=0.0)
    _add_error_options(parser)
    parser.add_argument(
        "--again", type=Path, metavar="DIR", help="evaluate the finished rehearsal in DIR, run none"
    )
    parser.set_defaults(run=_run, usage_error=parser.error)


def add_run_options(parser: argparse.ArgumentParser, folder: str, faults: float) -> None:
    """What every run of the bot takes.

    Parameters
    ----------
    parser
        Of the subcommand.
    folder
        Name of the folder in ``--userdir`` that holds its runs.
    faults
        Default share of requests that fail.
    """
    add_locations(parser, several=True)
    parser.add_argument(
        "--datadir", type=Path, metavar="DIR", help="candles (default: the simulated market)"
    )
    parser.add_argument("--pairs", nargs="+", default=[], metavar="PAIR", help="whitelist")
    parser.add_argument(
        "--start",
        type=dt.datetime.fromisoformat,
        metavar="YYYY-MM-DD",
        help="market date to begin at (default: so that the run ends with the candles)",
    )
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help=f"default: {folder}/<now> in --userdir"
    )
    parser.add_argument(
        "--faults",
        type=float,
        default=faults,
        metavar="SHARE",
        help=f"share of requests that fail or are slow (default: {faults:g})",
    )
    _add_code_options(parser)


def _add_error_options(parser: argparse.ArgumentParser) -> None:
    """What goes wrong on purpose."""
    parser.add_argument(
        "--rotate", type=int, default=0, metavar="COUNT",
        help="trade that many pairs at a time, every hour others of the whitelist (default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--incidents",
        action="store_true",
        help="every day an hour's outage, a gap, missing and late candles",
    )


def _add_code_options(parser: argparse.ArgumentParser) -> None:
    """Which strategy runs, and where it and the model lie."""
    parser.add_argument(
        "--strategy", metavar="NAME",
        help="class to run (default: LightGBMSignalStrategy); of one with its own rules the "
        "model's columns are compared, not its decisions",
    )  # fmt: skip
    parser.add_argument(
        "--strategy-path", type=Path, metavar="DIR",
        help="default: strategies in --userdir if the class is there, else here",
    )  # fmt: skip
    parser.add_argument(
        "--freqaimodel-path", type=Path, metavar="DIR",
        help="default: freqaimodels in --userdir if the model is there, else ./freqai_models",
    )  # fmt: skip


def _run(arguments: argparse.Namespace) -> int:
    from freqai_signals.rehearsal.execution import rehearse
    from freqai_signals.rehearsal.outcome import judged
    from freqai_signals.rehearsal.summary import print_outcome

    outcome = judged(arguments.again) if arguments.again else rehearse(_request(arguments), notify)
    print_outcome(outcome)
    return 0 if outcome.passed else 1


def _request(arguments: argparse.Namespace) -> "Rehearsal":
    if not arguments.days > 0:
        arguments.usage_error("--days must be above 0")
    if not arguments.speed >= 1:
        arguments.usage_error("--speed must be at least 1")
    if arguments.rotate < 0:
        arguments.usage_error("--rotate must not be negative")
    return replace(
        rehearsal_of(arguments, arguments.days, "rehearsals"),
        incidents=arguments.incidents,
        rotate=arguments.rotate,
    )


def rehearsal_of(arguments: argparse.Namespace, days: float, folder: str) -> "Rehearsal":
    """What the options of :func:`add_run_options` ask for; the folder's name as there.

    Raises
    ------
    ValueError
        If there is no config.
    """
    from freqai_signals.rehearsal.bot import MODEL, STRATEGY
    from freqai_signals.rehearsal.scenario import Rehearsal

    if not 0 <= arguments.faults < 1:
        arguments.usage_error("--faults is a share below 1")
    now, where = dt.datetime.now(dt.UTC), locations(arguments)
    if not where.configs:
        raise ValueError("no config to run; name one with --config, or its folder: --userdir")
    strategy = arguments.strategy or STRATEGY
    installed = (where.userdir / "strategies", where.userdir / "freqaimodels")
    strategies = _first_with(f"{strategy}.py", installed[0], Path("strategies"))
    models = _first_with(f"{MODEL}.py", installed[1], Path("freqai_models"))
    start = arguments.start
    return Rehearsal(
        config=where.configs,
        folder=arguments.folder or where.userdir / folder / f"{now:%Y%m%dT%H%M%S}",
        days=days,
        speed=arguments.speed,
        datadir=arguments.datadir,
        pairs=tuple(arguments.pairs),
        # Without a zone it is UTC, as candles are.
        start=None if start is None else start.replace(tzinfo=start.tzinfo or dt.UTC),
        faults=arguments.faults,
        code=(arguments.strategy_path or strategies, arguments.freqaimodel_path or models),
        strategy=strategy,
    )


def _first_with(name: str, *folders: Path) -> Path:
    """The first folder with a file, the last one where none has it."""
    return next((folder for folder in folders if (folder / name).is_file()), folders[-1])
