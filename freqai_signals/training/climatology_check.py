"""What the hour and the recent volatility alone say about a class: the least that a model adds to.

A model beats the class prior by knowing that the market is livelier at some hours and after lively
ones, which needs no model. Class shares by hour of the day and fifth of volatility are the baseline
that meteorology calls climatology; what a model is worth begins above it.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from freqai_signals.dataset.features import feature_groups
from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.metrics import (
    MeanTest,
    Probabilities,
    candle_means,
    class_prior,
    log_losses,
    mean_test,
)
from freqai_signals.schema import CLASS_COUNT
from freqai_signals.settings import SignalSettings

SIGNIFICANCE: Final = 0.05
_FIFTHS: Final = 5
_HOURS: Final = 24
# A cell of few rows is drawn to the prior with the weight of this many.
_PRIOR_ROWS: Final = 50.0


def climatology(past: TrainingRows, rows: TrainingRows, settings: SignalSettings) -> Probabilities:
    """Class shares of ``past`` in the hour and fifth of volatility of each of the ``rows``.

    Parameters
    ----------
    past
        Rows whose outcomes are known; the fifths are theirs too.
    rows
        Rows to predict, with the same features.
    settings
        Candle length, and which features are of volatility: the first of them is used, the hour
        alone without any.

    Returns
    -------
    numpy.ndarray
        Shape ``(n, 3)``.
    """
    group_of = feature_groups(settings)
    names = [name for name in past.names if group_of.get(name) == "volatility"]
    column = past.names.index(names[0]) if names else -1
    edges = np.empty(0)
    if names:
        edges = np.quantile(past.features[:, column], np.arange(1, _FIFTHS) / _FIFTHS)

    def cells(part: TrainingRows) -> NDArray[np.int64]:
        hour = part.start * settings.candle_seconds // 3600 % _HOURS
        fifth = np.searchsorted(edges, part.features[:, column], side="right")
        return np.asarray(hour * _FIFTHS + fifth, dtype=np.int64)

    counts = np.zeros((_HOURS * _FIFTHS, CLASS_COUNT))
    np.add.at(counts, (cells(past), past.label.astype(np.intp)), 1.0)
    shares = counts + _PRIOR_ROWS * class_prior(past.label)
    shares /= shares.sum(axis=1, keepdims=True)
    return np.asarray(shares[cells(rows)])


def gain_over_climatology(
    past: TrainingRows, tail: TrainingRows, calibrated: Probabilities, settings: SignalSettings
) -> tuple[float, MeanTest]:
    """Skill over climatology on the hold-out, and a test of the gain a candle (nats)."""
    losses = log_losses(tail.label, climatology(past, tail, settings))
    gains = losses - log_losses(tail.label, calibrated)
    days = (int(tail.start[-1]) - int(tail.start[0]) + 1) / settings.candles_per_day
    skill = float(gains.mean() / losses.mean())
    return skill, mean_test(candle_means(tail.start, gains), days)
