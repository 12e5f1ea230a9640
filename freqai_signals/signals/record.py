"""One signal as it is told to people, the ledger and other bots."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Final

import pandas as pd

from freqai_signals.schema import (
    ABSTAINING_ROW,
    CLASS_COUNT,
    CONFIDENCE_COLUMN,
    DATE_COLUMN,
    DECISION_SIGNAL_COLUMN,
    PROBA_COLUMNS,
    REASON_COLUMN,
    STRENGTH_COLUMN,
    Reason,
    SignalClass,
)
from freqai_signals.signals.decide import NO_SIGNAL
from freqai_signals.signals.strength import Strength

SIGNALS: Final = ("sell", "hold", "buy", "none")
_SUM_TOLERANCE: Final = 1e-3


class RecordError(ValueError):
    """The text or the values are no signal record."""


@dataclass(frozen=True)
class SignalRecord:
    """What was decided about one candle of one pair, and on what grounds.

    Attributes
    ----------
    timestamp
        Opening time of the candle with offset, ISO 8601; the decision is known at its close.
    pair
        For example ``BTC/USDT``.
    signal
        ``sell``, ``hold``, ``buy``, or ``none`` where nothing was emitted.
    confidence
        Percentile in [0, 1], no probability.
    probabilities
        Calibrated, of sell, hold and buy; they sum to one.
    top_features
        Name and signed contribution (log-odds of buy against sell), largest first.
    model_version
        Version id of the model that predicted.
    strength
        0 none, 1 weak, 2 medium, 3 strong.
    reason
        Why a prediction was refused; empty otherwise.
    """

    timestamp: str
    pair: str
    signal: str
    confidence: float
    probabilities: tuple[float, float, float]
    top_features: tuple[tuple[str, float], ...]
    model_version: str
    strength: int
    reason: str

    def __post_init__(self) -> None:
        """Refuse values that no decision could have; all problems in one message."""
        problems = [text for wrong, text in self._checks() if wrong]
        if problems:
            raise RecordError("\n- ".join(["these values are no signal record:", *problems]))

    def _checks(self) -> list[tuple[bool, str]]:
        probabilities = self.probabilities
        contributions = [value for _, value in self.top_features]
        impossible = len(probabilities) != CLASS_COUNT or not all(
            0 <= p <= 1 for p in probabilities
        )
        emitted = self.signal in ("sell", "buy")
        return [
            (
                not _is_moment(self.timestamp),
                f"timestamp: {self.timestamp!r} is no time with offset",
            ),
            (not self.pair, "pair: must not be empty"),
            (self.signal not in SIGNALS, f"signal: must be one of {SIGNALS}, got {self.signal!r}"),
            (not 0 <= self.confidence <= 1, f"confidence: not in [0, 1], got {self.confidence}"),
            (
                impossible or not math.isclose(sum(probabilities), 1, abs_tol=_SUM_TOLERANCE),
                f"probabilities: three numbers in [0, 1] that sum to one, got {probabilities}",
            ),
            (
                not all(map(math.isfinite, contributions)),
                f"top_features: contributions must be finite, got {contributions}",
            ),
            (
                self.strength not in (1, 2, 3) if emitted else self.strength != 0,
                f"strength: 1, 2 or 3 for buy and sell, else 0; got {self.strength}",
            ),
            (
                bool(self.reason) and self.signal != "none",
                f"reason: {self.reason!r} although {self.signal!r} was emitted",
            ),
        ]

    def to_json(self) -> str:
        """Text on one line that :meth:`from_json` reads back to an equal record."""
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "SignalRecord":
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        RecordError
            For text that is no JSON object, has other keys, or holds impossible values.
        """
        names = {item.name for item in fields(cls)}
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise RecordError(f"a signal record must be JSON: {error}") from error
        if not isinstance(content, dict) or set(content) != names:
            got = sorted(content) if isinstance(content, dict) else type(content).__name__
            raise RecordError(f"a signal record has the keys {sorted(names)}, got {got}")
        try:
            return cls(**_typed(content))
        except (TypeError, ValueError, OverflowError) as error:
            raise error if isinstance(error, RecordError) else RecordError(str(error)) from error


def record_of(
    pair: str,
    row: "pd.Series[Any]",
    model_version: str,
    top_features: Sequence[tuple[str, float]] = (),
) -> SignalRecord:
    """Record of one row of a frame that holds the model's and the decision's columns.

    A row that was refused as untrusted, or lacks columns, is recorded as an abstention:
    probabilities (0, 1, 0) and confidence 0.
    """
    emitted = int(row[DECISION_SIGNAL_COLUMN])
    # A row of impossible numbers is not trusted either, whatever the model's columns hold.
    abstains = row[REASON_COLUMN] in (Reason.UNTRUSTED, Reason.MISSING_COLUMNS)
    given = ABSTAINING_ROW if abstains else row
    probabilities = [float(given.get(name, math.nan)) for name in PROBA_COLUMNS]
    return SignalRecord(
        timestamp=row[DATE_COLUMN].isoformat(),
        pair=pair,
        signal="none" if emitted == NO_SIGNAL else SignalClass(emitted).name.lower(),
        confidence=float(given.get(CONFIDENCE_COLUMN, math.nan)),
        probabilities=_triple(probabilities),
        top_features=tuple((str(name), float(value)) for name, value in top_features),
        model_version=model_version,
        strength=int(Strength(int(row[STRENGTH_COLUMN]))),
        reason=str(row[REASON_COLUMN]),
    )


def _typed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Give JSON's lists and numbers the record's types; raise where that cannot be done."""
    texts = {
        name: content[name] for name in ("timestamp", "pair", "signal", "model_version", "reason")
    }
    wrong = [name for name, value in texts.items() if not isinstance(value, str)]
    if wrong:
        raise RecordError(f"{wrong} must be text")
    return texts | {
        "confidence": float(content["confidence"]),
        "probabilities": _triple(content["probabilities"]),
        "top_features": tuple((str(name), float(value)) for name, value in content["top_features"]),
        "strength": int(content["strength"]),
    }


def _triple(values: Sequence[float]) -> tuple[float, float, float]:
    sell, hold, buy = values
    return float(sell), float(hold), float(buy)


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
