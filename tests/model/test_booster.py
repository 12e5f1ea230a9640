"""Boosters: deterministic, with recorded metrics, readable from text."""

import numpy as np
import pytest

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.model import booster
from freqai_signals.settings import BoosterSettings

SETTINGS = BoosterSettings(rounds=30, min_child_samples=20, threads=1)


def sample(rows: TrainingRows, target: np.ndarray) -> booster.Sample:
    everything = np.ones(len(rows), dtype=np.bool_)
    return booster.BinnedRows(rows.features, everything, SETTINGS).sample(everything, target)


def both(rows: TrainingRows) -> list[tuple[booster.Objective, np.ndarray]]:
    return [
        (booster.MULTICLASS, rows.label),
        (booster.BINARY, (rows.label != 1).astype(np.int8)),
    ]


@pytest.mark.parametrize("index", [0, 1], ids=["three classes", "two classes"])
def test_probabilities_have_the_shape_of_the_objective(rows: TrainingRows, index: int) -> None:
    objective, target = both(rows)[index]
    params = booster.parameters(SETTINGS, objective, 1)
    fitted = booster.fit_rounds(sample(rows, target), params, 10)
    raw = booster.predict(fitted, rows.features[:7])
    assert raw.shape == ((7, 3) if index == 0 else (7,))
    assert ((raw > 0) & (raw < 1)).all()


def _log_loss(fitted: booster.Fitted, rows: TrainingRows) -> float:
    raw = booster.predict(fitted, rows.features)
    return float(-np.log(raw[np.arange(len(rows)), rows.label]).mean())


def test_the_lowest_loss_of_the_validation_rows_stops_early(rows: TrainingRows) -> None:
    head, tail = rows.start < 11_000, rows.start >= 11_010
    binned = booster.BinnedRows(rows.features, head, SETTINGS)
    params = booster.parameters(SETTINGS, booster.MULTICLASS, 1)
    train, stop = (binned.sample(part, rows.label) for part in (head, tail))
    fitted = booster.fit_early_stopping(train, stop, params, 300, 5)
    grown = fitted.booster.current_iteration()
    assert grown == fitted.best_rounds + 5
    losses = [
        _log_loss(booster.Fitted(fitted.booster, rounds + 1), rows.take(tail))
        for rounds in range(grown)
    ]
    assert fitted.best_rounds == int(np.argmin(losses)) + 1


@pytest.mark.parametrize("more", [3, 40], ids=["grown already", "beyond what was grown"])
def test_at_least_so_many_rounds_are_those_of_a_training_without_stopping(
    rows: TrainingRows, more: int
) -> None:
    head, tail = rows.start < 11_000, rows.start >= 11_010
    binned = booster.BinnedRows(rows.features, head, SETTINGS)
    params = booster.parameters(SETTINGS, booster.MULTICLASS, 1)
    train, stop = (binned.sample(part, rows.label) for part in (head, tail))
    best = booster.fit_early_stopping(train, stop, params, 300, 5).best_rounds
    fitted = booster.fit_early_stopping(train, stop, params, 300, 5, best + more)
    assert fitted.best_rounds == best + more
    np.testing.assert_array_equal(
        booster.predict(booster.from_text(booster.to_text(fitted)), rows.features),
        booster.predict(booster.fit_rounds(train, params, best + more), rows.features),
    )


@pytest.mark.parametrize("index", [0, 1], ids=["three classes", "two classes"])
@pytest.mark.parametrize("threads", [2, 4])
def test_any_number_of_threads_gives_the_same_bits(
    rows: TrainingRows, index: int, threads: int
) -> None:
    objective, target = both(rows)[index]
    texts = [
        booster.to_text(
            booster.fit_rounds(
                sample(rows, target),
                booster.parameters(SETTINGS.model_copy(update={"threads": count}), objective, 1),
                20,
            )
        )
        for count in (1, threads)
    ]
    assert texts[0] == texts[1]


def test_many_rows_are_predicted_by_all_cores_with_the_same_bits(
    rows: TrainingRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective, target = both(rows)[0]
    fitted = booster.fit_rounds(
        sample(rows, target), booster.parameters(SETTINGS, objective, 1), 20
    )
    assert len(rows) < 10_000
    asked: list[int] = []
    monkeypatch.setattr(booster.joblib, "cpu_count", lambda: asked.append(3) or 3)
    many = np.tile(rows.features, (10_000 // len(rows) + 1, 1))
    found = booster.predict(fitted, many)
    assert asked == [3]
    alone = booster.predict(fitted, rows.features)
    assert asked == [3]
    assert np.array_equal(found[: len(rows)], alone)
    assert np.array_equal(found[-len(rows) :], alone)


def test_another_seed_gives_another_booster(rows: TrainingRows) -> None:
    texts = {
        booster.to_text(
            booster.fit_rounds(
                sample(rows, rows.label),
                booster.parameters(SETTINGS, booster.MULTICLASS, seed),
                5,
            )
        ).split("parameters:")[0]
        for seed in (1, 2)
    }
    assert len(texts) == 2


def test_text_predicts_bit_identically_with_the_best_rounds_only(rows: TrainingRows) -> None:
    fitted = booster.fit_rounds(
        sample(rows, rows.label),
        booster.parameters(SETTINGS, booster.MULTICLASS, 1),
        30,
    )
    best = booster.Fitted(fitted.booster, 12)
    read = booster.from_text(booster.to_text(best))
    assert read.best_rounds == 12
    np.testing.assert_array_equal(
        booster.predict(read, rows.features), booster.predict(best, rows.features)
    )


def test_a_trained_booster_is_written_once_as_after_reading_it(
    rows: TrainingRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LightGBM would write and read each one before it returns it."""
    head, tail = rows.start < 11_000, rows.start >= 11_010
    binned = booster.BinnedRows(rows.features, head, SETTINGS)
    written: list[int] = []
    write = booster.lgb.Booster.model_to_string
    monkeypatch.setattr(
        booster.lgb.Booster,
        "model_to_string",
        lambda *given, **named: written.append(1) or write(*given, **named),
    )
    for objective, target in both(rows):
        params = booster.parameters(SETTINGS, objective, 1)
        train, stop = (binned.sample(part, target) for part in (head, tail))
        for fitted in (
            booster.fit_early_stopping(train, stop, params, 30, 2),
            booster.fit_rounds(train, params, 7),
        ):
            assert not written
            text = booster.to_text(fitted)
            assert booster.to_text(booster.from_text(text)) == text
            written.clear()


def test_gain_falls_on_informative_features(rows: TrainingRows) -> None:
    fitted = booster.fit_rounds(
        sample(rows, rows.label),
        booster.parameters(SETTINGS, booster.MULTICLASS, 1),
        30,
    )
    assert set(np.argsort(-booster.gain(fitted))[:2]) == {0, 1}


def test_settings_that_lightgbm_lacks_are_not_passed_on() -> None:
    given = booster.parameters(SETTINGS, booster.BINARY, 7)
    assert not {"rounds", "threads"} & given.keys()
    assert given["seed"] == 7
    assert given["num_threads"] == 1
    assert "num_class" not in given
    assert booster.parameters(SETTINGS, booster.MULTICLASS, 7)["num_class"] == 3


def test_bins_are_made_from_known_rows_only(rows: TrainingRows) -> None:
    known = rows.start < 11_000
    other = rows.features.copy()
    other[~known] = 5.0 - 3.0 * other[~known]
    texts = [
        booster.to_text(
            booster.fit_rounds(
                booster.BinnedRows(features, known, SETTINGS).sample(known, rows.label),
                booster.parameters(SETTINGS, booster.MULTICLASS, 1),
                10,
            )
        )
        for features in (rows.features, other)
    ]
    assert texts[0] == texts[1]


def test_bins_of_many_rows_serve_boosters_of_few(rows: TrainingRows) -> None:
    """LightGBM would drop features that the few rows of a reference cannot split."""
    features = rows.features.copy()
    features[:, 0] = np.arange(len(rows)) % 100 == 0
    few, target = np.arange(len(rows)) < 200, (features[:, 0] > 0).astype(np.int8)
    loose = SETTINGS.model_copy(update={"min_child_samples": 1})
    binned = booster.BinnedRows(features, few, SETTINGS)
    fitted = booster.fit_rounds(
        binned.sample(~few, target), booster.parameters(loose, booster.BINARY, 1), 5
    )
    assert booster.gain(fitted)[0] > 0


def test_bins_of_ordered_columns_are_lightgbms_own(rows: TrainingRows) -> None:
    features = rows.features.copy()
    features[::7, 1] = np.nan
    everything = np.ones(len(rows), np.bool_)
    params = booster.parameters(SETTINGS, booster.MULTICLASS, 1)
    ours = booster.BinnedRows(features, everything, SETTINGS).sample(everything, rows.label)
    own = booster.Sample(booster.lgb.Dataset(features, rows.label, params=params))
    texts = [booster.to_text(booster.fit_rounds(data, params, 10)) for data in (ours, own)]
    assert texts[0] == texts[1]
