"""Restrictions on signals while a pair's health is degraded, applied after the decisions."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from freqai_signals.schema import DECISION_COLUMNS, DECISION_SIGNAL_COLUMN, SignalClass
from freqai_signals.signals.column_arrays import Columns
from freqai_signals.signals.decide import NO_SIGNAL


@dataclass(frozen=True)
class HealthLimits:
    """Restrictions in addition to the settings.

    Attributes
    ----------
    blocked
        Reason why no buy or sell is allowed; empty if they are.
    since
        Open of the first candle to which they apply, seconds since 1970.
    """

    blocked: str = ""
    since: int = 0


def apply_health_limits(
    decided: Columns, frame: pd.DataFrame, health_limits: HealthLimits
) -> Columns:
    """Remove the signals that the restrictions do not allow; none is ever added.

    Rows from before ``since`` keep their decisions.

    Parameters
    ----------
    decided
        From :func:`~freqai_signals.signals.decide.decisions`.
    frame
        Has ``date``.
    health_limits
        The restrictions.
    """
    if not health_limits.blocked:
        return decided
    signal = decided[DECISION_SIGNAL_COLUMN]
    seconds = frame["date"].to_numpy(dtype="datetime64[s]").astype(np.int64)
    out = np.isin(signal, (SignalClass.BUY, SignalClass.SELL)) & (seconds >= health_limits.since)
    instead = (NO_SIGNAL, 0, health_limits.blocked, "")
    limited = {name: decided[name].copy() for name in DECISION_COLUMNS}
    for column, value in zip(limited.values(), instead, strict=True):
        column[out] = value
    return limited
