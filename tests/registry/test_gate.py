"""Champion and challenger: who is refused, how often by chance, and on which rows."""

from dataclasses import replace

import numpy as np
import pytest

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.registry.gate import Verdict, abstaining, judge
from freqai_signals.registry.promotion import window_serving
from freqai_signals.settings import GateSettings
from freqai_signals.training.fit import Request, train
from tests.registry.gate_rows import (
    CANDLES_PER_DAY,
    make_rows,
    model_of,
    shuffled,
    small_settings,
    window,
)

GATE = GateSettings()


def verdict(challenger: SignalModel, champion: SignalModel | None, rows: TrainingRows) -> Verdict:
    return judge(challenger, champion, rows, GATE, CANDLES_PER_DAY).verdict


def poisoned(rows: TrainingRows, seed: int = 0) -> SignalModel:
    return train(Request(shuffled(rows, seed), small_settings()))


def test_first_model_needs_only_to_beat_the_prior() -> None:
    decision = judge(model_of(0), None, window(0), GATE, CANDLES_PER_DAY)
    assert decision.verdict is Verdict.FIRST_ACCEPTED
    assert decision.accepted
    assert decision.evidence["skill"] > 0.1
    assert decision.champion == ""


def test_first_model_without_skill_is_refused() -> None:
    decision = judge(model_of(0, edge=0.0), None, window(0, edge=0.0), GATE, CANDLES_PER_DAY)
    assert decision.verdict is Verdict.REFUSE_WORSE_THAN_PRIOR
    assert "does not beat the class prior" in decision.reason


def test_a_good_model_of_few_days_is_told_what_to_change() -> None:
    """Every retraining would end like this: the operator must learn how to get out of it."""
    rows = make_rows(20, edge=0.8)
    short = train(Request(rows, small_settings()))
    decision = judge(short, None, rows, GATE, CANDLES_PER_DAY)
    assert decision.verdict is Verdict.REFUSE_WORSE_THAN_PRIOR
    assert decision.evidence["skill"] > 0.05
    assert "not sure enough that it beats the class prior" in decision.reason
    assert "more held-out days to show; so few" in decision.reason
    assert "use a longer freqai.train_period_days" in decision.reason
    asked = GATE.model_copy(update={"prior_significance": 0.05})
    assert judge(short, None, rows, asked, CANDLES_PER_DAY).accepted
    bad = judge(poisoned(window(0)), None, shuffled(window(0), 0), GATE, CANDLES_PER_DAY)
    assert "use a longer" not in bad.reason, "nothing helps a model without skill"


def test_equal_challenger_is_accepted() -> None:
    decision = judge(model_of(10), model_of(0), window(10), GATE, CANDLES_PER_DAY)
    assert decision.verdict is Verdict.ACCEPT
    assert decision.champion == model_of(0).card.version


def test_worse_challenger_is_refused_though_it_beats_the_prior() -> None:
    blind = window(10, edge=2.0)
    features = blind.features.copy()
    features[:, 0] = features[:, 0] + np.random.default_rng(1).normal(size=len(blind))
    challenger = train(Request(replace(blind, features=features), small_settings()))
    champion = model_of(0, edge=2.0)
    decision = judge(challenger, champion, window(10, edge=2.0), GATE, CANDLES_PER_DAY)
    assert decision.evidence["skill"] > 0.1
    assert decision.verdict is Verdict.REFUSE_WORSE_THAN_CHAMPION
    assert decision.evidence["excess_bound"] > GATE.tolerance


def test_champion_is_asked_only_about_rows_after_its_own_outcomes() -> None:
    rows = window(5)
    champion, challenger = model_of(0), train(Request(rows, small_settings()))
    decision = judge(challenger, champion, rows, GATE, CANDLES_PER_DAY)
    unseen = rows.start > champion.trained_until
    assert 0 < unseen.sum() < len(challenger.holdout)
    assert decision.evidence["common_rows"] == unseen.sum()
    changed = replace(rows, features=np.where(unseen[:, None], rows.features, 9.0))
    again = judge(challenger, champion, changed, GATE, CANDLES_PER_DAY)
    assert again.evidence["excess"] == decision.evidence["excess"]


def test_labels_of_the_rows_decide_not_those_the_challenger_kept() -> None:
    lying = replace(model_of(10).holdout, label=np.zeros(len(model_of(10).holdout), np.int8))
    challenger = replace(model_of(10), holdout=lying)
    given = judge(challenger, model_of(0), window(10), GATE, CANDLES_PER_DAY)
    assert (
        given.evidence
        == judge(model_of(10), model_of(0), window(10), GATE, CANDLES_PER_DAY).evidence
    )


def test_same_model_again_is_accepted_without_comparison() -> None:
    decision = judge(model_of(10), model_of(10), window(10), GATE, CANDLES_PER_DAY)
    assert decision.verdict is Verdict.ACCEPT
    assert decision.evidence["common_rows"] == 0


def test_too_little_new_to_both_leaves_the_prior_to_decide() -> None:
    rows = window(1)
    challenger = train(Request(rows, small_settings()))
    decision = judge(challenger, model_of(0), rows, GATE, CANDLES_PER_DAY)
    assert decision.verdict is Verdict.ACCEPT
    assert "fewer than 3" in decision.reason


@pytest.mark.parametrize(
    ("change", "word"),
    [({"label_horizon_candles": 9}, "predicts something else"), ({}, "features")],
)
def test_champion_of_another_kind_is_not_compared(change: dict[str, int], word: str) -> None:
    old = model_of(0)
    card = replace(old.card, settings={**old.card.settings, **change})
    names = old.names if change else ("%-gone", *old.names[1:])
    decision = judge(
        model_of(10), replace(old, card=card, names=names), window(10), GATE, CANDLES_PER_DAY
    )
    assert decision.verdict is Verdict.ACCEPT
    assert word in decision.reason


def test_champion_with_other_column_order_says_the_same() -> None:
    rows, order = window(10), [3, 1, 0, 2]
    turned = replace(
        rows, features=rows.features[:, order], names=tuple(rows.names[i] for i in order)
    )
    challenger = replace(model_of(10), names=turned.names)
    one = judge(challenger, model_of(0), turned, GATE, CANDLES_PER_DAY)
    other = judge(model_of(10), model_of(0), rows, GATE, CANDLES_PER_DAY)
    assert one.evidence["excess"] == pytest.approx(other.evidence["excess"])


def test_model_that_could_not_be_trained_is_refused_with_its_reason() -> None:
    few = train(Request(window(0).take(window(0).start < 0), small_settings()))
    decision = judge(few, model_of(0), window(0), GATE, CANDLES_PER_DAY)
    assert decision.verdict is Verdict.REFUSE_NO_MODEL
    assert decision.reason == few.card.reason


def test_other_rows_than_those_of_the_training_are_refused() -> None:
    with pytest.raises(ValueError, match="do not match the model's hold-out"):
        judge(model_of(10), None, window(0), GATE, CANDLES_PER_DAY)


def test_refused_model_abstains_and_says_why() -> None:
    rows = window(0, edge=0.0)
    challenger = model_of(0, edge=0.0)
    silent = abstaining(challenger, judge(challenger, None, rows, GATE, CANDLES_PER_DAY))
    assert silent.fit is None
    assert silent.history is challenger.history
    assert silent.card.reason.startswith("refuse_worse_than_prior: ")


def test_decision_is_json() -> None:
    import json

    decision = judge(model_of(10), model_of(0), window(10), GATE, CANDLES_PER_DAY)
    assert json.loads(json.dumps(decision.as_dict()))["verdict"] == "accept"


@pytest.mark.parametrize("seed", range(10))
def test_poisoned_challenger_is_refused(seed: int) -> None:
    rows = window(10, seed=seed)
    bad = poisoned(rows, seed)
    assert not judge(bad, model_of(0, seed=seed), rows, GATE, CANDLES_PER_DAY).accepted
    assert not judge(bad, None, shuffled(rows, seed), GATE, CANDLES_PER_DAY).accepted


@pytest.mark.slow
def test_equal_challenger_is_accepted_at_the_stated_rate_and_a_poisoned_one_never() -> None:
    """Level 0.05: at least 95 of 100 equals pass; 200 models of shuffled labels, none."""
    accepted, passed = 0, 0
    for seed in range(200):
        rows = window(10, seed=seed)
        accepted += judge(
            model_of(10, seed=seed), model_of(0, seed=seed), rows, GATE, CANDLES_PER_DAY
        ).accepted
        passed += judge(
            poisoned(rows, seed), model_of(0, seed=seed), rows, GATE, CANDLES_PER_DAY
        ).accepted
    assert accepted >= 190
    assert passed == 0


def test_holdout_is_the_tail_and_its_newest_whole_candles() -> None:
    rows = make_rows()
    model = train(Request(rows, small_settings()))
    tail = model.holdout.rows_of(rows)
    assert np.array_equal(tail.label, model.holdout.label)
    assert len(model.holdout) == 2 * round(0.15 * 60 * CANDLES_PER_DAY)
    few = type(model.holdout).of(rows, tail, model.holdout.probabilities, max_rows=101)
    assert len(few) == 100
    assert few.start[0] == few.start[1]


@pytest.mark.parametrize(("where", "refuses"), [("live", False), ("always", True)])
def test_backtest_windows_ask_the_gate_only_always(where: str, refuses: bool) -> None:
    gate = GATE.model_copy(update={"where": where})
    settings = small_settings().model_copy(update={"gate": gate})
    champion = model_of(0)
    challenger = train(Request(shuffled(window(8)), small_settings()))
    judged, serving = window_serving(challenger, champion, window(8), settings)
    assert serving is (champion if refuses else challenger)
    assert judged.card.refused == refuses
    assert judged.fit is challenger.fit
    _, first = window_serving(challenger, None, window(8), settings)
    assert (first.fit is None) == refuses


def test_a_champion_of_other_features_is_compared_where_the_rows_have_them() -> None:
    """Selection leaves the challenger fewer names; the rows it was trained from have them all."""
    rows, challenger = window(10), model_of(10)
    fewer = replace(challenger, names=challenger.names[:1])
    decision = judge(fewer, model_of(0), rows, GATE, CANDLES_PER_DAY)
    assert decision.evidence["excess"] == pytest.approx(
        judge(challenger, model_of(0), rows, GATE, CANDLES_PER_DAY).evidence["excess"]
    )
    renamed = replace(rows, names=tuple(f"{name}_x" for name in rows.names))
    reason = judge(fewer, model_of(0), renamed, GATE, CANDLES_PER_DAY).reason
    assert "features that are no longer made" in reason
