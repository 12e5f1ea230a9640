"""``freqai-signals status``: from a ledger to tables and JSON."""

import json
import time
from pathlib import Path

import pytest

from freqai_signals.cli import main
from freqai_signals.evaluation.ledger import Entry, Ledger
from tests.evaluation.ledger_rows import CANDLE, outcome, prediction, predictions, sqlite_url


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    now = int(time.time()) // CANDLE
    numbers = range(now - 20, now - 10)
    made = Ledger(sqlite_url(tmp_path))
    event = {
        "pair": "BTC/USDT", "candle": (now - 12) * CANDLE, "detector": "health",
        "level": "warning", "model_version": "v1", "detail": "features: psi 1.10 of the limit",
    }  # fmt: skip
    decision = {
        "scope": "bot/pool", "challenger": "v1", "champion": "", "verdict": "first_accepted",
        "reason": "no model serves yet", "evidence": "{}",
    }  # fmt: skip
    made.write(
        [
            Entry("predictions", [prediction(n) for n in numbers]),
            predictions(now - 9, kind="gap"),
            Entry("outcomes", [outcome(n) for n in numbers]),
            Entry("drift_events", [event]),
            Entry("model_decisions", [decision]),
        ]
    )
    made.close()
    return tmp_path / "ledger.sqlite"


def test_json_holds_all_parts(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--ledger", str(ledger), "--registry", "/none", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["levels"] == {"BTC/USDT": "warning"}
    assert found["rows"] == {"gap": 1, "live": 10}
    assert found["quality"]["total"][0]["rows"] == 10
    assert found["quality"]["pairs"][0]["accuracy"] == 1.0
    assert found["decisions"][0]["verdict"] == "first_accepted"
    assert found["drift_events"][0]["detail"].startswith("features")


def test_tables_are_printed(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--ledger", str(ledger), "--registry", "/none"]) == 0
    said = capsys.readouterr().out
    for words in ("Serving models: none", "Live quality by pairs", "warning", "first_accepted"):
        assert words in said


def test_an_empty_ledger_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Ledger(sqlite_url(tmp_path)).close()
    assert main(["status", "--ledger", str(tmp_path / "ledger.sqlite")]) == 0
    assert "Levels: none" in capsys.readouterr().out


def test_wrong_use_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--ledger", str(tmp_path / "none.sqlite")]) == 2
    assert "no ledger at" in capsys.readouterr().err
    assert not (tmp_path / "none.sqlite").exists()
    (tmp_path / "bad.sqlite").write_bytes(b"x" * 5000)
    assert main(["status", "--ledger", str(tmp_path / "bad.sqlite")]) == 2
    assert "cannot be read" in capsys.readouterr().err
