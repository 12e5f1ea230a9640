"""Signals of a backtest as records in a file, with the model's reasons where it is at hand."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.report.data.backtest_record import Run
from freqai_signals.report.model_usage import RunModels
from freqai_signals.report.signal_export import signal_records, write_signals
from freqai_signals.signals.record import SignalRecord
from freqai_signals.training.fit import Request, train
from freqai_signals.training.model_store import ModelStore
from tests.model_rows import small
from tests.report.run_rows import rows_of, run_of


@pytest.fixture
def model(rows: TrainingRows, tmp_path: Path) -> SignalModel:
    request = Request(rows, small({"kind": "two_stage"}))
    made = train(request, request.key())
    (tmp_path / "models").mkdir()
    ModelStore(tmp_path / "models").save(made)
    return made


def first_row(rows: TrainingRows) -> pd.DataFrame:
    return pd.DataFrame(rows.features[:1], columns=list(rows.names))


def run_with(model: SignalModel | None, features: pd.DataFrame) -> Run:
    """A buy, a refused sell and a hold; the features are those of the buy."""
    columns = {"signal": [2, -1, 1], "signal_strength": [3, 0, 0]}
    frame = rows_of("BSh", "Bhh", **columns, reject_reason=["", "repeat", ""])
    if model is not None:
        frame["model_id"] = float(int(model.card.key[:12], 16))
    kept = features.assign(date=frame["date"].iloc[0])
    return replace(run_of(BTC=frame), features={"BTC/USDT": kept})


def test_only_emitted_signals_are_recorded_with_what_the_row_says(
    model: SignalModel, rows: TrainingRows, tmp_path: Path
) -> None:
    buy, hold = signal_records(run_with(model, first_row(rows)), RunModels(tmp_path / "models"))
    assert (buy.signal, buy.strength, buy.pair) == ("buy", 3, "BTC/USDT")
    assert buy.timestamp == "2024-01-01T00:00:00+00:00"
    assert buy.probabilities == (0.1, 0.3, 0.6)
    assert (hold.signal, hold.strength) == ("hold", 0)


def test_record_names_the_model_and_the_features_that_moved_it(
    model: SignalModel, rows: TrainingRows, tmp_path: Path
) -> None:
    buy, hold = signal_records(run_with(model, first_row(rows)), RunModels(tmp_path / "models"))
    assert buy.model_version == hold.model_version == model.card.version
    expected = model.contributions(first_row(rows).iloc[0].to_dict())
    assert list(buy.top_features) == expected
    assert len(expected) == 5
    assert hold.top_features == ()  # its features were not kept


def test_without_the_model_its_key_stands_for_the_version(
    rows: TrainingRows, tmp_path: Path
) -> None:
    buy, _ = signal_records(run_with(None, first_row(rows)), RunModels(tmp_path / "nowhere"))
    assert buy.model_version == "000000000007"
    assert buy.top_features == ()


def test_damaged_model_does_not_stop_the_export(
    model: SignalModel, rows: TrainingRows, tmp_path: Path
) -> None:
    next((tmp_path / "models").glob("*.model")).write_bytes(b"damaged")
    buy, _ = signal_records(run_with(model, first_row(rows)), RunModels(tmp_path / "models"))
    assert buy.model_version == model.card.key[:12]


def test_file_gives_back_equal_records(
    model: SignalModel, rows: TrainingRows, tmp_path: Path
) -> None:
    records = list(signal_records(run_with(model, first_row(rows)), RunModels(tmp_path / "models")))
    path = tmp_path / "signals.jsonl"
    assert write_signals(path, records) == 2
    lines = path.read_text().splitlines()
    assert [SignalRecord.from_json(line) for line in lines] == records
    assert json.loads(lines[0])["pair"] == "BTC/USDT"
