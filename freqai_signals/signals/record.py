"""Signal records: one decision with its evidence, as JSON."""

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
from freqai_signals.terminal import utc_text

SIGNALS: Final = ("sell", "hold", "buy", "none")
_SUM_TOLERANCE: Final = 1e-3


class RecordError(ValueError):
    """The text or the values are not a valid signal record."""


@dataclass(frozen=True)
class SignalRecord:
    """The decision on one candle of one pair, with its evidence.

    Attributes
    ----------
    timestamp
        Opening time of the candle with offset, ISO 8601; the decision is known at its close.
    pair
        For example ``BTC/USDT``.
    signal
        ``sell``, ``hold``, ``buy``, or ``none`` where nothing was emitted.
    confidence
        Percentile in [0, 1], not a probability.
    probabilities
        Calibrated, of sell, hold and buy; they sum to one.
    top_features
        Name and signed contribution (log-odds of buy against sell), largest first.
    model_version
        Version id of the model that predicted.
    strength
        0 none, 1 weak, 2 medium, 3 strong.
    reason
        Why a prediction was rejected; empty otherwise.
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
        """Reject invalid values, with all problems in one message."""
        problems = [text for wrong, text in self._checks() if wrong]
        if problems:
            raise RecordError("\n- ".join(["not a valid signal record:", *problems]))

    def _checks(self) -> list[tuple[bool, str]]:
        probabilities = self.probabilities
        contributions = [value for _, value in self.top_features]
        invalid = len(probabilities) != CLASS_COUNT or not all(0 <= p <= 1 for p in probabilities)
        emitted = self.signal in ("sell", "buy")
        return [
            (
                not _is_moment(self.timestamp),
                f"timestamp: must be ISO 8601 with an offset, got {self.timestamp!r}",
            ),
            (not self.pair, "pair: must not be empty"),
            (self.signal not in SIGNALS, f"signal: must be one of {SIGNALS}, got {self.signal!r}"),
            (
                not 0 <= self.confidence <= 1,
                f"confidence: must be in [0, 1], got {self.confidence}",
            ),
            (
                invalid or not math.isclose(sum(probabilities), 1, abs_tol=_SUM_TOLERANCE),
                "probabilities: must be three numbers in [0, 1] that sum to one, "
                f"got {probabilities}",
            ),
            (
                not all(map(math.isfinite, contributions)),
                f"top_features: must have finite contributions, got {contributions}",
            ),
            (
                self.strength not in (1, 2, 3) if emitted else self.strength != 0,
                f"strength: must be 1, 2 or 3 for buy and sell, else 0; got {self.strength}",
            ),
            (
                bool(self.reason) and self.signal != "none",
                f"reason: must be empty for an emitted {self.signal!r}, got {self.reason!r}",
            ),
        ]

    def to_json(self) -> str:
        """The record as one line of JSON; :meth:`from_json` returns an equal one."""
        # Python would write NaN, which is no JSON to other programs.
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "SignalRecord":
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        RecordError
            If the text is not a JSON object with the right keys and valid values.
        """
        names = {item.name for item in fields(cls)}
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise RecordError(f"a signal record must be valid JSON: {error}") from error
        if not isinstance(content, dict) or set(content) != names:
            got = sorted(content) if isinstance(content, dict) else type(content).__name__
            raise RecordError(f"a signal record must have the keys {sorted(names)}, got {got}")
        try:
            return cls(**_typed(content))
        except (TypeError, ValueError, OverflowError) as error:
            # A RecordError is a ValueError itself, with its message already made.
            raise error if isinstance(error, RecordError) else RecordError(str(error)) from error


def record_of(
    pair: str,
    row: "pd.Series[Any]",
    model_version: str,
    top_features: Sequence[tuple[str, float]] = (),
) -> SignalRecord:
    """Record of one row of a frame with the columns of model and decision.

    A row that was rejected as untrusted or lacks columns is recorded as an abstention:
    probabilities (0, 1, 0) and confidence 0.
    """
    emitted = int(row[DECISION_SIGNAL_COLUMN])
    # Rows with invalid numbers are untrusted too, and a record must hold valid ones.
    abstains = row[REASON_COLUMN] in (Reason.UNTRUSTED, Reason.MISSING_COLUMNS)
    values = ABSTAINING_ROW if abstains else row
    probabilities = [float(values.get(name, math.nan)) for name in PROBA_COLUMNS]
    return SignalRecord(
        timestamp=row[DATE_COLUMN].isoformat(),
        pair=pair,
        signal="none" if emitted == NO_SIGNAL else SignalClass(emitted).name.lower(),
        confidence=float(values.get(CONFIDENCE_COLUMN, math.nan)),
        probabilities=_triple(probabilities),
        top_features=tuple((str(name), float(value)) for name, value in top_features),
        model_version=model_version,
        strength=int(Strength(int(row[STRENGTH_COLUMN]))),
        reason=str(row[REASON_COLUMN]),
    )


def trade_data(record: SignalRecord, expected_return: float) -> dict[str, Any]:
    """What a trade keeps of the signal that opened it: texts to read, and the record for programs.

    Parameters
    ----------
    record
        Of the signal.
    expected_return
        After costs, a fraction.

    Examples
    --------
    >>> record = SignalRecord("2024-01-20T00:10:00+00:00", "ETH/USDT", "buy", 0.993,
    ...                       (0.051, 0.2, 0.749), (), "v1", 3, "")
    >>> for item in list(trade_data(record, 0.0031).items())[:-1]:
    ...     print(*item, sep=": ")
    signal: buy, strong, of 2024-01-20 00:10 UTC
    probabilities: sell 5.1 %, hold 20.0 %, buy 74.9 %
    expected return: +0.31 % after costs
    confidence rank: 99.3 of 100
    model: v1
    """
    kinds = [kind.name.lower() for kind in SignalClass]
    shares = [f"{k} {100 * p:.1f} %" for k, p in zip(kinds, record.probabilities, strict=True)]
    strength = Strength(record.strength).name.lower()
    return {
        "signal": f"{record.signal}, {strength}, of {utc_text(record.timestamp)}",
        "probabilities": ", ".join(shares),
        "expected return": f"{100 * expected_return:+.2f} % after costs",
        "confidence rank": rank_text(record.confidence),
        "model": record.model_version,
        "signal record": {**asdict(record), "expected_return": expected_return},
    }


def rank_text(confidence: float) -> str:
    """Confidence as people read it: it is no probability, and must not look like one.

    Examples
    --------
    >>> rank_text(0.993)
    '99.3 of 100'
    """
    return f"{100 * confidence:.1f} of 100"


def _typed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Convert JSON's lists and numbers to the record's types; raises if that is impossible."""
    texts = {
        name: content[name] for name in ("timestamp", "pair", "signal", "model_version", "reason")
    }
    wrong = [name for name, value in texts.items() if not isinstance(value, str)]
    if wrong:
        raise RecordError(f"{wrong} must be strings")
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
