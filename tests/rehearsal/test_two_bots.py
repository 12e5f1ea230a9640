"""A producer with a model, a consumer without one, and the API between them and FreqUI."""

import base64
import json
import shutil
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from freqai_signals.commands.credentials import ensure_credentials
from freqai_signals.config import settings_from_config
from freqai_signals.rehearsal.bot import RehearsedBot, write_config
from freqai_signals.rehearsal.execution import bot_options
from freqai_signals.rehearsal.fast_clock import FastClock
from freqai_signals.rehearsal.scenario import load_candles
from freqai_signals.sandbox.exchange.app import create_exchange
from freqai_signals.sandbox.exchange.clock import Clock
from freqai_signals.sandbox.exchange.request_log import RequestLog
from freqai_signals.sandbox.exchange.server import serving
from freqai_signals.sandbox.market.market_files import Market
from freqai_signals.schema import MODEL_COLUMNS, REASON_COLUMN, STRENGTH_COLUMN, TRUST_COLUMN
from tests.rehearsal.conftest import CODE, PAIRS, our_errors, small_config

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is not installed"),
]

CONTRACT = (*MODEL_COLUMNS, TRUST_COLUMN, STRENGTH_COLUMN, REASON_COLUMN)
START = pd.Timestamp("2023-02-19 22:13", tz="UTC")


@dataclass
class Bots:
    producer: RehearsedBot
    consumer: RehearsedBot
    server: dict[str, Any]

    def api(self, path: str) -> Any:
        server = self.server
        login = f"{server['username']}:{server['password']}".encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{server['listen_port']}/api/v1/{path}",
            headers={"Authorization": f"Basic {base64.b64encode(login).decode()}"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)


@pytest.fixture
def bots(market: Market, tmp_path: Path) -> Iterator[Bots]:
    config = small_config()
    config["freqai"]["signals"]["alerts"] = {"every_signal": True}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    secrets = tmp_path / "credentials.json"
    listening = ensure_credentials(secrets, port)
    clock = FastClock(int(START.timestamp() * 1000), 0, 60.0)
    candles = load_candles(market.folder, PAIRS, settings_from_config(config))
    path = write_config(tmp_path / "config.json", config)
    log = RequestLog(tmp_path / "requests.log")
    app = create_exchange(market.folder, Clock(now_ms=clock), log)
    with closing(log), serving(app) as url:
        options = (*bot_options(path, CODE), "--config", str(secrets))
        producer = RehearsedBot(tmp_path / "producer", market.folder, url, clock, options)
        overlay = CODE[0].parent / "config.consumer.json"
        options = (
            *("--config", str(path), "--config", str(overlay), "--config", str(listening)),
            *("--strategy", "SignalConsumerStrategy", "--strategy-path", str(CODE[0])),
        )
        consumer = RehearsedBot(tmp_path / "consumer", market.folder, url, clock, options)
        for pair, frame in candles.items():
            producer.seed(pair, frame, "5m")
        clock.begin()
        producer.start()
        consumer.start()
        try:
            yield Bots(producer, consumer, json.loads(secrets.read_text())["api_server"])
        finally:
            for bot in (producer, consumer):
                bot.kill()


def wait(condition: Callable[[], bool], bot: RehearsedBot, seconds: float = 240.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert bot.is_running(), bot.log[-3000:]
        assert time.monotonic() < deadline, bot.log[-3000:]
        time.sleep(0.3)


def test_a_bot_without_a_model_trades_on_the_signals_of_another(bots: Bots) -> None:
    producer, consumer = bots.producer, bots.consumer
    wait(lambda: sum(row.trust == 1 for row in producer.record.rows()) >= 8, producer)
    wait(lambda: bool(producer.trades()) and bool(consumer.trades()), consumer)
    tags = {(trade["pair"], trade["enter_tag"]) for trade in producer.trades()}
    assert {(trade["pair"], trade["enter_tag"]) for trade in consumer.trades()} <= tags
    assert not (consumer.folder / "user_data" / "signals").exists()

    answer = bots.api("pair_candles?pair=BTC/USDT&timeframe=5m&limit=50")
    assert set(CONTRACT) <= set(answer["columns"])
    rows = pd.DataFrame(answer["data"], columns=answer["columns"])
    for name in (*MODEL_COLUMNS, TRUST_COLUMN, STRENGTH_COLUMN):
        assert rows[name].map(lambda value: isinstance(value, (int, float))).all(), name
    plotted = bots.api("plot_config")
    named = {name for plot in plotted["subplots"].values() for name in plot}
    assert named <= set(answer["columns"])
    assert "buy_" in producer.log
    assert "confidence" in producer.log
    for bot in (producer, consumer):
        assert our_errors(bot.log) == []
