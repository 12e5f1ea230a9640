"""A backtest's frames in a fraction of the memory: the same columns and the same values."""

from itertools import groupby
from pathlib import Path

import pandas as pd

from freqai_signals.dataset.features.mapped import begins, in_file, zeros
from freqai_signals.schema import DIRECTION_COLUMNS


def lean(frame: pd.DataFrame, kept: pd.DataFrame, folder: Path | None = None) -> pd.DataFrame:
    """The frame with what it shares, and without memory for what is zero.

    Four fifths of a backtest's rows are those that the first model is trained on. The model's
    columns are 0 there, and freqtrade keeps all rows of all pairs.

    Parameters
    ----------
    frame
        A pair's analysed frame; the caller drops it.
    kept
        What is kept of the pair anyway. Columns that are equal to its are not kept twice;
        pandas copies such a column before it changes.
    folder
        Where the other numbers lie, mapped, in a file that cannot be written to: hold a shallow
        copy of a frame that may be changed in place, so that pandas copies first. None keeps them
        in memory.
    """
    if not frame.columns.is_unique:
        return frame

    def kind(name: str) -> str:
        if name in kept and frame[name].equals(kept[name]):
            return "shared"
        return str(frame[name].dtype)

    parts = []
    # Neighbours, so that the order of the columns stays.
    for kept_as, group in groupby(frame.columns, kind):
        names = list(group)
        if kept_as == "shared":
            parts.append(kept[names])
        elif kept_as == "float64":
            parts.append(_written(frame, names, folder))
        else:
            parts.append(frame[names].copy())
    return pd.concat(parts, axis=1)


def lean_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with True and False for 1 and 0 of entries and exits.

    These take an eighth of the memory, and freqtrade, which makes an object of every number that
    it simulates with, needs none for them.
    """
    for name in set(DIRECTION_COLUMNS).intersection(frame.columns):
        values = frame[name].to_numpy()
        if ((values == 0) | (values == 1)).all():
            frame[name] = values == 1
    return frame


def _written(frame: pd.DataFrame, names: list[str], folder: Path | None) -> pd.DataFrame:
    matrix = zeros((len(names), len(frame)))
    for row, name in zip(matrix, names, strict=True):
        values = frame[name].to_numpy()
        first = begins(values)
        row[first:] = values[first:]
    numbers = matrix if folder is None else in_file(matrix, folder)
    return pd.DataFrame(numbers.T, index=frame.index, columns=names, copy=False)
