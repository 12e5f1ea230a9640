"""Real small disks: full, and read-only. They need the right to mount, and are skipped without."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from freqai_signals.ledger.ledger import Ledger
from freqai_signals.ledger.writer import LedgerWriter
from freqai_signals.live.operation import LiveOperation
from freqai_signals.registry.inspection import verify
from freqai_signals.registry.promotion import promote
from freqai_signals.registry.registry import Registry
from freqai_signals.registry.serving import LiveModels
from freqai_signals.registry.versions import RegistryError
from tests.ledger.ledger_rows import predictions, sqlite_url
from tests.live.test_operation import BOT, FIRST, PAIR, SCOPE, Bot
from tests.registry.gate_rows import model_of, small_settings, window
from tests.waiting import PATIENCE, wait_until

FILLER = "filler"


def mount(*words: str) -> None:
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for 1.5 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=1536k", "tmpfs", str(folder))
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Leave no byte."""
    with (folder / FILLER).open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass


def read_only(folder: Path, on: bool) -> None:
    mount("-o", f"remount,{'ro' if on else 'rw'}", str(folder))


def test_full_disk_makes_the_ledger_wait_warn_and_catch_up(
    disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = LedgerWriter(lambda: Ledger(sqlite_url(disk)), wait_seconds=PATIENCE)
    assert writer.record([predictions(0)], wait=True)
    fill(disk)
    begin = time.monotonic()
    for number in range(1, 101):
        writer.record([predictions(*range(50 * number, 50 * number + 50))], wait=True)
    assert time.monotonic() - begin < 2 * PATIENCE, "only the first one waits"
    assert "full" in writer.problem
    assert writer.waiting_rows > 1000
    waiting = writer.waiting_rows
    assert not writer.flush(1.0)
    (disk / FILLER).unlink()
    assert writer.flush(PATIENCE), writer.problem
    assert waiting > writer.waiting_rows == 0
    writer.close()
    ledger = Ledger(sqlite_url(disk))
    assert len(ledger.rows("predictions")) == 5001
    ledger.close()
    warned = [m for m in caplog.messages if "cannot be written" in m]
    assert len(warned) == 1
    assert any("can be written again" in m for m in caplog.messages)


def test_full_disk_leaves_the_registry_as_it_was_and_the_new_model_serves(disk: Path) -> None:
    registry = Registry(disk / "registry")
    promote(registry, SCOPE, model_of(0), window(0), small_settings())
    old = model_of(0).card.version
    fill(disk)
    found = promote(registry, SCOPE, model_of(10), window(10), small_settings())
    assert "No space left" in found.problem
    assert found.serving.card.version == model_of(10).card.version, "it serves from memory"
    assert registry.scope(SCOPE).serving == old
    assert registry.load(SCOPE).card.version == old
    assert {item["problem"] for item in verify(registry)} == {""}
    (disk / FILLER).unlink()
    assert promote(registry, SCOPE, model_of(10), window(10), small_settings()).problem == ""
    assert registry.scope(SCOPE).serving == model_of(10).card.version


def test_read_only_disk_is_read_and_reported(disk: Path) -> None:
    registry = Registry(disk / "registry")
    promote(registry, SCOPE, model_of(0), window(0), small_settings())
    read_only(disk, True)
    try:
        models = LiveModels(small_settings(), registry, SCOPE.partition("/")[0])
        assert models.model("BTC/USDT", None).card.version == model_of(0).card.version  # type: ignore[union-attr]
        found = promote(registry, SCOPE, model_of(10), window(10), small_settings())
        assert "Read-only file system" in found.problem
        assert found.decision.accepted
        with pytest.raises(RegistryError, match="cannot be written"):
            registry.rollback(SCOPE, model_of(0).card.version)
    finally:
        read_only(disk, False)


@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_a_bot_on_such_a_disk_goes_on_says_so_and_catches_up(disk: Path, trouble: str) -> None:
    settings = small_settings()
    bot = Bot(LiveOperation(settings, disk, BOT), disk)
    bot.operation.promote(PAIR, model_of(0), window(0))
    bot.candle(FIRST)
    assert bot.operation._ledger.flush(PATIENCE)
    if trouble == "full":
        fill(disk)
    else:
        # A disk with files that are open for writing cannot be made so: the bot starts again.
        bot.operation.close()
        read_only(disk, True)
        bot = Bot(LiveOperation(settings, disk, BOT), disk)
    try:
        bot.operation.promote(PAIR, model_of(10), window(10))
        for number in range(FIRST + 1, FIRST + 4):
            bot.candle(number, signal=2)
            # The model that could not be stored serves all the same.
            serving = bot.operation.model(PAIR, None)
            assert serving is not None
            assert serving.card.version == model_of(10).card.version
        assert wait_until(lambda: bool(bot.operation._ledger._writer.problem))  # type: ignore[union-attr]
        told = bot.alerts(FIRST + 3)
        assert any(text.startswith("ledger: cannot be written") for text in told), told
        assert any(text.startswith(f"registry {SCOPE}: cannot be used") for text in told), told
    finally:
        if trouble == "full":
            (disk / FILLER).unlink()
        else:
            read_only(disk, False)
    # The registry is asked once a minute.
    bot.operation._models._tried = float("-inf")
    for number in (FIRST + 4, FIRST + 5):
        bot.candle(number)
    told = bot.alerts(FIRST + 5)
    assert not any(text.startswith("registry") for text in told), told
    kept = Registry(disk / "signals" / "registry").load(SCOPE)
    assert kept.card.version == model_of(10).card.version
    assert bot.operation._ledger.flush(PATIENCE)
    ledger = bot.ledger()
    assert len(ledger.rows("predictions")) == 6
    assert len(ledger.rows("signals")) == 3
    ledger.close()
    bot.operation.close()
