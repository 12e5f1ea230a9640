"""Further labels of the same candles, of other kinds and horizons, that vote on direction."""

import pandas as pd

from freqai_signals.dataset.barriers import LabelRule
from freqai_signals.dataset.labels import make_labels
from freqai_signals.schema import (
    EVENT_END_COLUMN,
    LABEL_COLUMN,
    VOTE_PREFIX,
    VOTES_END_COLUMN,
)
from freqai_signals.settings import SignalSettings


def make_votes(
    candles: pd.DataFrame, settings: SignalSettings, round_trip_cost: float
) -> pd.DataFrame:
    """Class of every label of the ensemble, and when the last of them is known.

    Parameters
    ----------
    candles
        freqtrade's frame without missing candles, oldest first.
    settings
        ``labels.ensemble`` names kinds and horizons; the other keys of ``labels`` hold for all.
    round_trip_cost
        Fraction; no barrier is narrower.

    Returns
    -------
    pandas.DataFrame
        Indexed like ``candles``: ``label_vote_0`` and so on, and ``label_votes_end``, the position
        at whose close all of them are known. NaN where that is not so; see
        :func:`~freqai_signals.dataset.labels.make_labels`. No columns without an ensemble.
    """
    columns: dict[str, pd.Series] = {}
    ends = []
    for place, (kind, horizon) in enumerate(settings.labels.ensemble):
        rule = settings.labels.model_copy(update={"kind": kind})
        made = make_labels(
            candles, LabelRule(rule, horizon, settings.candles_per_day, round_trip_cost)
        )
        columns[f"{VOTE_PREFIX}{place}"] = made[LABEL_COLUMN]
        ends.append(made[EVENT_END_COLUMN])
    if ends:
        columns[VOTES_END_COLUMN] = pd.concat(ends, axis=1).max(axis=1, skipna=False)
    return pd.DataFrame(columns, index=candles.index)
