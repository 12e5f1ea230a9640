"""The real bot through every kind of trouble, in one market night."""

import json
import os
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from freqai_signals.commands.cli import main
from freqai_signals.rehearsal.scenario import Rehearsal
from freqai_signals.rehearsal.soak.endurance import Soak, soak
from freqai_signals.rehearsal.soak.soak_summary import print_soak
from freqai_signals.sandbox.market.market_files import Market
from tests.conftest import REPO
from tests.rehearsal.conftest import CODE, small_config

pytestmark = pytest.mark.skipif(
    shutil.which("faketime") is None, reason="faketime is not installed"
)


@pytest.mark.live
def test_a_bot_left_alone_through_all_faults_loses_nothing(
    market: Market,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
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
    words = shlex.split(found.record.reproduction(request.rehearsal.folder, [1]))[1:]
    repeated: list[Soak] = []

    def told(request: Soak, notify: object) -> None:
        repeated.append(request)
        raise ValueError("enough")

    monkeypatch.setattr("freqai_signals.rehearsal.soak.endurance.soak", told)
    assert main(words) == 2
    (again,) = repeated
    assert (again.seed, again.only) == (2, (1,))
    wanted = replace(
        request.rehearsal,
        config=(request.rehearsal.folder / "config.json",),
        folder=again.rehearsal.folder,
        start=again.rehearsal.start,
    )
    assert again.rehearsal == wanted


@pytest.mark.slow
def test_a_strategy_that_is_not_there_ends_a_soak_at_once(
    market: Market, tmp_path: Path, config: Path
) -> None:
    request = Rehearsal(
        config=(config,),
        folder=tmp_path / "soak",
        speed=120.0,
        datadir=market.folder,
        code=(tmp_path / "nowhere", CODE[1]),
    )
    with pytest.raises(ValueError, match=r"before its first decision(.|\n)*strategy"):
        soak(Soak(request), lambda line: None)
    assert not os.path.ismount(request.folder / "user_data")
