"""Every look at a span is counted, whatever is deleted and however many processes look."""

import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from freqtrade.enums import RunMode

from freqai_signals.plugin.startup import count_hyperopt
from freqai_signals.report.data.backtest_frames import run_frames
from freqai_signals.report.data.backtest_record import BacktestRecord, read_run
from freqai_signals.report.data.looks import Look, add_look, looks_at, looks_folder, read_looks
from freqai_signals.report.page.page_data import PageData
from freqai_signals.report.page.parts.overview_sections import facts_section, verdict_section
from freqai_signals.schema import LABEL_COLUMN, OUTCOME_COLUMN
from freqai_signals.settings import SignalSettings
from tests.report.run_rows import COST, rows_of

JANUARY = 1704067200


def backtest(userdir: Path, identifier: str = "one") -> Path:
    folder = userdir / "signals" / "reports" / identifier
    rows = rows_of("BSh", "BSh")
    happened = rows.drop(columns=LABEL_COLUMN).rename(columns={OUTCOME_COLUMN: LABEL_COLUMN})
    made = BacktestRecord(folder, SignalSettings(), COST, "20240101-20240102")
    for pair in ("BTC/USDT", "ETH/USDT"):
        made.add(pair, rows.drop(columns=OUTCOME_COLUMN), happened)
    return folder


def facts_of(userdir: Path, folder: Path) -> PageData:
    frames = run_frames(read_run(folder), userdir, folder)
    return PageData(frames, SignalSettings(), COST)


def test_each_backtest_is_one_look_at_the_span_of_its_rows(tmp_path: Path) -> None:
    backtest(tmp_path)
    backtest(tmp_path)
    looks = read_looks(tmp_path)
    assert [(look.kind, look.first, look.last, look.trials) for look in looks] == [
        ("backtest", JANUARY, JANUARY + 600, 1)
    ] * 2


def test_a_first_pair_without_predictions_hides_no_look(tmp_path: Path) -> None:
    rows = rows_of("BSh", "BSh").drop(columns=OUTCOME_COLUMN)
    happened = rows_of("BSh", "BSh")
    made = BacktestRecord(tmp_path / "signals/reports/one", SignalSettings(), COST, "")
    made.add("A/USDT", rows.assign(model_id=0.0), happened)
    assert read_looks(tmp_path) == []
    made.add("B/USDT", rows, happened)
    assert [look.first for look in read_looks(tmp_path)] == [JANUARY]


def test_looks_outlive_models_records_and_results(tmp_path: Path) -> None:
    """freqtrade's lookahead-analysis deletes models, users delete results."""
    folder = backtest(tmp_path)
    for name in ("models", "backtest_results", "signals/models", "signals/reports"):
        shutil.rmtree(tmp_path / name, ignore_errors=True)
    folder = backtest(tmp_path)
    assert facts_of(tmp_path, folder).frames.facts["looks"] == 2


def _add_many(userdir: Path) -> None:
    for _ in range(50):
        add_look(userdir, Look("backtest", 0, 10))


def test_processes_that_look_at_once_lose_none(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(_add_many, [tmp_path] * 2))
    assert len(read_looks(tmp_path)) == 100
    assert {path.suffix for path in looks_folder(tmp_path).iterdir()} == {".json"}


@pytest.mark.parametrize("text", ["", "{", '{"kind": "guess", "first": 0, "last": 1}'])
def test_a_damaged_file_is_named_and_left_out(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = add_look(tmp_path, Look("backtest", 0, 10))
    add_look(tmp_path, Look("backtest", 0, 10))
    path.write_text(text)
    assert len(read_looks(tmp_path)) == 1
    assert str(path) in caplog.text


def test_a_span_that_hyperopt_searched_is_marked_and_every_trial_counts(tmp_path: Path) -> None:
    config = {"user_data_dir": tmp_path, "runmode": RunMode.HYPEROPT, "epochs": 50}
    count_hyperopt(config | {"timerange": "20231201-20240102"})
    count_hyperopt(config | {"timerange": "20240601-20240701"})
    data = facts_of(tmp_path, backtest(tmp_path))
    assert data.frames.facts["looks"] == 51
    section = facts_section(data)
    facts = dict(section.tables["Facts"].to_numpy().tolist())
    assert facts["looks at this span"] == "51: 1 backtest, 1 hyperopt with 50 trials"
    assert "Hyperopt has searched it" in section.finding
    verdict = verdict_section(data)
    edge = verdict.tables["Verdict"].set_index("question")
    for question in ("Is there an edge after fees?", "How sure?", "Days needed to know?"):
        assert edge.loc[question, "state"] == "unknown"
        assert "hyperopt has searched this span" in edge.loc[question, "answer"]
    assert verdict.finding.endswith("Not known, as hyperopt has searched this span.")
    elsewhere = looks_at(read_looks(tmp_path), 0, JANUARY - 90 * 86_400)
    assert elsewhere.total == 0


def test_a_hyperopt_of_all_candles_looked_at_every_span(tmp_path: Path) -> None:
    asked = {"user_data_dir": tmp_path, "epochs": 3, "runmode": RunMode.HYPEROPT}
    assert count_hyperopt(asked)
    assert not count_hyperopt({**asked, "runmode": RunMode.BACKTEST})
    assert looks_at(read_looks(tmp_path), JANUARY, JANUARY + 1).trials == 3
