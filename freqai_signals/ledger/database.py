"""Open a ledger: connection settings, creation, migration from older versions."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from freqai_signals.ledger.migrations import STEPS
from freqai_signals.ledger.sql_tables import METADATA, SCHEMA, VERSION
from freqai_signals.settings import LedgerSettings

_LOCK_NUMBER: Final = 7_236_411
_LOCK_SECONDS: Final = 5.0
_LOCK_PAUSE: Final = 0.01
_SQLITE_PRAGMAS: Final = (f"busy_timeout = {_LOCK_SECONDS * 1000:.0f}", "synchronous = FULL")


class LedgerError(ValueError):
    """The ledger cannot be opened; the message gives the reason and the remedy."""


def ledger_address(url: str) -> str:
    """A SQLAlchemy URL from a URL or the path of an SQLite file that exists."""
    path = url.removeprefix("sqlite:///")
    if "://" in path:
        return url
    if not Path(path).is_file():
        raise LedgerError(f"no ledger at {path}; a dry or live run writes it")
    return f"sqlite:///{Path(path).absolute()}"


def ledger_url(settings: LedgerSettings, user_data: Path) -> str:
    """The ledger that the settings name; by default SQLite in ``signals`` in the user's data."""
    return settings.url or f"sqlite:///{user_data.absolute() / 'signals' / 'ledger.sqlite'}"


def open_engine(url: str, read_only: bool = False) -> Engine:
    """An engine for a SQLAlchemy URL, with SQLite in WAL mode unless it is only read.

    ``synchronous = FULL``: a row counts as written only once it is on the disk.

    Raises
    ------
    LedgerError
        If the URL cannot be understood or its driver is not installed.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and read_only:
            file = f"file:{quote(parsed.database or '')}"
            parsed = parsed.set(database=file, query={"mode": "ro", "uri": "true"})
            engine = create_engine(parsed)
            event.listen(engine, "connect", _leave_transactions_to_us)
            # Else each SELECT would see another moment of a file that a bot writes.
            event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
            return engine
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
    """Create or migrate the tables; returns the version that was found.

    Two processes may call this at once: the second waits and finds nothing to do.

    Raises
    ------
    LedgerError
        If a newer version of the package wrote the ledger.
    """
    # Usually nothing is to be done, and a reader need not wait for a writer.
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


def require_current(engine: Engine) -> int:
    """Check that the tables are up to date, without changing anything; returns their version.

    Raises
    ------
    LedgerError
        If there are none, or another version of the package wrote them.
    """
    with engine.connect() as connection:
        found = _version(connection)
    if found == VERSION:
        return found
    name = str(engine.url.database).removeprefix("file:")
    if not found:
        raise LedgerError(f"{name} is no ledger (no table {SCHEMA.name}); name the bot's own")
    advice = "upgrade freqai-signals" if found > VERSION else "the bot migrates it when it starts"
    raise LedgerError(f"ledger {name} has schema version {found}, not {VERSION}; {advice}")


def _version(connection: Connection) -> int:
    """Of the schema; 0 if there is none."""
    if not inspect(connection).has_table(SCHEMA.name):
        return 0
    found = connection.execute(select(SCHEMA.c.version)).scalars().fetchall()
    if len(found) != 1 or not isinstance(found[0], int):
        raise LedgerError(
            f"{connection.engine.url.render_as_string()}: {SCHEMA.name} must hold one version, got "
            f"{found}; name the bot's own ledger, or restore it from a backup"
        )
    return found[0]


def lock(connection: Connection) -> None:
    """Let no other writer in before the transaction ends."""
    # SQLite's transactions begin with the write lock already; see _begin_sqlite.
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK_NUMBER})"))


@contextmanager
def one_moment(engine: Engine) -> Iterator[Connection]:
    """A connection whose queries all see the database as it was at the first of them."""
    options: dict[str, Any] = {"reads": True}
    if engine.dialect.name == "postgresql":
        options["isolation_level"] = "REPEATABLE READ"
    with engine.connect().execution_options(**options) as connection:
        yield connection


def _leave_transactions_to_us(connection: Any, _record: Any) -> None:
    # Python's driver must not begin transactions by itself: it would do so too late.
    connection.isolation_level = None


def _set_up_sqlite(connection: Any, record: Any) -> None:
    _leave_transactions_to_us(connection, record)
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    _write_ahead(connection)


def _write_ahead(connection: Any) -> None:
    """Switch the file to WAL, which it then keeps.

    SQLite's own timeout does not hold for this: of two connections that open a new file at once,
    as a bot's reader and writer do, one was told at once that the database is locked.
    """
    until = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= until:
                raise
            time.sleep(_LOCK_PAUSE)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get("reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
