"""The bot's decision on each candle as it closed, one JSON line each, for later comparison.

Switched on by an environment variable, for rehearsals; operators read the ledger instead.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import pandas as pd

from freqai_signals.schema import (
    DECISION_SIGNAL_COLUMN,
    MODEL_COLUMNS,
    MODEL_ID_COLUMN,
    REASON_COLUMN,
    TRUST_COLUMN,
)
from freqai_signals.signals.outputs import window_facts

RECORD_VARIABLE: Final = "FREQAI_SIGNALS_LIVE_RECORD"
"""Environment variable that names the file; nothing is recorded without it."""

CANDLE_COLUMNS: Final = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class LiveRow:
    """One candle of one pair with the bot's prediction and decision.

    Attributes
    ----------
    pair, date
        Full name; opening of the candle, ISO 8601 in UTC.
    written
        Time of the decision, seconds since 1970.
    model
        Leading 48 bits of the model's key, 0 without a model.
    trust
        ``do_predict`` as FreqAI gave it.
    values
        The model's columns by name.
    candle
        Open, high, low, close, volume.
    cost
        Round-trip cost that the bot assumed, a fraction.
    signal, reason
        The decision before any limit; see :func:`~freqai_signals.signals.decide.decide`.
    facts
        Columns that are constant for all rows of a model and pair, see
        :func:`~freqai_signals.signals.outputs.window_facts`.
    """

    pair: str
    date: str
    written: float
    model: int
    trust: int
    values: dict[str, float]
    candle: tuple[float, ...]
    cost: float
    signal: int
    reason: str
    facts: dict[str, float] = field(default_factory=dict)


class LiveRecord:
    """Appends rows to a file; a line cut by a kill is left out when read.

    Parameters
    ----------
    path
        Its folder must exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def from_environment(cls) -> "LiveRecord | None":
        """The record that :data:`RECORD_VARIABLE` names, if it is set."""
        named = os.environ.get(RECORD_VARIABLE)
        return cls(Path(named)) if named else None

    def add(self, pair: str, decided: pd.DataFrame, cost: float) -> None:
        """Append the newest row of a frame that carries predictions and decisions."""
        if decided.empty:
            return
        line = json.dumps(asdict(_row(pair, decided.iloc[-1], cost)))
        with self.path.open("a") as file:
            file.write(f"{line}\n")

    def rows(self) -> Iterator[LiveRow]:
        """All rows in the order of writing."""
        text = self.path.read_text() if self.path.is_file() else ""
        for line in text.splitlines():
            try:
                content = json.loads(line)
            except ValueError:
                continue
            yield LiveRow(**{**content, "candle": tuple(content["candle"])})


def _row(pair: str, row: "pd.Series[Any]", cost: float) -> LiveRow:
    return LiveRow(
        pair=pair,
        date=row["date"].isoformat(),
        written=time.time(),
        model=int(row.get(MODEL_ID_COLUMN, 0)),
        trust=int(row[TRUST_COLUMN]),
        values={name: float(row[name]) for name in MODEL_COLUMNS},
        candle=tuple(float(row[name]) for name in CANDLE_COLUMNS),
        cost=cost,
        signal=int(row[DECISION_SIGNAL_COLUMN]),
        reason=str(row[REASON_COLUMN]),
        facts={name: float(row.get(name, 0.0)) for name in window_facts(None)},
    )
