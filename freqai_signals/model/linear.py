"""Logistic regression beside the boosters."""

from typing import Final

import numpy as np
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.dataset.weights import Weights
from freqai_signals.model.ensemble import LinearHead
from freqai_signals.schema import CLASS_COUNT

_INVERSE_PENALTY: Final = 0.01
"""scikit-learn's C. Rows overlap and features tell much the same, so weights are kept small."""

_LEAST_SPREAD: Final = 1e-6


def fit_linear(rows: TrainingRows, weight: Weights | None = None) -> LinearHead:
    """Multinomial logistic regression of the class on standardised features.

    Parameters
    ----------
    rows
        All three classes must be there.
    weight
        How much each row counts, shape ``(n,)``; None counts all the same.
    """
    features = rows.features.astype(np.float64)
    centre, spread = features.mean(axis=0), np.maximum(features.std(axis=0), _LEAST_SPREAD)
    shape = np.zeros((features.shape[1], CLASS_COUNT))
    empty = LinearHead(centre, spread, shape, np.zeros(CLASS_COUNT))
    model = LogisticRegression(C=_INVERSE_PENALTY, max_iter=1000)
    # Several threads would add in another order, and give other last digits on another machine.
    with threadpool_limits(1, user_api="blas"):
        model.fit(empty.standardised(rows.features), rows.label, weight)
    return LinearHead(centre, spread, np.ascontiguousarray(model.coef_.T), model.intercept_)
