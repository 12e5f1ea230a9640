"""Restrictions on signals while a pair's health is degraded, applied after the decisions."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from freqai_signals.schema import (
    DECISION_SIGNAL_COLUMN,
    REASON_COLUMN,
    STRENGTH_COLUMN,
    TAG_COLUMN,
    SignalClass,
)
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
    decided: pd.DataFrame, frame: pd.DataFrame, health_limits: HealthLimits
) -> pd.DataFrame:
    """Remove the signals that the restrictions do not allow; none is ever added.

    Rows from before ``since`` keep their decisions.

    Parameters
    ----------
    decided
        From :func:`~freqai_signals.signals.decide.decide`.
    frame
        Has ``date``.
    health_limits
        The restrictions.
    """
    if not health_limits.blocked:
        return decided
    signal = decided[DECISION_SIGNAL_COLUMN].to_numpy()
    seconds = frame["date"].to_numpy(dtype="datetime64[s]").astype(np.int64)
    out = np.isin(signal, (SignalClass.BUY, SignalClass.SELL)) & (seconds >= health_limits.since)
    columns = {
        DECISION_SIGNAL_COLUMN: decided[DECISION_SIGNAL_COLUMN].mask(out, NO_SIGNAL),
        STRENGTH_COLUMN: decided[STRENGTH_COLUMN].mask(out, 0),
        REASON_COLUMN: decided[REASON_COLUMN].mask(out, health_limits.blocked),
        TAG_COLUMN: decided[TAG_COLUMN].mask(out, ""),
    }
    return decided.assign(**columns)
