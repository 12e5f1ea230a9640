"""Epochs a minute of hyperopt over thresholds, against plain strategies in the same run.

``python -m benchmarks.bench_hyperopt`` or ``make bench``, on the simulated market; models are
trained on first use. Every epoch is freqtrade's own ``generate_optimizer`` on one core: reading the
frames, entries and exits, all trades, statistics, loss. The variants alternate, epoch by epoch.
The rivals are

``plain, same frames``: enters and leaves by comparing the same columns with thresholds, ends
    trades by freqtrade's time-based ROI and fixed stop, has no callback at all;
``plain, no FreqAI``: the same without FreqAI's training rows in its frames, and with the model's
    features in them instead, as a strategy would have that computes these indicators itself.
"""

import argparse
import logging
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pandas import DataFrame

from benchmarks.harness import ONE_CORE, Timing, print_table, save

TIMERANGE: Final = "20240105-20240305"
SETS: Final[list[dict[str, float]]] = [
    {},
    {"minimum_confidence": 0.8},
    {"expected_value_margin": 0.001, "opposite_confidence": 0.5},
    {"minimum_confidence": 0.95, "repeat_window_candles": 12},
]
"""Parameter values of the epochs, besides the defaults."""


def hyperoptimizer(userdir: Path) -> Any:
    """freqtrade's optimizer with prepared frames, as in ``freqtrade hyperopt``."""
    from freqtrade.commands.arguments import Arguments
    from freqtrade.commands.optimize_commands import setup_optimize_configuration
    from freqtrade.enums import RunMode
    from freqtrade.optimize.hyperopt.hyperopt import Hyperopt

    from freqai_signals.sandbox.runner.environment import DATADIR_VARIABLE

    words = f"""hyperopt --config config.json --timerange {TIMERANGE} --epochs 100
        --strategy LightGBMSignalStrategy --strategy-path strategies --spaces buy sell
        --freqaimodel LightGBMSignalClassifier --freqaimodel-path freqai_models
        --hyperopt-loss DeflatedSharpeHyperOptLoss --hyperopt-path user_data/hyperopts
        --job-workers 1 --disable-param-export""".split()
    words += ["--userdir", str(userdir), "--datadir", os.environ[DATADIR_VARIABLE]]
    arguments = Arguments(words).get_parsed_arg()
    optimizer = Hyperopt(setup_optimize_configuration(arguments, RunMode.HYPEROPT)).hyperopter
    optimizer.prepare_hyperopt()
    return optimizer


def plain_class(base: type) -> type:
    """The strategy without its decisions and callbacks."""
    from freqtrade.strategy import IStrategy

    class Plain(base):  # type: ignore[misc]
        use_custom_stoploss = False

        def populate_entry_trend(self, frame: DataFrame, metadata: dict[str, str]) -> DataFrame:
            sure = frame["confidence"] >= self.minimum_confidence.value
            earns = frame["expected_return"] > self.expected_value_margin.value
            enters = (frame["do_predict"] == 1) & (frame["&-signal"] == 2) & sure & earns
            frame.loc[enters, ["enter_long", "enter_tag"]] = (1, "buy")
            return frame

        def populate_exit_trend(self, frame: DataFrame, metadata: dict[str, str]) -> DataFrame:
            sure = frame["confidence"] >= self.opposite_confidence.value
            leaves = (frame["do_predict"] == 1) & (frame["&-signal"] == 0) & sure
            frame.loc[leaves, ["exit_long", "exit_tag"]] = (1, "opposite")
            return frame

    own = ("custom_exit", "custom_stoploss", "custom_roi", "custom_stake_amount", "leverage")
    for name in (*own, "confirm_trade_entry", "order_filled", "bot_loop_start"):
        setattr(Plain, name, getattr(IStrategy, name))
    return Plain


@dataclass(frozen=True)
class Contestant:
    """The input of an epoch."""

    name: str
    strategy: type
    attributes: dict[str, Any]
    frames: Path
    startup: int

    def enter(self, optimizer: Any) -> None:
        strategy = optimizer.backtesting.strategy
        strategy.__class__ = self.strategy
        for name, value in self.attributes.items():
            setattr(strategy, name, value)
        optimizer.data_pickle_file = self.frames
        optimizer.backtesting.required_startup = self.startup


def contestants(optimizer: Any) -> tuple[Contestant, Contestant, Contestant]:
    """Plain on the same frames, plain without FreqAI, and ours."""
    strategy, startup = optimizer.backtesting.strategy, optimizer.backtesting.required_startup
    frames, ours = optimizer.data_pickle_file, type(strategy)
    plain, fixed = (
        plain_class(ours),
        {
            "use_custom_stoploss": False,
            "use_custom_roi": False,
            "minimal_roi": {0: 10.0, 120: -1},
            "stoploss": -0.03,
        },
    )
    own = {name: getattr(strategy, name) for name in fixed}
    short, cut = without_training_rows(optimizer)
    return (
        Contestant("plain, same frames", plain, fixed, frames, startup),
        Contestant("plain, no FreqAI", plain, fixed, short, startup - cut),
        Contestant("thresholds of LightGBMSignalStrategy", ours, own, frames, startup),
    )


def without_training_rows(optimizer: Any) -> tuple[Path, int]:
    """Frames of startup and test rows only, with features, and how many rows were cut off."""
    from joblib import dump, load

    strategy, backtesting = optimizer.backtesting.strategy, optimizer.backtesting
    with optimizer.data_pickle_file.open("rb") as file:
        frames = load(file)
    cut = backtesting.required_startup - strategy.startup_candle_count
    kept = {}
    for pair, frame in frames.items():
        features = strategy.features.compute(pair, frame, strategy.pool_candles)
        kept[pair] = frame.join(features).iloc[cut:].reset_index(drop=True)
    path = optimizer.data_pickle_file.with_suffix(".short.pkl")
    dump(kept, path)
    return path, cut


def epochs(optimizer: Any, repeats: int) -> tuple[list[Timing], dict[str, int]]:
    """Median seconds of an epoch of each variant, alternating, and the trades of all sets."""
    strategy, rivals = optimizer.backtesting.strategy, contestants(optimizer)
    defaults = {key: parameter.value for key, parameter in strategy.enumerate_parameters()}
    seconds: dict[str, list[float]] = {rival.name: [] for rival in rivals}
    trades = dict.fromkeys(seconds, 0)
    for repeat in range(-1, repeats):  # the first one warms up
        spent = dict.fromkeys(seconds, 0.0)
        for values in SETS:
            for rival in rivals:
                rival.enter(optimizer)
                begin = ONE_CORE()
                result = optimizer.generate_optimizer(defaults | values)
                spent[rival.name] += ONE_CORE() - begin
                if repeat == 0:
                    trades[rival.name] += result["results_metrics"]["total_trades"]
        if repeat >= 0:
            for name, took in seconds.items():
                took.append(spent[name] / len(SETS))
    timings = [
        Timing(name, 1, statistics.median(took), min(took), max(took), repeats)
        for name, took in seconds.items()
    ]
    return timings, trades


def compare(userdir: Path, repeats: int) -> None:
    logging.disable(logging.WARNING)
    begin = time.perf_counter()
    optimizer = hyperoptimizer(userdir)
    print(f"frames ready after {time.perf_counter() - begin:.0f} s")
    table, trades = epochs(optimizer, repeats)
    print_table("epochs on one core", table)
    for timing in table:
        print(
            f"{timing.name}: {60 / timing.seconds:.1f} epochs a minute, {trades[timing.name]} "
            f"trades, {table[0].seconds / timing.seconds:.0%} of the first one's speed"
        )
    save("hyperopt", {"epochs": table}, trades=trades, clock="processor seconds")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--userdir", type=Path, default=Path("user_data"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        compare(given.userdir, given.repeats)
        return 0
    options = ["--userdir", str(given.userdir), "--repeats", str(given.repeats), "--inside"]
    inner = [sys.executable, "-m", "benchmarks.bench_hyperopt", *options]
    sandbox = [sys.executable, "-m", "freqai_signals", "sandbox", "--", *inner]
    return subprocess.run(sandbox, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
