"""What a pair's level of trust takes away from decisions that were made without looking at it."""

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
    """What is asked beyond the settings.

    Attributes
    ----------
    confidence_step
        Added to the confidence that a buy or sell needs.
    blocked
        Reason why no buy or sell is allowed at all; empty if it is.
    since
        First row's opening to which this applies, seconds since 1970.
    """

    confidence_step: float = 0.0
    blocked: str = ""
    since: int = 0

    def confidence(self, lowest: float) -> float:
        """What a buy or sell needs where the settings, tuned or not, ask for ``lowest``."""
        return min(lowest + self.confidence_step, 1.0)


def apply_health_limits(
    decided: pd.DataFrame, frame: pd.DataFrame, health_limits: HealthLimits, lowest: float
) -> pd.DataFrame:
    """Decisions with signals taken away; none is ever added.

    A higher threshold leaves exactly the signals of the lower one that reach it (see
    ``signals.emission``), so this is the same as deciding anew, and rows from before the restraint
    keep what was said then.

    Parameters
    ----------
    decided
        What :func:`~freqai_signals.signals.decide.decide` returned.
    frame
        Has ``date`` and, where anything was decided, the confidence.
    restraint
        What to ask.
    lowest
        Confidence that the decisions were made with.
    """
    signal = decided[DECISION_SIGNAL_COLUMN].to_numpy()
    seconds = frame["date"].dt.as_unit("s").astype("int64").to_numpy()
    asked = np.isin(signal, (SignalClass.BUY, SignalClass.SELL)) & (seconds >= health_limits.since)
    if not asked.any():
        return decided
    low = asked & (frame[CONFIDENCE_COLUMN].to_numpy() < health_limits.confidence(lowest))
    out = asked if health_limits.blocked else low
    reason = health_limits.blocked or str(Reason.LOW_CONFIDENCE)
    columns = {
        DECISION_SIGNAL_COLUMN: decided[DECISION_SIGNAL_COLUMN].mask(out, NO_SIGNAL),
        STRENGTH_COLUMN: decided[STRENGTH_COLUMN].mask(out, 0),
        REASON_COLUMN: decided[REASON_COLUMN].mask(out, reason),
        TAG_COLUMN: decided[TAG_COLUMN].mask(out, ""),
    }
    return decided.assign(**columns)
