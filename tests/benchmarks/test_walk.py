"""A short walk with small models: what is tested was not trained on, and counts in full units."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.quality.data import Source, tables
from benchmarks.quality.variants import Variant
from benchmarks.quality.walk import Span, common_prior, walk
from freqai_signals.schema import LABEL_COLUMN, REALISED_RETURN_COLUMN
from freqai_signals.settings import SignalSettings
from freqai_signals.training.cluster import Cluster
from tests.training.dask_cluster import InThisProcess, dask_cluster, need_dask

SETTINGS = SignalSettings.model_validate(
    {
        "labels": {"kind": "fixed", "threshold": 0.002},
        "features": {"groups": ("candle_shape", "calendar")},
        "validation": {"min_rows": 50, "min_class_rows": 1},
        "model": {"row_step": 1, "early_stopping_rounds": 2},
        "direction": {"rounds": 5},
        "booster": {"rounds": 10, "threads": 1, "min_child_samples": 20},
        "label_horizon_candles": 6,
        "train_period_days": 3,
    }
)


@pytest.fixture(scope="module")
def source(candles: Callable[..., pd.DataFrame]) -> Source:
    return Source("walks", {"A/USDT": candles(2600, 1), "B/USDT": candles(2600, 2)})


@pytest.fixture(scope="module")
def span(source: Source) -> Span:
    first = int(source.candles["A/USDT"]["date"].iloc[0].timestamp()) // 300
    return Span(first + 2000, first + 2400, 250)


@pytest.mark.parametrize("stock", ["", "stopping"])
def test_every_tested_candle_counts_once_with_its_own_outcome(
    source: Source, span: Span, stock: str
) -> None:
    made = tables(source, SETTINGS)
    walked = walk(Variant("x", SETTINGS, stock), made, span)
    rows = walked.outcomes
    assert walked.trusted > 0.5
    keys = pd.MultiIndex.from_arrays([rows.pair, rows.candle])
    assert keys.is_unique
    assert rows.candle.min() >= span.first
    assert rows.candle.max() < span.stop
    for i, table in enumerate(made.values()):
        own = rows.take(rows.pair == i)
        at = np.searchsorted(table.numbers, own.candle)
        labels = table.labels.iloc[at]
        np.testing.assert_array_equal(own.label, labels[LABEL_COLUMN])
        np.testing.assert_array_equal(own.realised, labels[REALISED_RETURN_COLUMN])


def test_predictions_do_not_depend_on_what_comes_after_them(source: Source, span: Span) -> None:
    early = Span(span.first, span.first + 100, 250)
    whole = walk(Variant("x", SETTINGS), tables(source, SETTINGS), span).outcomes
    cut = {pair: frame.iloc[:2110] for pair, frame in source.candles.items()}
    part = walk(Variant("x", SETTINGS), tables(Source("cut", cut), SETTINGS), early).outcomes
    same = whole.take(whole.candle < early.stop)
    np.testing.assert_array_equal(same.probabilities, part.probabilities)


def test_the_gate_is_asked_only_where_the_settings_say_always(source: Source, span: Span) -> None:
    """No model of random candles has such skill: all are refused, and nothing is predicted."""
    made = tables(source, SETTINGS)
    for where, trusted in (("always", 0.0), ("live", None)):
        gate = SETTINGS.gate.model_copy(update={"where": where, "minimum_skill": 0.9})
        walked = walk(Variant("x", SETTINGS.model_copy(update={"gate": gate})), made, span)
        assert (walked.trusted == trusted) if trusted is not None else walked.trusted > 0.5


def test_an_unseen_pair_is_predicted_by_a_model_of_the_others(source: Source, span: Span) -> None:
    made = tables(source, SETTINGS)
    unseen = walk(Variant("x", SETTINGS, unseen=("B/USDT",)), made, span).outcomes
    assert set(unseen.pair) == {1}
    assert unseen.candle.max() < span.stop
    # A model of A alone says of B what it says of it when B's labels are all another class.
    other = dict(made)
    labels = made["B/USDT"].labels.copy()
    labels[LABEL_COLUMN] = 2 - labels[LABEL_COLUMN]
    other["B/USDT"] = replace(made["B/USDT"], labels=labels)
    again = walk(Variant("x", SETTINGS, unseen=("B/USDT",)), other, span).outcomes
    np.testing.assert_array_equal(unseen.probabilities, again.probabilities)
    pooled = walk(Variant("x", SETTINGS), other, span).outcomes
    seen = pooled.take(pooled.pair == 1)
    assert not np.array_equal(seen.probabilities, unseen.probabilities)


@pytest.mark.parametrize("learner", ["climatology", "logistic", "HistGradientBoosting"])
def test_another_learner_knows_only_what_ours_may_know(
    source: Source, span: Span, learner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other outcomes from the first tested candle on change none of its statements."""
    # A week of candles is more than the test has.
    monkeypatch.setattr("freqai_signals.report.data.climatology.SPANS", (12, 36, 72, 144))
    made = tables(source, SETTINGS)
    variant = Variant("x", SETTINGS, learner=learner)
    whole = Span(span.first, span.stop, span.stop - span.first)
    stated = walk(variant, made, whole, source.candles).outcomes
    changed = {pair: replace(table, labels=table.labels.copy()) for pair, table in made.items()}
    for table in changed.values():
        table.labels.loc[table.numbers >= span.first - 1, LABEL_COLUMN] = 2.0
    again = walk(variant, changed, whole, source.candles).outcomes
    np.testing.assert_array_equal(stated.probabilities, again.probabilities)
    assert set(again.label[again.candle >= span.first]) == {2}
    assert np.ptp(stated.probabilities[:, 0]) > 0.01


def assert_trained_ahead_is_the_same(source: Source, span: Span, cluster: Cluster) -> None:
    variant, made = Variant("x", SETTINGS), tables(source, SETTINGS)
    alone, ahead = walk(variant, made, span), walk(variant, made, span, cluster=cluster)
    for field in dataclasses.fields(alone.outcomes):
        pair = (getattr(each.outcomes, field.name) for each in (alone, ahead))
        np.testing.assert_array_equal(*pair)
    assert alone.seconds > 0
    assert math.isnan(ahead.seconds)
    assert (alone.trees, alone.trusted) == (ahead.trees, ahead.trusted)


def test_what_a_cluster_trained_ahead_predicts_the_same_in_unknown_seconds(
    source: Source, span: Span
) -> None:
    cluster = InThisProcess(2)
    assert_trained_ahead_is_the_same(source, span, cluster)
    assert cluster.windows == [len(span.steps())] == [2]
    chosen = SETTINGS.model_copy(
        update={"selection": SETTINGS.selection.model_copy(update={"enabled": True})}
    )
    walked = walk(Variant("x", chosen), tables(source, chosen), span, cluster=cluster)
    assert walked.seconds > 0


@pytest.mark.slow
def test_a_real_cluster_trains_the_windows(source: Source, span: Span, tmp_path: Path) -> None:
    need_dask()
    with dask_cluster(tmp_path, "one", "two") as workers, Cluster(workers.address) as cluster:
        assert_trained_ahead_is_the_same(source, span, cluster)


def test_one_prior_serves_all_and_knows_only_the_past(source: Source, span: Span) -> None:
    made = tables(source, SETTINGS)
    rows = walk(Variant("x", SETTINGS), made, span).outcomes
    short = SETTINGS.model_copy(update={"train_period_days": 2})
    prior = common_prior(rows, made, span, SETTINGS).prior
    # What a variant's own windows are does not matter.
    other = walk(Variant("y", short), made, span).outcomes
    assert len(np.unique(prior, axis=0)) == len(span.steps())
    np.testing.assert_array_equal(
        np.unique(common_prior(other, made, span, SETTINGS).prior, axis=0),
        np.unique(prior, axis=0),
    )
    np.testing.assert_allclose(prior, rows.prior)
