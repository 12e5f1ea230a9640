"""A backtest's frames in a fraction of the memory: the same columns and the same values."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.features.mapped import zeros


def lean(frame: pd.DataFrame, candles: pd.DataFrame) -> pd.DataFrame:
    """The frame with what it shares, and without memory for what is zero.

    Four fifths of a backtest's rows are those that the first model is trained on. The model's
    columns are 0 there, and freqtrade keeps all rows of all pairs.

    Parameters
    ----------
    frame
        A pair's analysed frame; the caller drops it.
    candles
        What freqtrade keeps of the pair anyway. Columns that are equal to its are not kept twice;
        pandas copies such a column before it changes.
    """
    if not frame.columns.is_unique:
        return frame

    def kind(name: str) -> str:
        if name in candles and frame[name].equals(candles[name]):
            return "shared"
        return str(frame[name].dtype)

    parts = []
    # Neighbours, so that the order of the columns stays.
    for kept_as, group in groupby(frame.columns, kind):
        names = list(group)
        if kept_as == "shared":
            parts.append(candles[names])
        elif kept_as == "float64":
            parts.append(_written(frame, names))
        else:
            parts.append(frame[names].copy())
    return pd.concat(parts, axis=1)


def lean_columns(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The frame with integer columns kept as :func:`lean` keeps others, where it has them."""
    for name in names:
        if name in frame and frame[name].dtype == np.int64:
            values = zeros((1, len(frame)))[0].view(np.int64)
            _write(values, frame[name].to_numpy())
            frame[name] = pd.Series(values, index=frame.index, copy=False)
    return frame


def _written(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    matrix = zeros((len(names), len(frame)))
    for row, name in zip(matrix, names, strict=True):
        _write(row.view(np.int64), frame[name].to_numpy().view(np.int64))
    return pd.DataFrame(matrix.T, index=frame.index, columns=names, copy=False)


def _write(target: NDArray[np.int64], values: NDArray[np.int64]) -> None:
    """Copy from the first value on that is not 0."""
    used = values != 0
    first = int(np.argmax(used)) if used.any() else len(values)
    target[first:] = values[first:]
