"""What counts as a problem, how bad it is, and the exit status for monitors."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from freqai_signals.commands.cli import main
from freqai_signals.ledger.ledger import Ledger
from freqai_signals.live.status.heartbeat import Heartbeat, HeartbeatFile
from freqai_signals.live.status.problems import Severity, open_problems

NOW = 1_700_000_000
BEAT = Heartbeat(
    "bot", "my bot", 1, 1, "elsewhere", NOW - 7200, NOW - 10, 300, ("BTC/USDT",),
    decided=NOW - 100, next_training=NOW + 3600, expires=NOW + 7200,
)  # fmt: skip
SERVING = {"scope": "bot/pool", "version": "v1", "refused": ""}
HEALTH = {"bot": "bot", "pair": "BTC/USDT", "level": "ok", "cause": "", "what_follows": "nothing"}


def found(beat: Heartbeat = BEAT, **changed: Any) -> list[tuple[str, Severity]]:
    serving = [{**SERVING, **changed.get("serving", {})}]
    health = [{**HEALTH, **changed.get("health", {})}]
    problems = open_problems([beat], serving, health, changed.get("files", []), NOW)
    return [(problem.what, problem.severity) for problem in problems]


def test_a_healthy_bot_has_none() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("change", "word", "severity"),
    [
        ({"time": NOW - 4000}, "silent since", Severity.CRITICAL),
        ({"ended": NOW}, "stopped at", Severity.WARNING),
        ({"decided": NOW - 3000}, "no candle was decided since", Severity.CRITICAL),
        ({"expires": NOW - 1}, "expired", Severity.CRITICAL),
        ({"next_training": NOW - 30_000}, "has not begun", Severity.WARNING),
    ],
)
def test_of_a_bot(change: dict[str, int], word: str, severity: Severity) -> None:
    ((what, worst),) = found(replace(BEAT, **change))  # type: ignore[arg-type]
    assert word in what
    assert worst is severity


def test_of_models_levels_and_files_the_worst_first() -> None:
    problems = found(
        serving={"version": "", "refused": "v2 not sure enough"},
        health={"level": "drift", "cause": "features moved"},
        files=[{"file": "ledger-unwritten-bot.jsonl", "bytes": 3}],
    )
    assert [severity for _, severity in problems] == [2, 1, 1]
    assert problems[0][0] == "no model serves, every row abstains: v2 not sure enough"
    assert problems[1][0] == "level drift: features moved"


def test_check_gives_a_monitor_one_line_and_a_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    signals = tmp_path / "signals"
    signals.mkdir()
    Ledger(f"sqlite:///{signals / 'ledger.sqlite'}").close()
    command = ["status", "--userdir", str(tmp_path), "--check"]
    assert main(command) == 1
    assert capsys.readouterr().out.startswith("WARNING: 1 open problem; no bot is known\n")
    beat = HeartbeatFile(tmp_path, "bot", "my bot", 300)
    beat.beat(int(time.time()), ("BTC/USDT",), {})
    assert main(command) == 0
    assert capsys.readouterr().out.startswith("OK: 0 open problems; my bot alive, up ")
    late = HeartbeatFile(tmp_path, "bot", "my bot", 300)
    late.beat(int(time.time()) - 4000, ("BTC/USDT",), {})
    assert main(command) == 2
    assert "critical: my bot: silent since " in capsys.readouterr().out
    assert main(["status", "--userdir", str(tmp_path)]) == 0
    assert "its loop does not (hung" in capsys.readouterr().out


def test_watch_shows_it_again_until_it_is_interrupted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    signals = tmp_path / "signals"
    signals.mkdir()
    Ledger(f"sqlite:///{signals / 'ledger.sqlite'}").close()
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", wait)
    assert main(["status", "--userdir", str(tmp_path), "--watch", "5"]) == 130
    assert waits == [5.0] * 3
    shown = capsys.readouterr()
    assert shown.out.count("Open problems") == 3
    assert shown.err == ""
