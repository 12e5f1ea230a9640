"""The futures-1h profile by command, on real futures candles that are too few for its 720 days."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from freqai_signals.config import settings_from_config
from freqai_signals.report.backtest_record import read_run
from tests.conftest import real_candles
from tests.plugin.conftest import REPO

CANDLES = real_candles()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CANDLES / "futures" / "BTC_USDT_USDT-1h-futures.feather").is_file(),
        reason="needs 1h candles of futures beside the project",
    ),
]

SHORTER: dict[str, Any] = {
    "exchange": {"pair_whitelist": ["BTC/USDT:USDT", "ETH/USDT:USDT"]},
    "freqai": {"train_period_days": 240},
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Output of a backtest, and its user folder."""
    folder = tmp_path_factory.mktemp("profile")
    overlay = folder / "shorter.json"
    overlay.write_text(json.dumps(SHORTER))
    command = [
        "freqtrade", "backtesting", "--config", str(REPO / "config.futures-1h.json"),
        "--config", str(overlay), "--userdir", str(folder), "--cache", "none",
        "--strategy", "LightGBMSignalStrategy", "--strategy-path", str(REPO / "strategies"),
        "--freqaimodel", "LightGBMSignalClassifier",
        "--freqaimodel-path", str(REPO / "freqai_models"), "--timerange", "20240110-20240301",
    ]  # fmt: skip
    sandbox = [sys.executable, "-m", "freqai_signals", "sandbox", "--datadir", str(CANDLES), "--"]
    ended = subprocess.run(
        [*sandbox, *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPO), "COLUMNS": "250", "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-5000:]
    return ended.stdout + ended.stderr, folder


def test_the_backtest_runs_to_its_report_and_tells_what_to_expect(ran: tuple[str, Path]) -> None:
    output, _ = ran
    assert "Isolated Futures" in output
    assert "BACKTESTING REPORT" in output
    assert "+12 ± 13 bp per trade after fees" in output
    assert "differ from the measured recipe: train_period_days." in output


def test_the_signal_report_tells_it_too(ran: tuple[str, Path]) -> None:
    _, folder = ran
    command = [sys.executable, "-m", "freqai_signals", "report", "--userdir", str(folder)]
    text = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True).stdout
    assert "±" in text
    assert "may be zero" in " ".join(text.split())


def test_signals_are_few_extreme_scores_of_either_side(ran: tuple[str, Path]) -> None:
    _, folder = ran
    name = json.loads((REPO / "config.futures-1h.json").read_text())["freqai"]["identifier"]
    run = read_run(folder / "signals" / "reports" / name)
    frames = pd.concat(run.frames.values())
    assert settings_from_config(
        json.loads((REPO / "config.futures-1h.json").read_text())
    ).decision.score_share == pytest.approx(0.03)
    counts = frames["reject_reason"].value_counts()
    assert counts["ordinary_score"] > counts["calm"] > 0
    acted = frames[frames["signal_strength"] >= 0]["reject_reason"] == ""
    assert 0 < acted.mean() < 0.06
