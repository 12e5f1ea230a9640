"""The real bot on accelerated time."""

import shutil
from pathlib import Path

import pytest

from freqai_signals.rehearsal.report import print_outcome
from freqai_signals.rehearsal.run import Rehearsal, rehearse
from freqai_signals.sandbox.market import Market
from tests.rehearsal.conftest import CODE, our_errors

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is not installed"),
]


@pytest.mark.parametrize("faults", [0.0, 0.15])
def test_live_equals_history(
    market: Market, config: Path, tmp_path: Path, faults: float, capsys: pytest.CaptureFixture[str]
) -> None:
    hours = 2.4 if faults else 3.0
    request = Rehearsal(
        config=config,
        folder=tmp_path / "rehearsal",
        days=hours / 24,
        speed=120.0,
        datadir=market.folder,
        faults=faults,
        code=CODE,
    )
    outcome = rehearse(request, lambda line: None)
    print_outcome(outcome)
    parity = outcome.parity
    log = (tmp_path / "rehearsal" / "bot.log").read_text()
    assert parity.mismatches == (), parity.mismatches[:5]
    assert parity.predicted >= 30
    assert parity.models >= 2, "no retraining"
    assert "adopts the pool's model" in log
    assert our_errors(log) == []
    assert "Parity: 100.00 %" in capsys.readouterr().out
    opened = [(trade["pair"], trade["open_date"]) for trade in outcome.trades]
    assert len(opened) == len(set(opened))
    assert bool(outcome.faults) == bool(faults)
