"""Whose newest candle has not come yet: features of the market would be made without it."""

from collections.abc import Mapping
from typing import Final

import pandas as pd

PATIENCE_CANDLES: Final = 12
"""A pair without a candle for so long is halted: the market goes on without it."""


def late_pairs(
    newest: Mapping[str, pd.Timestamp | None], date: pd.Timestamp, candle_seconds: int
) -> tuple[str, ...]:
    """Pairs that traded until lately and lack the candle of a date, sorted.

    Parameters
    ----------
    newest
        Pair to the date of its newest candle, None where it has none.
    date
        Opening of the candle that is to be predicted.
    candle_seconds
        Length of a candle.

    Examples
    --------
    >>> noon = pd.Timestamp("2024-01-01 12:00", tz="UTC")
    >>> late_pairs({"A": noon, "B": noon - pd.Timedelta("5min"), "C": None}, noon, 300)
    ('B',)
    """
    oldest = date - PATIENCE_CANDLES * pd.Timedelta(seconds=candle_seconds)
    return tuple(
        sorted(pair for pair, last in newest.items() if last is not None and oldest <= last < date)
    )
