"""Seconds from a candle's close to the last pair's decision, while training and not, against stock.

Freqtrade's own objects without its threads: candles are in memory (the exchange's response is not
included), then every pair of the whitelist is analysed as in the bot. Training runs in a second
thread, as in FreqAI; candles arrive until one training has run from start to end. "Of one core" is
the processor time of the deciding thread, which does not depend on the load of the machine. Stock
is freqtrade's LightGBMClassifier with its template's features.

    python -m benchmarks.bench_latency [--pairs 10 50 100] [--candles 3] [--train-days 14]
"""

import argparse
import itertools
import json
import logging
import os
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.configuration import Configuration
from freqtrade.configuration.config_validation import validate_config_consistency
from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import CandleType, RunMode
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.resolvers import ExchangeResolver, StrategyResolver

from benchmarks.harness import Timing, save
from freqai_signals.sandbox.exchange.app import create_exchange
from freqai_signals.sandbox.exchange.clock import Clock
from freqai_signals.sandbox.exchange.server import serving
from freqai_signals.sandbox.market.market_files import candle_file, write_feather
from freqai_signals.sandbox.runner.environment import sandbox_variables

ROOT = Path(__file__).parents[1]
FRAME = 3000
"""Candles of the frame that the bot analyses: startup and one page of the exchange."""

PAUSE = 1.0
"""Seconds between a decision and the next candle, during which a training continues."""

MOST_CANDLES = 60
"""Maximum number of candles decided while waiting for a training to end."""

WARM_CANDLES = 30
"""Candles that ours decides before it is measured: more than a label reaches, so that from then on
each candle brings an outcome of every pair, which the ledger is asked for and written to."""

STOCK = """
from freqtrade.strategy import IStrategy
import talib.abstract as ta


class Stock(IStrategy):
    timeframe = "5m"
    minimal_roi = {"0": 10}
    stoploss = -0.3
    startup_candle_count = 40
    process_only_new_candles = True

    def feature_engineering_expand_all(self, frame, period, metadata, **kwargs):
        frame["%-rsi"] = ta.RSI(frame, timeperiod=period)
        frame["%-mfi"] = ta.MFI(frame, timeperiod=period)
        frame["%-adx"] = ta.ADX(frame, timeperiod=period)
        frame["%-sma"] = ta.SMA(frame, timeperiod=period) / frame["close"]
        frame["%-roc"] = ta.ROC(frame, timeperiod=period)
        frame["%-volume"] = frame["volume"] / frame["volume"].rolling(period).mean()
        return frame

    def feature_engineering_expand_basic(self, frame, metadata, **kwargs):
        frame["%-change"] = frame["close"].pct_change()
        return frame

    def feature_engineering_standard(self, frame, metadata, **kwargs):
        frame["%-hour"] = frame["date"].dt.hour
        return frame

    def set_freqai_targets(self, frame, metadata, **kwargs):
        self.freqai.class_names = ["down", "up"]
        up = frame["close"].shift(-24) > frame["close"]
        frame["&s-up_or_down"] = up.map({True: "up", False: "down"})
        return frame

    def populate_indicators(self, frame, metadata):
        return self.freqai.start(frame, metadata, self)

    def populate_entry_trend(self, frame, metadata):
        frame.loc[(frame["do_predict"] == 1) & (frame["up"] > 0.6), "enter_long"] = 1
        return frame

    def populate_exit_trend(self, frame, metadata):
        return frame
"""


@dataclass
class Bot:
    """The part of a dry run that a decision needs."""

    strategy: Any
    config: dict[str, Any]
    pairs: tuple[str, ...]

    def show(self, frames: dict[str, pd.DataFrame]) -> None:
        """Put candles in place of the exchange's response."""
        kept = self.strategy.dp._exchange._klines
        kept.update({(pair, "5m", CandleType.SPOT): frame for pair, frame in frames.items()})

    def decide(self) -> tuple[float, float]:
        """Analyse every pair; returns seconds until the last one is done, and those of one core."""
        begin, worked = time.perf_counter(), time.thread_time()
        self.strategy.analyze(list(self.pairs))
        return time.perf_counter() - begin, time.thread_time() - worked

    def forget_models(self) -> None:
        """Empty the model store, which would otherwise return the last model without training."""
        store = getattr(self.strategy.freqai, "store", None)
        for path in store.folder.glob("*.model") if store else ():
            path.unlink()

    def close(self) -> None:
        """Let ours write what waits, before its folder goes."""
        if (operation := getattr(self.strategy.freqai, "operation", None)) is not None:
            operation.close()

    def check_models(self) -> None:
        """Raise RuntimeError if a model of ours abstains: that takes less than to predict."""
        for pair, model in self.strategy.freqai.dd.model_dictionary.items():
            if reason := getattr(getattr(model, "card", None), "reason", ""):
                raise RuntimeError(f"the model of {pair} abstains: {reason}")

    def train(self, pair: str) -> None:
        """Train a pair's model as FreqAI's thread does when it is due."""
        freqai = self.strategy.freqai
        freqai.dd.pair_dict[pair]["trained_timestamp"] = 0
        data_kitchen = FreqaiDataKitchen(self.config, True, pair)
        _, training, loading = data_kitchen.check_if_new_training_required(0)
        data_kitchen.set_paths(pair, training.stopts)
        freqai.extract_data_and_train_model(training, pair, self.strategy, data_kitchen, loading)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, nargs="+", default=[10, 50, 100])
    parser.add_argument("--candles", type=int, default=3, help="repeats")
    parser.add_argument("--train-days", type=int, default=14, help="train_period_days")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    tables = {}
    for count in arguments.pairs:
        timings = measure_pairs(count, arguments.candles, arguments.train_days)
        title = f"{count} pairs"
        tables[title] = timings
        print(f"\n{title}: seconds from candle close to the last decision")
        for timing in timings:
            print(f"{timing.name:34}{timing.seconds:10.3f}{timing.slowest:10.3f} at most")
    save("latency", tables)


def measure_pairs(count: int, candles: int, train_days: int) -> list[Timing]:
    """Both models with the same candles, idle and during a training."""
    pairs = tuple(f"C{number:03}/USDT" for number in range(count))
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        history = {pair: walk(seed, train_days + 16) for seed, pair in enumerate(pairs)}
        (folder / "binance").mkdir()
        # A bot has downloaded nothing of what is to come.
        for pair, frame in history.items():
            write_feather(
                frame[: first_shown(frame, candles)], folder / "binance" / candle_file(pair, "5m")
            )
        app = create_exchange(folder / "binance", Clock(), lambda line: None)
        with serving(app) as url:
            for kind in ("stock", "ours"):
                bot = make_bot(kind, folder, url, pairs, train_days)
                found += measure_bot(kind, bot, history, candles)
                bot.close()
    return found


def first_shown(frame: pd.DataFrame, candles: int) -> int:
    """How many candles there are before those that are decided."""
    return len(frame) - candles - MOST_CANDLES - WARM_CANDLES - 2


def measure_bot(
    kind: str, bot: Bot, history: dict[str, pd.DataFrame], candles: int
) -> list[Timing]:
    shown = itertools.count(first_shown(next(iter(history.values())), candles))

    def next_candle() -> tuple[float, float]:
        stop = next(shown)
        frames = {p: f.iloc[stop - FRAME : stop].reset_index(drop=True) for p, f in history.items()}
        bot.show(frames)
        return bot.decide()

    next_candle()
    for pair in bot.pairs:
        bot.train(pair)
    bot.check_models()
    next_candle()
    for _ in range(WARM_CANDLES if kind == "ours" else 0):
        next_candle()
    idle = [next_candle() for _ in range(candles)]
    stop = threading.Event()
    trained: list[float] = []

    def train_on() -> None:
        while not stop.is_set():
            for entry in bot.strategy.freqai.dd.pair_dict.values():
                entry["trained_timestamp"] = 0
            bot.forget_models()
            begin = time.perf_counter()
            bot.train(bot.pairs[0])
            trained.append(time.perf_counter() - begin)

    thread = threading.Thread(target=train_on)
    thread.start()
    busy: list[tuple[float, float]] = []
    # Every stage of a training, to its end, meets a candle; between two candles it goes on.
    while len(busy) < candles or (not trained and len(busy) < MOST_CANDLES):
        time.sleep(PAUSE)
        busy.append(next_candle())
    stop.set()
    thread.join()
    late = max(busy)[0] - statistics.median(seconds for seconds, _ in idle)
    print(
        f"{kind}, {len(bot.pairs)} pairs: {len(busy)} candles met {len(trained)} trainings of "
        f"{statistics.median(trained):.1f} s; the last decision came {late:.2f} s later at most"
    )
    return [
        Timing(f"{kind}, {what}{clock}", len(bot.pairs), statistics.median(times), min(times),
               max(times), len(times))
        for what, measured in (("idle", idle), ("while training", busy))
        for clock, times in zip(("", ", of one core"), zip(*measured, strict=True), strict=True)
    ]  # fmt: skip


def make_bot(kind: str, folder: Path, url: str, pairs: tuple[str, ...], train_days: int) -> Bot:
    user_data = folder / kind
    user_data.mkdir()
    config = json.loads((ROOT / "config.json").read_text())
    config["exchange"]["pair_whitelist"] = list(pairs)
    config["freqai"] |= {
        "train_period_days": train_days,
        "identifier": kind,
        "purge_old_models": False,
    }
    config["freqai"]["model_training_parameters"] = {"n_estimators": 200, "n_jobs": 2}
    arguments: dict[str, Any] = {
        "strategy": "LightGBMSignalStrategy",
        "strategy_path": str(ROOT / "strategies"),
        "freqaimodel": "LightGBMSignalClassifier",
        "freqaimodel_path": str(ROOT / "freqai_models"),
    }
    if kind == "stock":
        (user_data / "Stock.py").write_text(STOCK)
        arguments = {"strategy": "Stock", "strategy_path": str(user_data)}
        arguments["freqaimodel"] = "LightGBMClassifier"
        config["freqai"].pop("signals")
        config["freqai"]["feature_parameters"] |= {"include_shifted_candles": 2}
    path = user_data / "config.json"
    path.write_text(json.dumps(config))
    arguments |= {"config": [str(path)], "user_data_dir": str(user_data)}
    arguments |= {"datadir": str(folder / "binance")}
    os.environ.update(sandbox_variables(url, folder / "binance"))
    merged = Configuration(arguments, RunMode.DRY_RUN).get_config()
    exchange = ExchangeResolver.load_exchange(merged)
    strategy = StrategyResolver.load_strategy(merged)
    validate_config_consistency(merged)
    strategy.dp = DataProvider(merged, exchange)
    strategy.dp.current_whitelist = lambda: list(pairs)
    strategy.ft_bot_start()
    strategy.freqai.live = True
    strategy.freqai.scanning = True
    return Bot(strategy, merged, pairs)


def walk(seed: int, days: int) -> pd.DataFrame:
    """Random-walk candles of a number of days that end now.

    Their volatility has a rhythm of hours, or no model of ours would serve: it would predict no
    better than the prior.
    """
    rng = np.random.default_rng(seed)
    rows = days * 288
    rhythm = 1 + 0.8 * np.sin(2 * np.pi * np.arange(rows) / 144)
    close = 100 * np.exp(np.cumsum(rng.standard_normal(rows) * 0.0015 * rhythm))
    opened = np.concatenate([[100.0], close[:-1]])
    wick = np.abs(rng.normal(0, 0.0005, (2, rows)))
    last = pd.Timestamp.now("UTC").floor("5min") - pd.Timedelta("5min")
    return pd.DataFrame(
        {
            "date": pd.date_range(end=last, periods=rows, freq="5min", unit="ms"),
            "open": opened,
            "high": np.maximum(opened, close) * (1 + wick[0]),
            "low": np.minimum(opened, close) * (1 - wick[1]),
            "close": close,
            "volume": rng.lognormal(3, 0.6, rows),
        }
    )


if __name__ == "__main__":
    main()
