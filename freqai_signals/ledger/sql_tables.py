"""Tables of the ledger. Times are whole seconds since 1970 (UTC), candles their opening time."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

VERSION: Final = 4
"""Raise it with every change below, and add the step to ``database.STEPS``."""

METADATA: Final = MetaData()


def _key() -> tuple["Column[str]", "Column[int]", "Column[str]"]:
    return (
        Column("pair", String(64), primary_key=True),
        Column("candle", BigInteger, primary_key=True, autoincrement=False),
        Column("model_version", String(64), primary_key=True),
    )


SCHEMA: Final = Table(
    "ledger_schema", METADATA, Column("version", Integer, primary_key=True, autoincrement=False)
)

PREDICTIONS: Final = Table(
    "predictions",
    METADATA,
    *_key(),
    Column("bot", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("predicted", SmallInteger, nullable=False),
    *(Column(f"proba_{name}", Float(53), nullable=False) for name in ("sell", "hold", "buy")),
    *(Column(f"prior_{name}", Float(53), nullable=False) for name in ("sell", "hold", "buy")),
    Column("confidence", Float(53), nullable=False),
    Column("expected_return", Float(53), nullable=False),
    Column("cost", Float(53), nullable=False),
    Column("signal", String(8), nullable=False),
    Column("strength", SmallInteger, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("recorded", BigInteger, nullable=False),
    Column("new_pair", SmallInteger, nullable=False, server_default="0"),
)
"""The prediction of every closed candle. Only rows of ``kind`` ``live`` are ever scored.

``new_pair``, since version 4: 1 where the model had no row of the pair in its training.
"""

SIGNALS: Final = Table(
    "signals",
    METADATA,
    *_key(),
    Column("bot", String(64), nullable=False),
    Column("signal", String(8), nullable=False),
    Column("strength", SmallInteger, nullable=False),
    Column("confidence", Float(53), nullable=False),
    Column("record", Text, nullable=False),
    Column("recorded", BigInteger, nullable=False),
    Column("sent", BigInteger),
)
"""Emitted signals, each with its signal record as JSON; ``sent`` since version 2."""

OUTCOMES: Final = Table(
    "outcomes",
    METADATA,
    *_key(),
    Column("realised", SmallInteger),
    Column("event_end", BigInteger),
    Column("gross", Float(53)),
    Column("net", Float(53)),
    Column("loss", Float(53)),
    Column("prior_loss", Float(53)),
    Column("resolved", BigInteger, nullable=False),
)
"""Outcomes of live predictions; ``realised`` is null where it can never be known."""

DECISIONS: Final = Table(
    "model_decisions",
    METADATA,
    Column("scope", String(128), primary_key=True),
    Column("challenger", String(64), primary_key=True),
    Column("champion", String(64), primary_key=True),
    Column("verdict", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("recorded", BigInteger, nullable=False),
)

COUNTERS: Final = Table(
    "counters",
    METADATA,
    Column("bot", String(64), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("content", Text, nullable=False),
    Column("recorded", BigInteger, nullable=False),
)

HEALTH: Final = "health"
"""Detector of events that change a pair's level; counters ``health <pair>`` hold the present."""
TRAINING: Final = "training"
"""Detector of events that request training before the schedule."""

DRIFT_EVENTS: Final = Table(
    "drift_events",
    METADATA,
    Column("bot", String(64), primary_key=True),
    Column("pair", String(64), primary_key=True),
    Column("candle", BigInteger, primary_key=True, autoincrement=False),
    Column("detector", String(32), primary_key=True),
    Column("level", String(16), primary_key=True),
    Column("model_version", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    Column("recorded", BigInteger, nullable=False),
)

"""Changes of levels and requests for training; ``bot`` since version 3, empty before."""

OUTCOMES_BY_TIME: Final = Index("outcomes_event_end", OUTCOMES.c.event_end)
PREDICTIONS_BY_TIME: Final = Index("predictions_candle", PREDICTIONS.c.candle)
