"""The label ensemble of a model: heads, score, percentile, file, and what it must not know."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.dataset.splits import purged_tail
from freqai_signals.model import booster
from freqai_signals.model.artefact import from_bytes, to_bytes
from freqai_signals.model.ensemble import Members
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.model.votes import Ballot, Vote
from freqai_signals.schema import LABEL_COLUMN, RETURN_SCALE_COLUMN, SCORE_COLUMN
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.outputs import model_outputs
from freqai_signals.training.fit import Request, train
from tests.model_rows import HORIZON, make_rows, small

KINDS = {"ensemble_kinds": ["volatility"], "ensemble_horizons_candles": [HORIZON, 2 * HORIZON]}
LONGEST = 2 * HORIZON


def settings(**model: object) -> SignalSettings:
    chosen = {"kind": "volatility", **KINDS}
    return small({"refit": False, **model}, labels=chosen)


def voting_rows(count: int = 1500, seed: int = 0) -> TrainingRows:
    """The first vote is the label itself, the second one like it, known later."""
    rows = make_rows(count, seed)
    other = make_rows(count, seed)
    noise = np.random.default_rng(seed + 1).random(count) < 0.2
    second = np.where(noise, np.random.default_rng(seed + 2).integers(0, 3, count), other.label)
    votes = np.column_stack([rows.label, second]).astype(np.int8)
    return dataclasses.replace(rows, votes=votes, event_end=rows.start + LONGEST)


@pytest.fixture(scope="module")
def model() -> SignalModel:
    made = train(Request(voting_rows(), settings()))
    assert made.fit is not None, made.card.reason
    return made


def ballot(model: SignalModel) -> Ballot:
    assert model.fit is not None
    assert model.fit.ballot is not None
    return model.fit.ballot


def frame(rows: TrainingRows) -> pd.DataFrame:
    made = pd.DataFrame(rows.features, columns=list(rows.names))
    made[RETURN_SCALE_COLUMN] = 0.01
    return made


class Says(Members):
    """Members that put what the first feature says on buy."""

    def raw(self, features: np.ndarray) -> np.ndarray:
        buy = features[:, 0].astype(np.float64)
        return np.column_stack([1.0 - buy, np.zeros(len(buy)), buy])


def test_a_vote_is_the_normal_score_of_its_percentile() -> None:
    vote = Vote(Says(()), np.linspace(-1.0, 1.0, 1001))
    buy = np.array([[0.5], [0.975], [0.025], [1.0], [0.0]], dtype=np.float32)
    score = vote.normal_score(buy)
    np.testing.assert_allclose(score[:3], ndtri([0.5, 0.975, 0.025]), atol=1e-6)
    assert np.isfinite(score).all()
    assert score[3] == pytest.approx(-score[4])
    assert score[3] > 3


def test_the_score_is_the_mean_of_the_votes_and_confidence_ranks_its_size() -> None:
    same = Vote(Says(()), np.linspace(-1.0, 1.0, 1001))
    upper = Vote(Says(()), np.linspace(0.0, 1.0, 1001))
    made = Ballot((same, upper), np.linspace(0.0, 2.0, 1001))
    features = np.array([[0.6], [0.9]], dtype=np.float32)
    expected = (same.normal_score(features) + upper.normal_score(features)) / 2
    np.testing.assert_array_equal(made.score(features), expected)
    np.testing.assert_allclose(made.percentile(np.array([-1.0, 0.5, 9.0])), [0.5, 0.25, 1.0])


def test_the_models_own_label_votes_with_its_own_heads(model: SignalModel) -> None:
    assert model.fit is not None
    first, second = ballot(model).votes
    assert first.members is model.fit.generations[0].serving
    assert second.members.heads[0].boosters != first.members.heads[0].boosters


def test_the_sign_of_the_score_is_predicted_and_probabilities_stay_those_of_the_label(
    model: SignalModel,
) -> None:
    rows = voting_rows(400, seed=9)
    said = model_outputs(model, frame(rows), 0.001, scored=True)
    plain = model_outputs(model, frame(rows), 0.001)
    assert SCORE_COLUMN not in plain
    trusted = said["do_predict"] == 1
    assert trusted.mean() > 0.9
    score = said[SCORE_COLUMN][trusted]
    np.testing.assert_array_equal(said[LABEL_COLUMN][trusted], np.where(score > 0, 2.0, 0.0))
    pd.testing.assert_series_equal(said["proba_buy"], plain["proba_buy"])
    assert said["confidence"][trusted].corr(score.abs(), method="spearman") > 0.95
    right = (score > 0).to_numpy() == (rows.label == 2)[trusted]
    assert right[(rows.label != 1)[trusted]].mean() > 0.75
    np.testing.assert_array_equal(said[~trusted][SCORE_COLUMN], 0.0)


def test_an_abstaining_model_has_a_score_of_nothing() -> None:
    said = model_outputs(None, frame(voting_rows(5)), 0.001, scored=True)
    assert said[SCORE_COLUMN].tolist() == [0.0] * 5
    assert said[LABEL_COLUMN].tolist() == [1.0] * 5


def test_the_expected_return_is_that_of_the_predicted_side(model: SignalModel) -> None:
    said = model_outputs(model, frame(voting_rows(200, seed=3)), 0.5, scored=True)
    acted = said[said["do_predict"] == 1]
    assert (acted["expected_return"] < -0.4).all()  # never a hold, which would be 0


def test_a_label_ensemble_survives_its_file(model: SignalModel) -> None:
    again = from_bytes(to_bytes(model))
    assert to_bytes(again) == to_bytes(model)
    rows = frame(voting_rows(50, seed=5))
    np.testing.assert_array_equal(again.predict(rows).score, model.predict(rows).score)


def test_the_same_request_gives_the_same_bytes_and_other_votes_others(model: SignalModel) -> None:
    rows = voting_rows()
    assert to_bytes(train(Request(rows, settings()))) == to_bytes(model)
    assert rows.votes is not None
    other = dataclasses.replace(rows, votes=rows.votes[:, ::-1].copy())
    assert Request(other, settings()).key() != Request(rows, settings()).key()


def poisoned(rows: TrainingRows, mask: np.ndarray) -> TrainingRows:
    assert rows.votes is not None
    votes = np.where(mask[:, None], 2 - rows.votes, rows.votes).astype(np.int8)
    label = np.where(mask, 2 - rows.label, rows.label).astype(np.int8)
    return dataclasses.replace(rows, votes=votes, label=label)


def votes_of(model: SignalModel) -> list[str]:
    return [
        booster.to_text(fitted)
        for vote in ballot(model).votes
        for head in vote.members.heads
        for fitted in head.boosters
    ]


def test_rows_of_which_any_label_reaches_into_the_holdout_train_no_vote(
    model: SignalModel,
) -> None:
    """Also those whose own label was known before; purging by that one alone would keep them."""
    rows = voting_rows()
    head, tail = purged_tail(rows.start, rows.event_end, 0.2, 0)
    gap = ~head & ~tail
    assert gap.sum() == LONGEST
    again = train(Request(poisoned(rows, gap), settings()))
    assert votes_of(again) == votes_of(model)
    early = dataclasses.replace(rows, event_end=rows.start + HORIZON)
    leaky = [train(Request(r, settings())) for r in (early, poisoned(early, gap))]
    assert votes_of(leaky[0]) != votes_of(leaky[1])


def test_refitted_votes_keep_the_percentiles_of_the_holdout() -> None:
    rows = voting_rows()
    kept, again = (train(Request(rows, settings(refit=refit))) for refit in (False, True))
    for one, other in zip(ballot(kept).votes, ballot(again).votes, strict=True):
        np.testing.assert_array_equal(one.leaning, other.leaning)
    assert votes_of(kept) != votes_of(again)


def test_a_label_that_lacks_a_class_is_named_and_the_model_abstains() -> None:
    rows = voting_rows()
    assert rows.votes is not None
    votes = rows.votes.copy()
    votes[:, 1] = np.where(votes[:, 1] == 2, 1, votes[:, 1])
    made = train(Request(dataclasses.replace(rows, votes=votes), settings()))
    assert made.fit is None
    assert f"label volatility over {LONGEST} candles: class buy has 0 rows" in made.card.reason
