"""``freqai-signals status``: from a ledger to tables and JSON."""

import contextlib
import json
import sqlite3
import time
from pathlib import Path

import pytest

from freqai_signals.commands.cli import main
from freqai_signals.ledger.ledger import Entry, Ledger
from freqai_signals.live.health import Health, Level
from freqai_signals.registry.registry import Registry
from freqai_signals.signals.strength import Strength
from tests.ledger.ledger_rows import CANDLE, outcome, prediction, predictions, sqlite_url
from tests.registry.gate_rows import model_of


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    now = int(time.time()) // CANDLE
    numbers = range(now - 20, now - 10)
    made = Ledger(sqlite_url(tmp_path))
    event = {
        "bot": "bot", "pair": "BTC/USDT", "candle": (now - 12) * CANDLE, "detector": "health",
        "level": "warning", "model_version": "v1", "detail": "features: psi 1.10 of the limit",
    }  # fmt: skip
    asked = {**event, "detector": "training", "level": "requested", "detail": "drift: features"}
    ok = Health(Level.OK, now - 10).to_json()
    health = {"bot": "bot", "name": "health ETH/USDT", "content": ok}
    decision = {
        "scope": "bot/pool", "challenger": "v1", "champion": "", "verdict": "first_accepted",
        "reason": "no model serves yet", "evidence": "{}",
    }  # fmt: skip
    made.write(
        [
            Entry("predictions", [prediction(n) for n in numbers]),
            predictions(now - 9, kind="gap"),
            Entry("outcomes", [outcome(n) for n in numbers]),
            Entry("drift_events", [event, asked]),
            Entry("counters", [health, {**health, "name": "alerts", "content": "[]"}]),
            Entry("model_decisions", [decision]),
        ]
    )
    made.close()
    return tmp_path / "ledger.sqlite"


def test_json_holds_all_parts(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--ledger", str(ledger), "--registry", "/none", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["levels"] == {"BTC/USDT": "warning", "ETH/USDT": "ok"}
    assert found["rows"] == {"gap": 1, "live": 10}
    assert found["quality"]["total"][0]["rows"] == 10
    assert found["quality"]["pairs"][0]["accuracy"] == 1.0
    assert found["decisions"][0]["verdict"] == "first_accepted"
    assert found["drift_events"][0]["detail"].startswith("features")
    assert [event["what"] for event in found["history"]] == ["level warning", "training requested"]
    assert found["history"][0]["about"] == "BTC/USDT"
    (health,) = found["health"]
    assert (health["bot"], health["pair"], health["level"]) == ("bot", "ETH/USDT", "ok")


def test_newest_root_and_files_that_were_left_are_shown(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = ledger.parent / "registry"
    connection = sqlite3.connect(ledger)
    for day, root in ((20_000, "a" * 64), (20_001, "b" * 64)):
        connection.execute("INSERT INTO chain_roots VALUES ('bot', ?, 7, ?)", (day, root))
    connection.commit()
    connection.close()
    (ledger.parent / "ledger.sqlite.damaged-20240305T000000").write_bytes(b"x" * 5)
    (ledger.parent / "ledger-unwritten-bot.jsonl").write_text("[]")
    command = ["status", "--ledger", str(ledger), "--registry", str(registry)]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["roots"] == [{"bot": "bot", "day": "2024-10-05", "root": "b" * 64}]
    assert [item["bytes"] for item in found["ledger_files"]] == [2, 5]
    assert main([*command, "--details"]) == 0
    assert "damaged-20240305T000000" in capsys.readouterr().out


def test_history_holds_what_happened_to_models_and_as_much_as_is_asked(
    ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = Registry(tmp_path / "registry")
    registry.register("bot/pool", model_of(0), serve=True)
    registry.register("bot/pool", model_of(10), serve=True)
    registry.rollback("bot/pool", reason="looks odd")
    command = ["status", "--ledger", str(ledger), "--registry", str(registry.folder), "--json"]
    assert main(command) == 0
    told = json.loads(capsys.readouterr().out)["history"]
    old = model_of(0).card.version
    assert {"training requested", f"serving {old}"} <= {event["what"] for event in told}
    assert told[-1] == {
        "time": told[-1]["time"], "about": "bot/pool", "what": f"rolled back {old}",
        "why": f"was {model_of(10).card.version}; looks odd",
    }  # fmt: skip
    assert [event["time"] for event in told] == sorted(event["time"] for event in told)
    assert main([*command, "--events", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["history"] == told[-2:]


def test_a_ledger_of_other_days_is_judged_back_from_its_newest_candle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Ledger(sqlite_url(tmp_path))
    made.write([predictions(100, 9_000), Entry("outcomes", [outcome(100), outcome(9_000)])])
    made.close()
    assert main(["status", "--ledger", str(tmp_path / "ledger.sqlite"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["newest_candle"] == "1970-02-01 06:00"
    assert found["quality"]["total"][0]["rows"] == 1


def test_tables_are_printed(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--ledger", str(ledger), "--registry", "/none"]) == 0
    said = capsys.readouterr().out
    for words in ("no bot has left a sign of life here", "ETH/USDT", "Newest events", "live skill"):
        assert words in said
    assert "Live quality by pairs" not in said
    assert main(["status", "--ledger", str(ledger), "--registry", "/none", "--details"]) == 0
    said = capsys.readouterr().out
    for words in ("Live quality by pairs", "first_accepted", "Daily roots"):
        assert words in said


def test_signals_are_counted_by_pair_over_restarts_and_together(
    ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = [
        (300, "BTC/USDT", "buy", Strength.WEAK, 0.91),
        (900, "BTC/USDT", "sell", Strength.STRONG, 0.995),
        (600, "BTC/USDT", "buy", Strength.MEDIUM, 0.97),
        (600, "SOL/USDT", "hold", Strength.NONE, 0.2),
    ]
    for candle, pair, signal, strength, confidence in told:
        # Each by a bot that was started anew, with another model.
        row = {
            "pair": pair, "candle": candle, "model_version": f"v{candle}", "bot": "bot",
            "signal": signal, "strength": int(strength), "confidence": confidence, "record": "{}",
        }  # fmt: skip
        made = Ledger(sqlite_url(tmp_path))
        made.write([Entry("signals", [row])])
        made.close()
    command = ["status", "--ledger", str(ledger), "--registry", "/none"]
    assert main([*command, "--json"]) == 0
    first, quiet, held, together = json.loads(capsys.readouterr().out)["signals"]
    assert first == {
        "bot": "bot", "pair": "BTC/USDT", "generated": 3, "weak": 1, "medium": 1, "strong": 1,
        "last_time": "1970-01-01 00:15", "last_signal": "sell", "last_confidence": 0.995,
    }  # fmt: skip
    assert (quiet["pair"], quiet["generated"], quiet["last_time"]) == ("ETH/USDT", 0, "")
    assert (held["pair"], held["generated"], held["weak"]) == ("SOL/USDT", 1, 0)
    assert together == {**first, "bot": "", "pair": "all pairs", "generated": 4}
    assert main([*command, "--details"]) == 0
    assert "Signals since the ledger began" in capsys.readouterr().out


def test_markup_is_shown_and_nothing_is_written(
    ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = Registry(tmp_path / "registry")
    registry.register("bot/pool", model_of(0), serve=True)
    registry.pin("bot/pool", reason="[/red] \x1b[2J")
    before = ledger.read_bytes()
    assert main(["status", "--ledger", str(ledger), "--registry", str(registry.folder)]) == 0
    shown = capsys.readouterr().out
    assert "[/red] ?[2J" in shown
    assert "\x1b[2J" not in shown
    assert ledger.read_bytes() == before


def test_another_database_is_refused_and_stays_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.sqlite"
    with contextlib.closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE trades (id INTEGER)")
    before = other.read_bytes()
    assert main(["status", "--ledger", str(other), "--registry", "/none"]) == 2
    assert "is no ledger" in capsys.readouterr().err
    assert other.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["other.sqlite"]


def test_an_empty_ledger_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Ledger(sqlite_url(tmp_path)).close()
    assert main(["status", "--ledger", str(tmp_path / "ledger.sqlite"), "--details"]) == 0
    said = capsys.readouterr().out
    assert "Pairs: none" in said
    assert "Signals since the ledger began: none" in said


def test_wrong_use_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--ledger", str(tmp_path / "none.sqlite")]) == 2
    assert "no ledger at" in capsys.readouterr().err
    assert not (tmp_path / "none.sqlite").exists()
    (tmp_path / "bad.sqlite").write_bytes(b"x" * 5000)
    assert main(["status", "--ledger", str(tmp_path / "bad.sqlite")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_rolling_quality_shows_how_it_went_over_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Right for six hundred candles, then wrong for as many."""
    made = Ledger(sqlite_url(tmp_path))
    numbers = range(1, 1201)
    made.write(
        [
            Entry("predictions", [prediction(n) for n in numbers]),
            Entry(
                "outcomes",
                [
                    outcome(n) if n <= 600 else outcome(n, realised=0, loss=1.61, prior_loss=1.39)
                    for n in numbers
                ],
            ),
        ]
    )
    made.close()
    command = ["status", "--ledger", str(tmp_path / "ledger.sqlite")]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["rolling"]
    assert len(found) == 8
    assert found[-1]["candle"] == "1970-01-05 04:00"
    assert found[-1]["accuracy"] == 0.0
    assert found[-1]["skill"] < 0 < found[0]["skill"]
    assert main([*command, "--details"]) == 0
    assert "over time" in capsys.readouterr().out


def test_watching_goes_on_where_the_ledger_cannot_be_read_for_a_while(
    ledger: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    away, naps = ledger.with_name("away"), []

    def sleep(_seconds: float) -> None:
        naps.append(1)
        if len(naps) == 1:
            ledger.rename(away)
            ledger.write_text("no database, but as long as one is: " + "x" * 100)
        elif len(naps) == 3:
            away.rename(ledger)
        elif len(naps) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr("freqai_signals.commands.status.time.sleep", sleep)
    main(["status", "--ledger", str(ledger), "--registry", "/none", "--watch", "5"])
    told = capsys.readouterr().out
    assert told.count("file is not a database") == 2
    assert told.count("live skill, last 7 days") == 2
