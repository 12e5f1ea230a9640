"""Probability calibration, fitted on purged rows that trained no tree."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, softmax

from freqai_signals.metrics import Labels, Probabilities, log_loss
from freqai_signals.model.direction import (
    MIN_PROBABILITY,
    DirectionHistory,
    bent,
    direction_log_odds,
    direction_slopes,
)
from freqai_signals.schema import SignalClass
from freqai_signals.settings import CalibrationMethod, CalibrationSettings

_SELL, _HOLD, _BUY = (int(kind) for kind in SignalClass)


@dataclass(frozen=True)
class Calibrator:
    """A fitted map from raw to calibrated probabilities.

    Attributes
    ----------
    method
        ``none`` returns its input.
    values
        Its parameters: one temperature; for ``direction_shrink`` inner and outer slope, knot and
        standard error of :class:`DirectionSlopes`.
    """

    method: CalibrationMethod = "none"
    values: tuple[tuple[float, ...], ...] = ()

    def __call__(self, probabilities: Probabilities) -> Probabilities:
        """Calibrated probabilities, shape ``(n, 3)``, rows sum to one."""
        return _APPLY[self.method](probabilities, self.values)

    @property
    def has_direction(self) -> bool:
        """Whether buy and sell can differ; if not, they are equal to the last bit."""
        return self.method != "direction_shrink" or max(self.values[0][:2]) > 0

    @property
    def direction_error(self) -> float:
        """Standard error of the direction's slope as a share of it; 0 where it is not known."""
        if self.method != "direction_shrink" or not self.has_direction:
            return 0.0
        inner, _, _, error = self.values[0]
        return error / inner if inner > 0 and math.isfinite(error) else 0.0


@dataclass(frozen=True)
class CalibrationRows:
    """Purged rows to calibrate on, sorted by time.

    ``raw`` has shape ``(n, 3)``, ``start`` and ``event_end`` are candle numbers; ``overlap`` is the
    number of rows per independent outcome, ``block`` the candles within which outcomes of all
    pairs may depend on each other.
    """

    labels: Labels
    raw: Probabilities
    start: NDArray[np.int64]
    event_end: NDArray[np.int64]
    overlap: float = 1.0
    block: int = 1


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
        found = direction_slopes(history, settings.initial_slope, rows.overlap, rows.block)
        values = (found.inner, found.outer, found.knot, found.error)
        return Calibrator("direction_shrink", (values,))
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
    return np.asarray(np.log(np.clip(probabilities, MIN_PROBABILITY, 1.0)))


Values = tuple[tuple[float, ...], ...]


def _apply_none(probabilities: Probabilities, values: Values) -> Probabilities:
    return probabilities


def _apply_temperature(probabilities: Probabilities, values: Values) -> Probabilities:
    return np.asarray(softmax(_log(probabilities) / values[0][0], axis=1))


def _apply_direction_shrink(probabilities: Probabilities, values: Values) -> Probabilities:
    inner, outer, knot, _ = values[0]
    inside, beyond = bent(direction_log_odds(probabilities), knot)
    buy = expit(inner * inside + outer * beyond)
    move = probabilities[:, _BUY] + probabilities[:, _SELL]
    return np.column_stack([move * (1.0 - buy), probabilities[:, _HOLD], move * buy])


_APPLY: Final[Mapping[Any, Callable[[Probabilities, Values], Probabilities]]] = {
    "none": _apply_none,
    "temperature": _apply_temperature,
    "direction_shrink": _apply_direction_shrink,
}
