"""Signs of life of bots that live, were stopped, killed, or hang."""

import errno
import os
import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from freqai_signals.live.status.heartbeat import (
    BEAT_SECONDS,
    SILENT_SECONDS,
    Heartbeat,
    HeartbeatFile,
    Liveness,
    heartbeats,
    read_heartbeat,
)

NOW = 1_700_000_000
BEAT = Heartbeat("bot", "my bot", 1, 1, "elsewhere", NOW - 7200, NOW - 3600, 300, ("BTC/USDT",))


def only(folder: Path) -> Heartbeat:
    (found,) = heartbeats(folder / "signals")
    return found


@pytest.fixture
def file(tmp_path: Path) -> HeartbeatFile:
    return HeartbeatFile(tmp_path, "bot", "my bot", 300)


def test_it_is_written_at_most_every_half_minute(file: HeartbeatFile, tmp_path: Path) -> None:
    for second in range(0, 2 * BEAT_SECONDS, 5):
        file.beat(NOW + second, ("BTC/USDT",), {"decided": second})
    found = only(tmp_path)
    assert (found.time, found.decided, found.pairs) == (NOW + 30, 30, ("BTC/USDT",))
    assert (found.pid, found.host) == (os.getpid(), platform.node())
    # Whole or not at all: nothing temporary stays behind.
    assert len(list((tmp_path / "signals").iterdir())) == 1


def test_a_full_disk_is_told_once_without_a_traceback(
    file: HeartbeatFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("freqai_signals.live.status.heartbeat.write_atomically", full)
        for second in range(0, 3 * BEAT_SECONDS, BEAT_SECONDS):
            file.beat(NOW + second, (), {})
    (told,) = caplog.records
    assert "cannot be written; the bot goes on: [Errno 28] No space" in told.getMessage()
    assert not told.exc_info
    file.beat(NOW + 3 * BEAT_SECONDS, (), {})
    assert only(tmp_path).time == NOW + 3 * BEAT_SECONDS


def test_a_stopped_bot_is_not_dead(file: HeartbeatFile, tmp_path: Path) -> None:
    file.beat(NOW, (), {})
    file.end(NOW + 3)
    assert only(tmp_path).liveness(NOW + 90_000) is Liveness.STOPPED
    assert "stopped at 2023-11-14 22:13 UTC" in only(tmp_path).sentence(NOW + 90_000)


def test_a_bot_that_runs_again_after_its_end_is_alive(file: HeartbeatFile, tmp_path: Path) -> None:
    file.beat(NOW, (), {})
    file.end(NOW + 3)
    file.beat(NOW + 60, (), {})
    assert only(tmp_path).liveness(NOW + 61) is Liveness.ALIVE
    # A clock that was put back holds up no sign of life.
    file.beat(NOW - 3600, (), {})
    assert only(tmp_path).time == NOW - 3600


def test_a_loop_that_ran_lately_is_alive_and_later_silent() -> None:
    assert BEAT.liveness(BEAT.time + SILENT_SECONDS) is Liveness.ALIVE
    assert BEAT.liveness(NOW) is Liveness.SILENT
    assert BEAT.sentence(NOW).startswith("silent since 2023-11-14 21:13 UTC (1 h)")


def test_a_killed_process_is_told_from_one_that_hangs() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    created = int(psutil.Process(process.pid).create_time())
    beat = replace(BEAT, pid=process.pid, host=platform.node(), created=created)
    late = beat.time + SILENT_SECONDS + 1
    try:
        assert beat.liveness(late) is Liveness.HUNG
    finally:
        process.kill()
        process.wait()
    assert beat.liveness(late) is Liveness.DEAD
    # The number went to another process meanwhile.
    assert replace(beat, pid=os.getpid(), created=1).liveness(late) is Liveness.DEAD


def test_a_gap_is_found_within_a_run_and_across_a_restart(
    file: HeartbeatFile, tmp_path: Path
) -> None:
    assert file.beat(NOW, (), {}) == 0
    assert file.beat(NOW + 899, (), {}) == 0
    assert file.beat(NOW + 2000, (), {}) == NOW + 899
    again = HeartbeatFile(tmp_path, "bot", "my bot", 300)
    assert again.beat(NOW + 9000, (), {}) == NOW + 2000
    assert again.beat(NOW + 9005, (), {}) == 0


@pytest.mark.parametrize("content", ["", "[]", "{", '{"bot": 1}', '{"pairs": null}'])
def test_a_damaged_file_is_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "heartbeat-x.json"
    path.write_text(content)
    assert read_heartbeat(path) is None
    assert heartbeats(tmp_path) == []


def test_a_disk_that_takes_no_sign_of_life_hides_no_gap(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "signals").write_text("no folder")
    file = HeartbeatFile(tmp_path, "bot", "my bot", 300)
    assert [file.beat(NOW + seconds, (), {}) for seconds in (0, 60, 7200)] == [0, 0, NOW + 60]
    assert caplog.text.count("cannot be written") == 1
