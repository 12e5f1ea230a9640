"""Steps that bring an older ledger up to date. A step is never changed once released.

They are literal SQL: what a table looks like today does not matter to a step from years ago.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, text

from freqai_signals.ledger.proof.chain import content, digest_of, link

_AT_ONCE: Final = 2_000


def _to_2(connection: Connection) -> None:
    """Signals remember when their message was sent."""
    connection.execute(text("ALTER TABLE signals ADD COLUMN sent BIGINT"))


def _to_3(connection: Connection) -> None:
    """Events of two bots at one candle are two rows. SQLite cannot change a key in place."""
    columns = "pair, candle, detector, level, model_version, detail, recorded"
    for statement in (
        "CREATE TABLE drift_events_3 (bot VARCHAR(64) NOT NULL, pair VARCHAR(64) NOT NULL, "
        "candle BIGINT NOT NULL, detector VARCHAR(32) NOT NULL, level VARCHAR(16) NOT NULL, "
        "model_version VARCHAR(64) NOT NULL, detail TEXT NOT NULL, recorded BIGINT NOT NULL, "
        "PRIMARY KEY (bot, pair, candle, detector, level))",
        f"INSERT INTO drift_events_3 (bot, {columns}) SELECT '', {columns} FROM drift_events",
        "DROP TABLE drift_events",
        "ALTER TABLE drift_events_3 RENAME TO drift_events",
    ):
        connection.execute(text(statement))


def _to_4(connection: Connection) -> None:
    """Predictions remember whether the pair was new to the model."""
    column = "new_pair SMALLINT DEFAULT 0 NOT NULL"
    connection.execute(text(f"ALTER TABLE predictions ADD COLUMN {column}"))


def _to_5(connection: Connection) -> None:
    """Rows carry the hash of the row before; a pair's name fits into that of a counter.

    Days before this one get no root: it would claim today what nobody could have noted then. So
    retention begins to count for all older rows on the day of the migration.
    """
    for table in _LINKED_5:
        for column in ("number BIGINT", "hash VARCHAR(64)", "replaces VARCHAR(96)"):
            connection.execute(text(f"ALTER TABLE {table} ADD COLUMN {column}"))
    connection.execute(text("ALTER TABLE outcomes ADD COLUMN bot VARCHAR(64) DEFAULT '' NOT NULL"))
    connection.execute(
        text(
            "UPDATE outcomes SET bot = COALESCE((SELECT bot FROM predictions p WHERE "
            "p.pair = outcomes.pair AND p.candle = outcomes.candle AND "
            "p.model_version = outcomes.model_version), '')"
        )
    )
    if connection.dialect.name == "postgresql":
        connection.execute(text("ALTER TABLE counters ALTER COLUMN name TYPE VARCHAR(128)"))
    for statement in _TABLES_5:
        connection.execute(text(statement))
    heads = _link_5(connection)
    day = int(time.time()) // 86_400
    for bot, (number, last) in heads.items():
        connection.execute(
            text(
                "INSERT INTO chain_heads (bot, number, hash, day, pruned) "
                "VALUES (:b, :n, :h, :d, 0)"
            ),
            {"b": bot, "n": number, "h": last, "d": day},
        )
    for table in _LINKED_5:
        connection.execute(text(f"CREATE UNIQUE INDEX {table}_chain ON {table} (bot, number)"))


def _to_6(connection: Connection) -> None:
    """Outcomes know how far the price went in units that hold for any pair and time."""
    connection.execute(text("ALTER TABLE outcomes ADD COLUMN moved FLOAT"))


def _link_5(connection: Connection) -> dict[str, tuple[int, str]]:
    """Number and link all rows, oldest record first; where each bot's chain ends."""
    heads: dict[str, tuple[int, str]] = {}
    for table, (moment, columns) in _LINKED_5.items():
        update = text(
            f"UPDATE {table} SET number = :number, hash = :hash "
            "WHERE pair = :pair AND candle = :candle AND model_version = :model_version"
        )
        query = text(
            f"SELECT {columns} FROM {table} ORDER BY {moment}, pair, candle, model_version"
        )
        # Sorted first and then handed out in parts: a year of rows need not fit into memory, and
        # changing them meanwhile changes nothing in what is still to come.
        found = connection.execute(query, execution_options={"yield_per": _AT_ONCE})
        linked = _linked_5(table, found.mappings(), heads)
        while rows := list(islice(linked, _AT_ONCE)):
            connection.execute(update, rows)
    return heads


def _linked_5(table: str, rows: Any, heads: dict[str, tuple[int, str]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        number, last = heads.get(row["bot"], (0, ""))
        number += 1
        last = link(last, digest_of(content(table, {**row, "number": number})))
        heads[row["bot"]] = (number, last)
        yield {
            "number": number, "hash": last, "pair": row["pair"], "candle": row["candle"],
            "model_version": row["model_version"],
        }  # fmt: skip


_LINKED_5: Final[Mapping[str, tuple[str, str]]] = {
    "predictions": (
        "recorded",
        "pair, candle, model_version, bot, kind, predicted, proba_sell, proba_hold, proba_buy, "
        "prior_sell, prior_hold, prior_buy, confidence, expected_return, cost, signal, strength, "
        "reason, recorded, new_pair",
    ),
    "signals": (
        "recorded",
        "pair, candle, model_version, bot, signal, strength, confidence, record, recorded, sent",
    ),
    "outcomes": (
        "resolved",
        "pair, candle, model_version, realised, event_end, gross, net, loss, prior_loss, resolved, "
        "bot",
    ),
}
"""Tables that were linked at version 5, when a row was recorded, and the columns of that time."""

_TABLES_5: Final = (
    "CREATE TABLE chain_heads (bot VARCHAR(64) NOT NULL, number BIGINT NOT NULL, "
    "hash VARCHAR(64) NOT NULL, day BIGINT NOT NULL, pruned BIGINT NOT NULL, PRIMARY KEY (bot))",
    "CREATE TABLE chain_roots (bot VARCHAR(64) NOT NULL, day BIGINT NOT NULL, "
    "number BIGINT NOT NULL, hash VARCHAR(64) NOT NULL, PRIMARY KEY (bot, day))",
    "CREATE TABLE chain_replaced (bot VARCHAR(64) NOT NULL, number BIGINT NOT NULL, "
    "digest VARCHAR(64) NOT NULL, PRIMARY KEY (bot, number))",
    "CREATE TABLE daily (bot VARCHAR(64) NOT NULL, pair VARCHAR(64) NOT NULL, "
    "day BIGINT NOT NULL, candles BIGINT NOT NULL, live BIGINT NOT NULL, scored BIGINT NOT NULL, "
    "hits BIGINT NOT NULL, loss FLOAT NOT NULL, prior_loss FLOAT NOT NULL, net FLOAT NOT NULL, "
    "PRIMARY KEY (bot, pair, day))",
)

STEPS: Final[Mapping[int, Callable[[Connection], None]]] = {
    2: _to_2,
    3: _to_3,
    4: _to_4,
    5: _to_5,
    6: _to_6,
}
"""Migration to each version from the one before."""
