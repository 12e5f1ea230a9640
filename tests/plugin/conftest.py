"""freqtrade itself, in this process, over small synthetic candles and the loopback exchange."""

import copy
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from freqtrade.configuration import Configuration
from freqtrade.enums import RunMode
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.strategy import IStrategy

from freqai_signals.model.signal_model import SignalModel
from freqai_signals.sandbox.exchange.app import create_exchange
from freqai_signals.sandbox.exchange.clock import Clock
from freqai_signals.sandbox.exchange.server import serving
from freqai_signals.sandbox.runner.environment import sandbox_variables
from freqai_signals.training.model_store import ModelStore

REPO = Path(__file__).resolve().parents[2]
FIRST = pd.Timestamp("2024-01-01", tz="UTC")
BACKTEST = "20240129-20240202"
PAIRS = ("BTC/USDT", "ETH/USDT")
_SHIPPED = (REPO / "config.json").read_text()


def market_candles(seed: int, days: float = 33.0, first: pd.Timestamp = FIRST) -> pd.DataFrame:
    """Candles of 15 minutes that trend a little, so that a small model finds something."""
    rows = int(days * 96)
    rng = np.random.default_rng(seed)
    drift = pd.Series(rng.normal(0, 1, rows)).ewm(span=60).mean().to_numpy()
    close = 100 * np.exp(np.cumsum(0.02 * drift + rng.normal(0, 0.002, rows)))
    opening = np.concatenate([[100.0], close[:-1]])
    wick = np.abs(rng.normal(0, 0.001, (2, rows)))
    return pd.DataFrame(
        {
            "date": pd.date_range(first, periods=rows, freq="15min", unit="ms"),
            "open": opening,
            "high": np.maximum(opening, close) * (1 + wick[0]),
            "low": np.minimum(opening, close) * (1 - wick[1]),
            "close": close,
            "volume": rng.lognormal(8, 0.6, rows),
        }
    )


def write_candles(folder: Path, pair: str, frame: pd.DataFrame) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_feather(folder / f"{pair.replace('/', '_')}-15m.feather", compression="lz4")


def small_config(**changes: Any) -> dict[str, Any]:
    """The shipped config, cut down to train in a fraction of a second; nested keys by ``a__b``."""
    config = json.loads(_SHIPPED)
    config["timeframe"] = "15m"
    config["exchange"]["pair_whitelist"] = list(PAIRS)
    freqai = config["freqai"]
    freqai |= {"identifier": "test", "train_period_days": 20, "backtest_period_days": 2}
    freqai["feature_parameters"] |= {
        "include_timeframes": ["15m"],
        "label_period_candles": 8,
        "indicator_periods_candles": [6, 12],
    }
    freqai["model_training_parameters"] = {
        "n_estimators": 30, "min_child_samples": 20, "learning_rate": 0.1, "n_jobs": 1,
    }  # fmt: skip
    freqai["signals"]["features"] = {
        "groups": ["momentum", "volatility", "cross_asset"],
        "higher_timeframes": ["1h"],
    }
    # Twenty days of candles rarely prove an edge.
    freqai["signals"]["ledger"] = {"wait_seconds": 30}
    freqai["signals"]["gate"] = {"where": "never"}
    freqai["signals"]["model"]["row_step"] = 3
    freqai["signals"]["validation"] = {"min_rows": 100}
    freqai["signals"]["costs"] = {"fee": 0.001}
    freqai["signals"]["decision"] |= {
        "minimum_confidence": 0.5, "weak": 0.5, "reference_confidence": 0.5,
    }  # fmt: skip
    for path, value in changes.items():
        *above, last = path.split("__")
        section = config
        for key in above:
            section = section.setdefault(key, {})
        section[last] = value
    return config


@dataclass
class Run:
    """What one backtest left: its frames by pair, its log, and the objects that made it."""

    frames: dict[str, pd.DataFrame]
    log: list[str]
    strategy: IStrategy
    user_data: Path
    config: dict[str, Any] = field(repr=False)
    models: list[SignalModel] = field(repr=False)
    """Of each window the newly trained one, oldest first."""
    backtesting: Backtesting | None = field(default=None, repr=False)

    def said(self, *words: str) -> list[str]:
        """Log lines that hold all the words."""
        return [line for line in self.log if all(word in line for word in words)]

    def predictions(self, pair: str = "BTC/USDT") -> pd.DataFrame:
        """Rows inside the backtest window."""
        frame = self.frames[pair]
        start, stop = (pd.Timestamp(day, tz="UTC") for day in BACKTEST.split("-"))
        return frame[(frame["date"] >= start) & (frame["date"] < stop)].reset_index(drop=True)

    def files(self, pattern: str) -> list[Path]:
        return sorted((self.user_data / "models").rglob(pattern))


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.getMessage()}")


@dataclass
class Bench:
    """A data directory served by a loopback exchange, and freqtrade to run against it."""

    folder: Path
    url: str

    def config(self, user_data: Path, runmode: RunMode, config: dict[str, Any]) -> dict[str, Any]:
        """freqtrade's merged and checked configuration."""
        user_data.mkdir(parents=True, exist_ok=True)
        path = user_data / "config.json"
        path.write_text(json.dumps(config))
        arguments = {
            "config": [str(path)],
            "user_data_dir": str(user_data),
            "datadir": str(self.folder),
            "strategy": "LightGBMSignalStrategy",
            "strategy_path": str(REPO / "strategies"),
            "freqaimodel": "LightGBMSignalClassifier",
            "freqaimodel_path": str(REPO / "freqai_models"),
        }
        if runmode == RunMode.BACKTEST:
            arguments |= {"timerange": BACKTEST, "export": "none", "backtest_cache": "none"}
        variables = sandbox_variables(self.url, self.folder)
        before = dict(os.environ)
        os.environ.update(variables)
        try:
            return Configuration(arguments, runmode).get_config()
        finally:
            os.environ.clear()
            os.environ.update(before)

    def backtest(
        self, user_data: Path, config: dict[str, Any] | None = None, whole: bool = False
    ) -> Run:
        """freqtrade's own backtest up to the indicators, or to its results if ``whole``."""
        merged = self.config(user_data, RunMode.BACKTEST, config or small_config())
        return self.run(merged, user_data, whole)

    def run(self, merged: dict[str, Any], user_data: Path, whole: bool = False) -> Run:
        """The same with a config that freqtrade has merged already."""
        collector = _Collector()
        models: list[SignalModel] = []
        train = ModelStore.train

        def kept(*arguments: Any) -> SignalModel:
            models.append(train(*arguments))
            return models[-1]

        root = logging.getLogger()
        level = root.level
        root.addHandler(collector)
        root.setLevel(logging.INFO)
        try:
            backtesting = Backtesting(merged)
            if whole:
                backtesting.start()
            data, _ = backtesting.load_bt_data()
            backtesting._set_strategy(backtesting.strategylist[0])
            strategy = backtesting.strategy
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(ModelStore, "train", kept)
                frames = strategy.advise_all_indicators(copy.deepcopy(data))
        finally:
            root.removeHandler(collector)
            root.setLevel(level)
        return Run(frames, collector.lines, strategy, user_data, merged, models, backtesting)


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Two pairs against USDT and one of them against USDC as well, other candles in each."""
    folder = tmp_path_factory.mktemp("candles") / "binance"
    for seed, pair in enumerate((*PAIRS, "BTC/USDC")):
        write_candles(folder, pair, market_candles(seed))
    with serving(create_exchange(folder, Clock(), lambda line: None)) as url:
        yield Bench(folder, url)


@pytest.fixture(scope="session")
def first_run(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One backtest from nothing; read only."""
    return bench.backtest(tmp_path_factory.mktemp("user"))


@pytest.fixture
def user_data_of_first_run(first_run: Run, tmp_path: Path) -> Path:
    """A copy of what the first run left on disk: models, caches, stores."""
    copied = tmp_path / "user"
    shutil.copytree(first_run.user_data, copied)
    return copied


@pytest.fixture
def changed_candles(bench: Bench, tmp_path: Path) -> Callable[[str, Callable[..., Any]], Bench]:
    """``changed_candles(pair, change)`` serves a copy of the candles with one pair changed."""

    def changed(pair: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Bench:
        folder = tmp_path / "binance"
        shutil.copytree(bench.folder, folder)
        path = folder / f"{pair.replace('/', '_')}-15m.feather"
        write_candles(folder, pair, change(pd.read_feather(path)))
        return Bench(folder, bench.url)

    return changed
