"""A planted regime break through the real adapters: alarm, early training, recovery, in status."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.regime_break import PAIRS, Break, live_through
from freqai_signals.commands.cli import main

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    folder = tmp_path_factory.mktemp("regime")
    bot = live_through(Break(), folder)
    return bot, folder / "user_data" / "signals"


def test_break_is_alarmed_trained_away_and_recovered_from_all_in_status(
    lived: tuple[Any, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    bot, folder = lived
    words = ["--ledger", str(folder / "ledger.sqlite"), "--registry", str(folder / "registry")]
    assert main(["status", *words, "--json", "--events", "100"]) == 0
    found = json.loads(capsys.readouterr().out)
    broke = pd.Timestamp(Break().market().start, tz="UTC") + pd.Timedelta(
        days=Break().market().break_day
    )
    told = [(pd.Timestamp(e["time"], tz="UTC"), e["about"], e["what"], e["why"])
            for e in found["history"]]  # fmt: skip
    models = [(at, what) for at, about, what, _ in told if what.startswith("serving ")]
    assert models[0][0] < broke, "the default gate accepts the first model"
    alarms = [(at, why) for at, _, what, why in told if what == "level drift"]
    assert broke < alarms[0][0] < broke + pd.Timedelta(days=4)
    assert alarms[0][1].startswith("features: "), "the cause"
    asked = [at for at, _, what, _ in told if what == "training requested"]
    assert asked[0] == alarms[0][0]
    later = [at for at, _ in models if at > broke]
    assert later, "the early training gave a new model, weeks before the schedule"
    assert later[0] - asked[0] < pd.Timedelta(days=5)
    assert set(found["levels"]) == set(PAIRS)
    assert set(found["levels"].values()) == {"ok"}, found["health"]
    assert found["serving"][0]["version"] in models[-1][1]
    assert any("level" in text and "drift" in text for _, text in bot.messages)


def test_status_for_people_shows_the_same(
    lived: tuple[Any, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, folder = lived
    monkeypatch.setenv("COLUMNS", "250")
    words = ["--ledger", str(folder / "ledger.sqlite"), "--registry", str(folder / "registry")]
    assert main(["status", *words, "--events", "30"]) == 0
    shown = capsys.readouterr().out
    for part in ("level drift", "training requested", "serving 2", "features: psi", "level ok"):
        assert part in shown
