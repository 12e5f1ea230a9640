"""The subcommand ``train``: what a backtest would train, on this machine or on a cluster."""

import argparse
from typing import Any

from freqai_signals.commands.locations import add_locations, add_scheduler, locations
from freqai_signals.terminal import notify


def add_train(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the subcommand ``train``."""
    parser = commands.add_parser(
        "train",
        allow_abbrev=False,
        help="train the windows of a timerange ahead of a backtest, also on a Dask cluster",
        usage="freqai-signals train [--scheduler ADDRESS] [options of freqtrade backtesting]",
        description=(
            "Takes the options of freqtrade backtesting, trains every window that it would train "
            "and simulates no trade: that backtest then finds all models. With --scheduler, "
            "workers of a Dask cluster train; models are the same bytes."
        ),
    )
    add_locations(parser, several=True)
    parser.add_argument("--timerange", metavar="START-END", help="of the backtest")
    add_scheduler(parser)
    parser.set_defaults(run=_run, takes_more=True)


def _run(arguments: argparse.Namespace) -> int:
    # Here, since freqtrade and its libraries take seconds to import.
    from freqai_signals.plugin.training_run import train_windows

    where = locations(arguments)
    options = [word for file in where.configs for word in ("--config", str(file))]
    options += ["--timerange", arguments.timerange] if arguments.timerange else []
    options += ["--userdir", str(where.userdir), *arguments.more]
    train_windows(options, where.config, arguments.scheduler)
    notify("everything is trained: freqtrade backtesting with these options trains nothing")
    return 0
