"""Heads of other labels that vote on direction, and the score they agree on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.metrics import Probabilities
from freqai_signals.model.ensemble import Members
from freqai_signals.schema import SignalClass
from freqai_signals.settings import SignalSettings
from freqai_signals.training.boosting import fit_members, refit
from freqai_signals.training.row_checks import missing_classes, why_not_trainable

_GRID: Final = np.linspace(0.0, 1.0, 1001)
_FURTHEST: Final = 1.0 / 2002.0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Vote:
    """The head of one label.

    Attributes
    ----------
    members
        Their raw probabilities are of that label.
    leaning
        Shape ``(1001,)``, quantiles of buy minus sell on the purged hold-out, said by members that
        had not learnt from it.
    """

    members: Members
    leaning: Floats

    def normal_score(self, features: NDArray[np.float32]) -> Floats:
        """Percentile of buy minus sell on the hold-out, as a standard normal; shape ``(n,)``."""
        place = np.interp(_leaning(self.members.raw(features)), self.leaning, _GRID)
        return np.asarray(ndtri(np.clip(place, _FURTHEST, 1.0 - _FURTHEST)))


@dataclass(frozen=True)
class Ballot:
    """All votes, and how large their score usually is.

    Attributes
    ----------
    votes
        One a label.
    sizes
        Shape ``(1001,)``, quantiles of the absolute score on the purged hold-out.
    """

    votes: tuple[Vote, ...]
    sizes: Floats

    def score(self, features: NDArray[np.float32]) -> Floats:
        """Mean normal score of complete rows, shape ``(n,)``: above 0 buy, below 0 sell."""
        return np.asarray(np.mean([vote.normal_score(features) for vote in self.votes], axis=0))

    def percentile(self, score: Floats) -> Floats:
        """Share of hold-out rows whose score was nearer to 0, in [0, 1]."""
        return np.asarray(np.interp(np.abs(score), self.sizes, _GRID))


def fit_ballot(
    past: TrainingRows,
    tail: TrainingRows,
    rows: TrainingRows,
    own: Members,
    settings: SignalSettings,
) -> Ballot | None:
    """Fit the heads of the label ensemble; None without one.

    Parameters
    ----------
    past, tail
        Purged of each other over all labels. The tail chooses the number of rounds of each head
        and ranks what they say.
    rows
        All rows of the window, for the refit if it is on.
    own
        Members fitted on ``past`` and ``tail`` for the model's own label; they vote if it is one
        of the ensemble's.
    settings
        Those of the model's own label hold for every head.
    """
    if past.votes is None:
        return None
    target = (settings.labels.kind, settings.label_horizon_candles)
    stopped = [
        own if label == target else fit_members(past.voting(place), tail.voting(place), settings)
        for place, label in enumerate(settings.labels.ensemble)
    ]
    votes = tuple(
        Vote(members, np.quantile(_leaning(members.raw(tail.features)), _GRID))
        for members in stopped
    )
    said = Ballot(votes, _GRID).score(tail.features)
    sizes = np.quantile(np.abs(said), _GRID)
    if not settings.model.refit:
        return Ballot(votes, sizes)
    return Ballot(_refitted(votes, rows, settings), sizes)


def mute_votes(past: TrainingRows, tail: TrainingRows, settings: SignalSettings) -> str:
    """Why a label of the ensemble cannot be learnt or judged; empty if all can."""
    for place, (kind, horizon) in enumerate(settings.labels.ensemble):
        reason = why_not_trainable(past.voting(place), settings) or missing_classes(
            tail.voting(place)
        )
        if reason:
            return f"label {kind} over {horizon} candles: {reason}"
    return ""


def _refitted(
    votes: Sequence[Vote], rows: TrainingRows, settings: SignalSettings
) -> tuple[Vote, ...]:
    factor = settings.model.refit_factor
    return tuple(
        Vote(refit(vote.members, rows.voting(place), settings, factor), vote.leaning)
        for place, vote in enumerate(votes)
    )


def _leaning(raw: Probabilities) -> Floats:
    return np.asarray(raw[:, SignalClass.BUY] - raw[:, SignalClass.SELL])
