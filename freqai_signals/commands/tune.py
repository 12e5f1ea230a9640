"""The subcommand ``tune``: better parameters for a training window, if there are any."""

import argparse
import datetime as dt
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from freqai_signals.commands.locations import add_locations, locations
from freqai_signals.config_files import merge_configs

if TYPE_CHECKING:
    from freqai_signals.dataset.pair_tables import Table
    from freqai_signals.dataset.rows import TrainingRows
    from freqai_signals.settings import SignalSettings
    from freqai_signals.tuning.records import TuningRecord

_EXCHANGE_FEES: Final = {
    "spot": {"taker": 0.001, "maker": 0.001},
    "futures": {"taker": 0.0005, "maker": 0.0002},
}
"""Binance's fees for one side without discounts, which freqtrade takes where none is given."""


def add_tune(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the subcommand ``tune``."""
    parser = commands.add_parser(
        "tune",
        help="search for better model parameters on one training window",
        description=(
            "Searches for LightGBM parameters on the training window that ends at --until, over "
            "purged folds, and compares the best with the config's own on rows that chose "
            "neither. What was found is kept below user_data/signals/tuning with its evidence; "
            "trainings of later windows use it if it won. The same command goes on after a kill; "
            "several at a time share the work."
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
        "--storage", metavar="URL", help="of Optuna; default: SQLite beside the records"
    )
    parser.set_defaults(run=_run)


def _day(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write it as 20240131") from None


def _run(arguments: argparse.Namespace) -> int:
    from freqai_signals.tuning.records import TuningRecords
    from freqai_signals.tuning.run import Scope, StillRunning, tune

    window = open_window(arguments)
    records = TuningRecords(locations(arguments).userdir / "signals" / "tuning", window.identifier)
    for pool in window.pools():
        rows = window.rows(pool)
        _notify(f"{len(rows)} rows of {', '.join(rows.pairs)} up to {window.until:%Y-%m-%d %H:%M}")
        try:
            record = tune(rows, window.settings, Scope(records, pool, notify=_notify))
        except StillRunning as others:
            _notify(str(others))
        else:
            sys.stdout.write(described(record))
    return 0


@dataclass(frozen=True)
class TuningWindow:
    """A training window over stored candles, with the very rows that training it would use.

    Attributes
    ----------
    settings
        Of the config.
    identifier
        FreqAI's.
    pool
        Pairs of the pool, sorted.
    tables
        Pair to its features and labels.
    until
        End of the window, UTC.
    """

    settings: "SignalSettings"
    identifier: str
    pool: tuple[str, ...]
    tables: "Mapping[str, Table]"
    until: dt.datetime

    def pools(self) -> list[tuple[str, ...]]:
        """The pool, or each pair for itself."""
        own = self.settings.model.pool == "pair"
        return [(pair,) for pair in self.pool] if own else [self.pool]

    def rows(self, pool: Sequence[str]) -> "TrainingRows":
        """Rows of the pairs in the window."""
        from freqai_signals.dataset.pair_tables import training_rows, training_window

        stop = int(self.until.timestamp())
        start = stop - 86400 * self.settings.train_period_days
        window = training_window(start, stop, self.settings)
        rows = training_rows({pair: self.tables[pair] for pair in pool}, window)
        if not len(rows):
            raise ValueError(
                f"no candle of {', '.join(pool)} lies in the {self.settings.train_period_days} "
                f"days before {self.until:%Y-%m-%d %H:%M}, or none has all features; give an end "
                "with --until that has candles before it"
            )
        return rows


def open_window(arguments: argparse.Namespace) -> TuningWindow:
    """Read config and candles, and compute features and labels.

    Raises
    ------
    ValueError
        If config, budget, pairs or candles cannot work.
    """
    import pandas as pd

    from freqai_signals.config import pool_pairs, settings_from_config
    from freqai_signals.dataset.features.cache import FeatureCache
    from freqai_signals.dataset.pair_tables import Table, add_labels
    from freqai_signals.rehearsal.scenario import load_candles
    from freqai_signals.sandbox.market.spec import MarketSpec
    from freqai_signals.sandbox.runner.runner import served_folder

    config = merged_config(arguments)
    settings = settings_from_config(config)
    pool = pool_pairs(settings, config)
    folder = served_folder(arguments.datadir, MarketSpec(), pool, _notify)
    candles = load_candles(folder, pool, settings)
    _notify("computing features and labels")
    features, cost = FeatureCache(settings, pool), _round_trip_cost(config, settings)
    tables = {}
    for pair, frame in candles.items():
        made = features.compute(pair, frame, lambda name, first: candles[name])
        labelled = add_labels(frame, settings, cost)
        tables[pair] = Table.of(pd.concat([labelled, made], axis=1), settings.candle_seconds)
    last = max(frame["date"].iloc[-1] for frame in candles.values())
    end = (last + pd.Timedelta(seconds=settings.candle_seconds)).to_pydatetime()
    until = arguments.until.replace(tzinfo=dt.UTC) if arguments.until else end
    if until > end:
        raise ValueError(
            f"--until {until:%Y-%m-%d %H:%M} lies after the last candle, which ends at "
            f"{end:%Y-%m-%d %H:%M}; give an earlier day or more candles"
        )
    identifier = str(config.get("freqai", {}).get("identifier", "no_id_provided"))
    return TuningWindow(settings, identifier, pool, tables, until)


def merged_config(arguments: argparse.Namespace) -> dict[str, Any]:
    """The configs, later ones over earlier ones, with what the command line says in its place."""
    where = locations(arguments)
    if not where.configs:
        raise ValueError("there is no config.json in --userdir or here; name one with --config")
    config = dict(where.config)
    if arguments.pairs:
        config = merge_configs(config, {"exchange": {"pair_whitelist": list(arguments.pairs)}})
    if not (config.get("exchange") or {}).get("pair_whitelist"):
        files = ", ".join(map(str, where.configs))
        raise ValueError(f"{files}: exchange.pair_whitelist names no pair; name some with --pairs")
    given = {
        name: getattr(arguments, name)
        for name in ("trials", "minutes", "seed", "storage")
        if getattr(arguments, name) is not None
    }
    return merge_configs(config, {"freqai": {"signals": {"tuning": given}}}) if given else config


def _round_trip_cost(config: Mapping[str, Any], settings: "SignalSettings") -> float:
    """What the strategy would say; without an exchange to ask, that of Binance."""
    from freqai_signals.signals.expected_value import round_trip_cost

    fees = _EXCHANGE_FEES["spot" if config.get("trading_mode", "spot") == "spot" else "futures"]
    given = config.get("fee")
    taker, maker = (fees["taker"], fees["maker"]) if given is None else (given, given)
    return round_trip_cost(settings.costs, taker, maker)


def described(record: "TuningRecord") -> str:
    """The record in a few lines: parameters, scores, the paired test, and what follows."""
    evidence = record.evidence
    lines = [f"Tuning record {record.name} of {', '.join(record.pool)}"]
    lines += [
        f"  {name:<28} {_shown(record.default[name]):>10} -> {_shown(value):>10}"
        for name, value in record.parameters.items()
    ]
    lines.append(
        f"Purged folds: log loss {evidence['default_score']:.5f} with the default, "
        f"{evidence['tuned_score']:.5f} with the best of {evidence['trials']:.0f} trials "
        f"({evidence['pruned']:.0f} more were given up early)"
    )
    if "gain" not in evidence:
        return "\n".join([*lines, "No trial was better than the default: it stays.", ""])
    lines.append(
        f"Last {evidence['judged_days']:.0f} days, which chose nothing: gain "
        f"{evidence['gain']:+.5f} ± {evidence['gain_error']:.5f} nats, at least "
        f"{evidence['gain_bound']:+.5f} at {evidence['significance']:.2%}"
    )
    lines.append(
        "Tuned parameters win: trainings of later windows use them."
        if record.beats_default
        else "That may be chance: the default stays."
    )
    return "\n".join([*lines, ""])


def _shown(value: float) -> str:
    return f"{value:.4g}"


def _notify(line: str) -> None:
    sys.stderr.write(f"freqai-signals: {line}\n")
    sys.stderr.flush()
