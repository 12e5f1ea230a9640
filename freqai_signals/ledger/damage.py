"""A SQLite file that is damaged is set aside, so that a bot goes on in a new one."""

import logging
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout
from sqlalchemy.engine import make_url

logger = logging.getLogger(__name__)

_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BESIDE: Final = ("-wal", "-shm")
_LOCK_SECONDS: Final = 10.0


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL; None for another database."""
    parsed = make_url(url)
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database
    return Path(str(parsed.database)) if is_file else None


def is_damage(error: BaseException) -> bool:
    """Whether an error says that a SQLite file is damaged or none at all."""
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGED


def set_aside(path: Path) -> Path | None:
    """Rename a damaged SQLite file; where it went, or None if it is whole or another did so.

    A second bot on the same file finds the same damage: whoever comes first renames it, and only
    after a look at what lies under the name now.

    Raises
    ------
    OSError
        If it cannot be renamed.
    """
    try:
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=_LOCK_SECONDS):
            if not path.is_file() or not _problem(path):
                return None
            stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
            target = path.with_name(f"{path.name}.damaged-{stamp}")
            for ending in ("", *_BESIDE):
                part = path.with_name(path.name + ending)
                if part.exists():
                    part.replace(target.with_name(target.name + ending))
    except Timeout as error:
        raise OSError(f"{path} is being set aside by another process") from error
    logger.error("The ledger %s is damaged; it is kept as %s, a new one begins", path, target.name)
    return target


def _problem(path: Path) -> str:
    """What SQLite says is wrong with a file; empty if nothing is, or if it is busy."""
    try:
        with closing(sqlite3.connect(path, timeout=_LOCK_SECONDS)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        return str(error) if is_damage(error) else ""
    return "" if found == "ok" else str(found)
