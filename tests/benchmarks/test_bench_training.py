"""The benchmark of training: bare LightGBM grows the same kind of trees, parts are in the whole."""

from collections import Counter
from typing import Any

import pytest

from benchmarks.bench_training import _cost_of, bare, synthetic_rows
from freqai_signals.model import booster
from freqai_signals.training.boosting import WindowTask, fit_window
from freqai_signals.training.fit import Request, train
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


def test_trees_are_part_of_lightgbm_and_lightgbm_of_a_training() -> None:
    rows, settings = synthetic_rows(3000, 20), small()
    update, construct = booster.lgb.Booster.update, booster.lgb.Dataset.construct
    trees, of_lightgbm, everything, trees_clock, clock = _cost_of(
        lambda: train(Request(rows, settings.with_threads(1)))
    )
    assert 0 < trees < of_lightgbm < everything
    assert 0 < trees_clock < clock
    assert booster.lgb.Booster.update is update
    assert booster.lgb.Dataset.construct is construct
