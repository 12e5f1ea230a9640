"""Boosters: the only module that imports LightGBM."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import joblib
import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from freqai_signals.dataset.rows import spread_rows
from freqai_signals.settings import BoosterSettings

Features = NDArray[np.float32]


@dataclass(frozen=True)
class Objective:
    """What a booster predicts: two classes or three, and the loss that stops it early."""

    name: str
    loss: str
    classes: int


_EDGE_ROWS: Final = 20_000
_MANY_ROWS: Final = 10_000

BINARY: Final = Objective("binary", "binary_logloss", 2)
MULTICLASS: Final = Objective("multiclass", "multi_logloss", 3)


class BinnedRows:
    """Features in LightGBM's bins, made once and shared by all boosters of a training window.

    Making them takes a third as long as the trees; the rows of a booster are a copy of bins, which
    takes next to nothing.

    Parameters
    ----------
    features
        Shape ``(n, m)``, float32; may be memory-mapped. No copy of them is kept.
    known
        Shape ``(n,)``: the rows that the bins' edges are made from. Those of a hold-out must not be
        among them.
    settings
        ``max_bin``.
    """

    def __init__(
        self, features: Features, known: NDArray[np.bool_], settings: BoosterSettings
    ) -> None:
        params = parameters(settings, BINARY, settings.seed)
        chosen = np.flatnonzero(known)
        # The edges are quantiles: so many rows give them as well as all do, in a fifth of the time.
        sampled = features[chosen[spread_rows(len(chosen), _EDGE_ROWS)]]
        # Each column in its order: LightGBM would sort them, four times as slowly as NumPy.
        ordered = np.sort(sampled.T, axis=1).T
        edges = lgb.Dataset(ordered, np.zeros(len(ordered)), params=params)
        self._data = lgb.Dataset(features, np.zeros(len(features)), edges, params=params)
        self._data.construct()

    def sample(self, rows: NDArray[np.bool_], target: NDArray[np.int8]) -> "Sample":
        """Rows to train on, or to stop by, by a mask of shape ``(n,)``; a target for each of all.

        Parameters
        ----------
        rows
            At least one is true.
        target
            Shape ``(n,)``; only those of the chosen rows are read.
        """
        chosen = self._data.subset(np.flatnonzero(rows).tolist()).construct()
        return Sample(chosen.set_label(target[rows]))


@dataclass(frozen=True)
class Sample:
    """Binned rows with a target, made by :meth:`BinnedRows.sample`."""

    data: lgb.Dataset


@dataclass(frozen=True)
class Fitted:
    """A trained booster.

    Attributes
    ----------
    booster
        LightGBM's object, which may hold more trees than are used.
    best_rounds
        Boosting rounds used for predictions, the best number if there were validation rows.
    """

    booster: lgb.Booster
    best_rounds: int


def parameters(settings: BoosterSettings, objective: Objective, seed: int) -> dict[str, Any]:
    """LightGBM's parameters; deterministic for any number of threads."""
    tunable = settings.model_dump(exclude={"rounds", "threads", "seed"})
    extra: dict[str, Any] = {"num_class": objective.classes} if objective is MULTICLASS else {}
    return (
        tunable
        | extra
        | {
            "objective": objective.name,
            "metric": objective.loss,
            "num_threads": settings.threads,
            "seed": seed,
            # ``deterministic`` alone is not enough: LightGBM would choose row- or column-wise
            # histograms by a timing test, and their sums differ.
            "deterministic": True,
            "force_row_wise": True,
            # Bins are shared by boosters of different numbers of rows, so none may lack a feature.
            "feature_pre_filter": False,
            # Edges are made from columns that are each in their order, so nothing is known of what
            # two of them have in one row.
            "enable_bundle": False,
            "verbosity": -1,
        }
    )


def fit_early_stopping(
    train: Sample,
    validation: Sample,
    params: dict[str, Any],
    rounds: int,
    patience: int,
    least: int = 1,
) -> Fitted:
    """Train until the validation loss has not improved for ``patience`` rounds.

    Parameters
    ----------
    train, validation
        Rows without any in common.
    params
        Of LightGBM.
    rounds, patience
        Rounds at most, and without progress.
    least
        Rounds that are used at least, even if fewer had the lowest loss.
    """
    booster = lgb.train(
        params,
        train.data,
        num_boost_round=rounds,
        valid_sets=[validation.data],
        callbacks=[lgb.early_stopping(patience, verbose=False)],
        keep_training_booster=True,
    )
    for _ in range(booster.current_iteration(), least):
        booster.update()
    best = booster.best_iteration or booster.current_iteration()
    return Fitted(booster, max(best, least))


def fit_rounds(train: Sample, params: dict[str, Any], rounds: int) -> Fitted:
    """Train for a given number of rounds."""
    # Kept as it is: LightGBM would write and read its text, as the booster store does.
    return Fitted(lgb.train(params, train.data, rounds, keep_training_booster=True), rounds)


def predict(fitted: Fitted, features: Features) -> NDArray[np.float64]:
    """Probabilities: shape ``(n,)``, of the second class, for two classes, ``(n, 3)`` for three."""
    # Each row is predicted by itself, so threads change no bit; for few of them one is quickest.
    if len(features) < _MANY_ROWS:
        return _predicted(fitted, features)
    # Not LightGBM's threads: their number counts for the whole process, which a training with
    # another number beside would crash. Not joblib's: it looks every 10 ms whether they are done.
    threads = int(joblib.cpu_count())
    with ThreadPoolExecutor(threads) as pool:
        parts = np.array_split(features, threads)
        return np.concatenate(list(pool.map(partial(_predicted, fitted), parts)))


def _predicted(fitted: Fitted, features: Features) -> NDArray[np.float64]:
    raw = fitted.booster.predict(features, num_iteration=fitted.best_rounds, num_threads=1)
    return np.asarray(raw, dtype=np.float64)


def contributions(fitted: Fitted, features: Features) -> NDArray[np.float64]:
    """SHAP values of the raw score, shape ``(n, m + 1)``, or ``(n, 3 * (m + 1))`` for classes."""
    raw = fitted.booster.predict(
        features, num_iteration=fitted.best_rounds, pred_contrib=True, num_threads=1
    )
    return np.asarray(raw, dtype=np.float64)


def gain(fitted: Fitted) -> NDArray[np.float64]:
    """Total gain of the splits on each feature, shape ``(m,)``."""
    importance = fitted.booster.feature_importance("gain", iteration=fitted.best_rounds)
    return np.asarray(importance, dtype=np.float64)


def to_text(fitted: Fitted) -> str:
    """LightGBM's text format; predictions after :func:`from_text` are bit-identical."""
    text = str(fitted.booster.model_to_string(num_iteration=fitted.best_rounds))
    # The same model trained with another number of threads must give the same file.
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
