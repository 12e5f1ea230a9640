"""How far the inputs of a backtest lay from what the model that served had been trained on."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.rows import candle_numbers
from freqai_signals.drift.distributions import (
    COMPLETE,
    DistributionReference,
    population_stability,
)
from freqai_signals.drift.training_reference import WINDOW_DAYS
from freqai_signals.schema import MODEL_ID_COLUMN

References = Callable[[float], DistributionReference | None]
"""The training distributions of features that the model of this id keeps, if it has any."""


def unknown_model(model_id: float) -> None:
    """Of no model is it known what it was trained on."""


def feature_shift(
    frame: pd.DataFrame, features: pd.DataFrame, reference_of: References, candle_seconds: int
) -> pd.DataFrame:
    """How far each day's inputs lie from the training window of the model that served that day.

    Parameters
    ----------
    frame
        ``date`` (openings, UTC) and ``model_id`` of one pair, oldest first; 0 or NaN where nothing
        was predicted.
    features
        Indexed like ``frame`` or a part of it.
    reference_of
        What each model keeps of its own training rows: drift monitors of a bot compare with it too.
    candle_seconds
        Length of a candle.

    Returns
    -------
    pandas.DataFrame
        ``date`` (day), ``feature``, ``shift``: the population stability index between
        the three days up to the day's end and the training rows of the model of that day's last
        prediction, divided by what 5 % of the three-day stretches of that training window exceed.
        NaN where those days have holes. Nothing after the day is known to it.
    """
    ids = frame[MODEL_ID_COLUMN].fillna(0)
    day = pd.to_datetime(frame["date"], utc=True).dt.floor("D")
    serving = ids[ids > 0].groupby(day).last()
    known = features.join(day.rename("day"))
    numbers = pd.Series(candle_numbers(frame["date"], candle_seconds), frame.index)
    number = numbers.reindex(known.index).to_numpy()
    found = []
    for model_id, served in serving.groupby(serving):
        reference = reference_of(float(model_id))
        if reference is None or not set(reference.names) <= set(features.columns):
            continue
        days = pd.date_range(
            served.index.min() - pd.Timedelta(days=WINDOW_DAYS - 1), served.index.max()
        )
        # Found by bisection: with a model a day, looking through all rows took most of the time.
        span = slice(*known["day"].searchsorted([days[0], days[-1] + pd.Timedelta(days=1)]))
        mine = number[span] % reference.step == 0
        rows = known[[*reference.names, "day"]].iloc[span][mine].dropna()
        values = rows[list(reference.names)].to_numpy(np.float32)
        counts = _daily_counts(reference, values, days.get_indexer(rows["day"]), len(days))
        shift = _windows_against(reference, counts)[days.get_indexer(served.index)]
        wide = pd.DataFrame(shift, served.index.rename("date"), list(reference.names))
        found.append(wide.melt(ignore_index=False, var_name="feature", value_name="shift"))
    if not found:
        return pd.DataFrame({"date": day[:0], "feature": [], "shift": []})
    return pd.concat(found).sort_values(["date", "feature"]).reset_index()


def _daily_counts(
    reference: DistributionReference,
    values: NDArray[np.float32],
    place: NDArray[np.intp],
    days: int,
) -> NDArray[np.float64]:
    """Rows in each bin of the reference, shape ``(days, columns, bins)``."""
    columns, bins = reference.counts.shape
    cell = (place[:, None] * columns + np.arange(columns)) * bins + reference.codes(values)
    flat = np.bincount(cell.ravel(), minlength=days * columns * bins)
    return flat.reshape(days, columns, bins).astype(np.float64)


def _windows_against(
    reference: DistributionReference, counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Scaled index of the days up to each day, shape ``(days, columns)``."""
    before = np.zeros_like(counts[:1])
    total = np.concatenate([before, counts.cumsum(axis=0)])
    first = np.maximum(np.arange(len(counts)) - WINDOW_DAYS + 1, 0)
    window = total[1:] - total[first]
    shift = population_stability(window, reference.counts) / reference.psi_scale
    whole = window[:, 0].sum(axis=-1) >= COMPLETE * reference.window_rows
    return np.where(whole[:, None], shift, np.nan)
