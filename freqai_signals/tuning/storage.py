"""Where a study's trials are kept: a SQLite file or a PostgreSQL server, through Optuna."""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import optuna
import sqlalchemy.exc
from sqlalchemy.engine import make_url

_HEARTBEAT_SECONDS: Final = 5
SILENCE_SECONDS: Final = 60
"""A trial of which nothing is heard for so long counts as dead."""

_CONNECT: Final = {"sqlite": {"timeout": 60}, "postgresql": {"connect_timeout": 10}}
_TRIES: Final = 8


class StorageError(ValueError):
    """A storage cannot be read or written; the message names it, without its password."""


def open_storage(url: str) -> optuna.storages.RDBStorage:
    """Optuna's storage at a SQLAlchemy URL; a trial that is silent for a minute counts as dead.

    Two processes may make the tables at the same time: the one that comes second tries again.
    """
    kind = make_url(url).get_backend_name()
    options: dict[str, Any] = {"pool_pre_ping": True, "connect_args": _CONNECT.get(kind, {})}
    for attempt in range(_TRIES):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                return optuna.storages.RDBStorage(
                    url,
                    engine_kwargs=options,
                    heartbeat_interval=_HEARTBEAT_SECONDS,
                    grace_period=SILENCE_SECONDS,
                )
        except (sqlalchemy.exc.DBAPIError, optuna.exceptions.StorageInternalError) as error:
            if attempt == _TRIES - 1 or not _was_made_meanwhile(error):
                raise
            time.sleep(0.1 * 2**attempt)
    raise AssertionError("the last try returns or raises")


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Say in one sentence what is wrong with a storage.

    Raises
    ------
    StorageError
        For whatever the database, its driver or Optuna say of it.
    """
    try:
        yield
    except ImportError as error:
        raise StorageError(
            f"the driver of {shown(url)} is not installed ({error}); for PostgreSQL say "
            "postgresql+psycopg://... and install freqai-signals[postgres]"
        ) from error
    except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        said = str(getattr(error, "orig", None) or error.__cause__ or error).strip().split("\n")[0]
        raise StorageError(
            f"the tuning storage {shown(url)} cannot be used: {said}; nothing in it was changed. "
            "Put it right, or name another one"
        ) from error


def shown(url: str) -> str:
    """The URL without its password.

    Examples
    --------
    >>> shown("postgresql+psycopg://me:secret@db/tuning")
    'postgresql+psycopg://me:***@db/tuning'
    """
    try:
        return make_url(url).render_as_string(hide_password=True)
    except sqlalchemy.exc.ArgumentError:
        return "(not a URL)"


def _was_made_meanwhile(error: Exception) -> bool:
    said = f"{error} {error.__cause__}".lower()
    return any(words in said for words in ("already exists", "unique", "duplicate", "locked"))
