"""How much of the skill that a simulated market offers a model has captured."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freqai_signals.sandbox.market.dynamics import Array
from freqai_signals.sandbox.posterior.barrier_posterior import SimulatedPosterior
from freqai_signals.schema import CLASS_COUNT

Truth = NDArray[np.int64] | NDArray[np.float64]

_SMALLEST = 1e-12


@dataclass(frozen=True)
class SkillShare:
    """Skills on the same rows, against the same prior; ``share`` is ``model / attainable``."""

    model: float
    attainable: float
    rows: int

    @property
    def share(self) -> float:
        """Fraction of the attainable skill; NaN where there is none to attain."""
        return self.model / self.attainable if self.attainable > 0 else float("nan")


def class_frequencies(truth: Truth) -> Array:
    """Class prior of the rows: frequencies of classes, or means of given probabilities."""
    return np.asarray(_as_weights(truth).mean(axis=0), dtype=np.float64)


def log_loss_skill(proba: Array, truth: Truth, prior: Array) -> float:
    """1 - log loss / log loss of a constant prior.

    Parameters
    ----------
    proba
        Shape ``(n, 3)``.
    truth
        Classes, shape ``(n,)``; or the exact posterior, shape ``(n, 3)``, which gives the expected
        skill without the noise of the outcomes.
    prior
        Shape ``(3,)``, the class prior of the training rows.

    Returns
    -------
    float
        0 for the prior itself, negative for worse, 1 for certainty.

    Examples
    --------
    >>> prior = np.array([0.25, 0.5, 0.25])
    >>> log_loss_skill(np.tile(prior, (4, 1)), np.array([0, 1, 1, 2]), prior)
    0.0
    """
    weights = _as_weights(truth)
    constant = np.broadcast_to(prior, proba.shape)
    return 1.0 - _log_loss(proba, weights) / _log_loss(constant, weights)


def attainable_skill(
    posterior: Array | SimulatedPosterior, truth: Truth, prior: Array | None = None
) -> float:
    """Log-loss skill of the posterior itself.

    Parameters
    ----------
    posterior
        Exact probabilities, shape ``(n, 3)``, or simulated ones. Simulated frequencies are noisy,
        which raises their log loss by a term in 1/paths; it is extrapolated away with the two
        halves of the paths.
    truth, prior
        As in :func:`log_loss_skill`; the prior defaults to the frequencies in ``truth``.
    """
    prior = class_frequencies(truth) if prior is None else prior
    if not isinstance(posterior, SimulatedPosterior):
        return log_loss_skill(posterior, truth, prior)
    full = log_loss_skill(_smoothed(posterior.proba, posterior.paths), truth, prior)
    halves = [
        log_loss_skill(_smoothed(half, posterior.paths // 2), truth, prior)
        for half in posterior.halves
    ]
    # The bias goes with 1/paths, so half the paths have twice of it: the difference takes it out.
    return 2.0 * full - float(np.mean(halves))


def share_of_attainable_skill(
    proba: Array,
    posterior: Array | SimulatedPosterior,
    truth: Truth,
    prior: Array | None = None,
) -> SkillShare:
    """Compare a model with the best possible probabilities on the same rows.

    Parameters
    ----------
    proba
        The model's probabilities, shape ``(n, 3)``.
    posterior, truth, prior
        As in :func:`attainable_skill`. Give only rows that no tree was trained on.

    Returns
    -------
    SkillShare

    Notes
    -----
    The posterior knows the latent state, so a share of 1 is out of reach.
    """
    prior = class_frequencies(truth) if prior is None else prior
    model = log_loss_skill(proba, truth, prior)
    return SkillShare(model, attainable_skill(posterior, truth, prior), len(proba))


def _smoothed(frequencies: Array, paths: int) -> Array:
    # One path's worth of the mean keeps a class that no path reached from costing infinity.
    mean = frequencies.mean(axis=0)
    return np.asarray((frequencies * paths + mean) / (paths + 1.0), dtype=np.float64)


def _as_weights(truth: Truth) -> Array:
    if truth.ndim == 2:
        return np.asarray(truth, dtype=np.float64)
    return np.asarray(np.eye(CLASS_COUNT)[truth.astype(np.int64)], dtype=np.float64)


def _log_loss(proba: Array, weights: Array) -> float:
    return float(-np.mean(np.sum(weights * np.log(np.maximum(proba, _SMALLEST)), axis=1)))
