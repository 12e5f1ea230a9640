"""How good probabilities are. Rows are candles, columns the classes sell, hold, buy.

Every function takes labels of shape ``(n,)`` in {0, 1, 2} and probabilities of shape ``(n, 3)``
that sum to one; rows whose outcome is unknown have to be left out before.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t
from sklearn.metrics import accuracy_score, precision_score, roc_auc_score

from freqai_signals.schema import CLASS_COUNT, SignalClass

Labels = NDArray[np.int8]
Probabilities = NDArray[np.float64]

_SMALLEST = 1e-15


def log_losses(labels: Labels, probabilities: Probabilities) -> NDArray[np.float64]:
    """Negative log of the probability given to what happened, per row, in nats."""
    chosen = probabilities[np.arange(len(labels)), labels.astype(np.intp)]
    return -np.log(np.clip(chosen, _SMALLEST, 1.0))


def log_loss(labels: Labels, probabilities: Probabilities) -> float:
    """Mean of :func:`log_losses`; NaN without rows."""
    return float(log_losses(labels, probabilities).mean()) if len(labels) else float("nan")


def class_prior(labels: Labels) -> Probabilities:
    """Shares of the three classes, shape ``(3,)``, smoothed by one row a class.

    Examples
    --------
    >>> class_prior(np.array([0, 1, 1, 2, 2, 2, 1], dtype=np.int8))
    array([0.2, 0.4, 0.4])
    """
    counts = np.bincount(labels.astype(np.intp), minlength=CLASS_COUNT) + 1.0
    return np.asarray(counts / counts.sum())


def skill(labels: Labels, probabilities: Probabilities, prior: Probabilities) -> float:
    """Log-loss skill, 1 - loss / loss of the prior: 0 is the prior, 1 is certainty.

    ``prior`` has shape ``(3,)`` or ``(n, 3)`` and must come from the training window.
    """
    baseline = np.broadcast_to(prior, probabilities.shape)
    return 1.0 - log_loss(labels, probabilities) / log_loss(labels, baseline)


def brier(labels: Labels, probabilities: Probabilities) -> float:
    """Mean squared distance between probabilities and what happened, in [0, 2]."""
    happened = np.eye(CLASS_COUNT)[labels.astype(np.intp)]
    return float(np.square(probabilities - happened).sum(axis=1).mean())


def expected_calibration_error(
    labels: Labels, probabilities: Probabilities, bins: int = 20
) -> float:
    """Mean gap between the top probability and its hit rate, over equal-width bins.

    Guo et al., "On Calibration of Modern Neural Networks" (2017).
    """
    top = probabilities.max(axis=1)
    hit = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    place = np.minimum((top * bins).astype(np.intp), bins - 1)
    gap = np.bincount(place, weights=hit - top, minlength=bins)
    return float(np.abs(gap).sum() / len(labels)) if len(labels) else float("nan")


def direction_auc(labels: Labels, probabilities: Probabilities) -> float:
    """AUC of buy against sell among the rows that moved; 0.5 is a coin flip, NaN if one-sided."""
    moved = labels != SignalClass.HOLD
    buy = labels[moved] == SignalClass.BUY
    sell_side, buy_side = probabilities[moved, SignalClass.SELL], probabilities[moved, -1]
    return _auc(buy, buy_side / np.maximum(buy_side + sell_side, _SMALLEST))


def move_auc(labels: Labels, probabilities: Probabilities) -> float:
    """AUC of move against hold; NaN if only one of them happened."""
    return _auc(labels != SignalClass.HOLD, 1.0 - probabilities[:, SignalClass.HOLD])


def _auc(positive: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    if positive.all() or not positive.any():
        return float("nan")
    return float(roc_auc_score(positive, score))


def class_counts(labels: Labels) -> dict[str, int]:
    """Rows per class by name."""
    return {kind.name.lower(): int((labels == kind).sum()) for kind in SignalClass}


def summary(labels: Labels, probabilities: Probabilities, prior: Probabilities) -> dict[str, float]:
    """All of the above plus accuracy and weighted precision, by name."""
    predicted = probabilities.argmax(axis=1)
    return {
        "rows": float(len(labels)),
        "accuracy": float(accuracy_score(labels, predicted)),
        "weighted_precision": float(
            precision_score(labels, predicted, average="weighted", zero_division=0)
        ),
        "log_loss": log_loss(labels, probabilities),
        "log_loss_prior": log_loss(labels, np.broadcast_to(prior, probabilities.shape)),
        "skill": skill(labels, probabilities, prior),
        "brier": brier(labels, probabilities),
        "ece": expected_calibration_error(labels, probabilities),
        "direction_auc": direction_auc(labels, probabilities),
        "move_auc": move_auc(labels, probabilities),
    }


@dataclass(frozen=True)
class MeanTest:
    """Mean of a series with a standard error that allows for serial dependence.

    Attributes
    ----------
    mean
        In the unit of the series.
    standard_error
        In the same unit; infinite where there are too few values.
    degrees
        Degrees of freedom of the t distribution.
    """

    mean: float
    standard_error: float
    degrees: int

    def bound(self, significance: float) -> float:
        """Lower bound of the true mean, one-sided; wrong in a share ``significance`` of cases."""
        if not math.isfinite(self.standard_error):
            return -math.inf
        quantile = float(student_t.ppf(1.0 - significance, self.degrees))
        return self.mean - quantile * self.standard_error


def mean_test(values: NDArray[np.float64], days: float) -> MeanTest:
    r"""Test the mean of an equally spaced series.

    The long-run variance is the equal-weighted cosine estimate, whose t statistic follows Student's
    distribution with as many degrees of freedom as cosines even in short series:

    .. math:: \Lambda_j = \sqrt{2/T} \sum_t x_t \cos(\pi j (t - 1/2) / T), \qquad
              \hat\Omega = \frac{1}{\nu} \sum_{j=1}^{\nu} \Lambda_j^2

    with :math:`\nu = 0.41\, T^{2/3}`, but at most one a day: losses are dependent within a day, so
    only periods of two days and longer may show how much a mean over days scatters.

    Parameters
    ----------
    values
        Shape ``(n,)``, oldest first.
    days
        Days that the series covers.

    References
    ----------
    Lazarus, Lewis, Stock, Watson, "HAR Inference: Recommendations for Practice", Journal of
    Business & Economic Statistics 36 (2018); Diebold and Mariano, "Comparing Predictive Accuracy",
    ibid. 13 (1995).

    Examples
    --------
    >>> test = mean_test(np.tile([0.0, 1.0], 500), days=10)
    >>> test.mean, test.degrees
    (0.5, 10)
    """
    count = len(values)
    if count < 8:
        return MeanTest(float(values.mean()) if count else float("nan"), math.inf, 1)
    degrees = max(3, min(round(0.41 * count ** (2 / 3)), int(days), count - 1))
    place = np.pi * (np.arange(count) + 0.5) / count
    waves = np.cos(np.arange(1, degrees + 1)[:, None] * place)
    parts = math.sqrt(2.0 / count) * waves @ (values - values.mean())
    error = math.sqrt(float(np.mean(np.square(parts))) / count)
    return MeanTest(float(values.mean()), error, degrees)


@dataclass(frozen=True)
class BlockSlope:
    """Slope through the origin with a standard error that allows for dependence within blocks.

    Attributes
    ----------
    value
        Least squares slope of the outcomes on the predictions; NaN without a prediction but 0.
    error
        Its standard error; infinite with fewer than two blocks.
    blocks
        Blocks with at least one row.
    """

    value: float
    error: float
    blocks: int


def block_slope(
    predicted: NDArray[np.float64], realised: NDArray[np.float64], block: NDArray[np.int64]
) -> BlockSlope:
    r"""Slope of outcomes on predictions, whose outcomes are dependent within blocks of time.

    .. math:: \hat b = \frac{\sum_i x_i y_i}{\sum_i x_i^2}, \qquad
              s^2 = \frac{G}{G-1}
              \frac{\sum_g (\sum_{i \in g} x_i (y_i - \hat b x_i))^2}{(\sum_i x_i^2)^2}

    Parameters
    ----------
    predicted, realised
        Shape ``(n,)``, finite.
    block
        Shape ``(n,)``: rows of one number, of all pairs, count as one observation.

    References
    ----------
    Liang and Zeger, "Longitudinal data analysis using generalized linear models", Biometrika 73
    (1986).

    Examples
    --------
    >>> slope = block_slope(np.array([1.0, 1.0, 2.0]), np.array([2.0, 0.0, 2.0]), np.arange(3))
    >>> slope.value, round(slope.error, 3), slope.blocks
    (1.0, 0.289, 3)
    """
    power = float(np.square(predicted).sum())
    names, place = np.unique(block, return_inverse=True)
    if not power > 0:
        return BlockSlope(float("nan"), math.inf, len(names))
    value = float((predicted * realised).sum()) / power
    if len(names) < 2:
        return BlockSlope(value, math.inf, len(names))
    scores = np.bincount(place, predicted * (realised - value * predicted))
    variance = float(np.square(scores).sum()) * len(names) / (len(names) - 1)
    return BlockSlope(value, math.sqrt(variance) / power, len(names))


def candle_means(candle: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over all rows of each candle, oldest first: pairs of one candle are not independent."""
    _, place = np.unique(candle, return_inverse=True)
    return np.asarray(np.bincount(place, weights=values) / np.bincount(place))


def margins(probabilities: Probabilities) -> NDArray[np.float64]:
    """Absolute difference of buy and sell probability, shape ``(n,)``."""
    buy, sell = probabilities[:, SignalClass.BUY], probabilities[:, SignalClass.SELL]
    return np.asarray(np.abs(buy - sell))
