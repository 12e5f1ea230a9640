"""How the features of a backtest moved from day to day."""

import numpy as np
import pandas as pd

from freqai_signals.drift.distributions import population_stability


def feature_shift(dates: "pd.Series[pd.Timestamp]", features: pd.DataFrame) -> pd.DataFrame:
    """How far each day's values of each feature lie from those of the whole span.

    Parameters
    ----------
    dates
        Openings of the candles, UTC, indexed like ``features``.
    features
        Numbers; a NaN is in no bin.

    Returns
    -------
    pandas.DataFrame
        ``date`` (day), ``feature``, ``shift``: the population stability index over the deciles of
        the span. Hindsight: the deciles know the whole span. A day of slow features lies far from
        the span by its nature; compare days of one feature.

    Examples
    --------
    >>> dates = pd.Series(pd.date_range("2024-01-01", periods=4, freq="12h", tz="UTC"))
    >>> feature_shift(dates, pd.DataFrame({"a": [1.0, 2.0, 2.0, 1.0]}))["shift"].tolist()
    [0.0, 0.0]
    """
    day = pd.to_datetime(dates, utc=True).dt.floor("D")
    days, place = np.unique(day.to_numpy(), return_inverse=True)
    found = []
    for name in features.columns:
        values = features[name].to_numpy(np.float64)
        known = np.isfinite(values)
        if not known.any():
            continue
        # A feature with few values has equal deciles.
        edges = np.unique(np.quantile(values[known], np.linspace(0.1, 0.9, 9)))
        codes = np.searchsorted(edges, values[known], side="left")
        bins = len(edges) + 1
        # Day and bin as one number: a single pass counts the whole table.
        flat = np.bincount(place[known] * bins + codes, minlength=len(days) * bins)
        counts = flat.reshape(len(days), bins).astype(np.float64)
        shift = population_stability(counts, counts.mean(axis=0))
        shift = np.where(counts.sum(axis=1) > 0, shift, np.nan)
        found.append(pd.DataFrame({"date": days, "feature": name, "shift": shift}))
    if not found:
        return pd.DataFrame({"date": days[:0], "feature": [], "shift": np.empty(0)})
    table = pd.concat(found, ignore_index=True)
    return table.assign(date=pd.to_datetime(table["date"], utc=True))
