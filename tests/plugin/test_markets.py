"""The shipped configuration by command: simulated market with and without edge, real futures."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from freqai_signals.report.data.backtest_record import RUN_FILE, read_run
from freqai_signals.schema import Reason
from tests.conftest import real_candles
from tests.plugin.conftest import REPO

FUTURES_CANDLES = real_candles()
STRATEGY = ("--strategy", "LightGBMSignalStrategy", "--strategy-path", "strategies")
MODEL = (
    "--freqaimodel",
    "LightGBMSignalClassifier",
    "--freqaimodel-path",
    str(REPO / "freqai_models"),
)
FUTURES = (
    "backtesting", "--config", "config.futures.json", "--timerange", "20240201-20240501",
    "--cache", "none",
)  # fmt: skip
SIXTY_DAYS = ("--timerange", "20240105-20240305")

pytestmark = pytest.mark.slow

Freqtrade = Callable[..., str]


@pytest.fixture(scope="module")
def userdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared, so that every model is trained once."""
    return tmp_path_factory.mktemp("user")


@pytest.fixture(scope="module")
def freqtrade(userdir: Path, tmp_path_factory: pytest.TempPathFactory) -> Freqtrade:
    """``freqtrade(command, ..., sandbox=[...])``: its output; it must succeed."""
    folder = tmp_path_factory.mktemp("work")
    # A copy: hyperopt leaves its parameter file beside the strategy.
    shutil.copytree(REPO / "strategies", folder / "strategies")
    for config in REPO.glob("config*.json"):
        shutil.copy(config, folder)
    market = REPO / "user_data" / "sandbox"
    market.mkdir(parents=True, exist_ok=True)
    (folder / "user_data").mkdir()
    (folder / "user_data" / "sandbox").symlink_to(market)

    def run(command: str, *options: str, sandbox: tuple[str, ...] = ()) -> str:
        inner = ["freqtrade", command, "--config", "config.json", *STRATEGY, *MODEL]
        inner += ["--userdir", str(userdir), *options]
        ended = subprocess.run(
            [sys.executable, "-m", "freqai_signals", "sandbox", *sandbox, "--", *inner],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(REPO), "COLUMNS": "250", "OMP_NUM_THREADS": "2"},
            capture_output=True,
            text=True,
            timeout=1500,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-5000:]
        return ended.stdout + ended.stderr

    return run


def results(userdir: Path) -> dict[str, Any]:
    """What the last backtest found."""
    folder = userdir / "backtest_results"
    name = json.loads((folder / ".last_result.json").read_text())["latest_backtest"]
    with zipfile.ZipFile(folder / name) as archive:
        content = json.loads(archive.read(name.replace(".zip", ".json")))
    return dict(content["strategy"]["LightGBMSignalStrategy"])


def test_market_without_edge_is_left_alone(freqtrade: Freqtrade, userdir: Path) -> None:
    freqtrade("backtesting", *SIXTY_DAYS, "--cache", "none", sandbox=("--edge", "0"))
    found = results(userdir)
    assert len(found["pairlist"]) == 5
    assert found["total_trades"] <= 10


@pytest.fixture(scope="module")
def default_edge(freqtrade: Freqtrade, userdir: Path) -> dict[str, Any]:
    freqtrade("backtesting", *SIXTY_DAYS, "--cache", "none")
    return results(userdir)


def test_market_with_the_default_edge_pays_its_fees(default_edge: dict[str, Any]) -> None:
    assert default_edge["total_trades"] > 200
    assert default_edge["profit_total"] > 0.05
    assert all(trade["fee_open"] > 0 and trade["fee_close"] > 0 for trade in default_edge["trades"])
    assert not any(trade["is_short"] for trade in default_edge["trades"])


def test_higher_tiers_are_right_more_often(default_edge: dict[str, Any], userdir: Path) -> None:
    report = [sys.executable, "-m", "freqai_signals", "report", "--json", "--userdir", str(userdir)]
    text = subprocess.run(report, cwd=REPO, capture_output=True, text=True, check=True).stdout
    sections = {section["key"]: section for section in json.loads(text)["page"]["sections"]}
    tiers = {row["tier"]: row for row in sections["tiers"]["tables"]["Tiers"]}
    right = [tiers[name]["right"] for name in ("none", "weak", "medium", "strong")]
    assert all(tiers[name]["rows"] > 200 for name in ("weak", "medium", "strong"))
    assert right == sorted(right)


def test_hyperopt_in_two_workers_is_picked_up_by_the_next_backtest(
    freqtrade: Freqtrade, userdir: Path, default_edge: dict[str, Any]
) -> None:
    searched = freqtrade(
        "hyperopt", "--timerange", "20240105-20240205", "--epochs", "4", "--spaces", "buy", "sell",
        "--hyperopt-path", str(REPO / "user_data" / "hyperopts"), "--random-state", "3",
        "--hyperopt-loss", "DeflatedSharpeHyperOptLoss", "--job-workers", "2",
    )  # fmt: skip
    assert "Reusing model" in searched
    assert not re.search("Traceback|Unexpected error", searched)
    found = re.search(r"Dumping parameters to (\S+\.json)", searched)
    assert found is not None
    exported = json.loads(Path(found[1]).read_text())["params"]["buy"]
    used = freqtrade("backtesting", "--timerange", "20240205-20240220", "--cache", "none")
    for name, value in exported.items():
        assert f"Strategy Parameter: {name} = {value}" in used


needs_futures = pytest.mark.skipif(
    not (FUTURES_CANDLES / "futures").is_dir(), reason="needs candles of futures beside the project"
)


@needs_futures
def test_futures_go_both_ways_with_funding_and_stops(freqtrade: Freqtrade, userdir: Path) -> None:
    # Real candles prove no edge, so nothing would be traded.
    unproven = userdir / "unproven.json"
    rule = {"freqai": {"signals": {"decision": {"expected_value_rule": False}}}}
    unproven.write_text(json.dumps(rule))
    output = freqtrade(
        *FUTURES, "--config", str(unproven), sandbox=("--datadir", str(FUTURES_CANDLES))
    )
    assert "Isolated Futures" in output
    found = results(userdir)
    assert found["pairlist"] == ["BTC/USDT:USDT", "ETH/USDT:USDT"]
    trades = found["trades"]
    assert {trade["is_short"] for trade in trades} == {True, False}
    assert any(trade["funding_fees"] != 0 for trade in trades)
    assert {"horizon", "stop_loss"} <= {trade["exit_reason"] for trade in trades}
    assert {trade["leverage"] for trade in trades} == {1.0}
    for trade in trades:
        direction = "sell" if trade["is_short"] else "buy"
        assert trade["enter_tag"].startswith(f"{direction}_")
        if trade["exit_reason"] == "stop_loss":
            assert trade["profit_ratio"] < 0
    report = [sys.executable, "-m", "freqai_signals", "report", "--json", "--userdir", str(userdir)]
    text = subprocess.run(report, cwd=REPO, capture_output=True, text=True, check=True).stdout
    (skill,) = (s for s in json.loads(text)["page"]["sections"] if s["key"] == "skill")
    assert all(pair in json.dumps(skill["tables"]) for pair in ("BTC/USDT:USDT", "ETH/USDT:USDT"))


@needs_futures
def test_shipped_futures_trade_only_what_is_worth_more_than_it_costs(
    freqtrade: Freqtrade, userdir: Path
) -> None:
    """On real candles, as the config stands: perhaps nothing."""
    freqtrade(*FUTURES, sandbox=("--datadir", str(FUTURES_CANDLES)))
    found = results(userdir)
    assert found["pairlist"] == ["BTC/USDT:USDT", "ETH/USDT:USDT"]
    (folder,) = {path.parent for path in (userdir / "signals" / "reports").rglob(RUN_FILE)}
    rows = read_run(folder).frames
    expected = {pair: frame.set_index("date")["expected_return"] for pair, frame in rows.items()}
    assert list(expected) == found["pairlist"]
    decided = pd.concat(rows.values())
    decided = decided[(decided["do_predict"] == 1) & (decided["signal_strength"] > 0)]
    assert (decided["expected_return"] > 0).all()
    for trade in found["trades"]:
        closed = pd.Timestamp(trade["open_date"]) - pd.Timedelta(minutes=5)
        assert expected[trade["pair"]][closed] > 0
    # The rule is what refuses the others, by one half of it or the other.
    refused = set(pd.concat(rows.values())["reject_reason"])
    assert refused & {Reason.NO_EDGE, Reason.UNPROVEN_EDGE}
