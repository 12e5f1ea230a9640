"""Whether a ledger's URL can ever work, before a bot relies on it."""

from typing import Final

_BACKENDS: Final = ("sqlite", "postgresql")
_MOST_PORT: Final = 65_535
_USE: Final = (
    "use sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE "
    "(pip install 'freqai-signals[postgres]')"
)


def url_problem(url: str) -> str:
    """Why a SQLAlchemy URL cannot name a ledger; empty if it can. Nothing is connected to.

    Examples
    --------
    >>> url_problem("sqlite:////data/ledger.sqlite")
    ''
    >>> url_problem("postgresql+psycopg://me@db:5432x/ledger").partition(";")[0]
    "invalid literal for int() with base 10: '5432x'"
    """
    # Settings are read by every command, and SQLAlchemy takes a while to import.
    from sqlalchemy import create_engine
    from sqlalchemy.engine import make_url

    try:
        parsed = make_url(url)
        backend, database = parsed.get_backend_name(), parsed.database or ""
        wrong = [
            (
                backend not in _BACKENDS,
                f"a ledger is kept in SQLite or PostgreSQL, got {backend!r}",
            ),
            ("\0" in url or database.startswith("file:"), "name the file itself"),
            (parsed.port not in (None, *range(1, _MOST_PORT + 1)), f"port {parsed.port} is none"),
            (not database and backend != "sqlite", "names no database"),
            (backend == "sqlite" and database in ("", ":memory:"), "SQLite without a file forgets"),
        ]
        if not any(bad for bad, _ in wrong):
            # What the driver's import and its own reading of the URL raise is its own affair.
            dialect = create_engine(parsed).dialect
            dialect.create_connect_args(parsed)
            wrong.append((dialect.is_async, f"{parsed.drivername} is an asynchronous driver"))
    except Exception as error:  # noqa: BLE001
        wrong = [(True, str(error).partition("\n")[0])]
    return next((f"{why}; {_USE}" for bad, why in wrong if bad), "")
