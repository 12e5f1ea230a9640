"""One object that holds all it needs to turn features into calibrated probabilities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.holdout import Holdout
from freqai_signals.dataset.rows import feature_matrix
from freqai_signals.drift.training_reference import DriftReference
from freqai_signals.metrics import Probabilities
from freqai_signals.model import booster
from freqai_signals.model.calibration import Calibrator, DirectionHistory
from freqai_signals.model.card import ModelCard
from freqai_signals.model.ensemble import Head, raw_mean
from freqai_signals.model.reference import ClassReturns, MarginReference, NoveltyReference
from freqai_signals.schema import ABSTAINING_ROW, CLASS_COUNT, PROBA_COLUMNS, SignalClass

ABSTAINING = np.array([ABSTAINING_ROW[name] for name in PROBA_COLUMNS])
"""Probabilities of a row that cannot be trusted: hold, and nothing to act on."""


@dataclass(frozen=True)
class Fit:
    """Everything that exists only in a model that could be trained; one of ``heads`` a seed."""

    heads: tuple[Head, ...]
    calibrator: Calibrator
    margins: MarginReference
    places: NoveltyReference
    class_returns: ClassReturns
    prior: NDArray[np.float64]

    def raw(self, features: NDArray[np.float32]) -> Probabilities:
        """Probabilities before calibration, shape ``(n, 3)``."""
        return raw_mean(self.heads, features)

    def calibrated(self, features: NDArray[np.float32]) -> Probabilities:
        """Calibrated probabilities of complete rows, wherever they lie; shape ``(n, 3)``."""
        return self.calibrator(self.raw(features))


@dataclass(frozen=True)
class SignalModel:
    """A trained model, or the documented absence of one. Immutable, picklable.

    Attributes
    ----------
    card
        What it is; ``card.reason`` says why it abstains, if it does.
    names
        Features in trained order. Predicting re-orders by name; a missing feature makes a row
        untrusted, never a silent zero.
    history
        Past purged direction predictions, carried on to the next model.
    fit
        None if the window could not be trained.
    trained_until
        Candle number at whose close the last training outcome was known; rows that start later
        are out of sample.
    holdout
        What the early-stopped boosters said of the purged tail; empty if there is no fit.
    drift
        What live data is compared with; None where there are too few rows to know what is normal.
    """

    card: ModelCard
    names: tuple[str, ...] = ()
    history: DirectionHistory = field(default_factory=DirectionHistory)
    fit: Fit | None = None
    trained_until: int = 0
    holdout: Holdout = field(default_factory=Holdout)
    drift: DriftReference | None = None

    def predict(self, frame: pd.DataFrame) -> "Prediction":
        """Predict every row of a frame of features.

        Parameters
        ----------
        frame
            One column per feature, in any order, other columns are ignored; any number of rows.

        Returns
        -------
        Prediction
            Row *t* uses the features of row *t* only.
        """
        if self.fit is None:
            return Prediction.abstaining(len(frame))
        features = feature_matrix(frame, self.names)
        known = ~np.isnan(features).any(axis=1)
        distance = np.full(len(frame), np.inf)
        probabilities = np.tile(ABSTAINING, (len(frame), 1))
        if known.any():
            distance[known] = self.fit.places.distance(features[known])
            probabilities[known] = self.fit.calibrated(features[known])
        trusted = known & (distance <= self.fit.places.limit)
        probabilities[~trusted] = ABSTAINING
        return Prediction(probabilities, trusted, distance)

    def feature_importance(self, most: int = 20) -> list[tuple[str, float]]:
        """The ``most`` features with the largest share of its boosters' gain, largest first."""
        if self.fit is None:
            return []
        gains = np.zeros(len(self.names))
        for head in self.fit.heads:
            for fitted in head.boosters:
                gain = booster.gain(fitted)
                gains += gain / max(gain.sum(), 1e-300)
        shares = gains / max(gains.sum(), 1e-300)
        order = np.argsort(-shares, kind="stable")[:most]
        return [(self.names[i], float(shares[i])) for i in order]

    def contributions(self, row: Mapping[str, float], most: int = 5) -> list[tuple[str, float]]:
        """Features that moved one row's buy-against-sell score most, with signed parts.

        Units are log-odds before calibration (SHAP values of the direction booster, or of buy
        minus sell), mean over the seeds; the sum over all features plus a constant is the score.
        """
        if self.fit is None:
            return []
        features = feature_matrix(pd.DataFrame([dict(row)]), self.names)
        parts = np.mean([_direction_parts(head, features) for head in self.fit.heads], axis=0)
        order = np.argsort(-np.abs(parts), kind="stable")[:most]
        return [(self.names[i], float(parts[i])) for i in order]


@dataclass(frozen=True)
class Prediction:
    """What a model says about ``n`` rows.

    Attributes
    ----------
    probabilities
        Shape ``(n, 3)``, calibrated, finite, rows sum to one; (0, 1, 0) where not trusted.
    trusted
        Shape ``(n,)``: complete input inside the training distribution, of a usable model.
    distance
        Shape ``(n,)``, distance from the training distribution; infinite where unknown.
    """

    probabilities: Probabilities
    trusted: NDArray[np.bool_]
    distance: NDArray[np.float64]

    @classmethod
    def abstaining(cls, rows: int) -> "Prediction":
        """Nothing to say about any of ``rows`` rows."""
        untrusted, unknown = np.zeros(rows, np.bool_), np.full(rows, np.inf)
        return cls(np.tile(ABSTAINING, (rows, 1)), untrusted, unknown)


def _direction_parts(head: Head, features: NDArray[np.float32]) -> NDArray[np.float64]:
    values = booster.contributions(head.boosters[-1], features)[0]
    if head.kind == "two_stage":
        return np.asarray(values[:-1])
    by_class: Sequence[NDArray[np.float64]] = np.split(values, CLASS_COUNT)
    return np.asarray(by_class[SignalClass.BUY][:-1] - by_class[SignalClass.SELL][:-1])
