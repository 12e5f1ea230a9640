"""What models stated before calibration, recovered from what they stated after it."""

from typing import Final

import numpy as np
from scipy.special import expit, softmax

from freqai_signals.metrics import Probabilities
from freqai_signals.model.calibration import Calibrator, direction_log_odds
from freqai_signals.schema import SignalClass

_SMALLEST: Final = 1e-9


def uncalibrated(calibrator: Calibrator, probabilities: Probabilities) -> Probabilities | None:
    """Raw probabilities, shape ``(n, 3)``; None where the map has no inverse.

    The shrink of direction, temperature and vector scaling can be undone; isotonic regression
    cannot, and neither can slopes of 0 and below.

    Examples
    --------
    >>> raw = np.array([[0.1, 0.3, 0.6], [0.2, 0.7, 0.1]])
    >>> shrink = Calibrator("direction_shrink", ((0.5,),))
    >>> uncalibrated(shrink, shrink(raw)).round(6).tolist()
    [[0.1, 0.3, 0.6], [0.2, 0.7, 0.1]]
    """
    method, values = calibrator.method, calibrator.values
    if method == "none":
        return probabilities
    if method == "direction_shrink":
        return _unshrunk(probabilities, values[0][0])
    scores = np.log(np.clip(probabilities, _SMALLEST, 1.0))
    if method == "temperature":
        return np.asarray(softmax(scores * values[0][0], axis=1))
    if method == "vector" and min(values[0]) > 0:
        return _unscaled(scores - np.array(values[1]), np.array(values[0]))
    return None


def _unscaled(scores: Probabilities, slopes: Probabilities) -> Probabilities:
    """The rows of sum 1 among all that vector scaling maps to the same probabilities.

    Softmax forgets a constant of each row; a larger one makes every raw probability larger, so
    that halving an interval finds it.
    """
    low = (scores / slopes).min(axis=1) * slopes.max() - 50.0
    high = -low + 100.0
    for _ in range(100):
        middle = (low + high) / 2.0
        raw = np.exp(np.minimum((scores + middle[:, None]) / slopes, 50.0))
        above = raw.sum(axis=1) > 1.0
        high, low = np.where(above, middle, high), np.where(above, low, middle)
    return np.asarray(raw / raw.sum(axis=1, keepdims=True))


def _unshrunk(probabilities: Probabilities, slope: float) -> Probabilities | None:
    if slope < _SMALLEST:
        return None
    buy = expit(direction_log_odds(probabilities) / slope)
    hold = probabilities[:, SignalClass.HOLD]
    return np.column_stack([(1.0 - hold) * (1.0 - buy), hold, (1.0 - hold) * buy])
