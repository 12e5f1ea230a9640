"""A whole `freqtrade backtesting` of ours beside stock FreqAI's, each with its own defaults.

``python -m benchmarks.bench_backtest``: five pairs of the simulated market over sixty days, in a
process each, one after the other. Stock is ``FreqaiExampleHybridStrategy`` with the settings that
its docstring recommends and ``LightGBMClassifier`` (300 of its 800 trees, a week between
trainings; 5m in place of its 3m); ours is ``config.json``. Nothing is in any cache before but the
modules' bytecode, as after a first start. Seconds include the start of the sandbox's exchange; the
memory is freqtrade's and its workers'. Seconds of the wall clock depend on what else the machine
does; seconds of the processor do so less.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.harness import save
from freqai_signals.sandbox.market.market_files import ensure_market
from freqai_signals.sandbox.market.spec import MarketSpec

ROOT: Final = Path(__file__).resolve().parents[1]

STRATEGY: Final = '''
from freqtrade.templates.FreqaiExampleHybridStrategy import FreqaiExampleHybridStrategy


class Stock(FreqaiExampleHybridStrategy):
    """On spot markets, which know no shorts."""

    can_short = False
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
    """Of one backtest: seconds, and the most memory of its processes at a time."""

    wall_seconds: float
    cpu_seconds: float
    peak_megabytes: float


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
        If it fails.
    """
    before, started = os.times(), time.monotonic()
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file, env=_environment())
        memory = _Memory(process.pid)
        memory.start()
        status = process.wait()
        memory.ended.set()
        memory.join()
    wall, after = time.monotonic() - started, os.times()
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with {status}:\n{log.read_text()[-2000:]}")
    cpu = sum(after[2:4]) - sum(before[2:4])
    return Cost(wall, cpu, memory.peak / 1e6)


def command_of(kind: str, folder: Path, market: Path, arguments: argparse.Namespace) -> list[str]:
    """The backtest of ``stock`` or ``ours`` in a folder of its own."""
    config = json.loads((ROOT / "config.json").read_text())
    config["exchange"]["pair_whitelist"] = arguments.pairs
    names = ["--strategy", "LightGBMSignalStrategy", "--freqaimodel", "LightGBMSignalClassifier"]
    if kind == "stock":
        (folder / "strategies").mkdir()
        (folder / "strategies" / "stock.py").write_text(STRATEGY)
        config["strategy_path"] = str(folder / "strategies")
        config["freqai"] = STOCK
        config.pop("freqaimodel_path")
        names = ["--strategy", "Stock", "--freqaimodel", "LightGBMClassifier"]
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return [
        *(sys.executable, "-m", "freqai_signals", "sandbox", "--datadir", str(market)),
        *("--pairs", *arguments.pairs, "--"),
        *(sys.executable, "-m", "freqtrade", "backtesting", "--cache", "none", *names),
        *("--config", str(path), "--userdir", str(folder), "--timerange", arguments.timerange),
    ]


def main() -> None:
    pairs = json.loads((ROOT / "config.json").read_text())["exchange"]["pair_whitelist"]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", nargs="+", default=pairs)
    parser.add_argument("--timerange", default="20240105-20240305")
    parser.add_argument("--kinds", nargs="+", choices=("stock", "ours"), default=["stock", "ours"])
    arguments = parser.parse_args()
    market = ensure_market(MarketSpec(pairs=tuple(arguments.pairs)), notify=print).folder.resolve()
    costs, load = {}, os.getloadavg()[0]
    subprocess.run([sys.executable, "-c", f"import {_MODULES}"], env=_environment(), check=True)
    for kind in arguments.kinds:
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "log"
            costs[kind] = measured(command_of(kind, Path(folder), market, arguments), log)
    table = Table(f"{len(arguments.pairs)} pairs, {arguments.timerange}", "wall s", "CPU s", "MB")
    for kind, cost in costs.items():
        table.add_row(kind, *(f"{value:,.0f}" for value in asdict(cost).values()))
    facts: dict[str, Any] = {kind: asdict(cost) for kind, cost in costs.items()}
    if len(costs) == 2:
        ours, stock = asdict(costs["ours"]), asdict(costs["stock"])
        facts["ratio"] = {name: ours[name] / stock[name] for name in ours}
        table.add_row("ours / stock", *(f"{value:.3f}" for value in facts["ratio"].values()))
    Console().print(table)
    save(
        "backtest", {}, pairs=len(arguments.pairs), load_before=load, cores=os.cpu_count(), **facts
    )


if __name__ == "__main__":
    main()
