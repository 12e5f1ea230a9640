"""Whether the mean of a serially dependent series differs from zero."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t


@dataclass(frozen=True)
class MeanTest:
    """Mean of a series with a standard error that allows for serial dependence.

    Attributes
    ----------
    mean
        In the unit of the series.
    standard_error
        In the same unit; infinite where there are too few values to say.
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
    only periods of two days and longer may tell how much a mean over days scatters.

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


def candle_means(candle: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over all rows of each candle, oldest first: pairs of one candle are not independent."""
    _, place = np.unique(candle, return_inverse=True)
    return np.asarray(np.bincount(place, weights=values) / np.bincount(place))
