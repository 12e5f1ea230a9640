"""From decisions to the columns and numbers that freqtrade asks a strategy for."""

from typing import Any

import numpy as np
import pandas as pd

from freqai_signals.dataset.barriers import LabelRule, barrier_width, return_scale
from freqai_signals.schema import (
    BARRIER_COLUMN,
    DECISION_SIGNAL_COLUMN,
    MODEL_ID_COLUMN,
    PRIOR_COLUMNS,
    PROBA_COLUMNS,
    RETURN_SCALE_COLUMN,
    SQUARE_COLUMNS,
    TAG_COLUMN,
    USUAL_COLUMNS,
    SignalClass,
)
from freqai_signals.settings import ExitSettings, SignalSettings, SizingSettings
from freqai_signals.signals.expected_value import move_behind
from freqai_signals.signals.predictions import FramePredictions, first_trusted
from freqai_signals.trading.exits import ExitReason
from freqai_signals.trading.sizing import Outlook, outlook


def with_barriers(
    frame: pd.DataFrame, settings: SignalSettings, round_trip_cost: float
) -> pd.DataFrame:
    """The frame with the label's own barrier width and return scale.

    So a trade can be what a label says, and be sized by what it is about.
    """
    rule = LabelRule.of(settings, round_trip_cost)
    close = frame["close"].to_numpy(np.float64)
    width = barrier_width(close, rule)
    scale = width if rule.moving is rule else return_scale(close, rule)
    return frame.assign(**{BARRIER_COLUMN: width, RETURN_SCALE_COLUMN: scale})


def entry_columns(decided: pd.DataFrame, can_short: bool) -> pd.DataFrame:
    """``enter_long``, ``enter_short`` and ``enter_tag`` from decisions.

    Parameters
    ----------
    decided
        What :func:`~freqai_signals.signals.decide.decide` returned.
    can_short
        Without it a sell signal enters nothing.
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
    cost: float,
    can_short: bool = True,
) -> pd.DataFrame:
    """``exit_long``, ``exit_short`` and ``exit_tag`` from what the model says.

    A trusted prediction of the other direction with at least ``opposite_confidence`` ends a trade,
    and, if so set, a trusted expectation of a move against it. The rules that open trades have no
    say, and a row that is not trusted, or lacks a column, ends none by signal. Where there are no
    shorts (``can_short`` is false) there is nothing to leave, and nothing to draw in a chart.
    """
    if read.rows is None:
        columns: dict[str, Any] = {"exit_long": 0, "exit_short": 0, "exit_tag": None}
        return pd.DataFrame(columns, index=frame.index)
    first, rows = read.first, read.rows
    sure = rows.trusted & settings.opposite_signal
    sure &= rows.confidence >= settings.opposite_confidence
    against_long = sure & (rows.signal == SignalClass.SELL)
    against_short = sure & (rows.signal == SignalClass.BUY) & can_short
    move = move_behind(rows.signal, rows.expected_return, cost)
    falls = rows.trusted & settings.negative_expected_value & (move < 0)
    rises = rows.trusted & settings.negative_expected_value & (move > 0) & can_short
    tag = np.full(len(rows), None, dtype=object)
    tag[falls | rises] = str(ExitReason.NEGATIVE_EXPECTED_VALUE)
    tag[against_long | against_short] = str(ExitReason.OPPOSITE_SIGNAL)
    before = np.zeros(first, dtype=np.int64)
    none = np.full(first, None, dtype=object)
    columns = {
        "exit_long": np.concatenate([before, against_long | falls]),
        "exit_short": np.concatenate([before, against_short | rises]),
        "exit_tag": pd.Series(np.concatenate([none, tag]), index=frame.index, dtype=object),
    }
    return pd.DataFrame(columns, index=frame.index)


def without_report_columns(frame: pd.DataFrame, sizing: SizingSettings) -> pd.DataFrame:
    """The frame without what no decision looks at.

    A hyperopt reads its frames from disk in every epoch, and keeps no report.
    """
    report = [*PRIOR_COLUMNS, MODEL_ID_COLUMN]
    if sizing.method == "fixed":
        report += [*USUAL_COLUMNS, *SQUARE_COLUMNS, RETURN_SCALE_COLUMN]
    return frame.drop(columns=report, errors="ignore")


def predicted_part(frame: pd.DataFrame, memory: int) -> pd.DataFrame:
    """Rows from ``memory`` candles before the first trusted one on; all if none is trusted."""
    return frame.iloc[max(first_trusted(frame) - memory, 0) :]


def row_outlook(row: Any, signal: SignalClass, cost: float) -> Outlook:
    """What following ``signal`` can expect, from one row of the analysed frame."""
    scale = float(row[RETURN_SCALE_COLUMN])
    return outlook(
        signal,
        np.array([row[name] for name in PROBA_COLUMNS], dtype=np.float64),
        np.array([row[name] for name in USUAL_COLUMNS], dtype=np.float64) * scale,
        np.array([row[name] for name in SQUARE_COLUMNS], dtype=np.float64) * scale**2,
        cost,
    )
