"""What tuning may choose from, and that no held-out outcome reaches what it learns from."""

from dataclasses import replace

import numpy as np
import pytest

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.settings import TUNABLE_PARAMETERS, SignalSettings
from freqai_signals.tuning.search_space import (
    RANGES,
    TuningRows,
    parameters_of,
    search_space,
    tuning_rows,
    with_parameters,
)
from tests.model_rows import make_rows, small


def divided(rows: TrainingRows | None = None, **tuning: object) -> TuningRows:
    return tuning_rows(rows or make_rows(2000), small(tuning={"folds": 3, **tuning}))


def test_every_tunable_parameter_has_a_range_that_settings_accept() -> None:
    assert tuple(RANGES) == TUNABLE_PARAMETERS
    for name, limits in RANGES.items():
        for value in (limits.low, limits.high):
            with_parameters(SignalSettings(), {name: value})


def test_the_configs_own_values_lie_in_the_space() -> None:
    unusual = {"learning_rate": 0.5, "num_leaves": 2, "lambda_l2": 0.0}
    settings = small(booster=unusual)
    space = search_space(settings)
    for name, value in parameters_of(settings, space).items():
        assert space[name].low <= value <= space[name].high
    assert not space["booster.lambda_l2"].log


def test_a_multiclass_model_has_no_direction_booster_to_tune() -> None:
    names = search_space(small({"kind": "multiclass"}))
    assert names
    assert not any(name.startswith("direction") for name in names)


def test_an_unknown_parameter_is_named() -> None:
    with pytest.raises(ValueError, match=r"booster\.colour.*booster\.num_leaves"):
        with_parameters(SignalSettings(), {"booster.colour": 1.0})


def test_a_value_out_of_limits_is_refused() -> None:
    with pytest.raises(ValueError, match="feature_fraction"):
        with_parameters(SignalSettings(), {"booster.feature_fraction": 1.5})


@pytest.mark.parametrize("scheme", ["k_fold", "walk_forward"])
def test_folds_are_purged_and_leave_the_end_of_the_window_alone(scheme: str) -> None:
    rows = divided(scheme=scheme)
    assert rows.search.event_end.max() < rows.held_out.start.min()
    assert len(rows.folds) == 3
    for fold in rows.folds:
        train, test = rows.search.take(fold.train), rows.search.take(fold.test)
        before = train.event_end < test.start.min()
        after = train.start > test.event_end.max()
        assert (before | after).all()
        if scheme == "walk_forward":
            assert before.all()
    tested = sum(fold.test.astype(int) for fold in rows.folds)
    assert (tested <= 1).all()


def test_what_the_end_of_the_window_holds_does_not_change_the_folds() -> None:
    rows = make_rows(2000)
    one = divided(rows)
    label = np.where(rows.start >= one.held_out.start.min(), 1, rows.label)
    other = divided(replace(rows, label=label))
    np.testing.assert_array_equal(one.search.label, other.search.label)
    for a, b in zip(one.folds, other.folds, strict=True):
        np.testing.assert_array_equal(a.train, b.train)


def test_too_few_rows_say_how_many_are_needed() -> None:
    with pytest.raises(ValueError, match=r"leave 235 .* 3 folds of .*min_rows = 100"):
        divided(make_rows(300))
