"""The quality benchmark's own arithmetic; what it measures is tested elsewhere."""

import doctest
import json
import math
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from benchmarks.bench_quality import _unseen
from benchmarks.quality import measures, picture, stock, tables, walk
from benchmarks.quality import variants as variants_module
from benchmarks.quality.measures import (
    Estimate,
    Outcomes,
    advantage,
    brier_skill,
    direction_part,
    expectation,
    log_loss_skill,
    measure_all,
    most_confident,
    on_common_rows,
    ratio,
    tier_precision,
)
from benchmarks.quality.picture import draw
from benchmarks.quality.variants import SHORT_LIST, tried, variants
from benchmarks.quality.walk import Span
from freqai_signals import metrics
from freqai_signals.dataset.rows import TrainingRows, unknown_trades
from freqai_signals.settings import SignalSettings

PRIOR = np.array([0.25, 0.5, 0.25])


def outcomes(label: list[int], probabilities: list[list[float]], **columns: Any) -> Outcomes:
    count = len(label)
    values: dict[str, Any] = {
        "pair": np.zeros(count, np.int64),
        "candle": np.arange(count),
        "day": np.arange(count),
        "label": np.array(label, np.int8),
        "realised": np.zeros(count),
        "probabilities": np.array(probabilities),
        "prior": np.tile(PRIOR, (count, 1)),
        "confidence": np.zeros(count),
    }
    return Outcomes(**values | columns)


def random_outcomes(count: int = 4000, seed: int = 0) -> Outcomes:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet([2, 4, 2], count)
    label = (rng.random(count)[:, None] > probabilities.cumsum(axis=1)).sum(axis=1)
    return outcomes(
        label.tolist(),
        probabilities.tolist(),
        day=np.arange(count) // 40,
        realised=(label - 1) * 0.01,
        confidence=rng.random(count),
    )


def test_skill_of_the_prior_is_zero_and_of_certainty_one() -> None:
    rows = outcomes([0, 1, 2, 1], [PRIOR.tolist()] * 4)
    sure = outcomes([0, 1, 2, 1], np.eye(3)[[0, 1, 2, 1]].tolist())
    for measure in (log_loss_skill, brier_skill):
        assert measure(rows).value == pytest.approx(0.0)
        assert measure(sure).value == pytest.approx(1.0)


def test_skill_is_that_of_the_package() -> None:
    rows = random_outcomes()
    expected = metrics.skill(rows.label, rows.probabilities, rows.prior)
    assert log_loss_skill(rows).value == pytest.approx(expected)


def test_direction_part_ignores_how_likely_a_move_is() -> None:
    rows = outcomes([0, 1, 2], [[0.1, 0.8, 0.1], [0.45, 0.1, 0.45], [0.2, 0.6, 0.2]])
    assert direction_part(rows).value == pytest.approx(0.0)


def test_direction_part_is_negative_for_a_wrong_side() -> None:
    assert direction_part(outcomes([0, 2], [[0.1, 0.6, 0.3], [0.3, 0.6, 0.1]])).value < 0


def test_error_of_a_ratio_grows_when_rows_of_a_block_agree() -> None:
    rng = np.random.default_rng(1)
    blocks = np.repeat(rng.normal(size=60), 50)
    alone = rng.normal(size=3000)
    day = np.repeat(np.arange(60), 50) * 5
    ones = np.ones(3000)
    assert ratio(blocks, ones, day).error > 3 * ratio(alone, ones, day).error


def test_error_of_a_mean_is_that_of_independent_blocks() -> None:
    values = np.random.default_rng(2).normal(size=400)
    found = ratio(values, np.ones(400), np.arange(400) * 5)
    assert found.error == pytest.approx(values.std() / 20, rel=0.1)


def test_an_error_from_a_few_blocks_is_unknown() -> None:
    """Ten rows in one block would have the error 0, were it drawn."""
    found = ratio(np.ones(10), np.full(10, 2.0), np.zeros(10, np.int64))
    assert found.value == 0.5
    assert np.isnan(found.error)
    assert found.text() == "0.5000 ± unknown"


def test_nothing_to_estimate_is_nan() -> None:
    empty = np.zeros(0)
    assert np.isnan(ratio(empty, empty, np.zeros(0, np.int64)).value)


def test_an_advantage_is_paired() -> None:
    """The better of two is better by a tenth of a nat on every row, however hard the row is."""
    rows = random_outcomes()
    happened = np.eye(3)[rows.label.astype(int)]
    worse = replace(rows, probabilities=np.where(happened == 1, rows.probabilities, 0.0) * 0.9)
    found = advantage(rows, worse)
    assert found.value == pytest.approx(-np.log(0.9) / log_loss_of_prior(rows))
    assert found.error < log_loss_skill(rows).error / 5
    assert advantage(rows, rows).value == 0.0


def log_loss_of_prior(rows: Outcomes) -> float:
    return float(metrics.log_losses(rows.label, rows.prior).mean())


def test_variants_are_compared_on_the_rows_that_all_have() -> None:
    rows = random_outcomes(100)
    mixed = rows.take(np.random.default_rng(0).permutation(np.arange(20, 100)))
    other = replace(rows, label=(rows.label + 1) % 3)
    common = on_common_rows({"a": rows, "b": mixed, "other label": other})
    assert list(common) == ["a", "b"]
    for found in common.values():
        np.testing.assert_array_equal(found.candle, np.arange(20, 100))
        np.testing.assert_array_equal(found.label, rows.label[20:])


def test_expectation_takes_the_likelier_side_of_the_largest_margins_after_costs() -> None:
    rows = outcomes(
        [2, 0, 1, 1],
        [[0.1, 0.3, 0.6], [0.5, 0.4, 0.1], [0.3, 0.4, 0.3], [0.3, 0.4, 0.3]],
        realised=np.array([0.02, -0.01, 0.5, 0.5]),
    )
    assert expectation(rows, 0.5, 0.002).value == pytest.approx(0.013)


def test_tiers_count_only_predicted_moves_and_split_class_from_direction() -> None:
    move, hold = [0.1, 0.3, 0.6], [0.2, 0.6, 0.2]
    rows = outcomes(
        [2, 1, 0, 2, 2],
        [move, move, move, move, hold],
        confidence=np.array([0.95, 0.95, 0.98, 0.995, 0.995]),
    )
    found = tier_precision(rows, (0.90, 0.97, 0.99))
    assert [found[tier]["rows"] for tier in ("weak", "medium", "strong")] == [2, 1, 1]
    assert found["weak"]["class_right"].value == 0.5
    assert found["weak"]["direction_right"].value == 1.0
    assert found["medium"]["direction_right"].value == 0.0
    assert found["strong"]["stated"] == pytest.approx(0.6 / 0.7)


def test_most_confident_rows_are_taken_by_confidence() -> None:
    rows = random_outcomes(1000)
    found = most_confident(rows, 0.02)
    assert found["rows"] == 20


@pytest.mark.parametrize("module", [measures, picture, variants_module, walk])
def test_examples_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


def test_steps_cover_the_span_without_overlap() -> None:
    assert Span(10, 25, 10).steps() == [(10, 20), (20, 25)]


def test_every_variant_of_the_short_list_exists() -> None:
    known = variants(SignalSettings())
    assert set(SHORT_LIST) <= set(known)
    assert known["ours"].settings == SignalSettings()
    assert known["stock"].train_days == stock.TRAIN_DAYS
    others = [known[name].settings for name in known if name.startswith("ours, ")]
    assert all(other != known["ours"].settings for other in others)


def test_other_settings_can_be_tried_by_their_path() -> None:
    variant = tried(SignalSettings(), ["booster.num_leaves=31", "booster.seed=7"])
    assert (variant.settings.booster.num_leaves, variant.settings.booster.seed) == (31, 7)
    with pytest.raises(ValueError, match="colour"):
        tried(SignalSettings(), ["model.colour=1"])


def test_unseen_pairs_must_be_known_and_leave_others_to_train_on() -> None:
    pairs = ("A/USDT", "B/USDT")
    assert _unseen([], pairs) == pairs
    assert _unseen(["B/USDT"], pairs) == ("B/USDT",)
    for asked, known in ((["C/USDT"], pairs), ([], pairs[:1])):
        with pytest.raises(SystemExit, match="--unseen takes"):
            _unseen(asked, known)


def test_results_are_stored_as_json_and_drawn(tmp_path: Path) -> None:
    rows = random_outcomes()
    measured = measure_all(rows, (0.90, 0.97, 0.99), 0.002)
    result = {
        "all": measured, "pairs": {"BTC/USDT": measured}, "captured": {},
        "seconds": 1.0, "trees": 3, "models": 1, "trusted": 1.0,
        "difference": None,
    }  # fmt: skip
    results = {"ours": result, "far": result | {"seconds": math.nan}}
    tables.write_json(tmp_path / "x.json", {"source": "test"}, results)
    stored = json.loads((tmp_path / "x.json").read_text())
    assert stored["variants"]["far"]["seconds"] is None
    columns = tables.probabilities(results, "ours").columns
    seconds = [list(column.cells) for column in columns if column.header == "core s"]
    assert seconds == [["1.0", "on cluster"]]
    skill = stored["variants"]["ours"]["all"]["skill"]
    assert Estimate(**skill) == measured["skill"]
    draw(tmp_path / "x.png", "test", {"ours": result}, rows)
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("early_stopping", [False, True])
def test_stock_model_is_trained_by_freqtrades_own_code(early_stopping: bool) -> None:
    rng = np.random.default_rng(3)
    features = rng.normal(size=(400, 3)).astype(np.float32)
    score = features[:, 0] + rng.normal(scale=0.3, size=400)
    label = (score > 0.5).astype(np.int8) + (score > -0.5)
    rows = TrainingRows(
        features, ("%-a", "%-b", "%-c"), label.astype(np.int8), np.arange(400),
        np.arange(400) + 1, np.zeros(400), unknown_trades(400), np.zeros(400, np.int16),
        ("BTC/USDT",),
    )  # fmt: skip
    model = stock.train(rows, early_stopping)
    probabilities = model.probabilities(features)
    assert probabilities.sum(axis=1) == pytest.approx(1.0)
    assert (probabilities.argmax(axis=1) == label).mean() > 0.7
    assert model.trees <= 900
    assert early_stopping == (model.trees < 900)
