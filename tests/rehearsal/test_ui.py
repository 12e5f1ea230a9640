"""What FreqUI and plot-dataframe show of a backtest."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from freqai_signals.commands.credentials import ensure_credentials
from freqai_signals.rehearsal.bot import write_config
from freqai_signals.sandbox.market.market_files import Market
from freqai_signals.schema import MODEL_COLUMNS, REASON_COLUMN, STRENGTH_COLUMN, TRUST_COLUMN
from tests.conftest import REPO
from tests.rehearsal.conftest import CODE, small_config

pytestmark = pytest.mark.slow

SPAN = "20230210-20230213"
OURS = (
    *("--strategy", "LightGBMSignalStrategy", "--strategy-path", str(CODE[0])),
    *("--freqaimodel", "LightGBMSignalClassifier", "--freqaimodel-path", str(CODE[1])),
)


def freqtrade(folder: Path, market: Market, *command: str) -> list[str]:
    sandbox = ["sandbox", "--datadir", str(market.folder), "--log", str(folder / "requests.log")]
    options = ["--config", str(folder / "config.json"), "--userdir", str(folder / "user")]
    return [
        *(sys.executable, "-m", "freqai_signals", *sandbox, "--"),
        *(sys.executable, "-m", "freqtrade", *command, *options),
    ]


def test_backtests_are_drawn_from_cached_windows(market: Market, tmp_path: Path) -> None:
    (tmp_path / "user").mkdir()
    config = small_config()
    config["freqai"]["backtest_period_days"] = 7
    config |= {"strategy_path": str(CODE[0]), "freqaimodel_path": str(CODE[1])}
    write_config(tmp_path / "config.json", config)
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    for command in (("backtesting", "--cache", "none"), ("plot-dataframe", "--no-trades")):
        arguments = freqtrade(tmp_path, market, *command, *OURS, "--timerange", SPAN)
        done = subprocess.run(
            arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
    assert "Reusing cached predictions" in done.stdout + done.stderr
    assert len(list((tmp_path / "user" / "plot").glob("*.html"))) == 2

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    secrets = tmp_path / "credentials.json"
    ensure_credentials(secrets, port)
    # The secrets come last: they switch on what the config has off.
    arguments = [*freqtrade(tmp_path, market, "webserver"), "--config", str(secrets)]
    log = tmp_path / "web.log"
    with log.open("w") as file:
        server = subprocess.Popen(
            arguments, cwd=tmp_path, env=environment, stdout=file, stderr=file
        )
    try:
        query = {
            "pair": "BTC/USDT",
            "timeframe": "5m",
            "timerange": SPAN,
            "strategy": "LightGBMSignalStrategy",
            "freqaimodel": "LightGBMSignalClassifier",
        }
        answer = ask(secrets, f"pair_history?{urllib.parse.urlencode(query)}")
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=240)
    contract = {*MODEL_COLUMNS, TRUST_COLUMN, STRENGTH_COLUMN, REASON_COLUMN}
    assert contract <= set(answer["columns"])
    assert len(answer["data"]) > 800
    rows = pd.DataFrame(answer["data"], columns=answer["columns"])
    for name in (*MODEL_COLUMNS, TRUST_COLUMN, STRENGTH_COLUMN):
        assert rows[name].map(lambda value: isinstance(value, (int, float))).all(), name
    assert "Reusing cached predictions" in log.read_text()


def ask(secrets: Path, path: str) -> Any:
    """Answer of the API, as soon as it is there."""
    server = json.loads(secrets.read_text())["api_server"]
    login = base64.b64encode(f"{server['username']}:{server['password']}".encode()).decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{server['listen_port']}/api/v1/{path}",
        headers={"Authorization": f"Basic {login}"},
    )
    deadline = time.monotonic() + 240
    while True:
        try:
            with urllib.request.urlopen(request, timeout=240) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error
        except urllib.error.URLError:
            assert time.monotonic() < deadline
            time.sleep(0.5)
