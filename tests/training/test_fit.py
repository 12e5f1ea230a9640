"""Training: purged early stopping, refit, seeds, history, determinism, and when to abstain."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from freqai_signals import metrics
from freqai_signals.dataset.rows import TrainingRows, pool_rows
from freqai_signals.dataset.splits import purged_tail
from freqai_signals.model import booster
from freqai_signals.model.artefact import to_bytes
from freqai_signals.model.card import ModelCard
from freqai_signals.model.direction import DirectionHistory, direction_log_odds
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.settings import LabelSettings, ValidationSettings
from freqai_signals.training import fit, request, row_checks
from freqai_signals.training.fit import Request, train
from tests.model_rows import HORIZON, make_rows, small


def texts(model: SignalModel) -> list[str]:
    assert model.fit is not None, model.card.reason
    return [booster.to_text(fitted) for head in model.fit.heads for fitted in head.boosters]


def trees(model: SignalModel) -> list[dict[str, Any]]:
    assert model.fit is not None
    return [
        tree
        for fitted in model.fit.heads[0].boosters[:1]
        for tree in fitted.booster.dump_model()["tree_info"]
    ]


def flipped(rows: TrainingRows, mask: np.ndarray) -> TrainingRows:
    """The same rows with sell and buy exchanged where ``mask`` is true."""
    label = np.where(mask, 2 - rows.label, rows.label).astype(np.int8)
    return dataclasses.replace(rows, label=label)


# Determinism


@pytest.mark.parametrize("threads", [2, 4])
def test_the_same_request_gives_the_same_bytes_for_any_number_of_threads(
    rows: TrainingRows, trained: SignalModel, kind: str, threads: int
) -> None:
    again = train(Request(rows, small({"kind": kind}, {"threads": threads})))
    assert to_bytes(again) == to_bytes(trained)


def test_linear_algebra_has_one_thread_in_a_training(
    rows: TrainingRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others would keep the cores of other trainings busy, and share sums as machines differ."""

    def threads() -> set[int]:
        found = threadpool_info()
        return {int(pool["num_threads"]) for pool in found if pool["user_api"] == "blas"}

    seen: list[set[int]] = []
    judge = fit.gain_over_climatology
    monkeypatch.setattr(
        fit, "gain_over_climatology", lambda *given: seen.append(threads()) or judge(*given)
    )
    with threadpool_limits(limits=3, user_api="blas"):
        train(Request(rows, small({"kind": "multiclass"})))
        assert threads() == {3}
    assert seen == [{1}]


def test_another_seed_gives_another_model(rows: TrainingRows, trained: SignalModel) -> None:
    kind = trained.fit.heads[0].kind  # type: ignore[union-attr]
    other = train(Request(rows, small({"kind": kind}, {"seed": 7})))
    assert texts(other) != texts(trained)


# Early stopping on a purged tail


def gap_rows(rows: TrainingRows) -> np.ndarray:
    head, tail = purged_tail(rows.start, rows.event_end, 0.2, 0)
    gap = ~head & ~tail
    assert gap.sum() == HORIZON
    return gap


def test_rows_whose_outcome_reaches_into_the_tail_train_nothing(
    rows: TrainingRows, kind: str
) -> None:
    settings = small({"kind": kind, "refit": False})
    clean = train(Request(rows, settings))
    poisoned = train(Request(flipped(rows, gap_rows(rows)), settings))
    assert texts(poisoned) == texts(clean)
    assert poisoned.fit.calibrator == clean.fit.calibrator  # type: ignore[union-attr]


def test_an_unpurged_split_would_be_caught_by_the_test_above(
    rows: TrainingRows, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unpurged(start: np.ndarray, *_: object) -> tuple[np.ndarray, np.ndarray]:
        tail = start > start.max() - 300
        return ~tail, tail

    monkeypatch.setattr(row_checks, "purged_tail", unpurged)
    with pytest.raises(AssertionError):
        test_rows_whose_outcome_reaches_into_the_tail_train_nothing(rows, kind)


def test_the_tail_chooses_the_number_of_rounds_and_nothing_else(
    rows: TrainingRows, kind: str
) -> None:
    settings = small({"kind": kind, "refit": False, "early_stopping_rounds": 40})
    _, tail = purged_tail(rows.start, rows.event_end, 0.2, 0)
    clean = train(Request(rows, settings))
    # Labels that are wrong all over: boosting towards them stops at once.
    wrong = dataclasses.replace(
        rows, label=np.where(tail, (rows.label + 1) % 3, rows.label).astype(np.int8)
    )
    poisoned = train(Request(wrong, settings))
    assert min(poisoned.card.rounds.values()) < min(clean.card.rounds.values())
    common = 3 if kind == "multiclass" else 1
    assert trees(poisoned)[:common] == trees(clean)[:common]


def test_validation_numbers_are_of_purged_rows_and_of_the_model_before_the_refit(
    rows: TrainingRows, kind: str
) -> None:
    _, tail_mask = purged_tail(rows.start, rows.event_end, 0.2, 0)
    tail = rows.take(tail_mask)
    calibrated = train(Request(rows, small({"kind": kind, "refit": False})))
    raw = np.mean([head.raw(tail.features) for head in calibrated.fit.heads], axis=0)  # type: ignore[union-attr]
    expected = metrics.log_loss(tail.label, calibrated.fit.calibrator(raw))  # type: ignore[union-attr]
    refitted = train(Request(rows, small({"kind": kind})))
    for model in (calibrated, refitted):
        assert model.card.metrics["validation"]["log_loss"] == pytest.approx(expected, abs=1e-12)
        assert model.card.metrics["validation"]["rows"] == tail_mask.sum()
    assert refitted.card.metrics["validation"]["skill"] > 0


def test_an_embargo_widens_the_gap(rows: TrainingRows) -> None:
    limits = ValidationSettings(min_rows=100, embargo_candles=100)
    settings = small({"refit": False}, validation=limits)
    head, tail = purged_tail(rows.start, rows.event_end, 0.2, 100)
    gap = ~head & ~tail
    assert gap.sum() == HORIZON + 100
    assert texts(train(Request(flipped(rows, gap), settings))) == texts(
        train(Request(rows, settings))
    )


# Refit, seeds


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.5])
def test_the_refit_takes_the_best_rounds_times_the_factor(
    rows: TrainingRows, kind: str, factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "_MAX_MEDIAN_PERCENTILE", 1.0)  # with few rows, overconfident
    before = train(Request(rows, small({"kind": kind, "refit": False})))
    after = train(Request(rows, small({"kind": kind, "refit_factor": factor})))
    assert after.card.rounds == {
        name: max(1, round(best * factor)) for name, best in before.card.rounds.items()
    }


def test_an_overconfident_refit_is_not_used(
    rows: TrainingRows, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise nearly every row would get a confidence of 0.99."""
    monkeypatch.setattr(fit, "_MAX_MEDIAN_PERCENTILE", 0.0)
    kept = train(Request(rows, small({"kind": kind, "refit": True})))
    plain = train(Request(rows, small({"kind": kind, "refit": False})))
    assert texts(kept) == texts(plain)
    assert any("overconfident" in warning for warning in kept.card.warnings)


def test_the_refit_learns_from_the_tail_too(
    rows: TrainingRows, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "_MAX_MEDIAN_PERCENTILE", 1.0)
    _, tail = purged_tail(rows.start, rows.event_end, 0.2, 0)
    changed = dataclasses.replace(
        rows, features=np.where(tail[:, None], rows.features[::-1], rows.features)
    )
    settings = small({"kind": kind, "refit": True}, {"rounds": 1})
    assert texts(train(Request(changed, settings))) != texts(train(Request(rows, settings)))


def test_seeds_are_averaged(rows: TrainingRows, kind: str) -> None:
    model = train(Request(rows, small({"kind": kind, "seeds": 3})))
    assert model.fit is not None
    assert len(model.fit.heads) == 3
    raws = [head.raw(rows.features[:50]) for head in model.fit.heads]
    assert not np.array_equal(raws[0], raws[1])
    frame = pd.DataFrame(rows.features[:50], columns=list(rows.names))
    prediction = model.predict(frame)
    expected = model.fit.calibrator(np.mean(raws, axis=0))
    np.testing.assert_array_equal(
        prediction.probabilities[prediction.trusted], expected[prediction.trusted]
    )


def test_the_first_of_many_seeds_is_the_only_one_of_one(rows: TrainingRows, kind: str) -> None:
    one = train(Request(rows, small({"kind": kind, "seeds": 1})))
    two = train(Request(rows, small({"kind": kind, "seeds": 2})))
    assert texts(two)[: len(texts(one))] == texts(one)


# Calibration history


def test_the_first_history_is_of_rows_that_neither_trained_nor_stopped_a_booster(
    rows: TrainingRows, kind: str
) -> None:
    """Labels of the hold-out and of purged rows do not enter the evidence for the first slope."""
    head, _ = purged_tail(rows.start, rows.event_end, 0.2, 0)
    model = train(Request(rows, small({"kind": kind})))
    assert 0 < len(model.history.event_end) < 0.3 * len(rows)
    assert np.isin(model.history.event_end, rows.event_end[head]).all()
    settings = small({"kind": kind, "early_stopping_rounds": 40}, {"rounds": 1})
    clean = train(Request(rows, settings)).history
    poisoned = train(Request(flipped(rows, ~head), settings)).history
    np.testing.assert_array_equal(poisoned.log_odds, clean.log_odds)
    np.testing.assert_array_equal(poisoned.bought, clean.bought)


def windows() -> tuple[TrainingRows, TrainingRows]:
    """An earlier window of candles 0..1500 and a later one of 500..2000, with known outcomes."""
    everything = make_rows(2000, seed=4)
    first = int(everything.start[0])
    early = everything.take(everything.event_end < first + 1500)
    late = everything.take(
        (everything.start >= first + 500) & (everything.event_end < first + 2000)
    )
    return early, late


def test_history_holds_the_earlier_models_predictions_of_unseen_rows() -> None:
    early, late = windows()
    settings = small()
    before = train(Request(early, settings))
    after = train(Request(late, settings, before))
    assert before.trained_until == early.event_end.max()
    unseen = late.take((late.start > before.trained_until) & (late.label != 1))
    assert len(unseen) > 100
    known = len(before.history.event_end)
    assert 0 < known < len(after.history.event_end)
    np.testing.assert_array_equal(after.history.event_end[:known], before.history.event_end)
    np.testing.assert_array_equal(after.history.event_end[known:], unseen.event_end)
    np.testing.assert_array_equal(after.history.bought[known:], unseen.label == 2)
    raw = np.mean([head.raw(unseen.features) for head in before.fit.heads], axis=0)  # type: ignore[union-attr]
    np.testing.assert_allclose(after.history.log_odds[known:], direction_log_odds(raw), rtol=1e-12)
    assert after.card.parent == before.card.version


def test_rows_that_trained_the_earlier_model_are_not_in_the_history() -> None:
    """The naive history, all rows of the new window, would change with their labels."""
    early, late = windows()
    settings = small()
    before = train(Request(early, settings))
    seen = late.start <= before.trained_until
    clean = train(Request(late, settings, before)).history
    poisoned = train(Request(flipped(late, seen), settings, before)).history
    np.testing.assert_array_equal(clean.log_odds, poisoned.log_odds)
    np.testing.assert_array_equal(clean.bought, poisoned.bought)


def test_what_comes_after_a_window_does_not_change_its_model() -> None:
    early, late = windows()
    settings = small()
    before = to_bytes(train(Request(early, settings)))
    train(Request(late, settings, train(Request(early, settings))))
    joined = pool_rows([late])
    again = joined.take(joined.event_end <= early.event_end.max())
    assert to_bytes(train(Request(early, settings))) == before
    assert again.event_end.max() < late.event_end.max()


def test_an_abstaining_window_passes_the_history_on() -> None:
    early, late = windows()
    settings = small()
    before = train(Request(early, settings))
    carried = train(Request(late, settings, before))
    empty = train(Request(late.take(late.label == 1), settings, carried))
    assert empty.fit is None
    np.testing.assert_array_equal(
        empty.history.event_end[: len(carried.history.event_end)], carried.history.event_end
    )


def test_a_model_of_other_features_adds_nothing_to_the_history() -> None:
    early, late = windows()
    renamed = dataclasses.replace(early, names=tuple(f"{name}_x" for name in early.names))
    before = train(Request(renamed, small()))
    after = train(Request(late, small(), before))
    np.testing.assert_array_equal(after.history.log_odds, before.history.log_odds)


# Keys


def test_the_key_ignores_speed_and_what_comes_after_the_model(rows: TrainingRows) -> None:
    base = Request(rows, small()).key()
    for other in (
        small(None, {"threads": 4}),
        small(decision=small().decision.model_copy(update={"weak": 0.5})),
    ):
        assert Request(rows, other).key() == base


@pytest.mark.parametrize(
    "changed",
    [
        small({"kind": "multiclass"}),
        small({"refit": False}),
        small({"seeds": 2}),
        small(None, {"rounds": 41}),
        small(None, {"learning_rate": 0.11}),
        small(None, {"seed": 1}),
        small(None, None, {"method": "none"}),
        small(labels=LabelSettings(kind="fixed", threshold=0.003)),
        small(validation=ValidationSettings(min_rows=101)),
        small(validation_fraction=0.25),
        small(label_horizon_candles=6),
    ],
    ids=["kind", "refit", "seeds", "rounds", "learning rate", "seed", "calibration", "label",
         "limits", "hold-out", "horizon"],
)  # fmt: skip
def test_the_key_changes_with_any_setting_that_affects_a_model(
    rows: TrainingRows, changed: Any
) -> None:
    assert Request(rows, changed).key() != Request(rows, small()).key()


def test_the_key_changes_with_code_libraries_and_rows(
    rows: TrainingRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = Request(rows, small()).key()
    changed = dataclasses.replace(rows, features=rows.features * np.float32(1.0000001))
    assert Request(changed, small()).key() != base
    with monkeypatch.context() as patch:
        patch.setattr(request, "code_digest", lambda: "other")
        assert Request(rows, small()).key() != base
    with monkeypatch.context() as patch:
        patch.setattr(request, "library_versions", lambda: {"lightgbm": "0"})
        assert Request(rows, small()).key() != base


def test_the_key_changes_with_the_previous_model() -> None:
    """Its boosters predict the rows that join the history; its history alone is not enough."""
    early, late = windows()
    settings = small()
    one = train(Request(early, settings))
    other = train(Request(flipped(early, early.start >= 0), settings))
    other = dataclasses.replace(other, history=one.history)
    models = [train(Request(late, settings, previous)) for previous in (one, other)]
    assert not np.array_equal(models[0].history.log_odds, models[1].history.log_odds)
    keys = {Request(late, settings, previous).key() for previous in (None, one, other)}
    assert len(keys) == 3


# Abstaining


def constant(rows: TrainingRows) -> TrainingRows:
    return dataclasses.replace(rows, features=np.ones_like(rows.features))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda rows: rows.take(np.arange(len(rows)) < 99), "99 rows to train on, fewer"),
        (lambda rows: rows.take(np.zeros(len(rows), bool)), "0 rows to train on"),
        (lambda rows: rows.take(rows.label == 1), "class sell has 0 rows"),
        (lambda rows: rows.take(rows.label != 2), "class buy has 0 rows"),
        (constant, "all features are constant"),
        (lambda rows: rows.take((rows.label != 0) | (rows.start < 11_000)),
         "the hold-out has no row of class sell"),
        (lambda rows: rows.take((rows.label != 2) | (rows.start > 11_300)),
         "class buy has 0 rows"),
    ],
    ids=["too few rows", "no rows", "one class", "two classes", "constant features",
         "one class missing late", "one class missing early"],
)  # fmt: skip
def test_rows_that_cannot_be_learnt_from_give_an_abstaining_model_with_a_reason(
    rows: TrainingRows, kind: str, spoil: Any, reason: str
) -> None:
    spoilt = spoil(rows)
    model = train(Request(spoilt, small({"kind": kind})))
    assert model.fit is None
    assert reason in model.card.reason
    assert model.card.rows == len(spoilt)
    assert model.card.key


def test_training_on_one_constant_feature_among_others_works(rows: TrainingRows, kind: str) -> None:
    features = rows.features.copy()
    features[:, 3] = 7.0
    model = train(Request(dataclasses.replace(rows, features=features), small({"kind": kind})))
    assert model.fit is not None


# The card


def test_the_card_holds_the_models_provenance(rows: TrainingRows, trained: SignalModel) -> None:
    card = trained.card
    assert card.pairs == ("BTC/USDT",)
    assert card.rows == len(rows)
    assert sum(card.class_counts.values()) == len(rows)
    assert card.first == "1970-02-04T17:20:00+00:00"
    assert card.version.endswith(card.key[:10])
    assert set(card.metrics) == {"train", "validation", "direction", "trade", "spread"}
    assert card.metrics["spread"] == pytest.approx({"BTC/USDT": 1e-4})
    assert card.features == len(rows.names)
    assert card.parent == ""
    assert "lightgbm" in card.libraries
    assert "threads" not in card.settings["booster"]


def test_low_accuracy_is_a_line_of_the_card_and_no_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    card = train(Request(make_rows(strength=1.0), small())).card
    assert any("is below 0.55" in note for note in card.notes), card.metrics["validation"]
    assert not any("accuracy" in warning for warning in card.warnings)
    assert "is below 0.55" not in caplog.text
    assert ModelCard.from_json(card.to_json()).notes == card.notes


def test_no_skill_over_climatology_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    model = train(Request(make_rows(strength=0.0), small()))
    assert any("over climatology" in warning for warning in model.card.warnings)
    assert "over climatology" in caplog.text
    good = train(Request(make_rows(strength=6.0), small())).card
    # Of so few days nothing is traded; that is all there is to warn of.
    assert good.warnings
    assert all("nothing is traded" in warning for warning in good.warnings)


def test_an_empty_history_is_the_default() -> None:
    assert len(DirectionHistory().event_end) == 0
