"""The model object: order of features, missing values, novelty, single rows and batches."""

import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest

from freqai_signals.dataset.rows import TrainingRows, spread_rows
from freqai_signals.model import booster
from freqai_signals.model.card import ModelCard
from freqai_signals.model.reference import MarginReference, NoveltyReference
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.training.fit import Request, train
from tests.model_rows import make_rows, small


@pytest.fixture(scope="session")
def frame(rows: TrainingRows) -> pd.DataFrame:
    return pd.DataFrame(rows.features[:200], columns=list(rows.names))


def test_there_are_always_three_classes_that_sum_to_one(
    trained: SignalModel, frame: pd.DataFrame
) -> None:
    prediction = trained.predict(frame)
    assert prediction.probabilities.shape == (200, 3)
    np.testing.assert_allclose(prediction.probabilities.sum(axis=1), 1.0, atol=1e-12)
    assert prediction.trusted.mean() > 0.9


def test_columns_in_another_order_and_more_of_them_change_nothing(
    trained: SignalModel, frame: pd.DataFrame
) -> None:
    """Without names, reversed columns would silently predict something else."""
    shuffled = frame[frame.columns[::-1]].assign(more=1.0, close=np.nan)
    np.testing.assert_array_equal(
        trained.predict(shuffled).probabilities, trained.predict(frame).probabilities
    )


def test_a_missing_feature_makes_every_row_untrusted(
    trained: SignalModel, frame: pd.DataFrame
) -> None:
    prediction = trained.predict(frame.drop(columns=frame.columns[2]))
    assert not prediction.trusted.any()
    assert (prediction.probabilities == [0.0, 1.0, 0.0]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_only_the_row_with_a_missing_feature_abstains(
    trained: SignalModel, frame: pd.DataFrame, bad: float
) -> None:
    spoilt = frame.astype(float)
    spoilt.iloc[5, 1] = bad
    clean, after = trained.predict(frame), trained.predict(spoilt)
    assert not after.trusted[5]
    assert after.probabilities[5].tolist() == [0.0, 1.0, 0.0]
    assert after.distance[5] == np.inf
    others = np.arange(200) != 5
    np.testing.assert_array_equal(clean.probabilities[others], after.probabilities[others])


def test_one_row_is_predicted_as_in_a_batch(trained: SignalModel, frame: pd.DataFrame) -> None:
    batch = trained.predict(frame)
    for row in (0, 17, 199):
        single = trained.predict(frame.iloc[[row]])
        np.testing.assert_array_equal(single.probabilities[0], batch.probabilities[row])
        assert single.trusted[0] == batch.trusted[row]
        assert single.distance[0] == batch.distance[row]


def test_no_rows_give_no_rows(trained: SignalModel, frame: pd.DataFrame) -> None:
    assert trained.predict(frame.iloc[:0]).probabilities.shape == (0, 3)


def test_a_row_far_away_from_training_is_not_trusted(
    trained: SignalModel, frame: pd.DataFrame
) -> None:
    far = frame * 0 + 50.0
    assert not trained.predict(far).trusted.any()
    assert (trained.predict(far).probabilities == [0.0, 1.0, 0.0]).all()


def test_an_abstaining_model_abstains_for_any_frame(frame: pd.DataFrame) -> None:
    model = SignalModel(ModelCard("none", reason="no model yet"))
    prediction = model.predict(frame)
    assert (prediction.probabilities == [0.0, 1.0, 0.0]).all()
    assert not prediction.trusted.any()
    assert model.feature_importance() == []
    assert model.contributions({}) == []


def test_importance_by_gain_is_a_share_and_finds_informative_features(kind: str) -> None:
    trained = train(Request(make_rows(3000, strength=6.0), small({"kind": kind})))
    importance = trained.feature_importance()
    assert {name for name, _ in importance[:2]} == {"%-f0", "%-f1"}
    assert sum(share for _, share in importance) == pytest.approx(1.0)
    shares = [share for _, share in importance]
    assert shares == sorted(shares, reverse=True)
    assert len(trained.feature_importance(3)) == 3


def test_contributions_sum_to_the_raw_score(
    trained: SignalModel, frame: pd.DataFrame, kind: str
) -> None:
    """Their sum differs from the log-odds of buy against sell by a constant of the model."""
    assert trained.fit is not None
    positions = [0, 3, 50]
    sums = np.array(
        [
            sum(part for _, part in trained.contributions(frame.iloc[i].to_dict(), 99))
            for i in positions
        ]
    )
    head = trained.fit.heads[0]
    features = frame.iloc[positions].to_numpy(np.float32)
    if kind == "multiclass":
        raw = booster.predict(head.boosters[0], features)
        score = np.log(raw[:, 2] / raw[:, 0])
    else:
        buy = booster.predict(head.boosters[1], features)
        score = np.log(buy / (1 - buy))
    np.testing.assert_allclose(np.diff(sums), np.diff(score), atol=1e-9)
    first = trained.contributions(frame.iloc[0].to_dict(), 2)
    assert len(first) == 2
    assert abs(first[0][1]) >= abs(first[1][1])


def test_two_stage_probabilities_are_move_times_direction(rows: TrainingRows) -> None:
    model = train(Request(rows, small({"kind": "two_stage"})))
    head = model.fit.heads[0]  # type: ignore[union-attr]
    raw = head.raw(rows.features[:20])
    move = booster.predict(head.boosters[0], rows.features[:20])
    buy = booster.predict(head.boosters[1], rows.features[:20])
    np.testing.assert_allclose(raw[:, 2], move * buy)
    np.testing.assert_allclose(raw[:, 0], move * (1 - buy))
    np.testing.assert_allclose(raw.sum(axis=1), 1.0)


# References


def test_confidence_by_hand_and_monotone_in_the_margin() -> None:
    margin = np.linspace(0, 0.5, 11)
    known = np.column_stack([0.25 - margin / 2, np.full(11, 0.5), 0.25 + margin / 2])
    reference = MarginReference.of(known)
    tested = np.linspace(0, 0.6, 61)
    rows = np.column_stack([(0.6 - tested) / 2, np.full(61, 0.4), (0.6 + tested) / 2])
    percentile = reference.percentile(rows)
    assert (np.diff(percentile) >= 0).all()
    assert ((percentile >= 0) & (percentile <= 1)).all()
    assert percentile[25] == pytest.approx(0.5, abs=0.01)
    assert percentile[-1] == 1.0
    np.testing.assert_array_equal(reference.percentile(rows[:, ::-1]), percentile)


def test_novelty_by_hand() -> None:
    """One feature between -1 and 1: at 3 it lies one width of its range outside."""
    features = np.linspace(-1, 1, 1001, dtype=np.float32)[:, None]
    novelty = NoveltyReference.of(features)
    assert novelty.centre[0] == pytest.approx(0.0, abs=1e-3)
    assert novelty.half_width[0] == pytest.approx(0.99, abs=1e-3)
    distance = novelty.distance(np.array([[0.0], [3.0], [1000.0], [np.nan]], np.float32))
    np.testing.assert_allclose(distance[:3], [0.0, 3 / 0.99 - 1, 10.0], rtol=1e-3)
    assert np.isnan(distance[3])
    factor = novelty.confidence_factor(distance[:3])
    assert factor[0] == 1.0
    assert factor[2] == 0.0


def test_novelty_takes_less_memory_than_the_rows() -> None:
    """A dissimilarity index would hold 200,000 x 200,000 distances, 320 GB."""
    features = np.random.default_rng(0).normal(size=(200_000, 30)).astype(np.float32)
    tracemalloc.start()
    NoveltyReference.of(features).distance(features)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < features.nbytes / 2


@pytest.mark.parametrize("rows", [1, 16_385, 50_001])
@pytest.mark.parametrize("order", ["C", "F"])
def test_novelty_in_blocks_is_that_of_all_rows_to_the_last_bit(rows: int, order: Any) -> None:
    drawn = np.random.default_rng(1).standard_t(3, (rows, 115)).astype(np.float32)
    features = np.asarray(drawn, order=order)
    novelty = NoveltyReference.of(features)
    known = features[spread_rows(rows, 20_000)]
    low, high = np.quantile(known, [0.005, 0.995], axis=0)
    np.testing.assert_array_equal(novelty.centre, ((low + high) / 2).astype(np.float32))
    excess = np.abs(features - novelty.centre) / novelty.half_width - 1.0
    whole = np.clip(excess, 0.0, 10.0).mean(axis=1)
    np.testing.assert_array_equal(novelty.distance(features), whole)


def test_novelty_of_sampled_rows_is_nearly_that_of_all() -> None:
    """Rows of 60 pairs, each with a level of its own: every third one would be of 20 pairs only."""
    rng = np.random.default_rng(2)
    levels = np.tile(rng.normal(size=(60, 8)), (1_000, 1))
    features = (levels + 0.3 * rng.normal(size=levels.shape)).astype(np.float32)
    novelty = NoveltyReference.of(features)
    low, high = np.quantile(features, [0.005, 0.995], axis=0)
    np.testing.assert_allclose(novelty.centre - novelty.half_width, low, rtol=0.03)
    np.testing.assert_allclose(novelty.centre + novelty.half_width, high, rtol=0.03)
    distance = novelty.distance(features)
    assert (distance > novelty.usual).mean() == pytest.approx(0.05, abs=0.01)
    assert (distance > novelty.limit / 2).mean() == pytest.approx(0.001, abs=0.0007)


def test_a_constant_feature_has_no_zero_width() -> None:
    novelty = NoveltyReference.of(np.ones((50, 1), np.float32))
    assert np.isfinite(novelty.distance(np.array([[1.0], [2.0]], np.float32))).all()


# The card


def test_a_card_survives_json(trained: SignalModel) -> None:
    again = ModelCard.from_json(trained.card.to_json())
    assert again == trained.card
    assert again.to_json() == trained.card.to_json()


def test_an_unknown_key_in_a_card_is_refused() -> None:
    text = ModelCard("x").to_json().replace('"rows"', '"rosw"')
    with pytest.raises(TypeError, match="rosw"):
        ModelCard.from_json(text)
