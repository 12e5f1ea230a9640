"""Sample weights for training: the product of uniqueness, recency and class balance.

Held-out rows are never weighted: early stopping, calibration and every metric count each row once,
so that probabilities match the frequencies of unweighted candles.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.schema import CLASS_COUNT
from freqai_signals.settings import SignalSettings

Weights = NDArray[np.float64]

_MIN_EXPONENT: Final = -900.0
"""Two to the power of less than about -1,000 underflows to zero."""


def training_weights(rows: TrainingRows, settings: SignalSettings) -> Weights | None:
    """The product of all enabled weights.

    Parameters
    ----------
    rows
        The rows to train on. Weights depend on these only, so no later row can leak into them.
    settings
        ``weights`` chooses the parts; the candle length converts days to candles.

    Returns
    -------
    numpy.ndarray or None
        Shape ``(n,)``, mean 1. None if every row counts the same.

    Raises
    ------
    ValueError
        If the product is not a valid weight: see :func:`of_mean_one`.
    """
    chosen = settings.weights
    if not len(rows):
        return None
    parts = []
    if chosen.uniqueness:
        parts.append(average_uniqueness(rows.start, rows.event_end, rows.pair))
    if chosen.recency_half_life_days is not None:
        half_life = chosen.recency_half_life_days * settings.candles_per_day
        parts.append(recency(rows.start, half_life))
    if chosen.class_balance:
        parts.append(class_balance(rows.label))
    return product(parts) if parts else None


def product(parts: Sequence[Weights]) -> Weights:
    """Multiply weights row by row and scale them to mean 1.

    Examples
    --------
    >>> product([np.array([1.0, 2.0]), np.array([1.0, 1.5])])
    array([0.5, 1.5])
    """
    return of_mean_one(np.prod(parts, axis=0))


def of_mean_one(weights: Weights) -> Weights:
    """Scale weights to mean 1, so that regularisation has the same effect as without weights.

    Raises
    ------
    ValueError
        If any weight is negative, infinite or NaN, or all are zero.
    """
    bad = np.flatnonzero(~np.isfinite(weights) | (weights < 0))
    if len(bad):
        raise ValueError(
            f"weights must be finite and not negative: {len(bad)} of {len(weights)} are not, the "
            f"first is {weights[bad[0]]} in row {bad[0]}; disable parts of freqai.signals.weights "
            "one by one to find the cause"
        )
    mean = float(weights.mean()) if len(weights) else 0.0
    if mean == 0.0:
        raise ValueError(
            f"all {len(weights)} weights are zero, at least one must be positive; lengthen "
            "freqai.signals.weights.recency_half_life_days or disable weights"
        )
    return np.asarray(weights / mean)


def effective_rows(weights: Weights) -> float:
    """Effective sample size: squared sum over sum of squares (Kish).

    Examples
    --------
    >>> effective_rows(np.ones(8)), effective_rows(np.array([1.0, 0.0, 0.0, 0.0]))
    (8.0, 1.0)
    """
    return float(np.square(weights.sum()) / np.square(weights).sum())


def average_uniqueness(
    start: NDArray[np.int64], event_end: NDArray[np.int64], pair: NDArray[np.int16]
) -> Weights:
    """Average uniqueness of each row's event among the events of its pair.

    At each candle after ``start`` up to ``event_end`` the row gets one over the concurrency, the
    number of the pair's rows whose events span that candle; the weight is the mean of these. Only
    the given rows count: with every n-th candle kept, the skipped ones do not add to concurrency.

    Parameters
    ----------
    start, event_end
        Shape ``(n,)``, candle numbers, in any order.
    pair
        Shape ``(n,)``, index of the row's pair; events of other pairs do not count.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, in (0, 1]; 1 where no other event of the pair shares a candle. Run time is
        linear in rows plus candles spanned.

    References
    ----------
    López de Prado, *Advances in Financial Machine Learning*, 2018, chapter 4.

    Examples
    --------
    >>> average_uniqueness(np.array([0, 2, 9]), np.array([4, 6, 12]), np.zeros(3, np.int16))
    array([0.75, 0.75, 1.  ])
    """
    unique = np.empty(len(start))
    for mine in (pair == index for index in np.unique(pair)):
        unique[mine] = _uniqueness(start[mine], event_end[mine])
    return unique


def _uniqueness(start: NDArray[np.int64], event_end: NDArray[np.int64]) -> Weights:
    # An event that ends where it starts would span no candle: it gets that one.
    first, last = np.minimum(start + 1, event_end), event_end
    origin, candles = int(first.min()), int(last.max() - first.min()) + 1
    opened = np.bincount(first - origin, minlength=candles + 1)
    closed = np.bincount(last + 1 - origin, minlength=candles + 1)
    concurrency = np.cumsum(opened - closed)[:candles]
    shares = np.divide(1.0, concurrency, out=np.zeros(candles), where=concurrency > 0)
    # A mean over any interval is a difference of two cumulative sums.
    up_to = np.concatenate([[0.0], np.cumsum(shares)])
    return np.asarray((up_to[last + 1 - origin] - up_to[first - origin]) / (last - first + 1))


def recency(start: NDArray[np.int64], half_life_candles: float) -> Weights:
    """Exponential decay by age: 1 for the newest row, 0.5 one half-life earlier; never 0.

    Examples
    --------
    >>> recency(np.array([0, 10, 20]), half_life_candles=10.0)
    array([0.25, 0.5 , 1.  ])
    """
    half_lives = (start - start.max(initial=0)) / half_life_candles
    return np.asarray(np.exp2(np.maximum(half_lives, _MIN_EXPONENT)))


def class_balance(label: NDArray[np.int8]) -> Weights:
    """Weights under which all classes that occur have the same sum.

    They change the class shares that a model learns, and so bias its probabilities: the direction
    shrink calibrates buy against sell only and does not restore the share of hold.

    Examples
    --------
    >>> class_balance(np.array([0, 1, 1, 2], dtype=np.int8))
    array([1.33333333, 0.66666667, 0.66666667, 1.33333333])
    """
    counts = np.bincount(label.astype(np.intp), minlength=CLASS_COUNT)
    share = len(label) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return np.asarray(share[label.astype(np.intp)])
