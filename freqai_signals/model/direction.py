"""Direction, buy against sell given a move: past predictions and the slopes they bear out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from freqai_signals.metrics import Labels, Probabilities
from freqai_signals.schema import SignalClass

Floats = NDArray[np.float64]

MIN_PROBABILITY: Final = 1e-9
_KNOT_QUANTILE: Final = 0.9
_STEEPEST: Final = 3.0
_FEWEST_BLOCKS: Final = 10
_SELL, _HOLD, _BUY = (int(kind) for kind in SignalClass)


@dataclass(frozen=True)
class DirectionHistory:
    """Past out-of-sample predictions of direction, on which the slopes of the shrink are fitted.

    Passed from model to model. Only rows that moved are kept; each was predicted by a model that
    had not been trained on it, and its outcome was known when the next model was trained.

    Attributes
    ----------
    event_end
        Shape ``(n,)``, candle numbers at whose close the outcomes were known.
    log_odds
        Shape ``(n,)``, raw log-odds of buy against sell.
    bought
        Shape ``(n,)``, whether the realised class was buy.
    """

    event_end: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    log_odds: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    bought: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))

    def extended(
        self,
        event_end: NDArray[np.int64],
        labels: Labels,
        raw: Probabilities,
        max_rows: int = 200_000,
    ) -> "DirectionHistory":
        """The history plus later rows that moved; only the newest ``max_rows`` are kept."""
        last = self.event_end.max(initial=np.iinfo(np.int64).min)
        new = (labels != _HOLD) & (event_end > last)
        ends = np.concatenate([self.event_end, event_end[new]])
        odds = np.concatenate([self.log_odds, direction_log_odds(raw[new])])
        bought = np.concatenate([self.bought, labels[new] == _BUY])
        # The newest by outcome, in their original order.
        keep = np.sort(np.argsort(ends, kind="stable")[-max_rows:])
        return DirectionHistory(ends[keep], odds[keep], bought[keep])


def direction_log_odds(probabilities: Probabilities) -> NDArray[np.float64]:
    """Log-odds of buy against sell, shape ``(n,)``."""
    clipped = np.clip(probabilities, MIN_PROBABILITY, 1.0)
    return np.asarray(np.log(clipped[:, _BUY]) - np.log(clipped[:, _SELL]))


@dataclass(frozen=True)
class DirectionSlopes:
    """Shrink of the direction log-odds: one slope in the middle, another at the extremes.

    Attributes
    ----------
    inner, outer
        Slopes up to ``knot`` and beyond it. Both 0 where past predictions show no direction.
    knot
        Absolute raw log-odds.
    error
        Standard error of one slope for all rows; infinite where there is too little history.
    """

    inner: float
    outer: float
    knot: float = math.inf
    error: float = math.inf


def direction_slopes(
    history: DirectionHistory,
    initial: float,
    overlap: float,
    block: int = 1,
    prior_rows: float = 50.0,
) -> DirectionSlopes:
    r"""Maximum a posteriori slopes of the direction log-odds, in [0, 3].

    .. math:: g(x) = a \,\mathrm{clip}(x, -k, k) + b\,(x - \mathrm{clip}(x, -k, k))

    with the 90 % quantile *k* of past absolute log-odds. It is monotone and maps 0 to 0, so that
    neither side is preferred. Where one slope for all rows does not exceed its standard error,
    the history shows no direction and both are 0. With fewer than ten blocks of history there is
    one slope, mostly the prior's.

    Parameters
    ----------
    history
        Past out-of-sample predictions.
    initial
        Slope without evidence, the mode of the prior.
    overlap
        Rows per independent outcome: rows whose events overlap are not independent.
    block
        Candles of a block, within which outcomes of all pairs may depend on each other.
    prior_rows
        Weight of the prior, in independent outcomes.
    """
    odds = history.log_odds
    if not len(odds) or not np.square(odds).any():
        return DirectionSlopes(initial, initial)
    weight = len(odds) / max(overlap, 1.0)
    posterior = _Posterior(odds, history.bought, expit(initial * odds), weight, prior_rows)
    slope = posterior.best([odds], initial)[0]
    error, blocks = _slope_error(history, slope, block)
    if blocks < _FEWEST_BLOCKS:
        return DirectionSlopes(slope, slope)
    if slope <= error:
        return DirectionSlopes(0.0, 0.0, error=error)
    knot = float(np.quantile(np.abs(odds), _KNOT_QUANTILE))
    inner, outer = posterior.best(list(bent(odds, knot)), slope)
    return DirectionSlopes(inner, outer, knot, error)


@dataclass(frozen=True)
class _Posterior:
    """Loss of slopes on past outcomes, and on those expected under the prior."""

    odds: Floats
    bought: NDArray[np.bool_]
    prior_buy: Floats
    weight: float
    prior_rows: float

    def best(self, parts: Sequence[Floats], first: float) -> tuple[float, ...]:
        """Slope of each part of the log-odds."""

        def loss(slopes: Floats) -> tuple[float, Floats]:
            score = sum((s * part for s, part in zip(slopes, parts, strict=True)), start=0.0)
            cost = np.logaddexp(0.0, np.where(self.bought, -score, score)).mean() * self.weight
            prior = self.prior_buy * np.logaddexp(0.0, -score)
            prior += (1.0 - self.prior_buy) * np.logaddexp(0.0, score)
            buy = expit(score)
            pull = (buy - self.bought) * self.weight + (buy - self.prior_buy) * self.prior_rows
            # Sums and no products of matrices, whose last bit may depend on threads.
            gradient = np.array([float((pull * part).mean()) for part in parts])
            return float(cost + self.prior_rows * prior.mean()), gradient

        start = np.full(len(parts), min(first, _STEEPEST))
        options = {"ftol": 1e-13, "gtol": 1e-9}
        bounds = [(0.0, _STEEPEST)] * len(parts)
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        return tuple(float(value) for value in found.x)


def _slope_error(history: DirectionHistory, slope: float, block: int) -> tuple[float, int]:
    """Standard error of one slope, outcomes of a block of time counting as one; and blocks."""
    odds, buy = history.log_odds, expit(slope * history.log_odds)
    names, place = np.unique(history.event_end // block, return_inverse=True)
    if len(names) < 2:
        return math.inf, len(names)
    scores = np.bincount(place, odds * (history.bought - buy))
    information = float((np.square(odds) * buy * (1.0 - buy)).sum())
    scatter = float(np.square(scores).sum()) * len(names) / (len(names) - 1)
    return math.sqrt(scatter) / information, len(names)


def bent(odds: Floats, knot: float) -> tuple[Floats, Floats]:
    """The part of log-odds within the knot, and the part beyond it."""
    inside = np.clip(odds, -knot, knot)
    return inside, odds - inside
