"""Tiers of confidence, and tags of signals."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from freqai_signals.schema import SignalClass
from freqai_signals.settings import DecisionSettings
from freqai_signals.signals.predictions import Floats


class Strength(IntEnum):
    """Confidence tier of a signal: how rarely the model is that confident."""

    NONE = 0
    WEAK = 1
    MEDIUM = 2
    STRONG = 3


def strengths(confidence: Floats, settings: DecisionSettings) -> NDArray[np.int8]:
    """Tier of each confidence, shape ``(n,)``; a tier begins at its threshold.

    Parameters
    ----------
    confidence
        Shape ``(n,)``, percentiles in [0, 1]; NaN has no strength.
    settings
        Gives ``weak``, ``medium`` and ``strong``.

    Examples
    --------
    >>> strengths(np.array([0.5, 0.90, 0.97, 0.995]), DecisionSettings())
    array([0, 1, 2, 3], dtype=int8)
    """
    known = np.where(np.isnan(confidence), -1.0, confidence)
    tiers = [settings.weak, settings.medium, settings.strong]
    # With equal thresholds the strongest tier applies.
    return np.searchsorted(tiers, known, side="right").astype(np.int8)


def tag(signal: SignalClass, strength: Strength) -> str:
    """Tag of an emitted signal, for freqtrade's tag statistics.

    Examples
    --------
    >>> tag(SignalClass.BUY, Strength.STRONG), tag(SignalClass.HOLD, Strength.NONE)
    ('buy_strong', 'hold')
    """
    if strength == Strength.NONE:
        return signal.name.lower()
    return f"{signal.name.lower()}_{strength.name.lower()}"
