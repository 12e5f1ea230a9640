"""Sample weights in training: which rows get them, which do not, and invalid weights."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.dataset.splits import purged_tail
from freqai_signals.model import booster
from freqai_signals.model.artefact import to_bytes
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.training import boosting, row_checks
from freqai_signals.training.fit import Request, train
from tests.model_rows import make_rows, small

ALL = {"uniqueness": True, "recency_half_life_days": 2.0, "class_balance": True}


def texts(model: SignalModel) -> list[str]:
    assert model.fit is not None, model.card.reason
    return [booster.to_text(fitted) for head in model.fit.heads for fitted in head.boosters]


def uneven(rows: TrainingRows) -> TrainingRows:
    """Events of different lengths, and seven buys in ten taken out."""
    rng = np.random.default_rng(1)
    kept = (rows.label != 2) | (rng.random(len(rows)) < 0.3)
    lengths = rng.integers(1, 6, len(rows))
    return dataclasses.replace(rows, event_end=rows.start + lengths).take(kept)


@pytest.mark.parametrize("key", ALL)
def test_each_weight_changes_the_model(rows: TrainingRows, kind: str, key: str) -> None:
    plain = train(Request(uneven(rows), small({"kind": kind})))
    weighted = train(Request(uneven(rows), small({"kind": kind}, weights={key: ALL[key]})))
    assert texts(weighted) != texts(plain)
    assert weighted.card.key != plain.card.key
    assert weighted.card.settings["weights"][key] == ALL[key]


@pytest.mark.parametrize("threads", [2, 4])
def test_a_weighted_request_gives_the_same_bytes_for_any_number_of_threads(
    rows: TrainingRows, kind: str, threads: int
) -> None:
    made = [
        to_bytes(train(Request(rows, small({"kind": kind}, {"threads": count}, weights=ALL))))
        for count in (1, threads)
    ]
    assert made[0] == made[1]


def test_equal_weights_are_no_weights(rows: TrainingRows, kind: str) -> None:
    """Events of one length at every candle are equally unique, but for the ends of the window."""
    samples = [
        booster.Sample(rows.features, (rows.label != 1).astype(np.int8), weight)
        for weight in (None, np.ones(len(rows)))
    ]
    params = booster.parameters(small().booster, booster.BINARY, 1)
    one, two = (booster.fit_rounds(sample, params, 10) for sample in samples)
    np.testing.assert_array_equal(
        booster.predict(one, rows.features), booster.predict(two, rows.features)
    )


def samples_of(
    rows: TrainingRows, kind: str, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[booster.Sample, booster.Sample]]:
    """Training and early-stopping samples of a training with weights."""
    seen: list[tuple[booster.Sample, booster.Sample]] = []
    real = booster.fit_early_stopping

    def spied(train: booster.Sample, held: booster.Sample, *rest: Any) -> booster.Fitted:
        seen.append((train, held))
        return real(train, held, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(boosting.booster, "fit_early_stopping", spied)
        train(Request(rows, small({"kind": kind}, weights=ALL)))
    return seen


def test_rows_held_out_are_not_weighted(
    rows: TrainingRows, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = samples_of(uneven(rows), kind, monkeypatch)
    assert len(seen) == (1 if kind == "multiclass" else 2)
    for trained, held in seen:
        assert held.weight is None
        assert trained.weight is not None
        assert trained.weight.mean() == pytest.approx(1.0)
        assert len(trained.weight) == len(trained.target)


def test_rows_held_out_change_no_weight_of_those_before_them(
    rows: TrainingRows, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights of the full window, split afterwards, would depend on the tail's events."""
    rows = uneven(rows)
    _, tail = purged_tail(rows.start, rows.event_end, 0.2, 0)
    changed = dataclasses.replace(
        rows,
        label=np.where(tail & (rows.start % 2 == 0), 0, rows.label).astype(np.int8),
        event_end=np.where(tail, rows.start + 1, rows.event_end),
    )
    one, two = (samples_of(each, kind, monkeypatch) for each in (rows, changed))
    for (before, _), (after, _) in zip(one, two, strict=True):
        np.testing.assert_array_equal(before.weight, after.weight)


def test_class_balance_distorts_probabilities_and_the_card_shows_it() -> None:
    """Measured where buys are rare: stated far more often than they come."""
    rows = uneven(make_rows(4000, seed=2))
    models = [train(Request(rows, small(weights={"class_balance": on}))) for on in (False, True)]
    stated = [model.holdout.probabilities[:, 2].mean() for model in models]
    happened = float((models[0].holdout.label == 2).mean())
    assert abs(stated[0] - happened) < 0.03
    assert stated[1] - happened > 0.03
    losses = [model.card.metrics["validation"]["log_loss"] for model in models]
    assert losses[1] > losses[0]


def test_a_half_life_that_leaves_too_few_rows_abstains_with_the_reason(rows: TrainingRows) -> None:
    """The effective sample size of a day of 15-minute candles is below the 400 rows required."""
    settings = small(
        weights={"recency_half_life_days": 1.0}, validation={"min_rows": 400}, timeframe="15m"
    )
    model = train(Request(rows, settings))
    assert model.fit is None
    assert "effective sample size of 1500 weighted rows is 27" in model.card.reason
    assert "recency_half_life_days" in model.card.reason


@pytest.mark.parametrize(("bad", "reason"), [(0.0, "weights are zero"), (np.nan, "finite")])
def test_invalid_weights_abstain_with_the_reason(
    rows: TrainingRows, monkeypatch: pytest.MonkeyPatch, bad: float, reason: str
) -> None:
    """No present setting leads here; if a new weight does, a running bot must survive it."""
    from freqai_signals.dataset import weights

    monkeypatch.setattr(weights, "recency", lambda start, half_life: np.full(len(start), bad))
    assert row_checks.training_weights is weights.training_weights
    model = train(Request(rows, small(weights={"recency_half_life_days": 2.0})))
    assert model.fit is None
    assert reason in model.card.reason
