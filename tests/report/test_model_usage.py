"""Importance of feature groups for the models of a backtest."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.report.data.backtest_record import Run
from freqai_signals.report.model_usage import RunModels, group_table, key_digits
from freqai_signals.report.printing import as_json, print_report
from freqai_signals.training.fit import Request, train
from freqai_signals.training.model_store import ModelStore
from tests.model_rows import small
from tests.report.run_rows import rows_of, run_of


@pytest.fixture
def models(rows: TrainingRows) -> list[SignalModel]:
    """Two models whose cards have different shares."""
    request = Request(rows, small())
    made = train(request, request.key())
    shares = ({"volatility": 0.7, "calendar": 0.3}, {"volatility": 0.9, "wicks": 0.1})
    cards = [
        replace(made.card, key=f"{number:064x}"[::-1], groups=groups)
        for number, groups in enumerate(shares, 0xA0)
    ]
    return [replace(made, card=card) for card in cards]


def run_with(*models: SignalModel) -> Run:
    frame = rows_of("BSh", "BSh")
    ids = [float(int(model.card.key[:12], 16)) for model in models]
    return run_of(
        BTC=frame.assign(model_id=[*ids, *ids, ids[0]][: len(frame)]), ETH=rows_of("", "")
    )


def stored(folder: Path, models: list[SignalModel]) -> RunModels:
    folder.mkdir()
    for model in models:
        ModelStore(folder).save(model)
    return RunModels(folder)


def test_shares_are_means_over_the_models_used(models: list[SignalModel], tmp_path: Path) -> None:
    kept = stored(tmp_path / "models", models)
    table = group_table(run_with(*models), kept)
    assert table.index.tolist() == ["volatility", "calendar", "wicks"]
    assert table.loc["volatility"].tolist() == pytest.approx([0.8, 0.7, 0.9])
    assert table.loc["calendar"].tolist() == pytest.approx([0.15, 0.0, 0.3])
    only = group_table(run_with(models[0]), kept)
    assert only["share"].to_dict() == pytest.approx({"volatility": 0.7, "calendar": 0.3})


def test_models_that_are_gone_or_damaged_leave_the_table_out(
    models: list[SignalModel], tmp_path: Path
) -> None:
    run = run_with(*models)
    kept = stored(tmp_path / "models", models)
    for path in (tmp_path / "models").glob("*.model"):
        path.write_bytes(b"damaged")
    for store in (kept, RunModels(tmp_path / "nowhere")):
        assert group_table(run, store).empty
        assert as_json(run, store)["feature_groups"] == {}
        text = StringIO()
        print_report(run, store, Console(file=text, width=160))
        assert "feature group" not in text.getvalue()


def test_report_shows_the_groups(models: list[SignalModel], tmp_path: Path) -> None:
    run, kept = run_with(*models), stored(tmp_path / "models", models)
    text = StringIO()
    print_report(run, kept, Console(file=text, width=160))
    (line,) = [line for line in text.getvalue().splitlines() if "volatility" in line]
    cells = [cell.strip() for cell in line.split("│")[1:-1]]
    assert cells == ["volatility", "0.800", "0.700", "0.900"]
    found = as_json(run, kept)["feature_groups"]["volatility"]
    assert found == pytest.approx({"share": 0.8, "least": 0.7, "most": 0.9})


def test_digits_are_those_of_the_key(models: list[SignalModel]) -> None:
    for model in models:
        assert key_digits(float(int(model.card.key[:12], 16))) == model.card.key[:12]
