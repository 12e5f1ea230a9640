"""What predicts before calibration: heads of boosters, one a seed, which are averaged."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freqai_signals.metrics import Probabilities
from freqai_signals.model import booster
from freqai_signals.settings import ModelKind

Features = NDArray[np.float32]


@dataclass(frozen=True)
class Head:
    """Boosters that together give the three raw probabilities.

    ``multiclass`` has one booster; ``two_stage`` has two, the first for moving at all, the second
    for buy against sell given a move.
    """

    kind: ModelKind
    boosters: tuple[booster.Fitted, ...]

    def raw(self, features: Features) -> Probabilities:
        """Uncalibrated probabilities, shape ``(n, 3)``."""
        if self.kind == "multiclass":
            return booster.predict(self.boosters[0], features)
        move = booster.predict(self.boosters[0], features)
        buy = booster.predict(self.boosters[1], features)
        return np.column_stack([move * (1.0 - buy), 1.0 - move, move * buy])


def raw_mean(heads: Sequence[Head], features: Features) -> Probabilities:
    """Mean of the heads' uncalibrated probabilities, shape ``(n, 3)``."""
    return np.asarray(np.mean([head.raw(features) for head in heads], axis=0))
