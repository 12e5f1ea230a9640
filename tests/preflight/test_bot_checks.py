"""What surrounds a running bot, and what is installed."""

import json
import os
import socket
from pathlib import Path
from typing import Any, ClassVar

import pytest

from freqai_signals.preflight.bot_checks import (
    api_is_usable,
    identifier_is_free,
    ledger_is_reachable,
    messages_arrive,
    pairlists_can_be_served,
)
from freqai_signals.preflight.findings import Level
from freqai_signals.preflight.installation_checks import adapters_are_found, one_copy_runs
from tests.preflight.situations import config_of, found, situation


def ledger(url: str) -> dict[str, Any]:
    return config_of("A/USDT", freqai__signals={"ledger": {"url": url}})


@pytest.mark.parametrize("pairs", [(), (".*/USDT",)])
def test_pairs_that_pairlists_find_have_one_pool_or_are_refused(pairs: tuple[str, ...]) -> None:
    at = situation(config_of(*pairs), purpose="trade")
    assert not found(pairlists_can_be_served, at, Level.ERROR)
    alone = config_of(*pairs, freqai__signals={"model": {"pool": "pair"}})
    (finding,) = found(pairlists_can_be_served, situation(alone, purpose="trade"), Level.ERROR)
    assert "use 'whitelist'" in finding.fix


@pytest.mark.parametrize("url", ["postgresql+psycopg://u@h:5432x/l", "oracle://x", "nonsense"])
def test_a_ledger_url_that_cannot_work_is_an_error(url: str) -> None:
    (problem,) = situation(ledger(url)).settings_problems
    assert problem.startswith("freqai.signals.ledger.url")


def test_a_daily_summary_without_a_ledger_is_a_warning() -> None:
    signals: dict[str, Any] = {"ledger": {"enabled": False}, "alerts": {"daily_summary": True}}
    _, finding = ledger_is_reachable(situation(config_of("A/USDT", freqai__signals=signals)))
    assert "no summary without a ledger" in finding.what


def test_a_ledger_that_is_away_is_a_warning() -> None:
    away = situation(ledger("postgresql+psycopg://u@127.0.0.1:9/l"))
    assert not away.settings_problems
    (finding,) = ledger_is_reachable(away)
    assert (finding.level, "cannot be reached" in finding.what) == (Level.WARNING, True)


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        api = {"enabled": True, "listen_ip_address": "127.0.0.1", "listen_port": port}
        (finding,) = api_is_usable(situation(config_of("A/USDT", api_server=api)))
        assert f"{port} on 127.0.0.1 is taken" in finding.what
    (finding,) = api_is_usable(situation(config_of("A/USDT", api_server=api)))
    assert finding.level is Level.OK


@pytest.mark.parametrize(("mode", "told"), [(0o600, 0), (0o644, 1), (0o640, 1)])
def test_secrets_that_others_may_read_are_told(tmp_path: Path, mode: int, told: int) -> None:
    file = tmp_path / "credentials.json"
    file.write_text("{}")
    file.chmod(mode)
    findings = api_is_usable(situation(config_of("A/USDT", user_data_dir=tmp_path)))
    assert sum(finding.fix == f"chmod 600 {file}" for finding in findings) == told


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({}, "messages: no channel is on"),
        ({"telegram": {"enabled": True}}, "messages: telegram"),
        ({"discord": {"enabled": True}}, "discord: allow_custom_messages is off"),
        (
            {"webhook": {"enabled": True, "allow_custom_messages": True}},
            "webhook: no strategy_msg",
        ),
    ],
)
def test_channels(changes: dict[str, Any], what: str) -> None:
    (finding,) = messages_arrive(situation(config_of("A/USDT", **changes)))
    assert finding.what == what


def test_an_identifier_nobody_works_in_is_free(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "test"
    folder.mkdir(parents=True)
    (folder / "historic_predictions.pkl").write_bytes(b"")
    assert not list(identifier_is_free(situation(config_of("A/USDT", user_data_dir=tmp_path))))


def test_another_bot_in_the_same_folder_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psutil

    class Other:
        def __init__(self) -> None:
            self.info = {"pid": 7, "cmdline": ["python", "freqtrade", "trade"]}

        def open_files(self) -> list[Any]:
            return [type("File", (), {"path": str(tmp_path / "tradesv3.sqlite")})]

    folder = tmp_path / "models" / "test"
    folder.mkdir(parents=True)
    history = folder / "historic_predictions.pkl"
    history.write_bytes(b"")
    monkeypatch.setattr(psutil, "process_iter", lambda names: [Other()])
    at = situation(config_of("A/USDT", user_data_dir=tmp_path))
    (finding,) = identifier_is_free(at)
    assert "process 7 trades with 'test' now" in finding.what
    # FreqAI's file is written rarely; candles go to the journal.
    os.utime(history, (1, 1))
    assert not list(identifier_is_free(at))
    (folder / "historic_predictions.journal").write_bytes(b"")
    assert len(list(identifier_is_free(at))) == 1


@pytest.mark.parametrize(("named", "findings"), [("test", 1), ("other", 0), (None, 1)])
def test_a_bot_with_another_identifier_in_the_same_folder_is_no_conflict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str | None, findings: int
) -> None:
    import psutil

    if named:
        text = json.dumps({"freqai": {"identifier": named}})
        (tmp_path / "c.json").write_text(f"{text}  // mine")

    class Other:
        info: ClassVar[dict[str, Any]] = {
            "pid": 7, "cmdline": ["freqtrade", "trade", "-c", "c.json"], "cwd": str(tmp_path),
        }  # fmt: skip

        def open_files(self) -> list[Any]:
            return [type("File", (), {"path": str(tmp_path / "tradesv3.sqlite")})]

    folder = tmp_path / "models" / "test"
    folder.mkdir(parents=True)
    (folder / "historic_predictions.pkl").write_bytes(b"")
    monkeypatch.setattr(psutil, "process_iter", lambda names: [Other()])
    at = situation(config_of("A/USDT", user_data_dir=tmp_path))
    assert len(list(identifier_is_free(at))) == findings


def test_a_copied_checkout_that_runs_another_package_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "freqai_signals").mkdir()
    monkeypatch.chdir(tmp_path)
    (finding,) = one_copy_runs(situation(config_of("A/USDT")))
    assert f"{tmp_path} holds a copy" in finding.what


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("from freqai_signals.plugin import x\nclass Mine(x.Y): ...", Level.OK),
        ("class Mine(IStrategy): ...", Level.WARNING),
        ("class Others(IStrategy): ...", Level.WARNING),
    ],
)
def test_adapters_are_looked_for_where_freqtrade_does(
    tmp_path: Path, text: str, level: Level
) -> None:
    (tmp_path / "mine.py").write_text(text)
    config = config_of("A/USDT", strategy="Mine", strategy_path=str(tmp_path))
    findings = [
        f for f in adapters_are_found(situation(config)) if "Mine" in f.what or "mine.py" in f.what
    ]
    assert [finding.level for finding in findings] == [level]
