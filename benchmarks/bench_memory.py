"""Memory for the training rows of many pairs: what a backtest needs before its first model.

``make bench-memory`` or ``python -m benchmarks.bench_memory``. Each size runs in a process of its
own over random-walk candles: features and labels of every pair, and the matrix of all windows,
with features on disk as in a backtest, and kept in memory.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.harness import save
from freqai_signals.dataset.features.cache import FeatureCache, with_features
from freqai_signals.dataset.features.mapped import rest
from freqai_signals.dataset.pair_tables import PairTables, add_labels, training_window
from freqai_signals.settings import SignalSettings

SETTINGS: Final = SignalSettings()
FIRST: Final = pd.Timestamp("2023-01-01", tz="UTC")


def candles(seed: int, days: int) -> pd.DataFrame:
    """Random-walk candles of five minutes."""
    rng, count = np.random.default_rng(seed), 288 * days
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.002, count)))
    opening = np.concatenate([[100.0], close[:-1]])
    wick = np.abs(rng.normal(0, 0.001, (2, count)))
    return pd.DataFrame(
        {
            "date": pd.date_range(FIRST, periods=count, freq="5min"),
            "open": opening,
            "high": np.maximum(opening, close) * (1 + wick[0]),
            "low": np.minimum(opening, close) * (1 - wick[1]),
            "close": close,
            "volume": rng.lognormal(8, 0.6, count),
        }
    )


def strategy_of(frames: dict[str, pd.DataFrame], features: FeatureCache) -> Any:
    """What the tables ask a strategy for."""

    def engineered(frame: pd.DataFrame, metadata: dict[str, str]) -> pd.DataFrame:
        made = features.features(metadata["pair"], frame, lambda pair, first: frames[pair])
        return with_features(frame, made)

    return SimpleNamespace(
        training_candles=frames.__getitem__,
        feature_engineering_standard=engineered,
        set_freqai_targets=lambda frame, metadata: add_labels(frame, SETTINGS, 0.002),
    )


def inside(pairs: int, days: int, on_disk: bool) -> dict[str, float]:
    """Megabytes of this process at most, before and with the rows of all pairs."""
    frames = {f"P{i:02}/USDT": candles(i, days) for i in range(pairs)}
    before = _peak()
    first = int(FIRST.timestamp())
    run = [
        training_window(first + 86_400 * start, first + 86_400 * (start + 360), SETTINGS)
        for start in range(0, days - 360, 30)
    ]
    with tempfile.TemporaryDirectory() as folder:
        features = FeatureCache(SETTINGS, tuple(frames), Path(folder) if on_disk else None)
        tables = PairTables(SETTINGS.candle_seconds, Path(folder) if on_disk else None)
        strategy = strategy_of(frames, features)
        rows = [tables.run_rows(tuple(frames), strategy, w, run, rest) for w in run]
        return {"before": before, "peak": _peak(), "rows": sum(map(len, rows))}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, nargs="*", default=[5, 20, 50])
    parser.add_argument("--days", type=int, default=420, help="candles of each pair")
    parser.add_argument("--inside", choices=["disk", "memory"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        print(json.dumps(inside(given.pairs[0], given.days, given.inside == "disk")))
        return
    table = Table("pairs", "features", "MB with candles", "MB at most", "MB more a pair")
    found = []
    for place in ("disk", "memory"):
        for pairs in given.pairs:
            options = ["--pairs", str(pairs), "--days", str(given.days), "--inside", place]
            command = [sys.executable, "-m", "benchmarks.bench_memory", *options]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            result = json.loads(done.stdout) | {"pairs": pairs, "features": place}
            more = (result["peak"] - result["before"]) / pairs
            numbers = (f"{value:.0f}" for value in (result["before"], result["peak"], more))
            table.add_row(str(pairs), "on disk" if place == "disk" else "in memory", *numbers)
            found.append(result)
    Console().print(table)
    save("memory", {}, days=given.days, measured=found)


if __name__ == "__main__":
    main()
