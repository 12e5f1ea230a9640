"""From a pair's analysed frame to rows of the ledger, each marked for what it is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
import pandas as pd

from freqai_signals.dataset.rows import candle_numbers
from freqai_signals.ledger.ledger import Entry
from freqai_signals.ledger.sql_tables import PREDICTIONS, SIGNALS
from freqai_signals.schema import (
    CONFIDENCE_COLUMN,
    EXPECTED_RETURN_COLUMN,
    LABEL_COLUMN,
    PROBA_COLUMNS,
    REASON_COLUMN,
    STRENGTH_COLUMN,
    TRUST_COLUMN,
    SignalClass,
)
from freqai_signals.signals.record import SignalRecord

_EXPIRED: Final = 2


class Kind(StrEnum):
    """How a row was made. Only ``live`` rows are ever scored."""

    LIVE = "live"
    """The newest closed candle, predicted when it closed."""
    SEED = "seed"
    """Its outcome lies within the model's training window."""
    GAP = "gap"
    """Predicted later, for example after downtime: nobody could have acted on it."""
    EXPIRED = "expired"
    """The model was too old."""
    UNTRUSTED = "untrusted"
    """The model abstained."""


@dataclass(frozen=True)
class Source:
    """Bot and model that predict.

    Attributes
    ----------
    bot
        Name of the bot, for example FreqAI's identifier.
    pair
        Full name.
    model_version
        Version that predicted the newest candle.
    trained_until
        Candle number at whose close the model's last training outcome was known.
    candle_seconds
        Length of a candle.
    cost
        Round-trip cost that the expected return contains, spread included, a fraction.
    prior
        Class shares of the model's training rows.
    new_pair
        Whether none of those rows were of this pair.
    """

    bot: str
    pair: str
    model_version: str
    trained_until: int
    candle_seconds: int
    cost: float
    prior: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)
    new_pair: bool = False


def prediction_rows(frame: pd.DataFrame, source: Source, after: int) -> Entry:
    """Rows for all candles of a frame that are newer than the last recorded one.

    Parameters
    ----------
    frame
        Candles of one pair with the model's and the decision's columns, oldest first; the last row
        is the candle that has just closed.
    source
        Bot and model. Only the last row is known to come from this model; rows before it become
        ``gap`` or ``seed`` and are not scored.
    after
        Opening of the last recorded candle, seconds since 1970
        (:meth:`~freqai_signals.ledger.ledger.Ledger.last_candle`); 0 records the last row only.
    """
    if frame.empty:
        return Entry(PREDICTIONS.name, [])
    numbers = candle_numbers(frame["date"], source.candle_seconds)
    last = int(numbers[-1])
    first = int(np.searchsorted(numbers, after // source.candle_seconds, side="right"))
    first = min(first, len(frame)) if after else len(frame) - 1
    # Rows of objects at once: usually one, after an outage all that it took.
    names, values = frame.columns.tolist(), frame.iloc[first:].to_numpy(object).tolist()
    rows = [
        _prediction(dict(zip(names, row, strict=True)), int(number), source, number == last)
        for row, number in zip(values, numbers[first:], strict=True)
    ]  # fmt: skip
    return Entry(PREDICTIONS.name, rows)


def signal_rows(records: Sequence[SignalRecord], bot: str) -> Entry:
    """Rows for emitted signals."""
    return Entry(
        SIGNALS.name,
        [
            {
                "pair": record.pair,
                "candle": int(pd.Timestamp(record.timestamp).timestamp()),
                "model_version": record.model_version,
                "bot": bot,
                "signal": record.signal,
                "strength": record.strength,
                "confidence": record.confidence,
                "record": record.to_json(),
            }
            for record in records
        ],
    )


def _prediction(
    row: Mapping[Any, Any], number: int, source: Source, is_last: bool
) -> dict[str, Any]:
    signal = int(row.get("signal", -1))
    return {
        "pair": source.pair,
        "candle": number * source.candle_seconds,
        "model_version": source.model_version,
        "bot": source.bot,
        "kind": str(_kind(row, number, source, is_last)),
        "predicted": int(row[LABEL_COLUMN]),
        **{name: float(row[name]) for name in PROBA_COLUMNS},
        **dict(zip(("prior_sell", "prior_hold", "prior_buy"), source.prior, strict=True)),
        "confidence": float(row[CONFIDENCE_COLUMN]),
        "expected_return": float(row[EXPECTED_RETURN_COLUMN]),
        "cost": source.cost,
        "signal": "none" if signal < 0 else SignalClass(signal).name.lower(),
        "strength": int(row.get(STRENGTH_COLUMN, 0)),
        "reason": str(row.get(REASON_COLUMN, "")),
        "new_pair": int(source.new_pair),
    }


def _kind(row: Mapping[Any, Any], number: int, source: Source, is_last: bool) -> Kind:
    trust = row.get(TRUST_COLUMN, 0)
    if trust == _EXPIRED:
        return Kind.EXPIRED
    # A row at the last close of training predicts what comes after it, which training did not see.
    if number < source.trained_until:
        return Kind.SEED
    if not is_last:
        return Kind.GAP
    finite = all(math.isfinite(row[name]) for name in PROBA_COLUMNS)
    return Kind.LIVE if trust == 1 and finite else Kind.UNTRUSTED
