"""FreqAI's own LightGBMClassifier, trained by freqtrade's own code on our features and labels.

freqtrade's own code around the classifier is used: its pipeline (constant columns dropped, scaling
to [-1, 1]), its weights for recent rows, its ``fit``. Window, weights and split are those that
``FreqaiExampleHybridStrategy`` recommends; of its 800 trees 300 are trained, and its outlier
filters, which only drop rows, are disabled. A model is trained each time a full window has passed.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import lightgbm as lgb
import numpy as np
import pandas as pd
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.freqai.freqai_interface import IFreqaiModel
from freqtrade.freqai.prediction_models.LightGBMClassifier import LightGBMClassifier
from numpy.typing import NDArray

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.schema import CLASS_COUNT, SignalClass

TRAIN_DAYS: Final = 15
RETRAIN_DAYS: Final = 15
TIERS: Final = (0.65, 0.70, 0.80)
PATIENCE: Final = 50
HELD_OUT: Final = 0.15

_FREQAI: Final[Mapping[str, Any]] = {
    "feature_parameters": {"weight_factor": 0.9},
    "data_split_parameters": {"test_size": 0},
    "model_training_parameters": {"n_estimators": 300, "n_jobs": 1, "verbosity": -1},
    "activate_tensorboard": False,
}


@dataclass(frozen=True)
class StockModel:
    """A classifier with the pipeline that prepares its features."""

    classifier: lgb.LGBMClassifier
    pipeline: Any
    names: tuple[str, ...]

    @property
    def trees(self) -> int:
        """Trees in use, all classes together."""
        return int((self.classifier.best_iteration_ or self.classifier.n_estimators_) * CLASS_COUNT)

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Shape ``(n, 3)``; a class that training has not seen gets 0."""
        frame = pd.DataFrame(features, columns=list(self.names))
        prepared, _, _ = self.pipeline.transform(frame, outlier_check=True)
        out = np.zeros((len(features), CLASS_COUNT))
        seen = [SignalClass[str(name)] for name in self.classifier.classes_]
        out[:, seen] = self.classifier.predict_proba(prepared)
        return out


def train(rows: TrainingRows, early_stopping: bool) -> StockModel:
    """Train on the rows of one pair as freqtrade does, or with a stop on the last 15 % of rows."""
    frame = pd.DataFrame(rows.features, columns=list(rows.names))
    labels = pd.DataFrame({"&-s": [SignalClass(int(kind)).name for kind in rows.label]})
    config = {"freqai": _FREQAI}
    weights = FreqaiDataKitchen.set_weights_higher_recent(
        SimpleNamespace(config=config), len(frame)
    )
    pipeline = IFreqaiModel.define_data_pipeline(SimpleNamespace(freqai_info=_FREQAI), threads=1)
    prepared, labels, weights = pipeline.fit_transform(frame, labels, weights)
    fit = _stopping if early_stopping else _whole
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # freqtrade passes eval_set, which LightGBM 4.7 deprecates
        return StockModel(fit(prepared, labels, weights), pipeline, rows.names)


def _whole(
    features: pd.DataFrame, labels: pd.DataFrame, weights: NDArray[np.float64]
) -> lgb.LGBMClassifier:
    adapter = SimpleNamespace(
        freqai_info=_FREQAI,
        model_training_parameters=dict(_FREQAI["model_training_parameters"]),
        get_init_model=lambda pair: None,
    )
    data = {
        "train_features": features,
        "train_labels": labels,
        "train_weights": weights,
        "test_weights": np.zeros(2),
    }
    kitchen = SimpleNamespace(pair="", data_path=Path())
    return LightGBMClassifier.fit(adapter, data, kitchen)


def _stopping(
    features: pd.DataFrame, labels: pd.DataFrame, weights: NDArray[np.float64]
) -> lgb.LGBMClassifier:
    """The usual first change by users: early stopping on the last rows."""
    x, y = features.to_numpy(), labels.to_numpy()[:, 0]
    cut = round(len(x) * (1 - HELD_OUT))
    known = np.isin(y[cut:], y[:cut])
    model = lgb.LGBMClassifier(**_FREQAI["model_training_parameters"])
    return model.fit(
        x[:cut],
        y[:cut],
        sample_weight=weights[:cut],
        eval_set=[(x[cut:][known], y[cut:][known])],
        callbacks=[lgb.early_stopping(PATIENCE, verbose=False)],
    )
