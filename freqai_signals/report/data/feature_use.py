"""What the models of a backtest make of each feature group: gain and SHAP."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.features import feature_groups
from freqai_signals.dataset.rows import feature_matrix
from freqai_signals.model import booster
from freqai_signals.model.ensemble import Head
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.report.data.backtest_record import SAMPLED_COLUMN, Run
from freqai_signals.report.model_usage import RunModels, key_digits
from freqai_signals.schema import CLASS_COUNT, MODEL_ID_COLUMN, SignalClass

OTHER: Final = "other"
_MOST_ROWS: Final = 400
"""Rows a model whose contributions are computed: the share of a group then is known to 1 %."""


def feature_use(run: Run, models: RunModels, *, with_shap: bool = True) -> pd.DataFrame:
    """Share of gain and of SHAP of each feature group in each model of a backtest.

    Returns
    -------
    pandas.DataFrame
        ``model_version``, ``group``, ``gain`` (share of the trees' total gain) and ``shap`` (share
        of the mean absolute contribution to the direction's log-odds, on at most some hundred rows
        of an even sample of all predicted ones; NaN where their features were not kept). No rows
        where no model is at hand.
    """
    group_of = feature_groups(run.settings)
    kept = _sampled_features(run) if with_shap else {}
    parts = []
    for model in models.of(run):
        if not model.card.groups:
            continue
        table = pd.DataFrame({"gain": pd.Series(dict(model.card.groups), dtype=np.float64)})
        # 48 bits, as many as the column of model ids holds exactly.
        mine = kept.get(model.card.key[:12])
        table["shap"] = np.nan if mine is None else _shap_shares(model, mine, group_of)
        table = table.rename_axis("group").reset_index()
        table.insert(0, "model_version", model.card.version)
        parts.append(table)
    if not parts:
        return pd.DataFrame(columns=["model_version", "group", "gain", "shap"])
    return pd.concat(parts, ignore_index=True)


def _sampled_features(run: Run) -> dict[str, pd.DataFrame]:
    """Features of sampled rows by the digits of the model that predicted them."""
    rows = []
    for pair, features in run.features.items():
        frame = run.frames.get(pair)
        # A record of an older version holds the features of signals alone.
        mine = features[features[SAMPLED_COLUMN]] if SAMPLED_COLUMN in features else features
        if frame is not None and len(mine):
            ids = frame.set_index("date")[MODEL_ID_COLUMN].reindex(mine["date"])
            rows.append(mine.assign(**{MODEL_ID_COLUMN: ids.to_numpy()}))
    if not rows:
        return {}
    together = pd.concat(rows, ignore_index=True).dropna(subset=MODEL_ID_COLUMN)
    parts = {
        key_digits(number): together[together[MODEL_ID_COLUMN] == number]
        for number in together[MODEL_ID_COLUMN].unique()
    }
    return {key: part.iloc[:: max(len(part) // _MOST_ROWS, 1)] for key, part in parts.items()}


def _shap_shares(
    model: SignalModel, features: pd.DataFrame, group_of: Mapping[str, str]
) -> "pd.Series[float]":
    """Indexed by group; empty if the features are not the model's."""
    if model.fit is None or not set(model.names) <= set(features.columns):
        return pd.Series(dtype=np.float64)
    matrix = feature_matrix(features, model.names)
    by_head = [_direction_contributions(head, matrix) for head in model.fit.heads]
    parts = np.abs(np.mean(by_head, axis=0)).mean(axis=0)
    groups = [group_of.get(name, OTHER) for name in model.names]
    by_group = pd.Series(parts, index=groups).groupby(level=0).sum()
    return by_group / max(float(by_group.sum()), 1e-12)


def _direction_contributions(head: Head, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """Signed parts of buy against sell in log-odds, shape ``(rows, features)``."""
    # The last booster is that of direction, or the only one.
    values = booster.contributions(head.boosters[-1], matrix)
    if head.kind == "two_stage":
        # LightGBM's last column is the constant, not a feature.
        return values[:, :-1]
    # LightGBM lays the classes side by side.
    by_class = np.split(values, CLASS_COUNT, axis=1)
    return np.asarray(by_class[SignalClass.BUY][:, :-1] - by_class[SignalClass.SELL][:, :-1])
