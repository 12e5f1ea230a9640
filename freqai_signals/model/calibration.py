"""Probability calibration, fitted on purged rows that trained no tree."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, softmax

from freqai_signals.metrics import Labels, Probabilities, log_loss
from freqai_signals.schema import SignalClass
from freqai_signals.settings import CalibrationMethod, CalibrationSettings

_MIN_PROBABILITY: Final = 1e-9
_SELL, _HOLD, _BUY = (int(kind) for kind in SignalClass)


@dataclass(frozen=True)
class Calibrator:
    """A fitted map from raw to calibrated probabilities.

    Attributes
    ----------
    method
        ``none`` returns its input.
    values
        Its parameters: one temperature, or one slope for ``direction_shrink``.
    """

    method: CalibrationMethod = "none"
    values: tuple[tuple[float, ...], ...] = ()

    def __call__(self, probabilities: Probabilities) -> Probabilities:
        """Calibrated probabilities, shape ``(n, 3)``, rows sum to one."""
        return _APPLY[self.method](probabilities, self.values)


@dataclass(frozen=True)
class DirectionHistory:
    """Past out-of-sample predictions of direction, on which the slope of the shrink is fitted.

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
    clipped = np.clip(probabilities, _MIN_PROBABILITY, 1.0)
    return np.asarray(np.log(clipped[:, _BUY]) - np.log(clipped[:, _SELL]))


def direction_slope(
    history: DirectionHistory, initial: float, overlap: float, prior_rows: float = 50.0
) -> float:
    """Maximum a posteriori slope in [0, 1] of the direction log-odds.

    Parameters
    ----------
    history
        Past out-of-sample predictions.
    initial
        Slope without evidence, the mode of the prior.
    overlap
        Rows per independent outcome: rows whose events overlap are not independent.
    prior_rows
        Weight of the prior, in independent outcomes.
    """
    if not len(history.log_odds):
        return initial
    odds, bought = history.log_odds, history.bought
    signed = np.where(bought, odds, -odds)
    prior_buy = expit(initial * odds)
    if float(np.mean(np.square(odds))) == 0.0:
        return initial

    def loss(slope: float) -> float:
        observed = np.logaddexp(0.0, -slope * signed).mean() * len(odds) / max(overlap, 1.0)
        # The prior: outcomes expected under the initial slope, as if they had been observed.
        prior = prior_buy * np.logaddexp(0.0, -slope * odds)
        prior += (1 - prior_buy) * np.logaddexp(0.0, slope * odds)
        return float(observed + prior_rows * prior.mean())

    return float(minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded").x)


@dataclass(frozen=True)
class CalibrationRows:
    """Purged rows to calibrate on, sorted by time.

    ``raw`` has shape ``(n, 3)``, ``start`` and ``event_end`` are candle numbers; ``overlap`` is the
    number of rows per independent outcome.
    """

    labels: Labels
    raw: Probabilities
    start: NDArray[np.int64]
    event_end: NDArray[np.int64]
    overlap: float = 1.0


def fit_calibrator(
    rows: CalibrationRows, history: DirectionHistory, settings: CalibrationSettings
) -> Calibrator:
    """Fit the configured method, or ``none`` if it would worsen the log loss.

    ``temperature`` is fitted on the first half of the rows and tested on the second, purged of each
    other; only if it wins there is it fitted on all of them. The direction shrink is not tested on
    the rows: they chose the number of boosting rounds, which makes their direction look better than
    it is. It is fitted on ``history``, predictions of earlier models about what came after them;
    with few of them the prior decides, which may cost log loss there.
    """
    if settings.method == "direction_shrink":
        slope = direction_slope(history, settings.initial_slope, rows.overlap)
        return Calibrator("direction_shrink", ((slope,),))
    if settings.method == "none" or len(rows.labels) < settings.min_rows:
        return Calibrator()
    half = len(rows.labels) // 2
    early = rows.event_end[:half] < rows.start[half]
    if not early.any():
        return Calibrator()
    tried = _temperature(rows.labels[:half][early], rows.raw[:half][early])
    labels, raw = rows.labels[half:], rows.raw[half:]
    if log_loss(labels, tried(raw)) > log_loss(labels, raw):
        return Calibrator()
    return _temperature(rows.labels, rows.raw)


def _temperature(labels: Labels, raw: Probabilities) -> Calibrator:
    scores = _log(raw)

    def loss(log_temperature: float) -> float:
        return log_loss(labels, softmax(scores * np.exp(-log_temperature), axis=1))

    found = minimize_scalar(loss, bounds=(np.log(0.2), np.log(10.0)), method="bounded")
    return Calibrator("temperature", ((float(np.exp(found.x)),),))


def _log(probabilities: Probabilities) -> NDArray[np.float64]:
    return np.asarray(np.log(np.clip(probabilities, _MIN_PROBABILITY, 1.0)))


Values = tuple[tuple[float, ...], ...]


def _apply_none(probabilities: Probabilities, values: Values) -> Probabilities:
    return probabilities


def _apply_temperature(probabilities: Probabilities, values: Values) -> Probabilities:
    return np.asarray(softmax(_log(probabilities) / values[0][0], axis=1))


def _apply_direction_shrink(probabilities: Probabilities, values: Values) -> Probabilities:
    buy = expit(values[0][0] * direction_log_odds(probabilities))
    move = probabilities[:, _BUY] + probabilities[:, _SELL]
    return np.column_stack([move * (1.0 - buy), probabilities[:, _HOLD], move * buy])


_APPLY: Final[Mapping[Any, Callable[[Probabilities, Values], Probabilities]]] = {
    "none": _apply_none,
    "temperature": _apply_temperature,
    "direction_shrink": _apply_direction_shrink,
}
