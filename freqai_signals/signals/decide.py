"""Decisions: from predictions to signal, strength, tag and reason of rejection."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from freqai_signals.schema import DECISION_COLUMNS, Reason, SignalClass
from freqai_signals.settings import DecisionSettings
from freqai_signals.signals.column_arrays import Columns, with_columns
from freqai_signals.signals.filters import (
    Reasons,
    first_rejections,
    reason_codes,
    rules,
)
from freqai_signals.signals.predictions import FramePredictions, read_frame
from freqai_signals.signals.strength import Strength, strengths, tag

NO_SIGNAL: Final = -1
_TAGS: Final = np.array(
    ["", *(tag(kind, tier) for kind in SignalClass for tier in Strength)], dtype=object
)


@dataclass(frozen=True)
class PairContext:
    """Input of a decision besides predictions and settings.

    Attributes
    ----------
    candle_seconds
        Length of a candle.
    stops
        Candle numbers (seconds since 1970 // ``candle_seconds``) in which trades of the pair were
        stopped out; empty if not known, as in a backtest.
    """

    candle_seconds: int
    stops: tuple[int, ...] = ()


def decide(
    frame: pd.DataFrame,
    settings: DecisionSettings,
    context: PairContext,
    read: FramePredictions | None = None,
) -> pd.DataFrame:
    """Apply all rules to one pair's frame; invalid rows and missing columns never raise.

    Parameters
    ----------
    frame
        Candles of one pair, oldest first, with ``date``, the columns of the model and
        ``do_predict``.
    settings
        Thresholds.
    context
        The pair's candle length and stops.
    read
        The frame's predictions if the caller has read them already.

    Returns
    -------
    pandas.DataFrame
        Index of ``frame`` and four columns:

        ==================  ====================================================================
        ``signal``          0 sell, 1 hold (only a highly probable one), 2 buy, -1 none
        ``signal_strength`` 0 none (also for holds), 1 weak, 2 medium, 3 strong
        ``reject_reason``   first rule that rejects a buy or sell, or ``untrusted``; else empty
        ``signal_tag``      ``buy_strong``, ``sell_weak``, ``hold``; empty without signal
        ==================  ====================================================================

        Row *t* uses candles up to the close of *t*; :mod:`~freqai_signals.signals.repeats`
        defines how many at most.
    """
    read = read or read_frame(frame, context.candle_seconds)
    return with_columns(
        pd.DataFrame(index=frame.index), decisions(read, len(frame), settings, context)
    )


def decisions(
    read: FramePredictions, count: int, settings: DecisionSettings, context: PairContext
) -> Columns:
    """The columns of :func:`decide` as arrays, of a frame of ``count`` rows that has been read."""
    signal = np.full(count, NO_SIGNAL, dtype=np.int8)
    strength = np.zeros(count, dtype=np.int8)
    if (rows := read.rows) is None:
        reason = repeated(str(Reason.MISSING_COLUMNS), count)
    else:
        active, recent = rules(rows, settings, context.stops), slice(read.first, None)
        rejected = first_rejections(rows, active)
        emitted = np.where(rejected == len(active), rows.signal, NO_SIGNAL)
        directional = (emitted == SignalClass.BUY) | (emitted == SignalClass.SELL)
        signal[recent] = emitted
        strength[recent] = np.where(directional, strengths(rows.confidence, settings), 0)
        # The first rule rejects what was not read: in a backtest, the training window.
        shown = np.zeros(count, dtype=np.intp)
        # A trusted hold rejects no trade, so it gets no reason.
        shown[recent] = np.where(rows.trusted & ~rows.directional, len(active), rejected)
        reason = reason_codes(shown, active)
    tags = _TAGS[np.where(signal == NO_SIGNAL, 0, 1 + signal * len(Strength) + strength)]
    return dict(zip(DECISION_COLUMNS, (signal, strength, reason, tags), strict=True))


def repeated(text: str, rows: int) -> Reasons:
    """A column of one text: ``numpy.full`` would make a new one for each row."""
    column = np.empty(rows, dtype=object)
    column.fill(text)
    return column
