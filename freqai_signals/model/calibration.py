"""Probability calibration, fitted on purged rows that trained no tree."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_softmax, softmax
from sklearn.isotonic import IsotonicRegression

from freqai_signals.metrics import Labels, Probabilities, log_loss
from freqai_signals.schema import CLASS_COUNT, SignalClass
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
        Its parameters: ``temperature``: one; ``vector``: three slopes, three offsets;
        ``direction_shrink``: one slope; ``isotonic``: knots of each class.
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

    With ``auto`` every method is fitted on the first half of the rows and evaluated on the second;
    the best one is then fitted on all of them. Any other method is evaluated in the same way and
    replaced by ``none`` if that is better. The exception is ``direction_shrink``: the number of
    boosting rounds was chosen on these rows, which makes their direction look better than it is.
    It is fitted on ``history``, predictions of earlier models for rows after their training, and
    cannot worsen the log loss there, since a slope of 1 changes nothing.
    """
    if settings.method == "none":
        return Calibrator()
    if settings.method == "direction_shrink":
        return _fit("direction_shrink", rows, history, settings)
    if len(rows.labels) < settings.min_rows:
        return Calibrator()
    candidates: Sequence[CalibrationMethod] = (
        ("temperature", "vector", "isotonic", "direction_shrink")
        if settings.method == "auto"
        else (settings.method,)
    )
    losses = _validation_losses(candidates, rows, history, settings)
    best = min(candidates, key=lambda method: losses[method])
    if losses[best] > losses["none"]:
        return Calibrator()
    return _fit(best, rows, history, settings)


def _validation_losses(
    methods: Sequence[CalibrationMethod],
    rows: CalibrationRows,
    history: DirectionHistory,
    settings: CalibrationSettings,
) -> dict[CalibrationMethod, float]:
    half = len(rows.labels) // 2
    boundary = rows.start[half]
    # Purged: an outcome known only after the boundary shares candles with the second half.
    early = rows.event_end[:half] < boundary
    labels, raw = rows.labels[half:], rows.raw[half:]
    losses: dict[CalibrationMethod, float] = {"none": log_loss(labels, raw)}
    if not early.any():
        return losses | dict.fromkeys(methods, np.inf)
    first = CalibrationRows(
        rows.labels[:half][early], rows.raw[:half][early],
        rows.start[:half][early], rows.event_end[:half][early], rows.overlap,
    )  # fmt: skip
    past = history.event_end < boundary
    known = DirectionHistory(history.event_end[past], history.log_odds[past], history.bought[past])
    for method in methods:
        losses[method] = log_loss(labels, _fit(method, first, known, settings)(raw))
    return losses


def _fit(
    method: CalibrationMethod,
    rows: CalibrationRows,
    history: DirectionHistory,
    settings: CalibrationSettings,
) -> Calibrator:
    if method == "direction_shrink":
        slope = direction_slope(history, settings.initial_slope, rows.overlap)
        return Calibrator(method, ((slope,),))
    if method == "temperature":
        return Calibrator(method, ((_temperature(rows),),))
    if method == "vector":
        return Calibrator(method, _vector(rows))
    return Calibrator("isotonic", _isotonic(rows))


def _temperature(rows: CalibrationRows) -> float:
    scores = _log(rows.raw)

    def loss(log_temperature: float) -> float:
        return log_loss(rows.labels, softmax(scores * np.exp(-log_temperature), axis=1))

    found = minimize_scalar(loss, bounds=(np.log(0.2), np.log(10.0)), method="bounded")
    return float(np.exp(found.x))


def _vector(rows: CalibrationRows) -> tuple[tuple[float, ...], ...]:
    scores = _log(rows.raw)
    one_hot = np.eye(CLASS_COUNT)[rows.labels.astype(np.intp)]

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = scores * values[:CLASS_COUNT] + values[CLASS_COUNT:]
        residual = softmax(logits, axis=1) - one_hot
        gradient = np.concatenate([(residual * scores).mean(axis=0), residual.mean(axis=0)])
        value = -(log_softmax(logits, axis=1) * one_hot).sum(axis=1).mean()
        return float(value), gradient

    start = np.array([1.0] * CLASS_COUNT + [0.0] * CLASS_COUNT)
    found = minimize(loss, start, jac=True, method="L-BFGS-B")
    return (tuple(found.x[:CLASS_COUNT].tolist()), tuple(found.x[CLASS_COUNT:].tolist()))


def _isotonic(rows: CalibrationRows) -> tuple[tuple[float, ...], ...]:
    knots: list[tuple[float, ...]] = []
    for kind in range(CLASS_COUNT):
        fitted = IsotonicRegression(y_min=_MIN_PROBABILITY, y_max=1.0, out_of_bounds="clip")
        fitted.fit(rows.raw[:, kind], rows.labels == kind)
        knots += [tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist())]
    return tuple(knots)


def _log(probabilities: Probabilities) -> NDArray[np.float64]:
    return np.asarray(np.log(np.clip(probabilities, _MIN_PROBABILITY, 1.0)))


Values = tuple[tuple[float, ...], ...]


def _apply_none(probabilities: Probabilities, values: Values) -> Probabilities:
    return probabilities


def _apply_temperature(probabilities: Probabilities, values: Values) -> Probabilities:
    return np.asarray(softmax(_log(probabilities) / values[0][0], axis=1))


def _apply_vector(probabilities: Probabilities, values: Values) -> Probabilities:
    return np.asarray(softmax(_log(probabilities) * values[0] + np.array(values[1]), axis=1))


def _apply_isotonic(probabilities: Probabilities, values: Values) -> Probabilities:
    mapped = np.column_stack(
        [
            np.interp(probabilities[:, kind], values[2 * kind], values[2 * kind + 1])
            for kind in range(CLASS_COUNT)
        ]
    )
    return np.asarray(mapped / mapped.sum(axis=1, keepdims=True))


def _apply_direction_shrink(probabilities: Probabilities, values: Values) -> Probabilities:
    buy = expit(values[0][0] * direction_log_odds(probabilities))
    move = probabilities[:, _BUY] + probabilities[:, _SELL]
    return np.column_stack([move * (1.0 - buy), probabilities[:, _HOLD], move * buy])


_APPLY: Final[Mapping[Any, Callable[[Probabilities, Values], Probabilities]]] = {
    "none": _apply_none,
    "temperature": _apply_temperature,
    "vector": _apply_vector,
    "isotonic": _apply_isotonic,
    "direction_shrink": _apply_direction_shrink,
}
