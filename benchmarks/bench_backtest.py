"""A whole `freqtrade backtesting` of ours beside stock FreqAI's, each with its own defaults.

``python -m benchmarks.bench_backtest``: five and twenty pairs of the simulated market over sixty
days, in a process each, one after the other. ``stock`` is ``FreqaiExampleHybridStrategy`` with the
settings that its docstring recommends and ``LightGBMClassifier`` (300 of its 800 trees, a week
between trainings; 5m in place of its 3m); ``ours`` is ``config.json``. ``same``, over the fewest
pairs only, is stock's classifier on our features, labels, windows and number of trees: what it
trains for each pair, we train once for all of them. Nothing is in any cache before but the modules'
bytecode, as after a first start. Seconds include the start of the sandbox's exchange; the memory is
freqtrade's and its workers'. Seconds of the wall clock depend on what else the machine does;
seconds of the processor do so less.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.harness import save
from freqai_signals.model.artefact import from_bytes
from freqai_signals.sandbox.market.market_files import ensure_market
from freqai_signals.sandbox.market.spec import DEFAULT_PAIRS, MarketSpec
from freqai_signals.sandbox.runner.environment import quiet_logging
from freqai_signals.schema import CLASS_COUNT

ROOT: Final = Path(__file__).resolve().parents[1]

STRATEGY: Final = '''
from freqtrade.templates.FreqaiExampleHybridStrategy import FreqaiExampleHybridStrategy


class Stock(FreqaiExampleHybridStrategy):
    """On spot markets, which know no shorts."""

    can_short = False
'''

SAME: Final = '''
import json
from pathlib import Path

from freqtrade.strategy import IStrategy

from freqai_signals.config import settings_from_config
from freqai_signals.dataset.barriers import LabelRule
from freqai_signals.dataset.features.cache import FeatureCache, with_features
from freqai_signals.dataset.labels import make_labels
from freqai_signals.dataset.pair_tables import row_memory
from freqai_signals.schema import LABEL_COLUMN

SETTINGS = settings_from_config(json.loads(Path("config.json").read_text()))
NAMES = {0.0: "sell", 1.0: "hold", 2.0: "buy"}


class Same(IStrategy):
    """Our features and labels for a model of freqtrade's, a pair each."""

    timeframe = SETTINGS.timeframe
    startup_candle_count = row_memory(SETTINGS)
    minimal_roi = {"120": -1}
    stoploss = -0.3
    features = None

    def feature_engineering_standard(self, frame, metadata, **kwargs):
        if self.features is None:
            self.features = FeatureCache(SETTINGS, self.dp.current_whitelist())
        source = lambda pair, first: self.dp.historic_ohlcv(pair, self.timeframe)
        return with_features(frame, self.features.features(metadata["pair"], frame, source))

    def set_freqai_targets(self, frame, metadata, **kwargs):
        self.freqai.class_names = list(NAMES.values())
        label = make_labels(frame, LabelRule.of(SETTINGS, 0.002))[LABEL_COLUMN]
        return frame.assign(**{LABEL_COLUMN: label.map(NAMES)})

    def populate_indicators(self, frame, metadata):
        return self.freqai.start(frame, metadata, self)

    def populate_entry_trend(self, frame, metadata):
        frame.loc[(frame["do_predict"] == 1) & (frame["buy"] > 0.5), "enter_long"] = 1
        return frame

    def populate_exit_trend(self, frame, metadata):
        frame.loc[(frame["do_predict"] == 1) & (frame["sell"] > 0.5), "exit_long"] = 1
        return frame
'''

STOCK: Final[dict[str, Any]] = {
    "enabled": True,
    "identifier": "stock",
    "purge_old_models": 2,
    "train_period_days": 15,
    "backtest_period_days": 7,
    "feature_parameters": {
        "include_timeframes": ["5m", "15m", "1h"],
        "include_corr_pairlist": ["BTC/USDT", "ETH/USDT"],
        "label_period_candles": 20,
        "include_shifted_candles": 2,
        "DI_threshold": 0.9,
        "weight_factor": 0.9,
        "principal_component_analysis": False,
        "use_SVM_to_remove_outliers": True,
        "indicator_periods_candles": [10, 20],
    },
    "data_split_parameters": {"test_size": 0, "random_state": 1},
    "model_training_parameters": {"n_estimators": 300, "verbosity": -1},
}


@dataclass(frozen=True)
class Cost:
    """Of one backtest: seconds, and the most memory of its processes at a time.

    ``start_seconds`` pass until the first training begins, by the log.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_megabytes: float
    start_seconds: float


class _Memory(threading.Thread):
    """Proportional set size of what a process has started, looked at four times a second."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(process)
        self.peak = 0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.25):
            total = 0
            with suppress(psutil.Error):
                # Not of itself, the exchange.
                for one in self._process.children(recursive=True):
                    # One may end meanwhile.
                    with suppress(psutil.Error):
                        # Shared pages of mapped files are divided among those that share them.
                        total += one.memory_full_info().pss
            self.peak = max(self.peak, total)


_FIRST_TRAINING: Final = re.compile(
    r"^(\S+ \S+) - .*(?:Training the boosters|Starting training)", re.MULTILINE
)
_MODULES: Final = (
    "freqtrade.main, freqtrade.optimize.backtesting, freqai_signals.plugin.strategy, "
    "freqtrade.freqai.prediction_models.LightGBMClassifier, freqai_signals.plugin.model, "
    "freqai_signals.sandbox.runner.runner"
)


def _environment() -> dict[str, str]:
    """As on a machine that keeps bytecode, whatever this one is told."""
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}


def measured(command: list[str], log: Path) -> Cost:
    """Run a command to its end; what it wrote is in the log.

    Raises
    ------
    RuntimeError
        If it fails, trains nothing, or FreqAI went on without a model that it could not train.
    """
    before, started, began = os.times(), time.monotonic(), datetime.now()
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file, env=_environment())
        memory = _Memory(process.pid)
        memory.start()
        status = process.wait()
        memory.ended.set()
        memory.join()
    wall, after = time.monotonic() - started, os.times()
    said = log.read_text()
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with {status}:\n{said[-2000:]}")
    if failed := said.find("raised exception") + 1:
        raise RuntimeError(f"a training failed: {said[max(failed - 100, 0) : failed + 2000]}")
    cpu = sum(after[2:4]) - sum(before[2:4])
    first = _FIRST_TRAINING.search(said)
    if first is None:
        raise RuntimeError(f"no training was logged:\n{said[-2000:]}")
    seconds = (datetime.fromisoformat(first[1]) - began).total_seconds()
    return Cost(wall, cpu, memory.peak / 1e6, seconds)


def command_of(
    kind: str, folder: Path, pairs: tuple[str, ...], given: argparse.Namespace, trees: int
) -> list[str]:
    """The backtest of ``stock``, ``ours`` or ``same`` in a folder of its own."""
    spec = MarketSpec(pairs=pairs, days=given.days)
    market = ensure_market(spec, notify=print).folder.resolve()
    config = json.loads((ROOT / "config.json").read_text())
    config["exchange"]["pair_whitelist"] = list(pairs)
    config["log_config"] = logs = quiet_logging(["freqtrade", "backtesting"])
    # Where stock says that it begins to train.
    logs["loggers"]["freqtrade.freqai.base_models"] = {"level": "INFO"}
    names = ["--strategy", "LightGBMSignalStrategy", "--freqaimodel", "LightGBMSignalClassifier"]
    if kind != "ours":
        (folder / "strategies").mkdir()
        text = STRATEGY if kind == "stock" else SAME
        (folder / "strategies" / f"{kind}.py").write_text(text)
        config["strategy_path"] = str(folder / "strategies")
        config.pop("freqaimodel_path")
        names = ["--strategy", kind.capitalize(), "--freqaimodel", "LightGBMClassifier"]
    if kind == "stock":
        config["freqai"] = STOCK
    if kind == "same":
        # LightGBM grows a tree for each class in every round.
        rounds = max(1, round(trees / CLASS_COUNT))
        config["freqai"]["model_training_parameters"] = {"n_estimators": rounds, "verbosity": -1}
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return [
        *(sys.executable, "-m", "freqai_signals", "sandbox", "--datadir", str(market)),
        *("--pairs", *pairs, "--"),
        *(sys.executable, "-m", "freqtrade", "backtesting", "--cache", "none", *names),
        *("--config", str(path), "--userdir", str(folder)),
        *("--timerange", given.timerange),
    ]


def trees_of(userdir: Path) -> int:
    """Trees of a model of ours in a folder, all boosters together; the median of its models."""
    files = sorted((userdir / "signals" / "models").glob("*.model"))
    trees = [sum(from_bytes(file.read_bytes()).card.rounds.values()) for file in files]
    return round(statistics.median(trees)) if trees else 0


def names_of(count: int) -> tuple[str, ...]:
    """So many pairs, the simulated market's own first."""
    more = (f"C{number:02}/USDT" for number in range(count - len(DEFAULT_PAIRS)))
    return (*DEFAULT_PAIRS[:count], *more)


def run_of(count: int, kinds: list[str], given: argparse.Namespace) -> dict[str, Any]:
    """Medians of each kind over a number of pairs, kinds in turns, and the ratios of ours."""
    pairs, trees = names_of(count), given.trees
    costs: dict[str, list[Cost]] = {kind: [] for kind in kinds}
    for kind in kinds * given.repeats:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            command = command_of(kind, folder, pairs, given, trees)
            costs[kind].append(measured(command, folder / "log"))
            if kind == "ours":
                trees = trees_of(folder) or trees
    run: dict[str, Any] = {"pairs": count, "trees": trees}
    for kind, found in costs.items():
        by_name = {name: [asdict(cost)[name] for cost in found] for name in asdict(found[0])}
        run[kind] = {name: statistics.median(values) for name, values in by_name.items()}
    for kind in [kind for kind in costs if kind != "ours" and "ours" in costs]:
        run[f"ours / {kind}"] = {name: run["ours"][name] / run[kind][name] for name in run[kind]}
    table = Table(f"{count} pairs, {given.timerange}", "wall s", "CPU s", "MB", "s to training")
    for kind, cost in run.items():
        if isinstance(cost, dict):
            style = "{:,.3f}" if "/" in kind else "{:,.1f}"
            table.add_row(kind, *(style.format(value) for value in cost.values()))
    Console().print(table)
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, nargs="+", default=[5, 20], help="how many")
    parser.add_argument("--timerange", default="20240105-20240305")
    parser.add_argument("--days", type=int, default=MarketSpec.days, help="of the market")
    parser.add_argument(
        "--kinds", nargs="+", choices=("stock", "ours", "same"), default=["stock", "ours", "same"]
    )
    parser.add_argument(
        "--trees", type=int, default=360, help="of `same`, all classes; as ours had, if it ran"
    )
    parser.add_argument("--repeats", type=int, default=1)
    given = parser.parse_args()
    # `same` last, so that the number of our trees is known.
    given.kinds = sorted(set(given.kinds), key=("stock", "ours", "same").index)
    subprocess.run([sys.executable, "-c", f"import {_MODULES}"], env=_environment(), check=True)
    fewest = min(given.pairs)
    runs = []
    for count in given.pairs:
        kinds = [kind for kind in given.kinds if kind != "same" or count == fewest]
        runs += [run_of(count, kinds, given)] if kinds else []
    save("backtest", {}, timerange=given.timerange, repeats=given.repeats, runs=runs)


if __name__ == "__main__":
    main()
