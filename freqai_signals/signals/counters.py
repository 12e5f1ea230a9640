"""How many signals each pair gave, kept across restarts."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

import pandas as pd

from freqai_signals.schema import CONFIDENCE_COLUMN, STRENGTH_COLUMN, SignalClass
from freqai_signals.signals.predictions import DATE_COLUMN
from freqai_signals.signals.strength import Strength


@dataclass(frozen=True)
class SignalCount:
    """Emitted signals of one pair or of all.

    ``generated`` counts buy, sell and hold signals; a hold has no strength. The last signal's time
    is the opening of its candle in UTC, ISO 8601; "" before the first.
    """

    generated: int = 0
    weak: int = 0
    medium: int = 0
    strong: int = 0
    last_time: str = ""
    last_signal: str = ""
    last_confidence: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no counting could have given."""
        tiers = (self.weak, self.medium, self.strong)
        if min(tiers) < 0 or self.generated < sum(tiers):
            raise ValueError(
                "generated must be at least weak + medium + strong and none negative, "
                f"got generated={self.generated}, tiers={tiers}"
            )
        if self.last_time:
            datetime.fromisoformat(self.last_time)

    def __add__(self, other: "SignalCount") -> "SignalCount":
        """Both together; the last signal is the later one's."""
        later = max(self, other, key=lambda count: count.last_time)
        return replace(
            later,
            generated=self.generated + other.generated,
            weak=self.weak + other.weak,
            medium=self.medium + other.medium,
            strong=self.strong + other.strong,
        )


@dataclass
class SignalCounters:
    """Counts by pair. ``update`` may be called with overlapping frames; rows count once."""

    pairs: dict[str, SignalCount] = field(default_factory=dict)

    @property
    def total(self) -> SignalCount:
        """All pairs together."""
        return sum(self.pairs.values(), SignalCount())

    def update(self, pair: str, frame: pd.DataFrame, decisions: pd.DataFrame) -> None:
        """Count emitted signals that are newer than the pair's last one.

        Parameters
        ----------
        pair
            For example ``BTC/USDT``.
        frame
            Has ``date`` and ``confidence``.
        decisions
            What :func:`~freqai_signals.signals.decide.decide` returned for ``frame``.
        """
        before = self.pairs.get(pair, SignalCount())
        emitted = decisions["signal"].to_numpy() >= 0
        if before.last_time:
            emitted &= (frame[DATE_COLUMN] > pd.Timestamp(before.last_time)).to_numpy()
        if emitted.any():
            self.pairs[pair] = before + _count(frame[emitted], decisions[emitted])

    def to_json(self) -> str:
        """Text that :meth:`from_json` reads."""
        return json.dumps({pair: asdict(count) for pair, count in self.pairs.items()})

    @classmethod
    def from_json(cls, text: str) -> "SignalCounters":
        """Read what :meth:`to_json` wrote; ValueError if the text is anything else."""
        try:
            content: Mapping[str, Any] = json.loads(text)
            return cls({pair: SignalCount(**count) for pair, count in content.items()})
        except (TypeError, AttributeError) as error:
            raise ValueError(f"these are no signal counters: {error}") from error


def _count(frame: pd.DataFrame, decisions: pd.DataFrame) -> SignalCount:
    strength = decisions[STRENGTH_COLUMN]
    return SignalCount(
        generated=len(decisions),
        weak=int((strength == Strength.WEAK).sum()),
        medium=int((strength == Strength.MEDIUM).sum()),
        strong=int((strength == Strength.STRONG).sum()),
        last_time=frame[DATE_COLUMN].iloc[-1].isoformat(),
        last_signal=SignalClass(int(decisions["signal"].iloc[-1])).name.lower(),
        last_confidence=float(frame[CONFIDENCE_COLUMN].iloc[-1]),
    )
