"""Ensembles: seeds, snapshots of earlier windows, a linear model, and honest words on the tail."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from freqai_signals import metrics
from freqai_signals.config import SettingsError, settings_from_config
from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.dataset.splits import purged_tail
from freqai_signals.model.artefact import from_bytes, to_bytes
from freqai_signals.model.ensemble import Generation, Members, carried, weights
from freqai_signals.model.linear import fit_linear
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.settings import SignalSettings
from freqai_signals.training import fit as fit_module
from freqai_signals.training.fit import Request, train
from tests.model_rows import make_rows, small

ALL_ON = {"snapshots": 2, "decay": 0.5, "linear_weight": 0.3}


def settings(ensemble: dict[str, Any], **others: Any) -> SignalSettings:
    return small(others.pop("model", None), ensemble=ensemble, **others)


def windows(count: int = 3, step: int = 150, length: int = 1500) -> list[TrainingRows]:
    """Windows that overlap: an older one knows part of every later one's hold-out."""
    everything = make_rows(length + step * (count - 1), seed=4)
    first = int(everything.start[0])
    return [
        everything.take(
            (everything.start >= first + step * i)
            & (everything.event_end < first + step * i + length)
        )
        for i in range(count)
    ]


def chain(chosen: SignalSettings, parts: list[TrainingRows]) -> SignalModel:
    model: SignalModel | None = None
    for rows in parts:
        model = train(Request(rows, chosen, model))
    assert model is not None
    assert model.fit is not None
    return model


# Mixing


def test_generations_weigh_by_age() -> None:
    np.testing.assert_allclose(weights(3, 0.5), [4 / 7, 2 / 7, 1 / 7])
    np.testing.assert_allclose(weights(4, 1.0), 0.25)


def test_a_snapshot_model_is_the_weighted_mean_of_the_models_of_its_windows() -> None:
    parts = windows(2)
    chosen = settings({"snapshots": 1, "decay": 0.5})
    first = chain(chosen, parts[:1])
    second = train(Request(parts[1], chosen, first))
    alone = train(Request(parts[1], settings({"snapshots": 0}), first))
    features = parts[1].features[:60]
    expected = (2 * alone.fit.raw(features) + first.fit.raw(features)) / 3  # type: ignore[union-attr]
    np.testing.assert_allclose(second.fit.raw(features), expected, rtol=1e-12)  # type: ignore[union-attr]
    assert second.card.ensemble["generations"] == [0.666667, 0.333333]


def test_no_more_snapshots_are_kept_than_asked_for() -> None:
    chosen = settings({"snapshots": 2})
    model = chain(chosen, windows(5, step=100))
    assert len(model.fit.generations) == 3  # type: ignore[union-attr]


def test_snapshots_of_other_features_are_left_out() -> None:
    parts = windows(2)
    chosen = settings({"snapshots": 2})
    first = chain(chosen, parts[:1])
    renamed = dataclasses.replace(parts[1], names=tuple(f"%-g{i}" for i in range(6)))
    model = train(Request(renamed, chosen, first))
    assert len(model.fit.generations) == 1  # type: ignore[union-attr]


def refused(model: SignalModel) -> SignalModel:
    gate = {"verdict": "refuse_worse_than_prior"}
    return dataclasses.replace(model, card=dataclasses.replace(model.card, gate=gate))


def test_members_of_a_refused_model_join_no_later_mixture() -> None:
    parts = windows(4, step=100)
    chosen = settings({"snapshots": 2})
    first = chain(chosen, parts[:1])
    second = train(Request(parts[1], chosen, first))
    third = train(Request(parts[2], chosen, refused(second)))
    (own,), rest = third.fit.generations[:1], third.fit.generations[1:]  # type: ignore[union-attr]
    assert rest == first.fit.generations  # type: ignore[union-attr]
    fourth = train(Request(parts[3], chosen, third))
    assert fourth.fit.generations[1:] == (own, *rest)  # type: ignore[union-attr]


@pytest.mark.parametrize("snapshots", [0, 2])
def test_a_refusal_is_part_of_the_key_where_a_mixture_is_made(snapshots: int) -> None:
    parts = windows(2)
    chosen = settings({"snapshots": snapshots})
    first = chain(chosen, parts[:1])
    keys = {Request(parts[1], chosen, model).key() for model in (first, refused(first))}
    assert len(keys) == (2 if snapshots else 1)


def test_without_options_the_model_is_what_it_was_and_keeps_no_second_members(
    rows: TrainingRows,
) -> None:
    model = train(Request(rows, small()))
    assert model.fit is not None
    (own,) = model.fit.generations
    assert own.stopped is None
    assert own.serving.linear is None
    raws = [head.raw(rows.features[:50]) for head in model.fit.heads]
    np.testing.assert_array_equal(model.fit.raw(rows.features[:50]), np.mean(raws, axis=0))


# The linear model


def test_the_linear_model_takes_its_share() -> None:
    rows = make_rows(seed=1)
    model = train(Request(rows, settings({"linear_weight": 0.25})))
    members = model.fit.generations[0].serving  # type: ignore[union-attr]
    features = rows.features[:40]
    boosted = Members(members.heads).raw(features)
    assert members.linear is not None
    expected = 0.75 * boosted + 0.25 * members.linear.raw(features)
    np.testing.assert_allclose(members.raw(features), expected, rtol=1e-12)


def test_the_linear_model_finds_what_is_linear() -> None:
    rows = make_rows(3000, seed=2)
    said = fit_linear(rows).raw(rows.features)
    np.testing.assert_allclose(said.sum(axis=1), 1.0)
    prior = metrics.class_prior(rows.label)
    skill = 1 - metrics.log_loss(rows.label, said) / metrics.log_loss(
        rows.label, np.tile(prior, (len(rows), 1))
    )
    assert skill > 0.15


def test_the_linear_model_says_the_same_of_a_row_alone_and_among_others() -> None:
    rows = make_rows(seed=3)
    head = fit_linear(rows)
    together = head.raw(rows.features)
    alone = np.vstack([head.raw(rows.features[i : i + 1]) for i in range(50)])
    np.testing.assert_array_equal(together[:50], alone)


def test_a_constant_feature_and_extreme_values_do_no_harm() -> None:
    rows = make_rows(seed=3)
    rows.features[:, 2] = 1.0
    head = fit_linear(rows)
    far = np.full((1, 6), 1e30, dtype=np.float32)
    assert np.isfinite(head.raw(far)).all()


def test_the_linear_model_of_the_holdout_has_not_seen_it() -> None:
    rows = make_rows(seed=5)
    chosen = settings({"linear_weight": 0.9}, model={"refit": False})
    _, tail = purged_tail(rows.start, rows.event_end, 0.2, 0)
    changed = dataclasses.replace(
        rows, features=np.where(tail[:, None], rows.features[::-1], rows.features)
    )
    before, after = (train(Request(r, chosen)).fit for r in (rows, changed))
    one, other = (f.generations[0].serving.linear for f in (before, after))  # type: ignore[union-attr]
    np.testing.assert_array_equal(one.slopes, other.slopes)  # type: ignore[union-attr]


# Calibration on rows that nobody in the mixture has seen


def holdout_of(model: SignalModel) -> np.ndarray:
    return model.holdout.probabilities


def poisoned_and_clean(chosen: SignalSettings) -> tuple[SignalModel, SignalModel]:
    """The same new window after an older one whose rows of the new hold-out were other ones.

    The first model's own hold-out is the last 300 candles of 1500; the second window's begins 150
    candles later. Everything in both hold-outs is changed in what the older model is given.
    """
    early, late = windows(2)
    _, tail = purged_tail(late.start, late.event_end, 0.2, 0)
    first = int(late.start[tail].min())
    label = np.where(early.start >= first, 2 - early.label, early.label).astype(np.int8)
    wrong = dataclasses.replace(early, label=label)
    assert (wrong.label != early.label).sum() > 50
    return tuple(  # type: ignore[return-value]
        train(Request(late, chosen, train(Request(rows, chosen)))) for rows in (wrong, early)
    )


def fixed_rounds(**ensemble: Any) -> SignalSettings:
    """No early stopping in effect, so that the older hold-out chooses nothing either."""
    return small(
        {"early_stopping_rounds": 40, "refit": True},
        {"rounds": 12},
        {"method": "none"},
        ensemble=ensemble,
        direction={"rounds": 12, "learning_rate": 0.1, "feature_fraction": 1.0},
    )


def test_what_an_older_model_knew_of_the_holdout_has_no_say_in_reference_and_gate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its refitted boosters have seen half of it; those before the refit stand in for them."""
    monkeypatch.setattr(fit_module, "_SUREST_MEDIAN", 1.0)
    poisoned, clean = poisoned_and_clean(fixed_rounds(snapshots=1, decay=1.0))
    np.testing.assert_array_equal(holdout_of(poisoned), holdout_of(clean))
    np.testing.assert_array_equal(
        poisoned.fit.margins.quantiles,  # type: ignore[union-attr]
        clean.fit.margins.quantiles,  # type: ignore[union-attr]
    )
    features = pd.DataFrame(make_rows(20).features, columns=list(clean.names))
    served = [model.predict(features).probabilities for model in (poisoned, clean)]
    assert not np.array_equal(*served)  # what serves has learnt from those rows, as it should


def test_serving_snapshots_on_the_holdout_would_be_caught_by_the_test_above(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def naive(previous: tuple[Generation, ...], snapshots: int, _: int) -> tuple[Generation, ...]:
        return tuple(dataclasses.replace(one, stopped=one.serving) for one in previous[:snapshots])

    monkeypatch.setattr(fit_module, "carried", naive)
    with pytest.raises(AssertionError):
        test_what_an_older_model_knew_of_the_holdout_has_no_say_in_reference_and_gate(monkeypatch)


def test_a_snapshot_that_learnt_from_the_holdout_does_not_join() -> None:
    member = Members(())
    old = Generation(member, member, stopped_until=90)
    late = Generation(member, member, stopped_until=100)
    without = Generation(member, None, 90)
    assert carried((late, old, without), 3, first_held_out=100) == (old,)
    assert carried((old,), 0, first_held_out=100) == ()


def test_the_slope_is_fitted_on_what_the_whole_mixture_said_of_later_rows() -> None:
    parts = windows(3, step=400)
    chosen = settings(ALL_ON)
    second = chain(chosen, parts[:2])
    third = train(Request(parts[2], chosen, second))
    unseen = parts[2].take((parts[2].start > second.trained_until) & (parts[2].label != 1))
    raw = second.fit.raw(unseen.features)  # type: ignore[union-attr]
    known = len(second.history.log_odds)
    expected = np.log(raw[:, 2]) - np.log(raw[:, 0])
    np.testing.assert_allclose(third.history.log_odds[known:], expected, rtol=1e-9)


# One object, one file


@pytest.mark.parametrize("refit", [True, False])
def test_an_ensemble_survives_its_file_and_carries_on_from_it(refit: bool) -> None:
    parts = windows(3)
    chosen = settings(ALL_ON, model={"refit": refit})
    second = chain(chosen, parts[:2])
    again = from_bytes(to_bytes(second))
    assert to_bytes(again) == to_bytes(second)
    frame = pd.DataFrame(parts[2].features[:100], columns=list(second.names))
    np.testing.assert_array_equal(
        again.predict(frame).probabilities, second.predict(frame).probabilities
    )
    third = [train(Request(parts[2], chosen, model)) for model in (second, again)]
    assert to_bytes(third[0]) == to_bytes(third[1])


@pytest.mark.parametrize("threads", [2, 4])
def test_the_same_request_gives_the_same_bytes_whatever_the_threads(threads: int) -> None:
    parts = windows(2)
    one = chain(settings(ALL_ON), parts)
    other = chain(settings(ALL_ON, booster={"threads": threads, **_booster()}), parts)
    assert to_bytes(one) == to_bytes(other)


def _booster() -> dict[str, Any]:
    return {"rounds": 40, "learning_rate": 0.1, "num_leaves": 7, "min_child_samples": 20}


@pytest.mark.parametrize("key", ["snapshots", "decay", "linear_weight"])
def test_every_option_is_part_of_the_key(key: str) -> None:
    rows = make_rows(300)
    plain = Request(rows, settings({}))
    other = Request(
        rows, settings({key: {"snapshots": 1, "decay": 0.9, "linear_weight": 0.1}[key]})
    )
    assert plain.key() != other.key()


def test_impossible_values_are_refused_by_name() -> None:
    signals = {"ensemble": {"snapshots": 13, "decay": 0, "linear_weight": 1, "seed": 1}}
    with pytest.raises(SettingsError) as error:
        settings_from_config({"freqai": {"signals": signals}})
    text = str(error.value)
    for name in ("snapshots", "decay", "linear_weight", "seed"):
        assert f"freqai.signals.ensemble.{name}" in text
