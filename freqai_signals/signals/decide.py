"""Decisions: from predictions to signal, strength, tag and reason of rejection."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.schema import DECISION_COLUMNS, Reason, SignalClass
from freqai_signals.settings import DecisionSettings
from freqai_signals.signals.filters import (
    Reasons,
    first_rejections,
    reason_codes,
    rules,
)
from freqai_signals.signals.predictions import FramePredictions, Predictions, read_frame
from freqai_signals.signals.strength import Strength, strengths, tag

NO_SIGNAL: Final = -1


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
    if read.rows is None:
        nothing = np.full(len(frame), NO_SIGNAL, dtype=np.int8)
        reason = repeated(str(Reason.MISSING_COLUMNS), len(frame))
        return _table(frame.index, nothing, np.zeros_like(nothing), reason)
    decided = _decided(frame.iloc[read.first :], read.rows, settings, context)
    return _abstain_before(read.first, frame, decided) if read.first else decided


def _decided(
    frame: pd.DataFrame, rows: Predictions, settings: DecisionSettings, context: PairContext
) -> pd.DataFrame:
    active = rules(rows, settings, context.stops)
    rejected = first_rejections(rows, active)
    signal = np.where(rejected == len(active), rows.signal, NO_SIGNAL).astype(np.int8)
    directional = (signal == SignalClass.BUY) | (signal == SignalClass.SELL)
    strength = np.where(directional, strengths(rows.confidence, settings), 0).astype(np.int8)
    # A trusted hold rejects no trade, so it gets no reason.
    shown = np.where(rows.trusted & ~rows.directional, len(active), rejected)
    return _table(frame.index, signal, strength, reason_codes(shown, active))


def _abstain_before(first: int, frame: pd.DataFrame, decided: pd.DataFrame) -> pd.DataFrame:
    """Prepend abstentions for the rows before ``first``: in a backtest, the training window."""
    nothing = np.full(first, NO_SIGNAL, dtype=np.int8)
    reason = repeated(str(Reason.UNTRUSTED), first)
    above = _table(frame.index[:first], nothing, np.zeros_like(nothing), reason)
    columns = {
        name: pd.Series(
            np.concatenate([above[name].to_numpy(), decided[name].to_numpy()]),
            index=frame.index,
            dtype=above[name].dtype,
        )
        for name in DECISION_COLUMNS
    }
    return pd.DataFrame(columns, index=frame.index)


def repeated(text: str, rows: int) -> Reasons:
    """A column of one text: ``numpy.full`` would make a new one for each row."""
    column = np.empty(rows, dtype=object)
    column.fill(text)
    return column


def _table(
    index: pd.Index,
    signal: NDArray[np.int8],
    strength: NDArray[np.int8],
    reason: Reasons,
) -> pd.DataFrame:
    tags = np.array(
        ["", *(tag(kind, tier) for kind in SignalClass for tier in Strength)], dtype=object
    )
    tag_index = np.where(signal == NO_SIGNAL, 0, 1 + signal * len(Strength) + strength)
    # Without an explicit dtype pandas would inspect every element of an object array.
    texts = [pd.Series(column, index=index, dtype=object) for column in (reason, tags[tag_index])]
    columns = (signal, strength, *texts)
    return pd.DataFrame(dict(zip(DECISION_COLUMNS, columns, strict=True)), index=index, copy=False)
