"""Redundant features by hand: duplicates, clusters, permutation importance."""

import numpy as np
import pytest

from freqai_signals.training.feature_clusters import (
    constant_columns,
    correlation_clusters,
    duplicate_columns,
    jaccard,
    permutation_losses,
)


def noise(rows: int = 400, width: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)


def test_constant_columns_are_those_of_one_value() -> None:
    values = noise()
    values[:, 1] = 3.0
    assert constant_columns(values).tolist() == [1]
    assert constant_columns(values[:0]).tolist() == []


def test_the_later_one_of_equal_columns_is_the_duplicate() -> None:
    values = noise()
    values[:, 2] = values[:, 0]
    assert duplicate_columns(values).tolist() == [2]
    values[7, 2] += np.float32(1e-3)
    assert duplicate_columns(values).tolist() == []


def test_zero_and_minus_zero_are_equal() -> None:
    values = np.array([[0.0, -0.0], [1.0, 1.0]], dtype=np.float32)
    assert duplicate_columns(values).tolist() == [1]


def test_clusters_hold_columns_of_correlated_ranks() -> None:
    """A monotone transform and a mirror image are redundant; noise is not."""
    values = noise(width=2)
    both = np.column_stack([values, np.exp(values[:, 0]), -values[:, 1]]).astype(np.float32)
    clusters = [columns.tolist() for columns in correlation_clusters(both, 0.9)]
    assert clusters == [[0, 2], [1, 3]]


def test_a_higher_correlation_splits_clusters() -> None:
    values = noise(width=1)
    near = values + 0.5 * noise(width=1, seed=1)
    both = np.column_stack([values, near]).astype(np.float32)
    assert len(correlation_clusters(both, 0.7)) == 1
    assert len(correlation_clusters(both, 0.99)) == 2


@pytest.mark.parametrize("width", [0, 1, 4])
def test_every_column_is_in_one_cluster_constant_ones_too(width: int) -> None:
    values = noise(width=width)
    if width > 1:
        values[:, 1] = 5.0
    clusters = correlation_clusters(values, 0.8)
    assert sorted(np.concatenate([*clusters, np.empty(0)]).tolist()) == list(range(width))


def by_first(features: np.ndarray) -> np.ndarray:
    buy = 1 / (1 + np.exp(-3.0 * features[:, 0].astype(np.float64)))
    return np.column_stack([(1 - buy) * 0.9, np.full(len(buy), 0.1), buy * 0.9])


def test_only_informative_sets_have_importance() -> None:
    values = noise(rows=2000)
    label = np.where(values[:, 0] > 0, 2, 0).astype(np.int8)
    before = values.copy()
    lost = permutation_losses(by_first, values, label, {"informative": [0, 1], "noise": [2]})
    assert lost["informative"].mean() > 0.3
    np.testing.assert_array_equal(lost["noise"], 0.0)
    np.testing.assert_array_equal(values, before)


def test_columns_of_a_set_are_permuted_together() -> None:
    """A model of the difference of two equal columns never sees them differ."""
    values = np.repeat(noise(width=1), 2, axis=1)

    def differ(features: np.ndarray) -> np.ndarray:
        apart = (features[:, 0] != features[:, 1]).astype(np.float64)
        return np.column_stack([apart * 0.8 + 0.1, 0.8 - apart * 0.7, np.full(len(apart), 0.1)])

    label = np.ones(len(values), dtype=np.int8)
    lost = permutation_losses(differ, values, label, {"both": [0, 1], "one": [0]})
    np.testing.assert_array_equal(lost["both"], 0.0)
    assert lost["one"].mean() > 1.0


def test_shuffles_are_the_same_every_time() -> None:
    values, label = noise(), np.zeros(400, dtype=np.int8)
    one, two = (
        permutation_losses(by_first, values, label, {"informative": [0]})["informative"]
        for _ in range(2)
    )
    np.testing.assert_array_equal(one, two)


def test_jaccard_by_hand() -> None:
    assert jaccard(["a", "b"], ["b", "c"]) == pytest.approx(1 / 3)
    assert jaccard([], []) == 1.0
    assert jaccard(["a"], ["a"]) == 1.0
