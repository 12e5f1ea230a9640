"""Every usual timeframe, from candles to the report."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from freqai_signals.commands.cli import main
from tests.plugin.conftest import PAIRS, Bench, small_config

Capture = pytest.CaptureFixture[str]

LONG_MEMORY = ["momentum", "candle_shape", "calendar", "higher_timeframes", "cross_asset"]
ALL = [*LONG_MEMORY, "volatility", "volume", "mean_reversion"]
CASES = {
    # Days of training, of backtest; feature groups.
    "1m": (6, 1, LONG_MEMORY),
    "5m": (12, 2, ALL),
    "15m": (30, 4, ALL),
    "1h": (90, 20, ALL),
    "4h": (400, 60, ALL),
    "1d": (1500, 200, ALL),
}
STOP = pd.Timestamp("2024-06-01", tz="UTC")


def candles(seed: int, timeframe: str, days: int) -> pd.DataFrame:
    """Candles up to ``STOP`` that trend a little."""
    step = pd.Timedelta(timeframe.replace("m", "min") if timeframe.endswith("m") else timeframe)
    rows = int(pd.Timedelta(days=days) / step)
    rng = np.random.default_rng(seed)
    drift = pd.Series(rng.normal(0, 1, rows)).ewm(span=60).mean().to_numpy()
    close = 100 * np.exp(np.cumsum(0.01 * drift + rng.normal(0, 0.002, rows)))
    opening = np.concatenate([[100.0], close[:-1]])
    wick = np.abs(rng.normal(0, 0.001, (2, rows)))
    return pd.DataFrame(
        {
            "date": pd.date_range(STOP - rows * step, periods=rows, freq=step, unit="ms"),
            "open": opening,
            "high": np.maximum(opening, close) * (1 + wick[0]),
            "low": np.minimum(opening, close) * (1 - wick[1]),
            "close": close,
            "volume": rng.lognormal(8, 0.6, rows),
        }
    )


def config_of(timeframe: str, train: int, test: int, groups: list[str]) -> dict[str, Any]:
    config = small_config(timeframe=timeframe)
    freqai = config["freqai"]
    freqai |= {"train_period_days": train, "backtest_period_days": test}
    freqai["feature_parameters"]["include_timeframes"] = [timeframe]
    freqai["signals"]["features"] = {"groups": groups}
    freqai["signals"]["model"]["row_step"] = 1
    return config


@pytest.mark.parametrize("timeframe", list(CASES))
def test_a_timeframe_runs_from_candles_to_report(
    bench: Bench, tmp_path: Path, timeframe: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    train, test, groups = CASES[timeframe]
    folder = tmp_path / "binance"
    folder.mkdir()
    for seed, pair in enumerate(PAIRS):
        frame = candles(seed, timeframe, days=2 * (train + test) + 10)
        name = f"{pair.replace('/', '_')}-{timeframe}.feather"
        frame.to_feather(folder / name, compression="lz4")
    start = STOP - pd.Timedelta(days=test)
    monkeypatch.setattr("tests.plugin.conftest.BACKTEST", f"{start:%Y%m%d}-{STOP:%Y%m%d}")
    run = Bench(folder, bench.url).backtest(
        tmp_path / "user", config_of(timeframe, train, test, groups), whole=True
    )
    predicted = run.frames[PAIRS[0]]
    predicted = predicted[predicted["date"] >= start]
    assert (predicted["do_predict"] == 1).mean() > 0.5
    capsys.readouterr()
    assert main(["report", "--userdir", str(tmp_path / "user"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["facts"]["settings"]["timeframe"] == timeframe
    quality = next(s for s in report["page"]["sections"] if s["key"] == "skill")
    assert all(pair in json.dumps(quality["tables"]) for pair in PAIRS)
