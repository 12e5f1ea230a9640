"""From decisions to the columns that freqtrade expects of a strategy."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.barriers import LabelRule, width_and_scale
from freqai_signals.model.trade_value import TradeValue
from freqai_signals.schema import (
    BARRIER_COLUMN,
    DECISION_SIGNAL_COLUMN,
    MODEL_ID_COLUMN,
    PRIOR_COLUMNS,
    PROBA_COLUMNS,
    RETURN_SCALE_COLUMN,
    TAG_COLUMN,
    TRADE_COST_COLUMN,
    VALUE_COLUMNS,
    SignalClass,
)
from freqai_signals.settings import ExitSettings, SignalSettings, SizingSettings
from freqai_signals.signals.column_arrays import Columns
from freqai_signals.signals.predictions import FramePredictions, first_trusted
from freqai_signals.trading.exits import ExitReason
from freqai_signals.trading.sizing import Outlook, outlook


class BarrierColumns:
    """The label's barrier width and return scale, from which exits and stakes are computed.

    Parameters
    ----------
    settings
        Label, horizon and timeframe.
    kept
        Whether those of the last frame are kept: of a live one model and strategy ask.
    """

    def __init__(self, settings: SignalSettings, kept: bool = False) -> None:
        self._settings, self._kept = settings, kept
        self._last: tuple[LabelRule, NDArray[np.float64], Columns] | None = None

    def of(self, frame: pd.DataFrame, round_trip_cost: float) -> Columns:
        """Barrier width and return scale of each row, by the closes up to it."""
        rule = LabelRule.of(self._settings, round_trip_cost)
        close = frame["close"].to_numpy(np.float64)
        last = self._last
        if last is not None and last[0] == rule and np.array_equal(last[1], close, equal_nan=True):
            return last[2]
        width, scale = width_and_scale(close, rule)
        made = {BARRIER_COLUMN: width, RETURN_SCALE_COLUMN: scale}
        if self._kept:
            self._last = rule, close, made
        return made


def entry_columns(decided: Columns, can_short: bool) -> Columns:
    """``enter_long``, ``enter_short`` and ``enter_tag`` from decisions.

    Parameters
    ----------
    decided
        From :func:`~freqai_signals.signals.decide.decisions`.
    can_short
        If false, sell signals enter nothing.
    """
    signal = decided[DECISION_SIGNAL_COLUMN]
    long = signal == SignalClass.BUY
    short = (signal == SignalClass.SELL) & can_short
    tag = decided[TAG_COLUMN].copy()
    tag[~(long | short)] = None
    return {
        "enter_long": long.astype(np.int64),
        "enter_short": short.astype(np.int64),
        "enter_tag": tag,
    }


def exit_columns(
    read: FramePredictions, count: int, settings: ExitSettings, can_short: bool = True
) -> Columns:
    """``exit_long``, ``exit_short`` and ``exit_tag`` of a frame of ``count`` rows.

    A trusted prediction of the other direction with at least ``opposite_confidence`` exits a trade.
    Filter rules do not apply; an untrusted row, or a frame that lacks columns, gives no exit
    signal. Without shorts (``can_short`` is false) there are none for them, also not in charts.
    """
    long, short = (np.zeros(count, dtype=np.int64) for _ in ("long", "short"))
    # An empty array of objects holds None.
    tag = np.empty(count, dtype=object)
    if (rows := read.rows) is not None:
        sure = rows.trusted & settings.opposite_signal
        sure &= rows.confidence >= settings.opposite_confidence
        # Rows before the first trusted one were not read.
        long[read.first :] = sure & (rows.signal == SignalClass.SELL)
        short[read.first :] = sure & (rows.signal == SignalClass.BUY) & can_short
        tag[(long | short) == 1] = str(ExitReason.OPPOSITE_SIGNAL)
    return {"exit_long": long, "exit_short": short, "exit_tag": tag}


def without_report_columns(frame: pd.DataFrame, sizing: SizingSettings) -> pd.DataFrame:
    """Drop the columns that no decision needs.

    Hyperopt reads its frames from disk in every epoch and writes no report.
    """
    report = [*PRIOR_COLUMNS, MODEL_ID_COLUMN]
    if sizing.method == "fixed":
        # The slope stays: without it no edge is proven.
        report += [*VALUE_COLUMNS[1:], TRADE_COST_COLUMN, RETURN_SCALE_COLUMN]
    return frame.drop(columns=report, errors="ignore")


def predicted_part(frame: pd.DataFrame, memory: int) -> pd.DataFrame:
    """Rows from ``memory`` candles before the first trusted one; all rows if none is trusted."""
    return frame.iloc[max(first_trusted(frame) - memory, 0) :]


def row_outlook(row: Any, signal: SignalClass) -> Outlook:
    """Expected return of a trade on ``signal``, from one row of the analysed frame."""
    probabilities = np.array([[row[name] for name in PROBA_COLUMNS]], dtype=np.float64)
    slope, square, square_move = (float(row[name]) for name in VALUE_COLUMNS)
    value = TradeValue(slope, square=square, square_move=square_move)
    scale = float(row[RETURN_SCALE_COLUMN])
    long = float(value.mean(probabilities, scale)[0])
    mean_square = float(value.mean_square(probabilities, scale)[0])
    return outlook(signal, long, mean_square, float(row[TRADE_COST_COLUMN]))
