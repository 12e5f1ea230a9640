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
    and_,
)

VERSION: Final = 6
"""Raise it with every change below, and add the step to ``migrations.STEPS``."""

LONGEST_NAME: Final = 64
"""Characters of a bot's or pair's name that every database keeps."""

METADATA: Final = MetaData()


def _key() -> tuple["Column[str]", "Column[int]", "Column[str]"]:
    return (
        Column("pair", String(LONGEST_NAME), primary_key=True),
        Column("candle", BigInteger, primary_key=True, autoincrement=False),
        Column("model_version", String(LONGEST_NAME), primary_key=True),
    )


def _chain() -> tuple["Column[int]", "Column[str]", "Column[str]"]:
    """Place in a bot's chain; see :mod:`~freqai_signals.ledger.proof.chain`. Since version 5."""
    return (
        Column("number", BigInteger),
        Column("hash", String(64)),
        Column("replaces", String(96)),
    )


SCHEMA: Final = Table(
    "ledger_schema", METADATA, Column("version", Integer, primary_key=True, autoincrement=False)
)

PREDICTIONS: Final = Table(
    "predictions",
    METADATA,
    *_key(),
    Column("bot", String(LONGEST_NAME), nullable=False),
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
    *_chain(),
)
"""The prediction of every closed candle. Only rows of ``kind`` ``live`` are ever scored.

``new_pair``, since version 4: 1 where the model had no row of the pair in its training.
"""

SIGNALS: Final = Table(
    "signals",
    METADATA,
    *_key(),
    Column("bot", String(LONGEST_NAME), nullable=False),
    Column("signal", String(8), nullable=False),
    Column("strength", SmallInteger, nullable=False),
    Column("confidence", Float(53), nullable=False),
    Column("record", Text, nullable=False),
    Column("recorded", BigInteger, nullable=False),
    Column("sent", BigInteger),
    *_chain(),
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
    Column("bot", String(LONGEST_NAME), nullable=False, server_default=""),
    Column("moved", Float(53)),
    *_chain(),
)
"""Outcomes of live predictions; ``realised`` is null where it can never be known.

``moved``, since version 6: the gross return in units of the row's return scale.
"""

DECISIONS: Final = Table(
    "model_decisions",
    METADATA,
    Column("scope", String(128), primary_key=True),
    Column("challenger", String(LONGEST_NAME), primary_key=True),
    Column("champion", String(LONGEST_NAME), primary_key=True),
    Column("verdict", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("recorded", BigInteger, nullable=False),
)

COUNTERS: Final = Table(
    "counters",
    METADATA,
    Column("bot", String(LONGEST_NAME), primary_key=True),
    Column("name", String(128), primary_key=True),
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
    Column("bot", String(LONGEST_NAME), primary_key=True),
    Column("pair", String(LONGEST_NAME), primary_key=True),
    Column("candle", BigInteger, primary_key=True, autoincrement=False),
    Column("detector", String(32), primary_key=True),
    Column("level", String(16), primary_key=True),
    Column("model_version", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    Column("recorded", BigInteger, nullable=False),
)

"""Changes of levels and requests for training; ``bot`` since version 3, empty before."""

CHAIN_HEADS: Final = Table(
    "chain_heads",
    METADATA,
    Column("bot", String(LONGEST_NAME), primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("day", BigInteger, nullable=False),
    Column("pruned", BigInteger, nullable=False),
)
"""Where each bot's chain ends; ``day`` (since 1970, UTC) of its last row; rows up to ``pruned`` are
kept as daily sums only."""

CHAIN_ROOTS: Final = Table(
    "chain_roots",
    METADATA,
    Column("bot", String(LONGEST_NAME), primary_key=True),
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)
"""Where each bot's chain ended on each day; kept for ever."""

CHAIN_REPLACED: Final = Table(
    "chain_replaced",
    METADATA,
    Column("bot", String(LONGEST_NAME), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False),
)
"""What stood in a chain before another row replaced it."""

DAILY: Final = Table(
    "daily",
    METADATA,
    Column("bot", String(LONGEST_NAME), primary_key=True),
    Column("pair", String(LONGEST_NAME), primary_key=True),
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    *(Column(name, BigInteger, nullable=False) for name in ("candles", "live", "scored", "hits")),
    *(Column(name, Float(53), nullable=False) for name in ("loss", "prior_loss", "net")),
)
"""Sums over a day of candles (UTC) whose rows are gone: of all, the live and the scored ones."""

KEY: Final = ("pair", "candle", "model_version")
"""Key of a prediction, of its signal and of its outcome."""

SAME_ROW: Final = and_(*(PREDICTIONS.c[name] == OUTCOMES.c[name] for name in KEY))
"""A prediction's outcome."""

OUTCOMES_BY_TIME: Final = Index("outcomes_event_end", OUTCOMES.c.event_end)
PREDICTIONS_BY_TIME: Final = Index("predictions_candle", PREDICTIONS.c.candle)
CHAIN_INDEXES: Final = tuple(
    Index(f"{table.name}_chain", table.c.bot, table.c.number, unique=True)
    for table in (PREDICTIONS, SIGNALS, OUTCOMES)
)
