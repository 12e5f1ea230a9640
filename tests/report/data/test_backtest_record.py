"""Rows of a backtest stored for the report."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from freqai_signals.report.data import backtest_record
from freqai_signals.report.data.backtest_record import (
    BacktestRecord,
    RecordMissing,
    read_run,
)
from freqai_signals.report.data.climatology import BASELINE_COLUMNS
from freqai_signals.schema import LABEL_COLUMN, OUTCOME_COLUMN
from freqai_signals.settings import SignalSettings
from tests.report.run_rows import rows_of

RANGE = "20240101-20240201"


def record(folder: Path, timerange: str = RANGE, days: int = 30) -> BacktestRecord:
    settings = SignalSettings(train_period_days=days)
    return BacktestRecord(folder, settings, 0.002, timerange, "/candles")


def add(
    made: BacktestRecord, pair: str, rows: pd.DataFrame, features: pd.DataFrame | None = None
) -> None:
    """As the strategy calls it: the labels' column holds the realised class."""
    happened = rows.drop(columns=LABEL_COLUMN).rename(columns={OUTCOME_COLUMN: LABEL_COLUMN})
    made.add(pair, rows.drop(columns=OUTCOME_COLUMN), happened, features)


def test_rows_come_back_as_they_were_added(tmp_path: Path) -> None:
    rows = rows_of("BSh", "Bh?")
    add(record(tmp_path), "BTC/USDT", rows)
    run = read_run(tmp_path)
    found = run.frames["BTC/USDT"]
    pd.testing.assert_frame_equal(found[list(rows.columns)], rows, check_dtype=False)
    assert found[LABEL_COLUMN].tolist() == [2.0, 0.0, 1.0]
    assert found[OUTCOME_COLUMN].tolist()[:2] == [2.0, 1.0]
    assert found[OUTCOME_COLUMN].isna().tolist() == [False, False, True]


def test_facts_hold_settings_cost_and_timerange(tmp_path: Path) -> None:
    made = record(tmp_path)
    add(made, "BTC/USDT", rows_of("B", "B"))
    facts = read_run(tmp_path).facts
    assert facts["timerange"] == RANGE
    assert facts["datadir"] == "/candles"
    assert facts["round_trip_cost"] == 0.002
    assert SignalSettings.model_validate(facts["settings"]) == made.settings
    assert pd.Timestamp(facts["at"]).tzinfo is not None


def test_columns_that_the_report_does_not_read_are_left_out(tmp_path: Path) -> None:
    add(record(tmp_path), "BTC/USDT", rows_of("B", "B").assign(close=1.0, **{"%-rsi": 2.0}))
    assert not {"close", "%-rsi"} & set(read_run(tmp_path).frames["BTC/USDT"])


def test_rows_before_the_first_prediction_are_left_out(tmp_path: Path) -> None:
    """FreqAI fills them with zeros, or NaN where the column was not there yet."""
    add(record(tmp_path), "BTC/USDT", rows_of("hhSB", "BBSB", model_id=[0.0, float("nan"), 7, 7]))
    found = read_run(tmp_path).frames["BTC/USDT"]
    assert found[LABEL_COLUMN].tolist() == [0.0, 2.0]
    assert found.index.tolist() == [0, 1]


def test_a_pair_without_any_model_has_no_rows(tmp_path: Path) -> None:
    rows = rows_of("hh", "BB").drop(columns=["model_id", "prior_buy"])
    add(record(tmp_path), "BTC/USDT", rows)
    assert read_run(tmp_path).frames["BTC/USDT"].empty


def test_pairs_of_one_run_are_kept_side_by_side(tmp_path: Path) -> None:
    made = record(tmp_path)
    add(made, "BTC/USDT", rows_of("B", "B"))
    add(made, "ETH/USDT:USDT", rows_of("SS", "SS"))
    frames = read_run(tmp_path).frames
    assert {pair: len(frame) for pair, frame in frames.items()} == {
        "BTC/USDT": 1, "ETH/USDT:USDT": 2,
    }  # fmt: skip


def test_a_pair_added_again_replaces_its_rows(tmp_path: Path) -> None:
    add(record(tmp_path), "BTC/USDT", rows_of("B", "B"))
    add(record(tmp_path), "BTC/USDT", rows_of("SSS", "SSS"))
    assert len(read_run(tmp_path).frames["BTC/USDT"]) == 3


def test_every_backtest_replaces_the_last_one(tmp_path: Path) -> None:
    """The same settings and timerange with fewer pairs would otherwise keep those left out."""
    made = record(tmp_path)
    for pair in ("BTC/USDT", "ETH/USDT"):
        add(made, pair, rows_of("B", "B"), features=pd.DataFrame({"%-a": [1.0]}))
    add(record(tmp_path), "ETH/USDT", rows_of("S", "S"))
    run = read_run(tmp_path)
    assert list(run.frames) == ["ETH/USDT"]
    assert run.features == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ETH_USDT.feather", "run.json"]


def test_features_of_signals_are_kept_with_their_date(tmp_path: Path) -> None:
    rows = rows_of("BSh", "Bhh", signal=[2, -1, 1])
    features = pd.DataFrame({"%-a": [0.5, 1.5]}, index=[1, 2])  # of the later rows only
    add(record(tmp_path), "BTC/USDT", rows, features)
    found = read_run(tmp_path).features["BTC/USDT"]
    assert found["%-a"].tolist() == [0.5, 1.5]
    assert found["date"].tolist() == rows["date"].iloc[1:].tolist()


def test_besides_signals_an_even_sample_of_all_rows_keeps_its_features(tmp_path: Path) -> None:
    emitted = np.full(6000, -1)
    emitted[[1, 3]] = 2
    rows = rows_of("B" * 6000, "B" * 6000, signal=emitted)
    add(record(tmp_path), "BTC/USDT", rows, pd.DataFrame({"%-a": np.arange(6000.0)}))
    found = read_run(tmp_path).features["BTC/USDT"]
    assert found[found["sampled"]]["%-a"].tolist() == list(range(0, 6000, 3))
    assert found[~found["sampled"]]["%-a"].tolist() == [1.0]


def test_climatology_is_fitted_on_what_was_known_before_each_model(tmp_path: Path) -> None:
    """Other candles and outcomes from the second model's start on change no earlier statement."""
    rng = np.random.default_rng(0)
    count, first, second = 12_000, 9_000, 10_500
    labels = "".join(np.array(list("ShB"))[rng.integers(0, 3, count)])
    ids = np.repeat([0.0, 7.0, 8.0], [first, second - first, count - second])
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.001, count)))
    rows = rows_of("h" * count, labels, model_id=ids, close=close)

    def stated(name: str, frame: pd.DataFrame) -> np.ndarray:
        add(record(tmp_path / name), "BTC/USDT", frame)
        found = read_run(tmp_path / name).frames["BTC/USDT"]
        return found[list(BASELINE_COLUMNS)].to_numpy()

    later = rows.copy()
    later.loc[second:, "close"] *= 3.0
    later.loc[second - 1 :, "outcome"] = 2.0  # the last one was not known at the start either
    before, after = stated("a", rows), stated("b", later)
    assert before.sum(axis=1) == pytest.approx(1.0)
    known = second - first
    np.testing.assert_array_equal(before[:known], after[:known])
    # The second model's window ends where it starts: its own rows move, its fit does not.
    unmoved = rows.copy()
    unmoved.loc[second - 1 :, "outcome"] = 2.0
    np.testing.assert_array_equal(before, stated("c", unmoved))
    moved = rows.copy()
    moved.loc[first:, "outcome"] = 2.0
    assert np.abs(before[known:] - stated("d", moved)[known:]).max() > 0.05


@pytest.mark.parametrize("text", ['{"files": ', "{}", "[]", "1"])
def test_a_damaged_list_of_an_earlier_run_does_not_stop_a_new_one(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "run.json").write_text(text)
    add(record(tmp_path), "BTC/USDT", rows_of("B", "B"))
    assert list(read_run(tmp_path).frames) == ["BTC/USDT"]


def test_without_a_backtest_the_message_asks_to_run_one(tmp_path: Path) -> None:
    with pytest.raises(RecordMissing, match=rf"{tmp_path}; run one first"):
        read_run(tmp_path)


@pytest.mark.parametrize("text", ['{"timerange": ', "", "{}", "[]", '"text"', '{"files": 1}'])
def test_a_damaged_run_file_is_named(tmp_path: Path, text: str) -> None:
    add(record(tmp_path), "BTC/USDT", rows_of("B", "B"))
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RecordMissing, match=str(tmp_path / "run.json")):
        read_run(tmp_path)


@pytest.mark.parametrize("keep", [None, 0, 100], ids=["missing", "empty", "truncated"])
def test_a_damaged_file_of_rows_is_named(tmp_path: Path, keep: int | None) -> None:
    add(record(tmp_path), "BTC/USDT", rows_of("B", "B"))
    file = tmp_path / json.loads((tmp_path / "run.json").read_text())["files"]["BTC/USDT"]
    content = file.read_bytes()
    file.unlink()
    if keep is not None:
        file.write_bytes(content[:keep])
    with pytest.raises(RecordMissing, match=f"{file} cannot be read.*; backtest again"):
        read_run(tmp_path)


def test_no_partial_files_remain(tmp_path: Path) -> None:
    add(record(tmp_path), "BTC/USDT", rows_of("B", "B"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["BTC_USDT.feather", "run.json"]


def test_an_interrupted_write_leaves_the_earlier_rows_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(record(tmp_path), "BTC/USDT", rows_of("B", "B"))
    written = []

    def stops_before_the_list(path: Path, content: bytes) -> None:
        written.append(path.name)
        if path.name == "run.json":
            raise OSError("no space left")

    monkeypatch.setattr(backtest_record, "write_atomically", stops_before_the_list)
    with pytest.raises(OSError, match="no space"):
        add(record(tmp_path), "ETH/USDT", rows_of("S", "S"))
    assert written == ["ETH_USDT.feather", "run.json"]
    assert list(read_run(tmp_path).frames) == ["BTC/USDT"]
