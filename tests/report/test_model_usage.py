"""Importance of feature groups for the models of a backtest."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.report.data.backtest_record import Run
from freqai_signals.report.data.feature_use import feature_use
from freqai_signals.report.model_usage import RunModels, key_digits
from freqai_signals.report.page.page_data import PageData
from freqai_signals.report.page.parts.model_sections import feature_section
from freqai_signals.report.page.parts.page_section import Section
from freqai_signals.training.fit import Request, train
from freqai_signals.training.model_store import ModelStore
from tests.model_rows import small
from tests.report.page.page_frames import frames_of_run
from tests.report.run_rows import COST, rows_of, run_of


@pytest.fixture
def models(rows: TrainingRows) -> list[SignalModel]:
    """Two models whose cards have different shares."""
    request = Request(rows, small())
    made = train(request, request.key())
    shares = ({"volatility": 0.7, "calendar": 0.3}, {"volatility": 0.9, "wicks": 0.1})
    cards = [
        replace(made.card, key=f"{number:064x}"[::-1], version=f"v{number}", groups=groups)
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


def features_of(run: Run, models: RunModels) -> Section:
    frames = replace(frames_of_run(run), feature_groups=feature_use(run, models))
    return feature_section(PageData(frames, run.settings, COST))


def test_shares_are_means_over_the_models_used(models: list[SignalModel], tmp_path: Path) -> None:
    kept = stored(tmp_path / "models", models)
    table = features_of(run_with(*models), kept).tables["Feature groups"].set_index("group")
    assert table.index.tolist() == ["volatility", "calendar", "wicks"]
    assert table.loc["volatility"].tolist() == pytest.approx([0.8, 0.7, 0.9])
    assert table.loc["calendar"].tolist() == pytest.approx([0.15, 0.0, 0.3])
    only = features_of(run_with(models[0]), kept).tables["Feature groups"]
    shares = dict(zip(only["group"], only["gain"], strict=True))
    assert shares == pytest.approx({"volatility": 0.7, "calendar": 0.3})


def test_contributions_are_those_of_the_sample_not_of_signals(
    models: list[SignalModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(
        "freqai_signals.report.data.feature_use._shap_shares",
        lambda model, rows, groups: asked.append(len(rows)) or pd.Series(dtype=float),
    )
    kept, run = stored(tmp_path / "models", models[:1]), run_with(models[0])
    dates = run.frames["BTC/USDT"]["date"]
    features = pd.DataFrame({"date": dates, "%-a": 1.0})
    for sampled, rows in (([True, False, False], 1), ([True] * 3, 3)):
        run.features["BTC/USDT"] = features.assign(sampled=sampled)
        feature_use(run, kept)
        assert asked.pop() == rows
    feature_use(run, kept, with_shap=False)
    assert asked == []


def test_models_that_are_gone_or_damaged_leave_the_table_out(
    models: list[SignalModel], tmp_path: Path
) -> None:
    run = run_with(*models)
    kept = stored(tmp_path / "models", models)
    for path in (tmp_path / "models").glob("*.model"):
        path.write_bytes(b"damaged")
    for store in (kept, RunModels(tmp_path / "nowhere")):
        assert "No model of this run is stored" in features_of(run, store).missing


def test_digits_are_those_of_the_key(models: list[SignalModel]) -> None:
    for model in models:
        assert key_digits(float(int(model.card.key[:12], 16))) == model.card.key[:12]
