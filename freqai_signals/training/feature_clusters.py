"""Which features say nothing new: constant and equal columns, look-alikes, and what is not missed.

Everything here looks at the rows it is given and at nothing else; who decides with them, on which
rows, is said in :mod:`freqai_signals.training.feature_selection`.
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
    """Columns that hold one value only, shape ``(k,)``.

    Examples
    --------
    >>> constant_columns(np.array([[1.0, 2.0], [1.0, 3.0]], dtype=np.float32))
    array([0])
    """
    return np.flatnonzero(np.ptp(features, axis=0) == 0.0) if len(features) else np.arange(0)


def duplicate_columns(features: Features) -> NDArray[np.intp]:
    """Columns equal in every row to one that stands before them, shape ``(k,)``.

    Examples
    --------
    >>> duplicate_columns(np.array([[1.0, 2.0, 1.0], [4.0, 3.0, 4.0]], dtype=np.float32))
    array([2])
    """
    columns = np.ascontiguousarray(features.T + np.float32(0.0))
    seen: set[bytes] = set()
    found = []
    for place, column in enumerate(columns):
        content = column.tobytes()
        if content in seen:
            found.append(place)
        seen.add(content)
    return np.asarray(found, dtype=np.intp)


def correlation_clusters(features: Features, correlation: float) -> list[NDArray[np.intp]]:
    """Columns that rise and fall together, or against each other.

    Parameters
    ----------
    features
        Shape ``(n, m)``.
    correlation
        Mean absolute rank correlation (Spearman) from which two clusters are one, in (0, 1).

    Returns
    -------
    list of numpy.ndarray
        Columns of each cluster, every column in exactly one, in order of their first column. A
        constant column is a cluster of its own.
    """
    width = features.shape[1]
    if width < 2 or len(features) < 2:
        return [np.array([column]) for column in range(width)]
    with np.errstate(invalid="ignore", divide="ignore"):
        spearman = np.corrcoef(rankdata(features, axis=0), rowvar=False)
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
    """What is lost, row by row, when a set of columns is exchanged between rows.

    All columns of a set move together, so that what they tell jointly is lost at once.

    Parameters
    ----------
    predict
        A model's probabilities of rows that it was not trained on.
    features, label
        Those rows, shapes ``(n, m)`` and ``(n,)``.
    sets
        Columns to exchange together, by name.

    Returns
    -------
    dict
        Set name to the log loss gained in each row (nats), mean of a few shuffles, shape ``(n,)``.
    """
    whole = log_losses(label, predict(features))
    rng = np.random.default_rng(_SEED)
    orders = [rng.permutation(len(features)) for _ in range(_SHUFFLES)]
    lost = {}
    for name, columns in sets.items():
        places = np.asarray(columns, dtype=np.intp)
        shuffled = features.copy()
        total = np.zeros(len(features))
        for order in orders:
            shuffled[:, places] = features[np.ix_(order, places)]
            total += log_losses(label, predict(shuffled))
        lost[name] = total / _SHUFFLES - whole
    return lost


def jaccard(one: Sequence[str], other: Sequence[str]) -> float:
    """Share of the names of either that both have: 1 for equal sets, 0 for disjoint ones.

    Examples
    --------
    >>> jaccard(["a", "b", "c"], ["b", "c", "d"])
    0.5
    """
    union = set(one) | set(other)
    return len(set(one) & set(other)) / len(union) if union else 1.0
