"""Redundant features: constant, duplicate and correlated columns, and permutation importance.

:mod:`freqai_signals.training.feature_selection` decides which rows these functions get.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from freqai_signals.metrics import Labels, Probabilities, log_losses

Features = NDArray[np.float32]
SetName = TypeVar("SetName", bound=Hashable)
Predict = Callable[[Features], Probabilities]

_SEED: Final = 20_000
_SHUFFLES: Final = 2


def constant_columns(features: Features) -> NDArray[np.intp]:
    """Indices of columns with a single value, shape ``(k,)``.

    Examples
    --------
    >>> constant_columns(np.array([[1.0, 2.0], [1.0, 3.0]], dtype=np.float32))
    array([0])
    """
    return np.flatnonzero(np.ptp(features, axis=0) == 0.0) if len(features) else np.arange(0)


def duplicate_columns(features: Features) -> NDArray[np.intp]:
    """Indices of columns equal in every row to an earlier one, shape ``(k,)``.

    Examples
    --------
    >>> duplicate_columns(np.array([[1.0, 2.0, 1.0], [4.0, 3.0, 4.0]], dtype=np.float32))
    array([2])
    """
    # Adding zero turns -0.0 into 0.0, which has other bytes.
    columns = np.ascontiguousarray(features.T + np.float32(0.0))
    seen: set[bytes] = set()
    found = []
    for index, column in enumerate(columns):
        content = column.tobytes()
        if content in seen:
            found.append(index)
        seen.add(content)
    return np.asarray(found, dtype=np.intp)


def correlation_clusters(features: Features, correlation: float) -> list[NDArray[np.intp]]:
    """Hierarchical clusters of columns by absolute rank correlation, with average linkage.

    Parameters
    ----------
    features
        Shape ``(n, m)``.
    correlation
        Mean absolute Spearman correlation from which two clusters are merged, in (0, 1).

    Returns
    -------
    list of numpy.ndarray
        Column indices of each cluster, in order of their first column. A constant column is a
        cluster of its own.
    """
    width = features.shape[1]
    if width < 2 or len(features) < 2:
        return [np.array([column]) for column in range(width)]
    with np.errstate(invalid="ignore", divide="ignore"):
        spearman = np.corrcoef(rankdata(features, axis=0), rowvar=False)
    # The correlation of a constant column is NaN and counts as none.
    distance = 1.0 - np.abs(np.nan_to_num(spearman))
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), method="average")
    numbers = fcluster(tree, 1.0 - correlation, criterion="distance")
    clusters = [np.flatnonzero(numbers == number) for number in np.unique(numbers)]
    return sorted(clusters, key=lambda columns: int(columns[0]))


def permutation_losses(
    predict: Predict,
    features: Features,
    label: Labels,
    sets: Mapping[SetName, Sequence[int]],
) -> dict[SetName, NDArray[np.float64]]:
    """Permutation importance of sets of columns, row by row.

    All columns of a set are permuted together, so that their joint information is lost at once.

    Parameters
    ----------
    predict
        Gives a model's probabilities of rows that it was not trained on.
    features, label
        Those rows, shapes ``(n, m)`` and ``(n,)``.
    sets
        Columns to permute together, by name.

    Returns
    -------
    dict
        Set name to the increase of log loss in each row (nats), mean of two shuffles, shape
        ``(n,)``.
    """
    baseline = log_losses(label, predict(features))
    rng = np.random.default_rng(_SEED)
    orders = [rng.permutation(len(features)) for _ in range(_SHUFFLES)]
    increases = {}
    for name, columns in sets.items():
        permuted = np.asarray(columns, dtype=np.intp)
        shuffled = features.copy()
        total = np.zeros(len(features))
        for order in orders:
            shuffled[:, permuted] = features[np.ix_(order, permuted)]
            total += log_losses(label, predict(shuffled))
        increases[name] = total / _SHUFFLES - baseline
    return increases


def jaccard(one: Sequence[str], other: Sequence[str]) -> float:
    """Jaccard index of two sets of names: 1 for equal sets, 0 for disjoint ones.

    Examples
    --------
    >>> jaccard(["a", "b", "c"], ["b", "c", "d"])
    0.5
    """
    union = set(one) | set(other)
    return len(set(one) & set(other)) / len(union) if union else 1.0
