"""Alerts leave through freqtrade's own channels, with the config that the reference shows."""

import asyncio
import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import websockets
from freqtrade.configuration.config_validation import validate_config_schema
from freqtrade.persistence import init_db
from freqtrade.rpc.api_server import ApiServer
from freqtrade.rpc.rpc_manager import RPCManager
from freqtrade.rpc.telegram import Telegram

from freqai_signals.commands.credentials import ensure_credentials
from tests.plugin.conftest import PAIRS, REPO, Bench
from tests.plugin.test_live import Bot, live_bench, make_bot

__all__ = ["live_bench"]


def documented(*sections: str) -> dict[str, Any]:
    """Sections of the documented config, as a user would paste them."""
    blocks = re.findall(
        r"```json\n(.*?)```", (REPO / "docs" / "reference.md").read_text(), re.DOTALL
    )
    (shown,) = [block for block in map(json.loads, blocks) if "webhook" in block]
    return {name: shown[name] for name in sections}


class Receiver:
    """A web server on the loopback interface that keeps what is posted to it."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        kept = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                kept.append(json.loads(body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture(scope="module")
def alerted(live_bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Bot:
    """A bot whose first model was refused, after the loop in which it tells so."""
    user_data = tmp_path_factory.mktemp("alerts")
    bot = make_bot(live_bench, user_data, freqai__signals__gate={"minimum_skill": 0.99})
    bot.strategy.dp.current_whitelist = lambda: list(PAIRS)
    bot.predict(bot.candles())
    bot.train()
    bot.strategy.bot_loop_start(pd.Timestamp.now("UTC").to_pydatetime())
    queue = bot.strategy.dp._msg_queue
    # A busy machine may add another, about the ledger that is being made for example.
    assert len([told for told in queue if " UTC: training of the pool of " in told]) == 1
    (refused,) = [told for told in queue if " UTC: model test/pool: refused " in told]
    # One is enough for the channels.
    queue.clear()
    queue.append(refused)
    return bot


def manager(bot: Bot, section: dict[str, Any]) -> RPCManager:
    """freqtrade's manager of channels over the bot's config with one channel added."""
    config = {**bot.config, "telegram": {"enabled": False}, **section}
    config["api_server"] = section.get("api_server", {"enabled": False})
    return RPCManager(SimpleNamespace(config=config))  # type: ignore[arg-type]


def sent(bot: Bot, channels: RPCManager) -> None:
    """What freqtrade's loop does with messages, on a copy of the bot's queue."""
    channels.process_msg_queue(bot.strategy.dp._msg_queue.copy())


def test_documented_config_passes_freqtrades_schema() -> None:
    shipped = json.loads((REPO / "config.json").read_text())
    shown = documented("telegram", "discord", "webhook", "apiserver")
    checked = validate_config_schema({**shipped, **shown, "dry_run": True})
    assert checked["telegram"]["allow_custom_messages"] is True, "unless told otherwise"


def test_webhook_receives_an_alert(alerted: Bot, receiver: Receiver) -> None:
    section = documented("webhook")
    section["webhook"]["url"] = receiver.url
    sent(alerted, manager(alerted, section))
    (body,) = receiver.bodies
    assert "model test/pool: refused " in body["text"]
    assert "does not beat the class prior" in body["text"]


@pytest.mark.parametrize("left_out", ["allow_custom_messages", "strategy_msg"])
def test_webhook_without_either_key_stays_silent(
    alerted: Bot, receiver: Receiver, left_out: str
) -> None:
    """What the documentation warns of; should freqtrade change, so must it."""
    section = documented("webhook")
    section["webhook"]["url"] = receiver.url
    del section["webhook"][left_out]
    sent(alerted, manager(alerted, section))
    assert receiver.bodies == []


def test_discord_receives_an_alert(alerted: Bot, receiver: Receiver) -> None:
    section = documented("discord")
    section["discord"]["webhook_url"] = receiver.url
    sent(alerted, manager(alerted, section))
    (body,) = receiver.bodies
    (embed,) = body["embeds"]
    assert "model test/pool: refused " in embed["fields"][0]["value"]


def test_a_receiver_that_is_away_stops_nothing(
    alerted: Bot, caplog: pytest.LogCaptureFixture
) -> None:
    section = documented("webhook")
    section["webhook"] |= {"url": "http://127.0.0.1:1/", "retries": 0}
    sent(alerted, manager(alerted, section))
    assert "Could not call webhook url" in caplog.text


def test_websocket_receives_an_alert(alerted: Bot, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ensure_credentials(tmp_path / "credentials.json", port)
    section = json.loads((tmp_path / "credentials.json").read_text())
    init_db("sqlite://")
    channels = manager(alerted, {**section, **documented("apiserver")})
    token = section["api_server"]["ws_token"]
    url = f"ws://127.0.0.1:{port}/api/v1/message/ws?token={token}"
    try:
        message = asyncio.run(_received(alerted, channels, url))
    finally:
        channels.cleanup()
        ApiServer.shutdown()
    assert message["type"] == "strategy_msg"
    assert "model test/pool: refused " in message["msg"]


async def _received(bot: Bot, channels: RPCManager, url: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while True:
        try:
            connection = await websockets.connect(url)
            break
        except OSError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
    async with connection:
        await connection.send(json.dumps({"type": "subscribe", "data": ["strategy_msg"]}))
        # A subscription is not answered: send until the first message comes back.
        while time.monotonic() < deadline:
            sent(bot, channels)
            with contextlib.suppress(TimeoutError):
                return dict(json.loads(await asyncio.wait_for(connection.recv(), 0.5)))
    raise AssertionError("no message arrived")


def test_telegram_receives_an_alert(alerted: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything of freqtrade's channel but the connection to the service."""
    told: list[tuple[Any, ...]] = []

    class App:
        class bot:
            @staticmethod
            async def send_message(chat: str, text: str, parse_mode: str, **_rest: Any) -> None:
                told.append((chat, text, parse_mode))

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    monkeypatch.setattr(Telegram, "_start_thread", lambda self: None)
    # As freqtrade's check of its config fills it in.
    shipped = json.loads((REPO / "config.json").read_text())
    checked = validate_config_schema({**shipped, **documented("telegram"), "dry_run": True})
    section = {"telegram": checked["telegram"]}
    try:
        channels = manager(alerted, section)
        (telegram,) = channels.registered_modules
        telegram._app, telegram._loop = App, loop  # type: ignore[attr-defined]
        sent(alerted, channels)
        deadline = time.monotonic() + 60
        while not told and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
    ((chat, text, mode),) = told
    assert chat == section["telegram"]["chat_id"]
    assert "model test/pool: refused " in text
    assert mode == "Markdown"
    # Telegram drops a message in which one of these is left open.
    assert not re.search(r"[_*\[`]", text), text
