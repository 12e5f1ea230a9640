"""The subcommand ``tune``: search for better parameters on a training window."""

import argparse
import datetime as dt
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from freqai_signals.commands.locations import add_locations, add_scheduler, locations
from freqai_signals.files import merged
from freqai_signals.terminal import literal, notify

if TYPE_CHECKING:
    from freqai_signals.tuning.records import TuningRecord
    from freqai_signals.tuning.window import TuningWindow


def add_tune(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the subcommand ``tune``."""
    parser = commands.add_parser(
        "tune",
        help="search for better model parameters on one training window",
        description=(
            "Searches for LightGBM parameters on the training window that ends at --until, over "
            "purged folds, and compares the best with the config's own on rows that chose "
            "neither. The result is stored below user_data/signals/tuning with its evidence; "
            "trainings of later windows use it if it won. The same command resumes after a kill; "
            "several at a time share the trials. With --scheduler, workers of a Dask cluster "
            "train the folds of a trial; the record is the same."
        ),
    )
    add_locations(parser, several=True)
    parser.add_argument(
        "--datadir", type=Path, metavar="DIR", help="candles (default: the simulated market)"
    )
    parser.add_argument("--pairs", nargs="+", default=[], metavar="PAIR", help="whitelist and pool")
    parser.add_argument(
        "--until", type=_day, metavar="YYYYMMDD",
        help="end of the training window, UTC (default: of the candles)",
    )  # fmt: skip
    parser.add_argument("--trials", type=int, help="default: freqai.signals.tuning.trials")
    parser.add_argument("--minutes", type=float, help="default: freqai.signals.tuning.minutes")
    parser.add_argument("--seed", type=int, help="default: freqai.signals.tuning.seed")
    parser.add_argument(
        "--storage", metavar="URL", help="of Optuna; default: SQLite next to the records"
    )
    add_scheduler(parser)
    parser.set_defaults(run=_run)


@contextmanager
def trials_shown(total: int) -> Iterator[Callable[[str], None]]:
    """A bar over the trials of a search on a terminal, a line each in a pipe.

    Yields what shows a line of the search.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield notify
        return
    shown = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*shown, console=console) as bar:
        task = bar.add_task("tuning", total=total)

        def show(line: str) -> None:
            found = re.match(r"trial (\d+) of ", line)
            if found:
                bar.update(task, completed=int(found[1]), description=line)
            else:
                bar.console.print(literal(line))

        yield show


def _day(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date; write it as 20240131") from None


def _run(arguments: argparse.Namespace) -> int:
    from freqai_signals.training.cluster import Cluster
    from freqai_signals.tuning.records import TuningRecords
    from freqai_signals.tuning.run import Scope, StillRunning, tune

    window = open_window(arguments)
    records = TuningRecords(locations(arguments).userdir / "signals" / "tuning", window.identifier)
    if arguments.scheduler and window.settings.selection.enabled:
        notify("features are chosen fold by fold, which no cluster can do: this machine trains")
        arguments.scheduler = ""
    with Cluster(arguments.scheduler) as cluster:
        for pool in window.pools():
            rows = window.rows(pool)
            names = ", ".join(rows.pairs)
            notify(f"{len(rows)} rows of {names} up to {window.until:%Y-%m-%d %H:%M}")
            try:
                with trials_shown(window.settings.tuning.trials) as show:
                    scope = Scope(records, pool, notify=show, cluster=cluster)
                    record = tune(rows, window.settings, scope)
            except StillRunning as others:
                notify(str(others))
            else:
                sys.stdout.write(described(record))
    return 0


def open_window(arguments: argparse.Namespace) -> "TuningWindow":
    """Training window that the arguments name.

    Raises
    ------
    ValueError
        If config, budget, pairs or candles cannot work.
    """
    from freqai_signals.config import pool_pairs, settings_from_config
    from freqai_signals.dataset.pair_tables import thinned
    from freqai_signals.rehearsal.scenario import load_candles
    from freqai_signals.sandbox.market.spec import MarketSpec
    from freqai_signals.sandbox.runner.runner import served_folder
    from freqai_signals.tuning.window import tuning_window

    config = _config(arguments)
    settings = settings_from_config(config)
    pool = pool_pairs(settings, config)
    settings = thinned(settings, len(pool))
    folder = served_folder(arguments.datadir, MarketSpec(), pool, notify)
    candles = load_candles(folder, pool, settings)
    notify("computing features and labels")
    # Candles are dated in UTC, and so is --until.
    until = arguments.until.replace(tzinfo=dt.UTC) if arguments.until else None
    return tuning_window(config, settings, candles, until)


def _config(arguments: argparse.Namespace) -> dict[str, Any]:
    """The merged configs, with the options of the command line over them."""
    where = locations(arguments)
    if not where.configs:
        raise ValueError("there is no config.json in --userdir or here; name one with --config")
    config = dict(where.config)
    # Over the config's, and before the settings are read: the pool follows from them.
    if arguments.pairs:
        config = merged(config, {"exchange": {"pair_whitelist": list(arguments.pairs)}})
    if not (config.get("exchange") or {}).get("pair_whitelist"):
        files = ", ".join(map(str, where.configs))
        raise ValueError(f"{files}: exchange.pair_whitelist names no pair; name some with --pairs")
    options = {name: getattr(arguments, name) for name in ("trials", "minutes", "seed", "storage")}
    budget = {name: value for name, value in options.items() if value is not None}
    return merged(config, {"freqai": {"signals": {"tuning": budget}}}) if budget else config


def described(record: "TuningRecord") -> str:
    """The record in a few lines: parameters, scores, the paired test and its result."""
    evidence = record.evidence
    lines = [f"Tuning record {record.name} of {', '.join(record.pool)}"]
    lines += [
        f"  {name:<28} {_shown(record.default[name]):>10} -> {_shown(value):>10}"
        for name, value in record.parameters.items()
    ]
    lines.append(
        f"Purged folds: log loss {evidence['default_score']:.5f} with the default, "
        f"{evidence['tuned_score']:.5f} with the best of {evidence['trials']:.0f} trials "
        f"({evidence['pruned']:.0f} more were pruned)"
    )
    if "paths" in evidence:
        default, best = (
            f"{evidence[f'{name}_path_mean']:.5f} ± {evidence[f'{name}_path_spread']:.5f}"
            for name in ("default", "tuned")
        )
        lines.append(
            f"Mean and spread of log loss over {evidence['paths']:.0f} backtest paths: {default} "
            f"with the default, {best} with the best trial"
        )
    if "gain" not in evidence:
        return "\n".join([*lines, "No trial was better than the default: it is kept.", ""])
    lines.append(
        f"Last {evidence['judged_days']:.0f} days, not used in the search: gain "
        f"{evidence['gain']:+.5f} ± {evidence['gain_error']:.5f} nats, at least "
        f"{evidence['gain_bound']:+.5f} at {evidence['significance']:.2%}"
    )
    lines.append(
        "Tuned parameters win: trainings of later windows use them."
        if record.beats_default
        else "That may be chance: the default is kept."
    )
    return "\n".join([*lines, ""])


def _shown(value: float) -> str:
    return f"{value:.4g}"
