"""Page's test for a rise of a mean whose normal value is known.

river's detector was considered: it estimates the normal mean from the monitored stream itself and
has no warning zone, so it cannot use the mean of the model's purged rows, and importing it loads
146 modules for what is a dozen lines.
"""


class PageHinkley:
    r"""Cumulative sum of deviations above an allowance, and a limit on it.

    .. math:: S_t = \max(0,\; S_{t-1} + x_t - \delta), \qquad \text{drift when } S_t > \lambda

    Half the limit is a warning. The mean delay after a rise by :math:`\mu > \delta` is about
    :math:`\lambda / (\mu - \delta)` values.

    Parameters
    ----------
    limit
        :math:`\lambda`, in standard deviations of the values.
    allowance
        :math:`\delta`, likewise: half the rise that matters.

    References
    ----------
    Page, "Continuous Inspection Schemes", Biometrika 41 (1954).

    Examples
    --------
    >>> test = PageHinkley(limit=4.0)
    >>> for value in (0.1, -0.3, 2.0, 2.0, 2.0):
    ...     test.update(value)
    >>> test.statistic, test.warning_detected, test.drift_detected
    (4.5, True, True)
    """

    def __init__(self, limit: float = 12.0, allowance: float = 0.5) -> None:
        if not limit > 0 or allowance < 0:
            raise ValueError(
                f"limit must be positive and allowance at least 0, got {limit} and {allowance}"
            )
        self.limit = limit
        self.allowance = allowance
        self.statistic = 0.0

    @property
    def warning_detected(self) -> bool:
        """Whether the statistic exceeds half the limit."""
        return self.statistic > self.limit / 2

    @property
    def drift_detected(self) -> bool:
        """Whether the statistic exceeds the limit."""
        return self.statistic > self.limit

    def update(self, value: float) -> None:
        """Add the next value: deviation from the normal mean, in standard deviations."""
        self.statistic = max(0.0, self.statistic + value - self.allowance)
        # Without a cap, recovery would take as long as the bad period lasted.
        self.statistic = min(self.statistic, 2.0 * self.limit)
