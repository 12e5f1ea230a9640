"""What speaks as one model: boosters of several seeds, earlier windows' members, a linear model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from freqai_signals.metrics import Probabilities
from freqai_signals.model import booster
from freqai_signals.settings import ModelKind

Features = NDArray[np.float32]

_MOST_SPREADS = 10.0


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


@dataclass(frozen=True)
class LinearHead:
    """Logistic regression on standardised features, as arrays.

    Attributes
    ----------
    centre, spread
        Shape ``(m,)``, mean and standard deviation of the training rows.
    slopes
        Shape ``(m, 3)``, log-odds for each standard deviation.
    offsets
        Shape ``(3,)``.
    """

    centre: NDArray[np.float64]
    spread: NDArray[np.float64]
    slopes: NDArray[np.float64]
    offsets: NDArray[np.float64]

    def standardised(self, features: Features) -> NDArray[np.float64]:
        """Features in standard deviations from the mean, at most ten; shape ``(n, m)``."""
        values = (features.astype(np.float64) - self.centre) / self.spread
        return np.asarray(np.clip(values, -_MOST_SPREADS, _MOST_SPREADS, out=values))

    def raw(self, features: Features) -> Probabilities:
        """Uncalibrated probabilities, shape ``(n, 3)``."""
        values = self.standardised(features)
        scores = np.tile(self.offsets, (len(values), 1))
        # Feature by feature: a matrix product rounds a row differently in another batch.
        for column, slopes in zip(values.T, self.slopes, strict=True):
            scores += column[:, None] * slopes
        return np.asarray(softmax(scores, axis=1))


@dataclass(frozen=True)
class Members:
    """What was fitted on one set of rows.

    Attributes
    ----------
    heads
        One a seed; they are averaged.
    linear
        None if ``linear_weight`` is 0.
    linear_weight
        Share of the linear model in the raw probabilities.
    """

    heads: tuple[Head, ...]
    linear: LinearHead | None = None
    linear_weight: float = 0.0

    def raw(self, features: Features) -> Probabilities:
        """What the members say before calibration, shape ``(n, 3)``."""
        boosted = np.asarray(np.mean([head.raw(features) for head in self.heads], axis=0))
        if self.linear is None:
            return boosted
        share = self.linear_weight
        return (1.0 - share) * boosted + share * self.linear.raw(features)


@dataclass(frozen=True)
class Generation:
    """The members of one training window.

    Attributes
    ----------
    serving
        What predicts; where models are refitted, it has seen every row of its window.
    stopped
        The members before the refit, which have seen nothing of their window's hold-out. They stand
        in for ``serving`` wherever a later model must not know a row. None if nobody will ask.
    stopped_until
        Candle number at whose close the last outcome that ``stopped`` learnt from was known.
    """

    serving: Members
    stopped: Members | None = None
    stopped_until: int = 0


def mixed(members: Sequence[Members], decay: float, features: Features) -> Probabilities:
    """What members of several windows say together before calibration, shape ``(n, 3)``.

    Parameters
    ----------
    members
        Newest window first, at least one.
    decay
        Weight of each window beside the next newer one; all weights sum to one.
    features
        Shape ``(n, m)``.
    """
    if len(members) == 1:
        return members[0].raw(features)
    parts = [part.raw(features) for part in members]
    return np.asarray(np.average(parts, axis=0, weights=weights(len(parts), decay)))


def weights(count: int, decay: float) -> NDArray[np.float64]:
    """Weights of generations, newest first; they sum to one.

    Examples
    --------
    >>> weights(3, 0.5).round(3).tolist()
    [0.571, 0.286, 0.143]
    """
    raw = decay ** np.arange(count, dtype=np.float64)
    return np.asarray(raw / raw.sum())


def carried(
    previous: Sequence[Generation], snapshots: int, first_held_out: int
) -> tuple[Generation, ...]:
    """Earlier generations that may join a new model, newest first.

    A generation joins only with members that have learnt nothing from the new model's hold-out:
    else the mixture would look better there than it is, and be calibrated to that.

    Parameters
    ----------
    previous
        Generations of the model before, newest first.
    snapshots
        Most of them that are kept.
    first_held_out
        Candle number of the first row of the new hold-out.
    """
    return tuple(
        one
        for one in previous[:snapshots]
        if one.stopped is not None and one.stopped_until < first_held_out
    )
