"""Where a study's trials are kept: a SQLite file or a PostgreSQL server, with Optuna."""

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
"""A trial without a heartbeat for so long counts as failed and is repeated."""

# Seconds: how long SQLite waits for another writer, and PostgreSQL for the server.
_CONNECT: Final = {"sqlite": {"timeout": 60}, "postgresql": {"connect_timeout": 10}}
_TRIES: Final = 8


class StorageError(ValueError):
    """A storage cannot be read or written; the message names it, without its password."""


def open_storage(url: str) -> optuna.storages.RDBStorage:
    """Optuna's storage at a SQLAlchemy URL; it repeats trials whose process has died.

    Two processes may create the tables at the same time: the second one tries again.
    """
    kind = make_url(url).get_backend_name()
    # Trainings take long enough for a server to drop an idle connection in between.
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
                    heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(),
                )
        except (sqlalchemy.exc.DBAPIError, optuna.exceptions.StorageInternalError) as error:
            if attempt == _TRIES - 1 or not _was_made_meanwhile(error):
                raise
            time.sleep(0.1 * 2**attempt)
    raise AssertionError("the last try returns or raises")


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Turn every error of a storage into one sentence.

    Raises
    ------
    StorageError
        For any error of the database, its driver or Optuna.
    """
    try:
        yield
    except ImportError as error:
        raise StorageError(
            f"the driver of {shown(url)} is not installed ({error}); for PostgreSQL use "
            "postgresql+psycopg://... and install freqai-signals[postgres]"
        ) from error
    except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        cause = getattr(error, "orig", None) or error.__cause__ or error
        reason = str(cause).strip().split("\n")[0]
        raise StorageError(
            f"the tuning storage {shown(url)} cannot be used: {reason}; nothing in it was "
            "changed. Repair it, or name another one"
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
    message = f"{error} {error.__cause__}".lower()
    return any(words in message for words in ("already exists", "unique", "duplicate", "locked"))
