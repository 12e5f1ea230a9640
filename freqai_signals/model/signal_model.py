"""The trained model: from features to calibrated probabilities, in one object."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.holdout import Holdout
from freqai_signals.dataset.rows import feature_matrix
from freqai_signals.dataset.spread import UNKNOWN_SPREAD
from freqai_signals.drift.training_reference import DriftReference
from freqai_signals.metrics import Probabilities
from freqai_signals.model import booster
from freqai_signals.model.calibration import Calibrator
from freqai_signals.model.card import ModelCard
from freqai_signals.model.direction import DirectionHistory
from freqai_signals.model.ensemble import Head, raw_mean
from freqai_signals.model.reference import MarginReference, NoveltyReference
from freqai_signals.model.trade_value import TradeHistory, TradeValue
from freqai_signals.schema import ABSTAINING_ROW, CLASS_COUNT, PROBA_COLUMNS, SignalClass

ABSTAINING = np.array([ABSTAINING_ROW[name] for name in PROBA_COLUMNS])
"""Probabilities of an untrusted row: hold with certainty, so that nothing is traded."""


@dataclass(frozen=True)
class Fit:
    """The fitted parts of a model, which exist only if it could be trained.

    Attributes
    ----------
    heads
        One a seed.
    calibrator
        From raw to calibrated probabilities.
    margins, novelty
        Reference statistics of the training window.
    value
        What a trade returns, given the probabilities.
    spreads
        Bid-ask spread by pair, a fraction of the price, seen in the training window's candles.
    prior
        Shape ``(3,)``, class shares of the training rows.
    """

    heads: tuple[Head, ...]
    calibrator: Calibrator
    margins: MarginReference
    novelty: NoveltyReference
    prior: NDArray[np.float64]
    value: TradeValue = field(default_factory=TradeValue)
    spreads: Mapping[str, float] = field(default_factory=dict)

    def raw(self, features: NDArray[np.float32]) -> Probabilities:
        """Probabilities before calibration, shape ``(n, 3)``."""
        return raw_mean(self.heads, features)

    def calibrated(self, features: NDArray[np.float32]) -> Probabilities:
        """Calibrated probabilities, also of out-of-distribution rows, shape ``(n, 3)``."""
        return self.calibrator(self.raw(features))

    def spread(self, pair: str) -> float:
        """Spread of a pair; for one that was not trained on, the widest of the others.

        :data:`~freqai_signals.dataset.spread.UNKNOWN_SPREAD` where no pair's is known.
        """
        known = [value for value in self.spreads.values() if np.isfinite(value)]
        found = self.spreads.get(pair, float("nan"))
        return found if np.isfinite(found) else max(known, default=UNKNOWN_SPREAD)


@dataclass(frozen=True)
class SignalModel:
    """A trained model, or one that abstains because training was not possible. Immutable.

    Attributes
    ----------
    card
        Metadata; ``card.reason`` is why the model abstains, if it does.
    names
        Features in training order. ``predict`` selects by name; a missing feature makes a row
        untrusted and is never replaced by zero.
    history
        Past out-of-sample direction predictions, passed on to the next model.
    fit
        None if training was not possible.
    trained_until
        Candle number at whose close the last training outcome was known; rows that start later
        are out of sample.
    holdout
        Predictions of the early-stopped boosters for the hold-out; empty if there is no fit.
    drift
        References of the drift monitors; None without a hold-out.
    trades
        Past out-of-sample predictions with what trades returned, passed on to the next model.
    """

    card: ModelCard
    names: tuple[str, ...] = ()
    history: DirectionHistory = field(default_factory=DirectionHistory)
    fit: Fit | None = None
    trained_until: int = 0
    holdout: Holdout = field(default_factory=Holdout)
    drift: DriftReference | None = None
    trades: TradeHistory = field(default_factory=TradeHistory)

    def predict(self, frame: pd.DataFrame) -> "Prediction":
        """Predict every row of a frame of features.

        Parameters
        ----------
        frame
            One column per feature, in any order; other columns are ignored.

        Returns
        -------
        Prediction
            Row *t* uses the features of row *t* only.
        """
        if self.fit is None:
            return Prediction.abstaining(len(frame))
        features = feature_matrix(frame, self.names)
        complete = ~np.isnan(features).any(axis=1)
        distance = np.full(len(frame), np.inf)
        probabilities = np.tile(ABSTAINING, (len(frame), 1))
        # LightGBM would predict a row with a NaN too, by the default branches of its trees.
        if complete.any():
            distance[complete] = self.fit.novelty.distance(features[complete])
            probabilities[complete] = self.fit.calibrated(features[complete])
        trusted = complete & (distance <= self.fit.novelty.limit)
        probabilities[~trusted] = ABSTAINING
        return Prediction(probabilities, trusted, distance)

    def feature_importance(self, most: int = 20) -> list[tuple[str, float]]:
        """The ``most`` features with the largest share of the boosters' gain, largest first."""
        if self.fit is None:
            return []
        gains = np.zeros(len(self.names))
        for head in self.fit.heads:
            for fitted in head.boosters:
                # Shares, since the gains of two objectives have no common unit.
                gain = booster.gain(fitted)
                gains += gain / max(gain.sum(), 1e-300)
        shares = gains / max(gains.sum(), 1e-300)
        # Stable, so that features of equal gain always come in the same order.
        order = np.argsort(-shares, kind="stable")[:most]
        return [(self.names[i], float(shares[i])) for i in order]

    def contributions(self, row: Mapping[str, float], most: int = 5) -> list[tuple[str, float]]:
        """The ``most`` largest contributions of features to one row's direction, by magnitude.

        SHAP values of the direction booster, or of buy minus sell, mean over the seeds: log-odds of
        buy against sell before calibration. Over all features they add up, with a constant, to the
        score.
        """
        if self.fit is None:
            return []
        features = feature_matrix(pd.DataFrame([dict(row)]), self.names)
        parts = np.mean([_direction_parts(head, features) for head in self.fit.heads], axis=0)
        order = np.argsort(-np.abs(parts), kind="stable")[:most]
        return [(self.names[i], float(parts[i])) for i in order]


@dataclass(frozen=True)
class Prediction:
    """Predictions of ``n`` rows.

    Attributes
    ----------
    probabilities
        Shape ``(n, 3)``, calibrated, finite, rows sum to one; (0, 1, 0) where not trusted.
    trusted
        Shape ``(n,)``: the model could be trained, the row has all features and lies inside the
        training distribution.
    distance
        Shape ``(n,)``, distance from the training distribution; infinite without all features.
    """

    probabilities: Probabilities
    trusted: NDArray[np.bool_]
    distance: NDArray[np.float64]

    def row(self, place: int) -> "Prediction":
        """The prediction of one row."""
        rows = slice(place, place + 1)
        return Prediction(self.probabilities[rows], self.trusted[rows], self.distance[rows])

    @classmethod
    def abstaining(cls, rows: int) -> "Prediction":
        """Untrusted predictions of all ``rows`` rows."""
        untrusted, distance = np.zeros(rows, np.bool_), np.full(rows, np.inf)
        return cls(np.tile(ABSTAINING, (rows, 1)), untrusted, distance)


def _direction_parts(head: Head, features: NDArray[np.float32]) -> NDArray[np.float64]:
    # The last value of each class is the expected score and no feature's.
    values = booster.contributions(head.boosters[-1], features)[0]
    if head.kind == "two_stage":
        return np.asarray(values[:-1])
    by_class: Sequence[NDArray[np.float64]] = np.split(values, CLASS_COUNT)
    return np.asarray(by_class[SignalClass.BUY][:-1] - by_class[SignalClass.SELL][:-1])
