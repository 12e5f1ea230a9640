"""Other learners on the same rows: what they state, with the care that anybody would take.

The boosted ones stop early on the last 15 % of the window, purged, and are fitted again on all of
it, as ours is; their sizes are those of ours where they have the same parameter, and nothing else
was tuned. XGBoost and CatBoost are asked for only if they are installed; neither is a dependency.
"""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.schema import CLASS_COUNT
from freqai_signals.settings import SignalSettings
from freqai_signals.training.row_checks import split_tail

_ROUNDS: Final = 600
_RATE: Final = 0.05
_PATIENCE: Final = 30
_LEAST: Final = 1e-6

_PACKAGES: Final = {"XGBoost": "xgboost", "CatBoost": "catboost"}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Learned:
    """A fitted learner; ``trees`` of all classes together."""

    predict: Callable[[NDArray[np.float32]], Floats]
    trees: int = 0

    def probabilities(self, features: NDArray[np.float32]) -> Floats:
        """Shape ``(n, 3)``; no class gets less than a millionth."""
        raw = np.maximum(np.asarray(self.predict(features), np.float64), _LEAST)
        return np.asarray(raw / raw.sum(axis=1, keepdims=True))


def missing_package(learner: str) -> str:
    """Name of the package that a learner needs and that is not installed; empty if none."""
    package = _PACKAGES.get(learner, "")
    return package if package and importlib.util.find_spec(package) is None else ""


def learn(learner: str, rows: TrainingRows, settings: SignalSettings) -> Learned:
    """Fit a learner of :data:`LEARNERS` on the rows of one window, one thread."""
    past, tail = split_tail(rows, settings, settings.validation_fraction)
    return LEARNERS[learner](rows, past, tail, settings.booster.seed)


def _logistic(rows: TrainingRows, past: TrainingRows, tail: TrainingRows, seed: int) -> Learned:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
    model.fit(rows.features, rows.label)
    return Learned(model.predict_proba)


def _histogram(rows: TrainingRows, past: TrainingRows, tail: TrainingRows, seed: int) -> Learned:
    values: dict[str, Any] = {
        "learning_rate": _RATE, "max_leaf_nodes": 15, "min_samples_leaf": 200, "max_bins": 63,
        "l2_regularization": 5.0, "max_features": 0.4, "random_state": seed,
    }  # fmt: skip
    first = HistGradientBoostingClassifier(
        max_iter=_ROUNDS, early_stopping=True, n_iter_no_change=_PATIENCE, **values
    ).fit(past.features, past.label, X_val=tail.features, y_val=tail.label)
    rounds = _more(first.n_iter_ - _PATIENCE)
    model = HistGradientBoostingClassifier(max_iter=rounds, early_stopping=False, **values)
    model.fit(rows.features, rows.label)
    return Learned(model.predict_proba, rounds * CLASS_COUNT)


def _xgboost(rows: TrainingRows, past: TrainingRows, tail: TrainingRows, seed: int) -> Learned:
    xgboost: Any = importlib.import_module("xgboost")
    values = {
        "objective": "multi:softprob", "learning_rate": _RATE, "max_depth": 4, "max_bin": 64,
        "min_child_weight": 50, "subsample": 0.7, "colsample_bynode": 0.4, "reg_lambda": 5.0,
        "tree_method": "hist", "random_state": seed, "n_jobs": 1,
    }  # fmt: skip
    first = xgboost.XGBClassifier(
        n_estimators=_ROUNDS, early_stopping_rounds=_PATIENCE, **values
    ).fit(past.features, past.label, eval_set=[(tail.features, tail.label)], verbose=False)
    rounds = _more(first.best_iteration + 1)
    model = xgboost.XGBClassifier(n_estimators=rounds, **values).fit(rows.features, rows.label)
    return Learned(model.predict_proba, rounds * CLASS_COUNT)


def _catboost(rows: TrainingRows, past: TrainingRows, tail: TrainingRows, seed: int) -> Learned:
    catboost: Any = importlib.import_module("catboost")
    values = {
        "loss_function": "MultiClass", "learning_rate": _RATE, "depth": 4, "l2_leaf_reg": 5.0,
        "border_count": 63, "random_seed": seed, "thread_count": 1, "verbose": False,
        "allow_writing_files": False,
    }  # fmt: skip
    first = catboost.CatBoostClassifier(
        iterations=_ROUNDS, early_stopping_rounds=_PATIENCE, **values
    ).fit(past.features, past.label, eval_set=(tail.features, tail.label))
    rounds = _more(first.tree_count_)
    model = catboost.CatBoostClassifier(iterations=rounds, **values).fit(rows.features, rows.label)
    return Learned(model.predict_proba, rounds * CLASS_COUNT)


def _more(rounds: int) -> int:
    """Rounds for all rows, as ours are: a tenth more."""
    return max(round(1.1 * rounds), 1)


Fit = Callable[[TrainingRows, TrainingRows, TrainingRows, int], Learned]

LEARNERS: Final[dict[str, Fit]] = {
    "logistic": _logistic,
    "HistGradientBoosting": _histogram,
    "XGBoost": _xgboost,
    "CatBoost": _catboost,
}
