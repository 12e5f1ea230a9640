"""Epochs a minute of hyperopt over thresholds, against plain strategies in the same run.

``python -m benchmarks.bench_hyperopt`` or ``make bench``, on the simulated market; models are
trained on first use. Every epoch is freqtrade's own ``generate_optimizer`` on one core: reading the
frames, entries and exits, all trades, statistics, loss. The rivals are

``plain, same frames``: enters and leaves by comparing the same columns with thresholds, ends
    trades by freqtrade's time-based ROI and fixed stop, has no callback at all;
``plain, no FreqAI``: the same without FreqAI's training rows in its frames, and with the model's
    features in them instead, as a strategy would have that computes these indicators itself.
"""

import argparse
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from pandas import DataFrame

from benchmarks.harness import ONE_CORE, Timing, print_table, save

TIMERANGE: Final = "20240105-20240305"
SETS: Final[list[dict[str, float]]] = [
    {},
    {"minimum_confidence": 0.8},
    {"expected_value_margin": 0.001, "opposite_confidence": 0.5},
    {"minimum_confidence": 0.95, "repeat_window_candles": 12, "maximum_share": 0.3},
]
"""What the epochs try, beside the defaults."""


def hyperoptimizer(userdir: Path) -> Any:
    """freqtrade's optimizer with frames prepared, as ``freqtrade hyperopt`` makes it."""
    from freqtrade.commands.arguments import Arguments
    from freqtrade.commands.optimize_commands import setup_optimize_configuration
    from freqtrade.enums import RunMode
    from freqtrade.optimize.hyperopt.hyperopt import Hyperopt

    from freqai_signals.sandbox.environment import DATADIR_VARIABLE

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
    for name in (*own, "confirm_trade_entry"):
        setattr(Plain, name, getattr(IStrategy, name))
    return Plain


def make_plain(optimizer: Any) -> None:
    strategy = optimizer.backtesting.strategy
    strategy.__class__ = plain_class(type(strategy))
    strategy.use_custom_stoploss = strategy.use_custom_roi = False
    strategy.minimal_roi = {0: 10.0, 120: -1}
    strategy.stoploss = -0.03


def drop_training_rows(optimizer: Any) -> None:
    """Leave only start-up and test rows in the frames, and put the features beside them."""
    from joblib import dump, load

    strategy, backtesting = optimizer.backtesting.strategy, optimizer.backtesting
    with optimizer.data_pickle_file.open("rb") as file:
        frames = load(file)
    cut = backtesting.required_startup - strategy.startup_candle_count
    kept = {}
    for pair, frame in frames.items():
        features = strategy.features._kept[pair][1].set_axis(frame.index)
        kept[pair] = frame.join(features).iloc[cut:].reset_index(drop=True)
    backtesting.required_startup -= cut
    dump(kept, optimizer.data_pickle_file)


def epochs(name: str, optimizer: Any, repeats: int) -> tuple[Timing, int]:
    """Median seconds of an epoch, and how many trades all sets made."""
    strategy = optimizer.backtesting.strategy
    defaults = {key: parameter.value for key, parameter in strategy.enumerate_parameters()}
    seconds, trades = [], 0
    optimizer.generate_optimizer(dict(defaults))
    for _ in range(repeats):
        begin = ONE_CORE()
        results = [optimizer.generate_optimizer(defaults | values) for values in SETS]
        seconds.append((ONE_CORE() - begin) / len(SETS))
        trades = sum(result["results_metrics"]["total_trades"] for result in results)
    middle = sorted(seconds)[len(seconds) // 2]
    return Timing(name, 1, middle, min(seconds), max(seconds), repeats), trades


def compare(userdir: Path, repeats: int) -> None:
    logging.disable(logging.WARNING)
    begin = time.perf_counter()
    optimizer = hyperoptimizer(userdir)
    print(f"frames ready after {time.perf_counter() - begin:.0f} s")
    ours, our_trades = epochs("thresholds of LightGBMSignalStrategy", optimizer, repeats)
    make_plain(optimizer)
    same, same_trades = epochs("plain, same frames", optimizer, repeats)
    drop_training_rows(optimizer)
    short, short_trades = epochs("plain, no FreqAI", optimizer, repeats)
    table = [same, short, ours]
    print_table("epochs on one core", table)
    counts = dict(
        zip([t.name for t in table], (same_trades, short_trades, our_trades), strict=True)
    )
    for timing in table:
        trades = counts[timing.name]
        print(f"{timing.name}: {60 / timing.seconds:.1f} epochs a minute, {trades} trades")
    save("hyperopt", {"epochs": table}, trades=counts, clock="processor seconds")


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
