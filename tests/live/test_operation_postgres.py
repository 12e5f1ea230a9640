"""Whole bots on a PostgreSQL server: one, two on one ledger, and a server that goes and returns."""

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from freqai_signals.commands.cli import main
from freqai_signals.ledger.ledger import Ledger
from freqai_signals.live.operation import LiveOperation
from freqai_signals.settings import SignalSettings
from tests.ledger.ledger_rows import POSTGRES
from tests.live.test_operation import FIRST, HOUR, PAIR, Bot, with_section
from tests.registry.gate_rows import model_of, window
from tests.waiting import PATIENCE, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get(POSTGRES), reason=f"no server: see .ci/postgres.sh and {POSTGRES}"
    ),
]


@dataclass
class Server:
    """A server of these tests' own, that may be away for a while."""

    script: Path
    folder: Path
    port: int

    def __call__(self, word: str) -> str:
        variables = {
            "FREQAI_SIGNALS_POSTGRES_DIR": str(self.folder),
            "FREQAI_SIGNALS_POSTGRES_PORT": str(self.port),
        }
        done = subprocess.run(
            [str(self.script), word], check=True, stdout=subprocess.PIPE, text=True, timeout=120,
            env={**os.environ, **variables},
        )  # fmt: skip
        return done.stdout.strip()


@pytest.fixture(scope="module")
def server(repo: Path) -> Iterator[Server]:
    # Not in pytest's folder: the server runs as another user, who may not enter that.
    folder = Path(tempfile.mkdtemp(prefix="freqai-signals-postgres-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Server(repo / ".ci" / "postgres.sh", folder, port)
    made("start")
    yield made
    made("stop")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def url(server: Server) -> str:
    """An empty database."""
    from sqlalchemy import create_engine, text

    base = server("start")
    name = f"ledger_{time.time_ns()}"
    engine = create_engine(base, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return f"{base.rpartition('/')[0]}/{name}"


def settings(url: str) -> SignalSettings:
    told = with_section("alerts", every_signal=True)
    kept = told.ledger.model_copy(update={"url": url})
    return told.model_copy(update={"ledger": kept})


def make_bot(url: str, folder: Path, name: str = "bot", trains: bool = True) -> Bot:
    bot = Bot(LiveOperation(settings(url), folder / name, name), folder)
    if trains:
        bot.operation.promote(PAIR, model_of(0), window(0))
    return bot


def rows(url: str, table: str) -> "list[dict[str, object]]":
    ledger = Ledger(url)
    found = ledger.rows(table).to_dict("records")
    ledger.close()
    return found  # type: ignore[return-value]


def test_a_bot_writes_scores_restarts_and_is_looked_at(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bot = make_bot(url, tmp_path)
    for number in range(FIRST, FIRST + 8):
        bot.candle(number, signal=2 if number == FIRST + 5 else -1)
    assert len(bot.sent) == 1
    bot.operation.close()
    again = make_bot(url, tmp_path, trains=False)
    again.candle(FIRST + 5, signal=2)
    again.candle(FIRST + 8)
    assert again.sent == [], "a signal is told once"
    again.operation.close()
    assert [row["kind"] for row in rows(url, "predictions")] == ["live"] * 9
    assert len(rows(url, "outcomes")) >= 5
    assert [row["verdict"] for row in rows(url, "model_decisions")] == ["first_accepted"]
    assert rows(url, "signals")[0]["sent"] is not None
    registry = tmp_path / "bot" / "signals" / "registry"
    assert main(["status", "--ledger", url, "--registry", str(registry), "--days", "9999"]) == 0
    shown = capsys.readouterr().out
    assert model_of(0).card.version in shown
    assert "live" in shown


def test_two_bots_share_a_ledger_and_score_each_prediction_once(url: str, tmp_path: Path) -> None:
    bots = [make_bot(url, tmp_path, name) for name in ("one", "two")]

    def live(bot: Bot) -> None:
        for number in range(FIRST, FIRST + 12):
            bot.candle(number, signal=2)

    threads = [threading.Thread(target=live, args=(bot,)) for bot in bots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
        assert not thread.is_alive()
    for bot in bots:
        bot.operation.close()
    # The same model, pair and candles: the first word stands, whoever said it.
    made = rows(url, "predictions")
    assert len({row["candle"] for row in made}) == len(made) == 12
    assert len(rows(url, "signals")) == 12
    resolved = [row["candle"] for row in rows(url, "outcomes")]
    assert len(set(resolved)) == len(resolved) >= 8
    names = {row["bot"] for row in rows(url, "counters")}
    assert names == {"one", "two"}


def test_a_server_that_goes_and_returns_loses_nothing(
    url: str, server: Server, tmp_path: Path
) -> None:
    bot = make_bot(url, tmp_path)
    bot.candle(FIRST)
    assert bot.operation._ledger.flush(PATIENCE)
    server("pause")
    try:
        begin = time.monotonic()
        for number in range(FIRST + 1, FIRST + 7):
            bot.candle(number, signal=2)
        assert time.monotonic() - begin < 90, "nobody waits for a server that is away"
        assert len(bot.sent) == 6, "messages go out all the same"
        assert wait_until(lambda: bool(bot.operation._ledger._writer.problem))  # type: ignore[union-attr]
        assert any("ledger: cannot be written" in text for text in bot.alerts(FIRST + 6))
    finally:
        server("resume")
    assert bot.operation._ledger.flush(PATIENCE)
    bot.candle(FIRST + 7)
    bot.operation.close()
    made = [row["candle"] for row in rows(url, "predictions")]
    assert made == [number * HOUR for number in range(FIRST, FIRST + 8)]
    assert len(rows(url, "signals")) == 6
