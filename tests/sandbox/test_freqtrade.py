"""The unmodified freqtrade command line through the sandbox."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from freqai_signals.sandbox.market.market_files import Market

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow

STRATEGY = """
from freqtrade.strategy import IStrategy, IntParameter


class Average(IStrategy):
    timeframe = "5m"
    minimal_roi = {"0": 0.02}
    stoploss = -0.05
    startup_candle_count = 30
    plot_config = {"main_plot": {"fast": {}}}
    gap = IntParameter(0, 5, default=0, space="buy")

    def populate_indicators(self, frame, metadata):
        frame["fast"] = frame["close"].rolling(6).mean()
        frame["slow"] = frame["close"].rolling(30).mean()
        return frame

    def populate_entry_trend(self, frame, metadata):
        above = frame["fast"] > frame["slow"] * (1 + self.gap.value / 1e4)
        frame.loc[above & ~above.shift(1, fill_value=True), "enter_long"] = 1
        return frame

    def populate_exit_trend(self, frame, metadata):
        frame.loc[frame["fast"] < frame["slow"], "exit_long"] = 1
        return frame
"""
CONFIG = {
    "dry_run": True,
    "stake_currency": "USDT",
    "stake_amount": "unlimited",
    "dry_run_wallet": 1000,
    "max_open_trades": 2,
    "entry_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
    "exit_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
    "exchange": {"name": "binance", "pair_whitelist": ["BTC/USDT", "ETH/USDT"]},
    "pairlists": [{"method": "StaticPairList"}],
}
ON_STRATEGY = ("--strategy", "Average", "--timerange", "20230205-20230208")


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    strategies = tmp_path / "user_data" / "strategies"
    strategies.mkdir(parents=True)
    (strategies / "Average.py").write_text(STRATEGY)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return tmp_path


def freqtrade(bot: Path, datadir: Path, *arguments: str, pairs: tuple[str, ...] = ()) -> str:
    """Output of a freqtrade command through the sandbox; the command must succeed."""
    options = ["--datadir", str(datadir), "--log", "requests.log"]
    options += ["--pairs", *pairs] if pairs else []
    command = [sys.executable, "-m", "freqtrade", *arguments, "--config", "config.json"]
    finished = subprocess.run(
        [sys.executable, "-m", "freqai_signals", "sandbox", *options, "--", *command],
        cwd=bot,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout[-2000:] + finished.stderr[-4000:]
    return finished.stdout + finished.stderr


def requests(bot: Path) -> str:
    return (bot / "requests.log").read_text()


def test_list_pairs(bot: Path, market: Market) -> None:
    assert "BTC/USDT, ETH/USDT" in freqtrade(bot, market.folder, "list-pairs", "--print-list")
    assert "/api/v3/exchangeInfo 200" in requests(bot)


def test_download_data_gives_the_candles_and_leaves_them_alone(bot: Path, market: Market) -> None:
    before = sorted((path.name, path.stat().st_mtime_ns) for path in market.folder.iterdir())
    freqtrade(
        bot, market.folder, "download-data", "--timeframes", "5m", "1h",
        "--timerange", "20230110-20230116", pairs=("ETH/USDT",),
    )  # fmt: skip
    for timeframe in ("5m", "1h"):
        name = f"ETH_USDT-{timeframe}.feather"
        got = pd.read_feather(bot / "user_data" / "data" / "binance" / name)
        had = market.candles("ETH/USDT", timeframe)
        had = had[had["date"].isin(got["date"])].reset_index(drop=True)
        assert len(got) > 100
        pd.testing.assert_frame_equal(got.assign(date=got["date"].dt.as_unit("ms")), had)
    after = sorted((path.name, path.stat().st_mtime_ns) for path in market.folder.iterdir())
    assert before == after
    assert "klines?interval=5m" in requests(bot)


def test_backtesting(bot: Path, market: Market) -> None:
    output = freqtrade(
        bot, market.folder, "backtesting", *ON_STRATEGY, "--cache", "none", pairs=("ETH/USDT",)
    )
    assert "STRATEGY SUMMARY" in output
    assert "ETH/USDT" in output
    assert "BTC/USDT" not in output.partition("BACKTESTING REPORT")[2]


def test_hyperopt(bot: Path, market: Market) -> None:
    freqtrade(
        bot, market.folder, "hyperopt", *ON_STRATEGY, "--epochs", "2", "--spaces", "buy",
        "--hyperopt-loss", "SharpeHyperOptLossDaily", "--job-workers", "1",
    )  # fmt: skip
    assert list((bot / "user_data" / "hyperopt_results").glob("*.fthypt"))


def test_lookahead_analysis(bot: Path, market: Market) -> None:
    output = freqtrade(
        bot, market.folder, "lookahead-analysis", *ON_STRATEGY,
        "--minimum-trade-amount", "3", "--targeted-trade-amount", "5",
    )  # fmt: skip
    assert "biased_entry" in output or "Lookahead Analysis" in output


def test_recursive_analysis(bot: Path, market: Market) -> None:
    output = freqtrade(
        bot, market.folder, "recursive-analysis", *ON_STRATEGY, "--startup-candle", "30", "60"
    )
    assert "No variance on indicator(s) found" in output


def test_plot_dataframe(bot: Path, market: Market) -> None:
    freqtrade(bot, market.folder, "plot-dataframe", *ON_STRATEGY, "--no-trades")
    assert list((bot / "user_data" / "plot").glob("*.html"))
