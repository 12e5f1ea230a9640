"""From decisions to the columns that freqtrade expects of a strategy."""

from typing import Any

import numpy as np
import pandas as pd

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
from freqai_signals.signals.predictions import FramePredictions, first_trusted
from freqai_signals.trading.exits import ExitReason
from freqai_signals.trading.sizing import Outlook, outlook


def with_columns(frame: pd.DataFrame, columns: pd.DataFrame) -> pd.DataFrame:
    """The frame with these columns, of the same index, in the place of those that it has.

    All at once, for pandas takes several times as long to add them one by one.
    """
    replaced = [name for name in columns if name in frame]
    kept = frame.drop(columns=replaced) if replaced else frame
    return pd.concat([kept, columns], axis=1)


def with_barriers(
    frame: pd.DataFrame, settings: SignalSettings, round_trip_cost: float
) -> pd.DataFrame:
    """Add the label's barrier width and return scale, from which exits and stakes are computed."""
    rule = LabelRule.of(settings, round_trip_cost)
    close = frame["close"].to_numpy(np.float64)
    width, scale = width_and_scale(close, rule)
    return frame.assign(**{BARRIER_COLUMN: width, RETURN_SCALE_COLUMN: scale})


def entry_columns(decided: pd.DataFrame, can_short: bool) -> pd.DataFrame:
    """``enter_long``, ``enter_short`` and ``enter_tag`` from decisions.

    Parameters
    ----------
    decided
        From :func:`~freqai_signals.signals.decide.decide`.
    can_short
        If false, sell signals enter nothing.
    """
    signal = decided[DECISION_SIGNAL_COLUMN]
    long = signal == SignalClass.BUY
    short = (signal == SignalClass.SELL) & can_short
    columns = {
        "enter_long": long.astype(np.int64),
        "enter_short": short.astype(np.int64),
        "enter_tag": decided[TAG_COLUMN].where(long | short, None),
    }
    return pd.DataFrame(columns, index=decided.index)


def exit_columns(
    frame: pd.DataFrame,
    read: FramePredictions,
    settings: ExitSettings,
    can_short: bool = True,
) -> pd.DataFrame:
    """``exit_long``, ``exit_short`` and ``exit_tag`` from predictions.

    A trusted prediction of the other direction with at least ``opposite_confidence`` exits a trade.
    Filter rules do not apply; an untrusted row, or a frame that lacks columns, gives no exit
    signal. Without shorts (``can_short`` is false) there are none for them, also not in charts.
    """
    if read.rows is None:
        columns: dict[str, Any] = {"exit_long": 0, "exit_short": 0, "exit_tag": None}
        return pd.DataFrame(columns, index=frame.index)
    first, rows = read.first, read.rows
    sure = rows.trusted & settings.opposite_signal
    sure &= rows.confidence >= settings.opposite_confidence
    against_long = sure & (rows.signal == SignalClass.SELL)
    against_short = sure & (rows.signal == SignalClass.BUY) & can_short
    tag = np.full(len(rows), None, dtype=object)
    tag[against_long | against_short] = str(ExitReason.OPPOSITE_SIGNAL)
    # Rows before the first trusted one, which were not read.
    before = np.zeros(first, dtype=np.int64)
    none = np.full(first, None, dtype=object)
    columns = {
        "exit_long": np.concatenate([before, against_long]),
        "exit_short": np.concatenate([before, against_short]),
        "exit_tag": pd.Series(np.concatenate([none, tag]), index=frame.index, dtype=object),
    }
    return pd.DataFrame(columns, index=frame.index)


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
