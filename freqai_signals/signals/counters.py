"""Counts of emitted signals by strength, and the last signal."""

from dataclasses import dataclass, replace

import pandas as pd

from freqai_signals.schema import (
    CONFIDENCE_COLUMN,
    DATE_COLUMN,
    DECISION_SIGNAL_COLUMN,
    STRENGTH_COLUMN,
    SignalClass,
)
from freqai_signals.signals.strength import Strength


@dataclass(frozen=True)
class SignalCount:
    """Emitted signals of one pair or of all.

    ``generated`` counts buy, sell and hold signals; a hold has no strength. ``last_time`` is the
    open of the last signal's candle in UTC, ISO 8601; "" before the first signal.
    """

    generated: int = 0
    weak: int = 0
    medium: int = 0
    strong: int = 0
    last_time: str = ""
    last_signal: str = ""
    last_confidence: float = 0.0

    @classmethod
    def of(cls, emitted: pd.DataFrame) -> "SignalCount":
        """Count the emitted signals of one pair.

        Parameters
        ----------
        emitted
            One row a signal, oldest first: ``date``, ``signal`` (a class), ``signal_strength`` and
            ``confidence``. May be empty.
        """
        if emitted.empty:
            return cls()
        strength, last = emitted[STRENGTH_COLUMN], emitted.iloc[-1]
        return cls(
            generated=len(emitted),
            weak=int((strength == Strength.WEAK).sum()),
            medium=int((strength == Strength.MEDIUM).sum()),
            strong=int((strength == Strength.STRONG).sum()),
            last_time=last[DATE_COLUMN].isoformat(),
            last_signal=SignalClass(int(last[DECISION_SIGNAL_COLUMN])).name.lower(),
            last_confidence=float(last[CONFIDENCE_COLUMN]),
        )

    def __add__(self, other: "SignalCount") -> "SignalCount":
        """Sum of the counts, with the later one's last signal."""
        # ISO times of one zone sort as text, and no time comes first.
        later = max(self, other, key=lambda count: count.last_time)
        return replace(
            later,
            generated=self.generated + other.generated,
            weak=self.weak + other.weak,
            medium=self.medium + other.medium,
            strong=self.strong + other.strong,
        )
