"""Predictions of one pair as validated arrays: an invalid row abstains, nothing raises."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from weakref import ReferenceType, ref

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.schema import (
    CONFIDENCE_COLUMN,
    DATE_COLUMN,
    EXPECTED_RETURN_COLUMN,
    LABEL_COLUMN,
    MODEL_COLUMNS,
    NEEDED_COLUMNS,
    PROBA_COLUMNS,
    TRUST_COLUMN,
    VALUE_COLUMNS,
    SignalClass,
)

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_SLOPE: Final = VALUE_COLUMNS[0]
_SUM_TOLERANCE: Final = 1e-3
_NO_DATE: Final = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Predictions:
    """One row per candle, oldest first. Row *t* is known at the close of candle *t*.

    Attributes
    ----------
    candle
        Candle numbers, shape ``(n,)``.
    signal
        Predicted class; hold where the row is not trusted.
    probabilities
        Shape ``(n, 3)``, columns sell, hold, buy; (0, 1, 0) where not trusted.
    confidence, expected_return
        Shape ``(n,)``; a percentile, and a fraction after costs. 0 where not trusted.
    trusted
        Shape ``(n,)``: the model trusts the row and its numbers are valid.
    proven
        Shape ``(n,)``: past predictions bear out an expected return; true where a frame does not
        hold the model's slope, as one that another bot sends.
    """

    candle: Integers
    signal: NDArray[np.int8]
    probabilities: Floats
    confidence: Floats
    expected_return: Floats
    trusted: Mask
    proven: Mask

    def __len__(self) -> int:
        return len(self.candle)

    @property
    def directional(self) -> Mask:
        """Rows that predict buy or sell."""
        return np.asarray(self.signal != SignalClass.HOLD)


def missing_columns(frame: pd.DataFrame) -> list[str]:
    """Columns that decisions need and the frame lacks."""
    return [name for name in NEEDED_COLUMNS if name not in frame]


def first_trusted(frame: pd.DataFrame) -> int:
    """Position of the first row that the model trusts, 0 if it trusts none.

    Rows before it do not affect any decision.
    """
    # argmax of booleans is the first true one, and 0 where none is.
    return 0 if frame.empty else int(np.argmax(trusted_rows(frame)))


def trusted_rows(frame: pd.DataFrame) -> Mask:
    """Rows whose ``do_predict`` is 1; none without that column.

    Not those where it is just true: 2 is an expired model, 3 a market that lacks a candle.
    """
    if TRUST_COLUMN not in frame:
        return np.zeros(len(frame), dtype=np.bool_)
    return np.asarray(_numbers(frame[TRUST_COLUMN]) == 1)


def read_predictions(frame: pd.DataFrame, candle_seconds: int) -> Predictions:
    """Validate a frame with all of ``NEEDED_COLUMNS`` and convert it to arrays.

    A row is trusted if ``do_predict`` is 1, all numbers are finite, the probabilities lie in [0, 1]
    and sum to one, the class is a :class:`SignalClass`, the confidence lies in [0, 1] and the date
    is later than all dates above it.
    """
    numbers = {name: _numbers(frame[name]) for name in (*MODEL_COLUMNS, TRUST_COLUMN)}
    predicted, confidence, expected, trust = (
        numbers[name]
        for name in (LABEL_COLUMN, CONFIDENCE_COLUMN, EXPECTED_RETURN_COLUMN, TRUST_COLUMN)
    )
    columns = [numbers[name] for name in PROBA_COLUMNS]
    candle, in_order = _candles(frame[DATE_COLUMN], candle_seconds)
    trusted = (
        in_order
        & (trust == 1)
        & np.logical_or.reduce([predicted == kind for kind in SignalClass])
        & _are_probabilities(columns)
        & (confidence >= 0)
        & (confidence <= 1)
        & np.isfinite(expected)
    )
    return Predictions(
        candle=candle,
        signal=np.where(trusted, predicted, SignalClass.HOLD).astype(np.int8),
        probabilities=np.column_stack(
            [
                np.where(trusted, column, kind == SignalClass.HOLD)
                for column, kind in zip(columns, SignalClass, strict=True)
            ]
        ),
        confidence=np.where(trusted, confidence, 0.0),
        expected_return=np.where(trusted, expected, 0.0),
        trusted=trusted,
        proven=_numbers(frame[_SLOPE]) > 0
        if _SLOPE in frame
        else np.ones(len(frame), dtype=np.bool_),
    )


@dataclass(frozen=True)
class FramePredictions:
    """Predictions of a frame.

    Attributes
    ----------
    first
        Position of the first row that the model trusts; earlier rows are skipped.
    rows
        Predictions from there on; None if the frame lacks columns.
    """

    first: int
    rows: Predictions | None


def read_frame(frame: pd.DataFrame, candle_seconds: int) -> FramePredictions:
    """Read what decisions and exits need; a backtest's training window is skipped."""
    if missing_columns(frame):
        return FramePredictions(0, None)
    first = first_trusted(frame)
    recent = frame.iloc[first:] if first else frame
    return FramePredictions(first, read_predictions(recent, candle_seconds))


class PredictionReader:
    """Reads a frame's predictions once for entries and exits, which freqtrade requests in turn.

    Parameters
    ----------
    candle_seconds
        Length of a candle.
    """

    def __init__(self, candle_seconds: int) -> None:
        self._candle_seconds = candle_seconds
        self._last: tuple[ReferenceType[pd.DataFrame], FramePredictions] | None = None

    def __getstate__(self) -> dict[str, object]:
        """Leave the frame out: hyperopt pickles the strategy for a worker in every epoch."""
        return self.__dict__ | {"_last": None}

    def for_entries(self, frame: pd.DataFrame) -> FramePredictions:
        """Read the frame, and keep the result for its exits."""
        read = read_frame(frame, self._candle_seconds)
        self._last = ref(frame), read
        return read

    def follow(self, frame: pd.DataFrame, decided: pd.DataFrame) -> None:
        """Keep what was read of a frame for the one that entries of ours made of it."""
        if self._last is not None and self._last[0]() is frame:
            self._last = ref(decided), self._last[1]

    def for_exits(self, frame: pd.DataFrame) -> FramePredictions:
        """The result kept from the entries if this is the same frame object, else a new one."""
        last, self._last = self._last, None
        # A weak reference: after its frame is freed, a new one may have the same ``id``.
        if last is not None and last[0]() is frame:
            return last[1]
        return read_frame(frame, self._candle_seconds)


def _numbers(column: "pd.Series[Any]") -> Floats:
    if column.dtype != np.float64:
        # Text becomes NaN, and its row untrusted.
        column = pd.to_numeric(column, errors="coerce")
    return np.asarray(column, dtype=np.float64)


def _are_probabilities(columns: Sequence[Floats]) -> Mask:
    # Column by column: reducing along rows of three takes numpy ten times as long.
    inside = np.logical_and.reduce([(column >= 0) & (column <= 1) for column in columns])
    total = np.sum([np.where(inside, column, 0.0) for column in columns], axis=0)
    return np.asarray(np.abs(total - 1) <= _SUM_TOLERANCE)


def _candles(dates: "pd.Series[pd.Timestamp]", candle_seconds: int) -> tuple[Integers, Mask]:
    """Candle numbers, made monotone, and which rows have a date later than all before."""
    if not isinstance(dates.dtype, pd.DatetimeTZDtype):
        dates = pd.to_datetime(dates, utc=True, errors="coerce")
    stamps = dates.to_numpy(dtype="datetime64[s]")
    seconds = stamps.view(np.int64)
    candle = np.where(np.isnat(stamps), _NO_DATE, seconds // candle_seconds)
    highest = np.maximum.accumulate(candle) if len(candle) else candle
    later = np.ones(len(candle), dtype=np.bool_)
    later[1:] = highest[1:] > highest[:-1]
    return highest, np.asarray(later & (candle != _NO_DATE))
