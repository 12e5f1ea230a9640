"""What models stated before calibration, recovered from what they stated after it."""

from typing import Final

import numpy as np
from scipy.special import expit, softmax

from freqai_signals.metrics import Probabilities
from freqai_signals.model.calibration import Calibrator
from freqai_signals.model.direction import direction_log_odds
from freqai_signals.schema import SignalClass

_SMALLEST: Final = 1e-9


def uncalibrated(calibrator: Calibrator, probabilities: Probabilities) -> Probabilities | None:
    """Raw probabilities, shape ``(n, 3)``; None where the map has no inverse.

    The shrink of direction and temperature scaling can be undone, a slope of 0 cannot.

    Examples
    --------
    >>> raw = np.array([[0.1, 0.3, 0.6], [0.2, 0.7, 0.1]])
    >>> shrink = Calibrator("direction_shrink", ((0.5, 0.2, 1.0, 0.1),))
    >>> uncalibrated(shrink, shrink(raw)).round(6).tolist()
    [[0.1, 0.3, 0.6], [0.2, 0.7, 0.1]]
    """
    method, values = calibrator.method, calibrator.values
    if method == "none":
        return probabilities
    if method == "direction_shrink":
        return _unshrunk(probabilities, *values[0][:3])
    scores = np.log(np.clip(probabilities, _SMALLEST, 1.0))
    # What calibration took off each row to make it sum to 1 is a constant, which softmax drops.
    return np.asarray(softmax(scores * values[0][0], axis=1))


def _unshrunk(
    probabilities: Probabilities, inner: float, outer: float, knot: float
) -> Probabilities | None:
    if min(inner, outer) < _SMALLEST:
        return None
    stated = direction_log_odds(probabilities)
    size = np.abs(stated)
    # Without a knot there is no row beyond it.
    bend = inner * knot if np.isfinite(knot) else float(size.max(initial=0.0))
    raw = size.clip(max=bend) / inner + np.maximum(size - bend, 0.0) / outer
    buy = expit(np.copysign(raw, stated))
    hold = probabilities[:, SignalClass.HOLD]
    return np.column_stack([(1.0 - hold) * (1.0 - buy), hold, (1.0 - hold) * buy])
