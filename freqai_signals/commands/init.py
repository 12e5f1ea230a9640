"""The subcommand ``init``: bring adapters and settings into a user's folder; prove they load."""

import argparse
import datetime as dt
import sys
from pathlib import Path
from typing import Any, Final

from freqai_signals.commands.locations import add_locations, locations

_KEPT: Final = 2
"""Exit status where something else is there and stays."""

_FOLDERS: Final = ("strategies", "data")


def add_init(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the subcommand ``init``."""
    parser = commands.add_parser(
        "init",
        help="add model, strategy and settings to a freqtrade user_data",
        description=(
            "Writes the files that freqtrade loads into --userdir, and config-signals.json, which "
            "goes behind your own --config. Nothing of yours is changed: without a config, a "
            "config.json for a dry run is made. Then loads all of it with freqtrade and prints the "
            "commands from data to a dry run. Exit status 2 if a file of ours was edited or is of "
            "another version, and stays."
        ),
    )
    add_locations(parser)
    parser.add_argument(
        "--timeframe", metavar="TF",
        help="of the candles: 1m, 5m, 15m, 1h, 4h, 1d ... (default: the config's, else 5m)",
    )  # fmt: skip
    parser.add_argument(
        "--pairs", nargs="+", default=[], metavar="PAIR", help="whitelist (default: the config's)"
    )
    parser.add_argument("--futures", action="store_true", help="trade perpetual contracts")
    parser.add_argument("--examples", action="store_true", help="also write the example strategies")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be done")
    parser.add_argument(
        "--upgrade", action="store_true",
        help="refresh our files; of an edited one a copy stays beside it",
    )  # fmt: skip
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from freqai_signals.plugin.installation.next_steps import next_steps
    from freqai_signals.plugin.installation.owned_files import owned_files, write_owned
    from freqai_signals.plugin.installation.setup import SetupOptions, planned_setup

    where = locations(arguments)
    _check_user_folder(where.userdir)
    options = SetupOptions(
        arguments.timeframe, tuple(arguments.pairs), arguments.futures, arguments.examples
    )
    setup = planned_setup(where.userdir, where.configs, options)
    files = owned_files(where.userdir, setup.contents)
    upgrade = bool(arguments.upgrade)
    for file in files:
        sys.stdout.write(f"{file.folder / file.path}: {file.plan(upgrade)}\n")
    status = _KEPT if any(file.is_kept(upgrade) for file in files) else 0
    if arguments.dry_run:
        sys.stdout.write("Nothing was written (--dry-run).\n")
        return status
    write_owned(files, upgrade)
    # What is on disk is proved, kept files included, and not what was planned.
    _prove(where.userdir, setup.configs)
    sys.stdout.write(next_steps(where.userdir, setup.configs, dt.datetime.now(dt.UTC).date()))
    return status


def _check_user_folder(folder: Path) -> None:
    """Refuse a folder in which freqtrade would not look.

    Raises
    ------
    ValueError
        Saying how to make one.
    """
    make = f"make one with: freqtrade create-userdir --userdir {folder}"
    if not folder.exists():
        raise ValueError(f"--userdir {folder}: there is no such folder; {make}")
    if not folder.is_dir():
        raise ValueError(f"--userdir {folder} is no folder; {make}")
    if not any((folder / name).is_dir() for name in _FOLDERS):
        raise ValueError(
            f"--userdir {folder} is no user_data of freqtrade: it has neither "
            f"{' nor '.join(_FOLDERS)}; {make}"
        )


def _prove(folder: Path, configs: tuple[Path, ...]) -> None:
    """Let freqtrade load what was written.

    Raises
    ------
    ValueError
        If freqtrade refuses it, or finds a class of ours in another file.
    """
    from freqai_signals.plugin.installation.adapters import LOSS, MODEL, STRATEGY
    from freqai_signals.plugin.installation.resolved import resolved_files

    wanted = (STRATEGY, MODEL, LOSS)
    found = resolved_files(configs, folder, *(adapter.name for adapter in wanted))
    for adapter in wanted:
        file, ours = found[adapter.name], (folder / adapter.path).resolve()
        if file != ours:
            raise ValueError(
                f"freqtrade takes {adapter.name} from {file}, not from {ours}; remove or rename "
                "the class there, or the config key (strategy_path, freqaimodel_path) that leads "
                "there"
            )
    sys.stdout.write(f"freqtrade loads {', '.join(adapter.name for adapter in wanted)}.\n")
