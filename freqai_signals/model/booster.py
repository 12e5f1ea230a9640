"""LightGBM, and nothing else: the only module that imports it."""

import re
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from freqai_signals.settings import BoosterSettings

Features = NDArray[np.float32]
Target = NDArray[np.int8]

_METRICS: Final = {
    "binary": ["binary_logloss", "binary_error"],
    "multiclass": ["multi_logloss", "multi_error"],
}


class Sample(NamedTuple):
    """Rows to boost on: features ``(n, m)``, target ``(n,)``, and how much each row counts."""

    features: Features
    target: Target


@dataclass(frozen=True)
class Objective:
    """What a booster predicts: two classes or three."""

    name: str
    classes: int

    @property
    def metrics(self) -> list[str]:
        """LightGBM's names of the metrics that are tracked; the first one stops early."""
        return _METRICS[self.name]


BINARY: Final = Objective("binary", 2)
MULTICLASS: Final = Objective("multiclass", 3)


@dataclass(frozen=True)
class Fitted:
    """A booster with the path it took.

    Attributes
    ----------
    booster
        Its number of trees is the best one where validation rows were given.
    best_rounds
        Boosting rounds used.
    history
        Metric name to its value per round on the validation rows; empty without them.
    """

    booster: lgb.Booster
    best_rounds: int
    history: dict[str, list[float]] = field(default_factory=dict)


def parameters(settings: BoosterSettings, objective: Objective, seed: int) -> dict[str, Any]:
    """LightGBM's parameters; deterministic whatever the number of threads."""
    given = settings.model_dump(exclude={"rounds", "threads", "seed"})
    extra: dict[str, Any] = {"num_class": objective.classes} if objective is MULTICLASS else {}
    return (
        given
        | extra
        | {
            "objective": objective.name,
            "metric": objective.metrics,
            "num_threads": settings.threads,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }
    )


def fit_stopping(
    train: Sample,
    validation: Sample,
    params: dict[str, Any],
    rounds: int,
    patience: int,
) -> Fitted:
    """Boost until the validation loss has not improved for ``patience`` rounds."""
    data = _dataset(train, params)
    held_out = _dataset(validation, params, data)
    history: dict[str, dict[str, list[float]]] = {}
    booster = lgb.train(
        params,
        data,
        num_boost_round=rounds,
        valid_sets=[held_out],
        valid_names=["validation"],
        callbacks=[
            lgb.early_stopping(patience, first_metric_only=True, verbose=False),
            lgb.record_evaluation(history),
        ],
    )
    best = booster.best_iteration or booster.current_iteration()
    return Fitted(booster, best, history.get("validation", {}))


def fit_rounds(train: Sample, params: dict[str, Any], rounds: int) -> Fitted:
    """Boost for a given number of rounds."""
    return Fitted(lgb.train(params, _dataset(train, params), rounds), rounds)


def _dataset(
    rows: Sample, params: dict[str, Any], reference: lgb.Dataset | None = None
) -> lgb.Dataset:
    return lgb.Dataset(rows.features, rows.target, reference, params=params)


def predict(fitted: Fitted, features: Features) -> NDArray[np.float64]:
    """Probabilities: shape ``(n,)`` for two classes (of the second), ``(n, 3)`` for three."""
    raw = fitted.booster.predict(features, num_iteration=fitted.best_rounds, num_threads=1)
    return np.asarray(raw, dtype=np.float64)


def contributions(fitted: Fitted, features: Features) -> NDArray[np.float64]:
    """Each feature's part of the raw score (SHAP values), shape ``(n, classes * (m + 1))``."""
    raw = fitted.booster.predict(
        features, num_iteration=fitted.best_rounds, pred_contrib=True, num_threads=1
    )
    return np.asarray(raw, dtype=np.float64)


def gain(fitted: Fitted) -> NDArray[np.float64]:
    """Total gain of the splits on each feature, shape ``(m,)``."""
    importance = fitted.booster.feature_importance("gain", iteration=fitted.best_rounds)
    return np.asarray(importance, dtype=np.float64)


def to_text(fitted: Fitted) -> str:
    """LightGBM's own text format; :func:`from_text` predicts bit-identically."""
    text = str(fitted.booster.model_to_string(num_iteration=fitted.best_rounds))
    # The number of threads is the one parameter that changes nothing about the model.
    return re.sub(r"\[num_threads: \d+\]", "[num_threads: 1]", text)


def from_text(text: str) -> Fitted:
    """Read what :func:`to_text` wrote.

    Raises
    ------
    lightgbm.basic.LightGBMError
        If the text is not a model.
    """
    booster = lgb.Booster(model_str=text)
    return Fitted(booster, booster.current_iteration())
