"""Columns of a producer bot, joined to this bot's own candles."""

import numpy as np
import pandas as pd

from freqai_signals.schema import (
    BARRIER_COLUMN,
    CONSUMED_COLUMNS,
    DIRECTION_COLUMNS,
    REASON_COLUMN,
    STRENGTH_COLUMN,
    TAGS,
    TRUST_COLUMN,
)
from freqai_signals.signals.outputs import complete_outputs


def with_producer_columns(candles: pd.DataFrame, produced: pd.DataFrame) -> pd.DataFrame:
    """Join the producer's columns to this bot's candles, by date.

    Parameters
    ----------
    candles
        This bot's frame.
    produced
        The producer's analysed frame; empty before the first message. Only rows of the same date
        are used, so a producer that is late, ahead or offline gives none.

    Returns
    -------
    pandas.DataFrame
        Index and rows of ``candles``; rows without a producer's row abstain and neither enter nor
        exit.
    """
    frame = candles.drop(columns=[name for name in CONSUMED_COLUMNS if name in candles])
    # One unit on both sides: pandas 3 keeps the one that dates were made with.
    joined = _by_date(produced).reindex(pd.DatetimeIndex(frame["date"]).as_unit("ms"))
    columns = {name: joined[name].to_numpy() for name in CONSUMED_COLUMNS if name in joined}
    frame = frame.assign(**columns)
    for name in DIRECTION_COLUMNS:
        value = frame[name] if name in frame else pd.Series(0, index=frame.index)
        # A message comes from another program: whatever is no 1 enters and exits nothing.
        frame[name] = (pd.to_numeric(value, errors="coerce") == 1).astype(np.int64)
    for name in (*TAGS.values(), REASON_COLUMN):
        value = frame[name] if name in frame else pd.Series(None, index=frame.index, dtype=object)
        frame[name] = value.astype(object).where(value.notna(), None)
    for name in (TRUST_COLUMN, STRENGTH_COLUMN):
        value = frame[name] if name in frame else pd.Series(0, index=frame.index)
        number = pd.to_numeric(value, errors="coerce").replace([np.inf, -np.inf], 0)
        frame[name] = number.fillna(0).astype(np.int64)
    if BARRIER_COLUMN not in frame:
        # A trade without a width has no barriers.
        frame[BARRIER_COLUMN] = np.nan
    return complete_outputs(frame)


def _by_date(produced: pd.DataFrame) -> pd.DataFrame:
    if produced.empty:
        return pd.DataFrame(index=pd.DatetimeIndex([], tz="UTC").as_unit("ms"))
    dates = pd.DatetimeIndex(pd.to_datetime(produced["date"], utc=True)).as_unit("ms")
    # A producer may be a consumer itself: its own tags count, not those of its producer.
    own = produced.drop(columns=list(TAGS.values()), errors="ignore")
    by_date = own.rename(columns=TAGS).set_index(dates)
    # ``reindex`` refuses duplicates; of a candle sent twice the later message holds.
    return by_date[~by_date.index.duplicated(keep="last")]
