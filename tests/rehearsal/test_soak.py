"""The real bot through every kind of trouble, in one market night."""

import json
import shutil
from pathlib import Path

import pytest

from freqai_signals.rehearsal.scenario import Rehearsal
from freqai_signals.rehearsal.soak.endurance import Soak, reproduction, soak
from freqai_signals.rehearsal.soak.soak_summary import print_soak
from freqai_signals.sandbox.market.market_files import Market
from tests.conftest import REPO
from tests.rehearsal.conftest import CODE, small_config

pytestmark = pytest.mark.skipif(
    shutil.which("faketime") is None, reason="faketime is not installed"
)


@pytest.mark.live
def test_a_bot_left_alone_through_all_faults_loses_nothing(
    market: Market, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(small_config()))
    request = Soak(
        Rehearsal(
            config=(config, REPO / "config.soak.json"),
            folder=tmp_path / "soak",
            days=14 / 24,
            speed=120.0,
            datadir=market.folder,
            pairs=("BTC/USDT", "ETH/USDT"),
            faults=0.03,
            code=CODE,
        ),
        seed=2,
    )
    found = soak(request, lambda line: None)
    print_soak(found)
    printed = capsys.readouterr().out
    failed = [(check.name, check.detail) for check in found.outcome.checks if not check.passed]
    assert failed == []
    assert found.outcome.parity.mismatches == ()
    assert found.passed
    assert "Soak: Passed" in printed
    assert len(found.record.notes) == len(found.record.plan) >= 3
    command = reproduction(request.rehearsal.folder, [1])
    assert "--seed 2" in command
    assert command.endswith("--only 1")
