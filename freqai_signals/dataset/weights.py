"""How much each row counts in training: uniqueness, recency, class balance, multiplied.

Held-out rows are never weighted: early stopping, calibration and every measurement count each row
once, so that probabilities speak of candles as they come.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.schema import CLASS_COUNT
from freqai_signals.settings import SignalSettings

Weights = NDArray[np.float64]

_LEAST_EXPONENT: Final = -900.0
"""Two to the power of less than about -1,000 would round to zero."""


def training_weights(rows: TrainingRows, settings: SignalSettings) -> Weights | None:
    """The product of all weights that are switched on.

    Parameters
    ----------
    rows
        What is trained on. Only these rows shape the weights, so nothing later can.
    settings
        ``weights`` says which; the candle length turns days into candles.

    Returns
    -------
    numpy.ndarray or None
        Shape ``(n,)``, mean 1. None where every row counts the same.

    Raises
    ------
    ValueError
        If the product is no weight: see :func:`of_mean_one`.
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
    """Scale weights to mean 1, so that regularisation means what it means without them.

    Raises
    ------
    ValueError
        If one of them is negative, infinite or NaN, or none is above zero.
    """
    bad = np.flatnonzero(~np.isfinite(weights) | (weights < 0))
    if len(bad):
        raise ValueError(
            f"weights must be finite and not negative: {len(bad)} of {len(weights)} are not, the "
            f"first is {weights[bad[0]]} in row {bad[0]}; switch parts of freqai.signals.weights "
            "off to find the one that gives it"
        )
    mean = float(weights.mean()) if len(weights) else 0.0
    if mean == 0.0:
        raise ValueError(
            f"all {len(weights)} weights are zero, at least one row must count; lengthen "
            "freqai.signals.weights.recency_half_life_days or switch weights off"
        )
    return np.asarray(weights / mean)


def effective_rows(weights: Weights) -> float:
    """Rows of equal weight that tell as much: squared sum over sum of squares (Kish).

    Examples
    --------
    >>> effective_rows(np.ones(8)), effective_rows(np.array([1.0, 0.0, 0.0, 0.0]))
    (8.0, 1.0)
    """
    return float(np.square(weights.sum()) / np.square(weights).sum())


def average_uniqueness(
    start: NDArray[np.int64], event_end: NDArray[np.int64], pair: NDArray[np.int16]
) -> Weights:
    """How much of each row's event it does not share with other rows of its pair.

    At each candle whose price decides an event, those after ``start`` up to ``event_end``, the row
    gets one over the number of the pair's rows whose events span that candle; the weight is the
    mean of these. Rows left out of training share nothing: with every n-th candle kept, only the
    kept ones count.

    Parameters
    ----------
    start, event_end
        Shape ``(n,)``, candle numbers, in any order.
    pair
        Shape ``(n,)``, index of the row's pair; events of other pairs do not count.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, in (0, 1]; 1 where no other event of the pair shares a candle. Takes time in
        proportion to rows plus candles spanned.

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
    # An event that ends where it starts is decided at that candle.
    first, last = np.minimum(start + 1, event_end), event_end
    origin, candles = int(first.min()), int(last.max() - first.min()) + 1
    opened = np.bincount(first - origin, minlength=candles + 1)
    closed = np.bincount(last + 1 - origin, minlength=candles + 1)
    concurrency = np.cumsum(opened - closed)[:candles]
    shares = np.divide(1.0, concurrency, out=np.zeros(candles), where=concurrency > 0)
    up_to = np.concatenate([[0.0], np.cumsum(shares)])
    return np.asarray((up_to[last + 1 - origin] - up_to[first - origin]) / (last - first + 1))


def recency(start: NDArray[np.int64], half_life_candles: float) -> Weights:
    """1 for the newest row, half as much for one that is a half-life older; never quite 0.

    Examples
    --------
    >>> recency(np.array([0, 10, 20]), half_life_candles=10.0)
    array([0.25, 0.5 , 1.  ])
    """
    half_lives = (start - start.max(initial=0)) / half_life_candles
    return np.asarray(np.exp2(np.maximum(half_lives, _LEAST_EXPONENT)))


def class_balance(label: NDArray[np.int8]) -> Weights:
    """Weights under which all classes that occur have the same sum.

    They change the class shares that a model learns, and so its probabilities: calibration, which
    mends directions only, does not bring hold back to its real share.

    Examples
    --------
    >>> class_balance(np.array([0, 1, 1, 2], dtype=np.int8))
    array([1.33333333, 0.66666667, 0.66666667, 1.33333333])
    """
    counts = np.bincount(label.astype(np.intp), minlength=CLASS_COUNT)
    share = len(label) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return np.asarray(share[label.astype(np.intp)])
