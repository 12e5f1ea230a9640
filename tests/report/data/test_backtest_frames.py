"""The frames of notebooks and of the page, from what a backtest left."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from freqai_signals import load_backtest
from freqai_signals.report.data.backtest_frames import newest_folder
from freqai_signals.report.data.backtest_record import (
    KNOWN_AT_COLUMN,
    BacktestRecord,
    RecordMissing,
    read_run,
)
from freqai_signals.report.data.frames import (
    OUTCOME_COLUMNS,
    PREDICTION_COLUMNS,
    SignalFrames,
)
from freqai_signals.schema import EVENT_END_COLUMN, LABEL_COLUMN, OUTCOME_COLUMN
from freqai_signals.settings import SignalSettings
from tests.report.page.page_frames import frames_of
from tests.report.run_rows import rows_of


def recorded(userdir: Path, frame: pd.DataFrame, pair: str = "BTC/USDT") -> Path:
    """A record of one pair; returns its folder."""
    folder = userdir / "signals" / "reports" / "first"
    labels = frame.assign(**{LABEL_COLUMN: frame[OUTCOME_COLUMN]})
    record = BacktestRecord(folder, SignalSettings(), 0.002, "range", pairs=(pair, "ETH/USDT"))
    features = pd.DataFrame({"%-a": np.arange(len(frame), dtype=float)}, index=frame.index)
    record.add(pair, frame, labels, features)
    return folder


def test_predictions_and_outcomes_are_tidy_and_share_their_index() -> None:
    frames = frames_of(A=rows_of("BSh", "Bh?", signal=[2, -1, 1], do_predict=[1, 1, 0]))
    assert tuple(frames.predictions.columns) == PREDICTION_COLUMNS
    assert tuple(frames.outcomes.columns) == OUTCOME_COLUMNS
    assert frames.predictions["predicted"].tolist() == [2, 0, 1]
    assert frames.predictions["signal"].tolist() == ["buy", "", "hold"]
    assert frames.predictions["trusted"].tolist() == [True, True, False]
    assert frames.outcomes.index.tolist() == [0, 1]
    assert frames.outcomes["net_return"].round(6).tolist() == [0.008, -0.002]
    assert frames.signals["signal"].tolist() == ["buy", "hold"]
    assert frames.signals["outcome"].fillna(-1).tolist() == [2.0, -1.0]


def test_scored_rows_are_trusted_and_known() -> None:
    scored = frames_of(A=rows_of("BSBB", "BS?B", do_predict=[1, 1, 1, 0])).scored()
    assert scored["outcome"].tolist() == [2.0, 0.0]
    assert {"proba_buy", "prior_buy", "net_return"} <= set(scored.columns)


def test_the_frames_come_back_from_disk_with_when_outcomes_were_known(tmp_path: Path) -> None:
    recorded(tmp_path, rows_of("BSB", "BS?", **{EVENT_END_COLUMN: [1.0, 2.0, np.nan]}))
    frames = load_backtest(tmp_path)
    assert isinstance(frames, SignalFrames)
    assert frames.predictions["pair"].tolist() == ["BTC/USDT"] * 3
    # The event ends at the close of candle 1, which opens at 00:05.
    assert frames.outcomes["known_at"].tolist() == [
        pd.Timestamp("2024-01-01 00:10", tz="UTC"), pd.Timestamp("2024-01-01 00:15", tz="UTC"),
    ]  # fmt: skip
    assert (frames.outcomes["known_at"] > frames.outcomes["date"]).all()
    assert len(load_backtest(tmp_path, "first").predictions) == 3


def test_an_older_record_is_read_without_what_it_did_not_keep(tmp_path: Path) -> None:
    folder = recorded(tmp_path, rows_of("BSB", "BSB"))
    facts = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({k: facts[k] for k in facts if k != "format"}))
    file = folder / "BTC_USDT.feather"
    pd.read_feather(file).drop(columns=KNOWN_AT_COLUMN).to_feather(file)
    # What earlier formats kept was measured against the span of the backtest.
    day = pd.Timestamp("2024-01-01", tz="UTC")
    shift = pd.DataFrame({"date": [day], "feature": ["%-a"], "shift": [0.5]})
    shift.to_feather(folder / "BTC_USDT.shift.feather")
    frames = load_backtest(tmp_path)
    assert frames.outcomes["known_at"].isna().all()
    assert len(frames.drift) == 0
    (folder / "run.json").write_text(json.dumps(facts))
    assert load_backtest(tmp_path).drift["shift"].tolist() == [0.5]


def test_a_newer_record_is_refused_by_name(tmp_path: Path) -> None:
    folder = recorded(tmp_path, rows_of("B", "B"))
    facts = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(facts | {"format": 99}))
    with pytest.raises(RecordMissing, match=r"run\.json has format 99.*upgrade"):
        load_backtest(tmp_path)


def test_settings_of_another_version_are_named(tmp_path: Path) -> None:
    folder = recorded(tmp_path, rows_of("B", "B"))
    facts = json.loads((folder / "run.json").read_text())
    facts["settings"]["labels"]["gone"] = 1
    (folder / "run.json").write_text(json.dumps(facts))
    with pytest.raises(RecordMissing, match=r"first labels\.gone.*backtest again"):
        load_backtest(tmp_path)


def test_a_file_that_lacks_columns_or_is_half_written_is_named(tmp_path: Path) -> None:
    folder = recorded(tmp_path, rows_of("B", "B"))
    file = folder / "BTC_USDT.feather"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordMissing, match=r"BTC_USDT\.feather cannot be read"):
        load_backtest(tmp_path)
    pd.DataFrame({"date": [1]}).to_feather(file)
    with pytest.raises(RecordMissing, match=r"lacks the columns &-signal"):
        load_backtest(tmp_path)
    file.unlink()
    with pytest.raises(RecordMissing, match=r"BTC_USDT\.feather cannot be read"):
        load_backtest(tmp_path)


def test_a_record_without_pairs_is_no_record(tmp_path: Path) -> None:
    folder = recorded(tmp_path, rows_of("B", "B"))
    facts = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(facts | {"files": {}}))
    with pytest.raises(RecordMissing, match="names no pair"):
        load_backtest(tmp_path)


def test_no_backtest_at_all_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="run one first"):
        newest_folder(tmp_path)


def test_pairs_that_are_not_there_are_kept_in_the_facts(tmp_path: Path) -> None:
    run = read_run(recorded(tmp_path, rows_of("B", "B")))
    assert run.facts["pairs"] == ["BTC/USDT", "ETH/USDT"]
    assert list(run.frames) == ["BTC/USDT"]
