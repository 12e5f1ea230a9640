"""What the clock and recent volatility alone say about a class: the least that a model adds to.

A model beats the class prior by knowing that the market is livelier at some hours and after lively
ones, which needs no model: a multinomial logistic regression on a few such numbers knows it too.
Meteorology calls that baseline climatology; what a model is worth begins above it.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from freqai_signals.dataset.features import feature_groups
from freqai_signals.dataset.rows import TrainingRows, spread_rows
from freqai_signals.metrics import (
    Labels,
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
FITTED_ROWS: Final = 2000
"""Rows that a regression is fitted on, about: enough for a few numbers."""

_FEWEST_ROWS: Final = 100
_GROUPS: Final = ("volatility", "calendar")


def climatology(
    numbers: NDArray[np.floating], labels: Labels, wanted: NDArray[np.floating]
) -> Probabilities:
    """Class probabilities by a logistic regression.

    Parameters
    ----------
    numbers, labels
        Shapes ``(n, k)``, finite, and ``(n,)``: rows whose outcomes are known.
    wanted
        Shape ``(m, k)``: rows to state probabilities of.

    Returns
    -------
    numpy.ndarray
        Shape ``(m, 3)``; the smoothed class shares where a class is missing, rows are fewer than
        100, there is no number, or one of the row's is not finite.
    """
    stated = np.tile(class_prior(labels), (len(wanted), 1))
    usable = np.isfinite(wanted).all(axis=1)
    enough = len(labels) >= _FEWEST_ROWS and len(np.unique(labels)) == CLASS_COUNT
    if not (enough and numbers.shape[1] and usable.any()):
        return stated
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    model.fit(numbers, labels)
    stated[usable] = model.predict_proba(wanted[usable])
    return stated


def gain_over_climatology(
    past: TrainingRows, tail: TrainingRows, calibrated: Probabilities, settings: SignalSettings
) -> tuple[float, MeanTest]:
    """Skill over climatology on the hold-out, and a test of the gain a candle (nats).

    Climatology has the features of the groups ``volatility`` and ``calendar``, of ``past`` alone.
    """
    group_of = feature_groups(settings)
    columns = [i for i, name in enumerate(past.names) if group_of.get(name) in _GROUPS]
    fitted = spread_rows(len(past), FITTED_ROWS)
    stated = climatology(
        past.features[fitted][:, columns], past.label[fitted], tail.features[:, columns]
    )
    losses = log_losses(tail.label, stated)
    gains = losses - log_losses(tail.label, calibrated)
    days = (int(tail.start[-1]) - int(tail.start[0]) + 1) / settings.candles_per_day
    skill = float(gains.mean() / losses.mean())
    return skill, mean_test(candle_means(tail.start, gains), days)
