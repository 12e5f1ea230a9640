"""Restrictions on signals while a pair's health is degraded, applied after the decisions."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from freqai_signals.schema import (
    CONFIDENCE_COLUMN,
    DECISION_SIGNAL_COLUMN,
    REASON_COLUMN,
    STRENGTH_COLUMN,
    TAG_COLUMN,
    Reason,
    SignalClass,
)
from freqai_signals.signals.decide import NO_SIGNAL


@dataclass(frozen=True)
class HealthLimits:
    """Restrictions in addition to the settings.

    Attributes
    ----------
    confidence_step
        Added to the confidence that a buy or sell needs.
    blocked
        Reason why no buy or sell is allowed; empty if they are.
    since
        Open of the first candle to which they apply, seconds since 1970.
    """

    confidence_step: float = 0.0
    blocked: str = ""
    since: int = 0

    def confidence(self, lowest: float) -> float:
        """Confidence that a buy or sell needs, given the ``lowest`` of the settings."""
        # No confidence exceeds 1: a higher limit would block everything without saying so.
        return min(lowest + self.confidence_step, 1.0)


def apply_health_limits(
    decided: pd.DataFrame, frame: pd.DataFrame, health_limits: HealthLimits, lowest: float
) -> pd.DataFrame:
    """Remove the signals that the restrictions do not allow; none is ever added.

    A higher threshold leaves exactly the signals of the lower one that reach it (see
    ``signals.repeats``), so this equals deciding again with the higher threshold, and rows
    from before ``since`` keep their decisions.

    Parameters
    ----------
    decided
        From :func:`~freqai_signals.signals.decide.decide`.
    frame
        Has ``date`` and, if there is any signal, the confidence.
    health_limits
        The restrictions.
    lowest
        Lowest confidence of the settings, with which the decisions were made.
    """
    signal = decided[DECISION_SIGNAL_COLUMN].to_numpy()
    seconds = frame["date"].to_numpy(dtype="datetime64[s]").astype(np.int64)
    limited = np.isin(signal, (SignalClass.BUY, SignalClass.SELL))
    limited &= seconds >= health_limits.since
    # Frames without a model's columns have no signals, and no confidence either.
    if not limited.any():
        return decided
    low = limited & (frame[CONFIDENCE_COLUMN].to_numpy() < health_limits.confidence(lowest))
    out = limited if health_limits.blocked else low
    reason = health_limits.blocked or str(Reason.LOW_CONFIDENCE)
    columns = {
        DECISION_SIGNAL_COLUMN: decided[DECISION_SIGNAL_COLUMN].mask(out, NO_SIGNAL),
        STRENGTH_COLUMN: decided[STRENGTH_COLUMN].mask(out, 0),
        REASON_COLUMN: decided[REASON_COLUMN].mask(out, reason),
        TAG_COLUMN: decided[TAG_COLUMN].mask(out, ""),
    }
    return decided.assign(**columns)
