"""Opening a ledger: connection settings, creation, and the way from older versions."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from freqai_signals.ledger.chain import CHAINED, link_existing
from freqai_signals.ledger.sql_tables import (
    CHAIN_HEADS,
    CHAIN_INDEXES,
    CHAIN_REPLACED,
    CHAIN_ROOTS,
    DAILY,
    METADATA,
    SCHEMA,
    VERSION,
)
from freqai_signals.settings import LedgerSettings

_LOCK_NUMBER: Final = 7_236_411
_SQLITE_PRAGMAS: Final = ("busy_timeout = 5000", "journal_mode = WAL", "synchronous = FULL")


class LedgerError(ValueError):
    """The ledger cannot be opened as it is; the message says why and what to do."""


def ledger_url(settings: LedgerSettings, user_data: Path) -> str:
    """The ledger that the settings name; by default SQLite in ``signals`` in the user's data."""
    return settings.url or f"sqlite:///{user_data.absolute() / 'signals' / 'ledger.sqlite'}"


def open_engine(url: str) -> Engine:
    """An engine for a SQLAlchemy URL, with SQLite in WAL mode.

    ``synchronous = FULL``: a row counts as written only once it is on the disk.

    Raises
    ------
    LedgerError
        If the URL cannot be understood or its driver is not installed.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            if parsed.database and parsed.database != ":memory:":
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(parsed)
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        return create_engine(parsed, pool_pre_ping=True, connect_args={"connect_timeout": 5})
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise LedgerError(
            f"freqai.signals.ledger.url: {error}; use sqlite:///FILE or "
            "postgresql+psycopg://USER@HOST/DATABASE (pip install 'freqai-signals[postgres]')"
        ) from error


def prepare(engine: Engine) -> int:
    """Create the tables or bring them up to date; returns the version that was found.

    Two processes may call this at once: the second waits and finds nothing left to do.

    Raises
    ------
    LedgerError
        If a newer version of the package wrote the ledger.
    """
    # Most find it ready, and need not wait for another who writes.
    with engine.connect().execution_options(reads=True) as connection:
        if _version(connection) == VERSION:
            return VERSION
    with engine.begin() as connection:
        lock(connection)
        found = _version(connection)
        if not found:
            METADATA.create_all(connection)
            connection.execute(insert(SCHEMA).values(version=VERSION))
            return VERSION
        if found > VERSION:
            raise LedgerError(
                f"ledger {engine.url.render_as_string()} has schema version {found}, this "
                f"freqai-signals knows {VERSION}; upgrade freqai-signals or name another ledger"
            )
        for version in range(found + 1, VERSION + 1):
            STEPS[version](connection)
            connection.execute(SCHEMA.update().values(version=version))
        return found


def _version(connection: Connection) -> int:
    """Of the schema; 0 if there is none."""
    if not inspect(connection).has_table(SCHEMA.name):
        return 0
    return int(connection.execute(select(SCHEMA.c.version)).scalar_one())


def _to_2(connection: Connection) -> None:
    """Signals remember when their message was handed over."""
    connection.execute(text("ALTER TABLE signals ADD COLUMN sent BIGINT"))


def _to_3(connection: Connection) -> None:
    """Rows carry the hash of the row before; a pair's name fits into that of a counter."""
    for table in CHAINED:
        for column in ("number BIGINT", "hash VARCHAR(64)", "replaces VARCHAR(96)"):
            connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {column}"))
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
    for made in (CHAIN_HEADS, CHAIN_ROOTS, CHAIN_REPLACED, DAILY):
        made.create(connection)
    link_existing(connection, int(time.time()))
    for index in CHAIN_INDEXES:
        index.create(connection)


STEPS: Final[Mapping[int, Callable[[Connection], None]]] = {2: _to_2, 3: _to_3}
"""What leads to each version from the one before. A step is never changed once released."""


def lock(connection: Connection) -> None:
    """Let no other writer in before the transaction ends."""
    # SQLite's transactions begin with the write lock already; see _begin_sqlite.
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK_NUMBER})"))


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # Python's driver must not begin transactions by itself: it would do so too late.
    connection.isolation_level = None
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get("reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
