"""Columns of a frame as arrays, put beside it all at once.

pandas takes its time for each column that is added or replaced, however few the rows: with a frame
of a bot's candles nearly all of a decision's.
"""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[Any]]
"""Name to values, one a row."""


def with_columns(
    frame: pd.DataFrame, columns: Mapping[str, Any], dropped: Collection[str] = ()
) -> pd.DataFrame:
    """A new frame with these columns behind its others, in the place of those that it has.

    Parameters
    ----------
    frame
        Is not modified; the new one shares its memory where it can.
    columns
        By name an array, or a number for all rows; those of one type become neighbours. Text has
        to be an array of objects, and stays one.
    dropped
        Columns to be left out.
    """
    names, index, gone = frame.columns.tolist(), frame.index, {*columns, *dropped}
    kept = [place for place, name in enumerate(names) if name not in gone]
    # Not drop(): it takes several times as long to find the names. Numbers are taken faster still.
    left = frame
    if len(kept) < len(names):
        left = frame.set_axis(range(len(names)), axis=1).take(kept, axis=1)
    kinds: dict[np.dtype[Any], dict[str, NDArray[Any]]] = {}
    for name, values in columns.items():
        array = np.asarray(values)
        kinds.setdefault(array.dtype, {})[name] = array
    parts = [_table(kind, list(group.values()), index) for kind, group in kinds.items()]
    made = pd.concat([left, *parts], axis=1, ignore_index=True)
    added = (name for group in kinds.values() for name in group)
    made.columns = column_index((*(names[place] for place in kept), *added))
    return made


def _table(kind: np.dtype[Any], arrays: list[NDArray[Any]], index: pd.Index) -> pd.DataFrame:
    table = np.empty((len(arrays), len(index)), dtype=kind)
    for row, array in zip(table, arrays, strict=True):
        row[:] = array
    # Without their type pandas would look for text in objects.
    return pd.DataFrame(table.T, index, dtype=kind if kind.hasobject else None, copy=False)


@lru_cache(maxsize=128)
def column_index(names: tuple[str, ...]) -> pd.Index:
    """Kept, with the table to find a column by: pandas 3 makes both from names as Arrow's text."""
    return pd.Index(names)
