"""The real bot through every kind of trouble."""

import datetime as dt
import json
import os
import shlex
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest

from freqai_signals.commands.cli import main
from freqai_signals.live.decision_log import LiveRecord
from freqai_signals.rehearsal.bot import write_config
from freqai_signals.rehearsal.execution import Stage
from freqai_signals.rehearsal.incidents import Incidents
from freqai_signals.rehearsal.scenario import Rehearsal
from freqai_signals.rehearsal.soak.endurance import Soak, _options, soak
from freqai_signals.rehearsal.soak.plan import Kind, draw_plan
from freqai_signals.rehearsal.soak.soak_record import SoakRecord
from freqai_signals.rehearsal.soak.soak_summary import print_soak
from freqai_signals.rehearsal.soak.verdict import SoakOutcome, judged_soak
from freqai_signals.sandbox.market.market_files import Market
from tests.conftest import REPO
from tests.rehearsal.conftest import CODE, PAIRS, tuned_code

pytestmark = pytest.mark.skipif(
    shutil.which("faketime") is None, reason="faketime is not installed"
)


def assert_passed(found: SoakOutcome, printed: str) -> None:
    failed = [(check.name, check.detail) for check in found.outcome.checks if not check.passed]
    assert failed == []
    assert found.outcome.parity.mismatches == (), found.outcome.parity.mismatches[:5]
    assert found.passed
    assert "Parity: 100.00 %" in printed
    assert "Passed: no lost ledger row" in printed
    assert "Soak: Passed" in printed
    assert len(found.record.notes) == len(found.record.plan)


def all_faults(market: Market, folder: Path, *config: Path) -> Rehearsal:
    """Fourteen hours."""
    return Rehearsal(
        config=config,
        folder=folder / "soak",
        days=14 / 24,
        speed=120.0,
        datadir=market.folder,
        pairs=PAIRS,
        faults=0.03,
        code=CODE,
    )


@pytest.mark.rehearsal
def test_live_equals_history_whatever_goes_wrong(
    market: Market, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exchange is away, the bot is killed while the ledger is, its clock is wrong."""
    request = Soak(
        Rehearsal(
            config=(config,),
            folder=tmp_path / "soak",
            days=4 / 24,
            # A training has a minute and a half before the next one is due, a decision 7 seconds.
            speed=40.0,
            datadir=market.folder,
            faults=0.05,
            code=tuned_code(tmp_path),
        ),
        # Its first six are these, soon one after the other.
        seed=37188,
    )
    found = soak(request, lambda line: None)
    print_soak(found)
    assert_passed(found, capsys.readouterr().out)
    assert [item.item.kind for item in found.followed if item.injected] == [
        Kind.OUTAGE, Kind.LEDGER, Kind.KILL, Kind.LATE, Kind.MISSING, Kind.CLOCK,
    ]  # fmt: skip
    outcome, folder = found.outcome, request.rehearsal.folder
    assert outcome.parity.predicted >= 20
    assert outcome.parity.models >= 2, "no retraining"
    assert sum(outcome.run.faults.values()) > 20
    log = (folder / "bot.log").read_text()
    assert "is at hand, none is trained" in log
    assert "Strategy Parameter: minimum_confidence = 0.5" in log
    # A candle that the bot was still deciding when it was asked to end has no row to lose.
    path = folder / "record.jsonl"
    text, last = path.read_text(), list(LiveRecord(path).rows())[-1]
    date = (pd.Timestamp(last.date) + pd.Timedelta("5min")).isoformat()
    for seconds, kept in ((-1, False), (1, True)):
        row = replace(last, date=date, written=outcome.run.stop_ms / 1000 + seconds)
        path.write_text(f"{text}{json.dumps(asdict(row))}\n")
        assert judged_soak(folder).passed == kept


@pytest.mark.live
def test_a_bot_left_alone_through_all_faults_loses_nothing(
    market: Market, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = all_faults(market, tmp_path, config, REPO / "config.soak.json")
    found = soak(Soak(request, seed=2), lambda line: None)
    print_soak(found)
    assert_passed(found, capsys.readouterr().out)
    assert len(found.record.notes) >= 3


def test_the_command_that_is_printed_repeats_a_soak(
    market: Market, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = all_faults(market, tmp_path, config)
    stage = Stage.of(wanted, lambda line: None)
    run = stage.record(Incidents(), 0, ())
    plan = draw_plan(stage.pairs, stage.span, 300_000, 120.0, 2)
    made = SoakRecord(run, 2, plan, (), command=_options(Soak(wanted, seed=2), stage, run))
    written = write_config(wanted.folder / "config.json", stage.config)
    repeated: list[Soak] = []

    def told(request: Soak, notify: object) -> None:
        repeated.append(request)
        raise ValueError("enough")

    monkeypatch.setattr("freqai_signals.rehearsal.soak.endurance.soak", told)
    assert main(shlex.split(made.reproduction(wanted.folder, [1]))[1:]) == 2
    (again,) = repeated
    assert (again.seed, again.only) == (2, (1,))
    start = dt.datetime.fromtimestamp(run.start_ms / 1000, dt.UTC)
    assert again.rehearsal == replace(
        wanted, config=(written,), folder=again.rehearsal.folder, start=start
    )
    # Also where the candles go on meanwhile: the same time, so the same plan.
    assert Stage.of(again.rehearsal, lambda line: None).span == stage.span


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
