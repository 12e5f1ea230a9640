"""Bare LightGBM in the benchmark of training grows the same kind of trees as ours."""

from collections import Counter
from typing import Any

import pytest

from benchmarks.bench_training import bare, synthetic_rows
from freqai_signals.model import booster
from freqai_signals.training.boosting import WindowTask, fit_window
from freqai_signals.training.row_checks import Split
from tests.model_rows import small


def test_bare_lightgbm_has_the_parameters_and_rounds_of_both_boosters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, settings = synthetic_rows(1500, 20), small()
    task = WindowTask(rows, Split.of(rows, settings, is_first=False), settings)
    heads = fit_window(task).stopped
    grown: Counter[Any] = Counter()
    fit = booster.fit_rounds

    def fit_rounds(train: booster.Sample, params: dict[str, Any], rounds: int) -> booster.Fitted:
        grown[params["learning_rate"], params["feature_fraction"], rounds] += 1
        return fit(train, params, rounds)

    monkeypatch.setattr(booster, "fit_rounds", fit_rounds)
    bare(task, heads)
    places = (settings.booster, settings.direction)
    assert grown == Counter(
        (place.learning_rate, place.feature_fraction, fitted.best_rounds)
        for place, fitted in zip(places, heads[0].boosters, strict=True)
        for _ in ("stopped", "refitted")
    )
