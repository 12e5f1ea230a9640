"""The closed trades of a bot, from the database that freqtrade keeps them in."""

from pathlib import Path

import pandas as pd
from pandas.errors import DatabaseError
from sqlalchemy import create_engine, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from freqai_signals.report.data.frames import TRADE_COLUMNS, empty

_QUERY = (
    "SELECT pair, open_date, close_date, is_short, enter_tag, exit_reason, stake_amount, "
    "close_profit_abs, close_profit, fee_open, fee_close FROM trades "
    "WHERE is_open = :open AND close_date IS NOT NULL ORDER BY close_date"
)


def bot_trades(url: str) -> pd.DataFrame:
    """Read the closed trades; the database is not written to.

    Parameters
    ----------
    url
        freqtrade's ``db_url``, an SQLAlchemy URL.

    Returns
    -------
    pandas.DataFrame
        Columns of :data:`~freqai_signals.report.data.frames.TRADE_COLUMNS`; returns are fractions
        of the stake after fees.

    Raises
    ------
    ValueError
        If there is no such database, or it holds no trades of freqtrade; the message says what to
        do.
    """
    name = url.removeprefix("sqlite:///")
    address = url
    if url.startswith("sqlite:"):
        if not Path(name).is_file():
            raise ValueError(
                f"db_url of the config: there is no file {name}; start freqtrade once, or give "
                "the db_url that the bot runs with"
            )
        # Opened for reading only: SQLite would otherwise lock what the bot writes to.
        address = f"sqlite:///file:{Path(name).absolute()}?mode=ro&uri=true"
    try:
        engine = create_engine(address)
        try:
            with engine.connect() as connection:
                rows = pd.read_sql_query(text(_QUERY), connection, params={"open": False})
        finally:
            engine.dispose()
    except (SQLAlchemyError, DatabaseError, ArgumentError, ImportError) as error:
        first = str(error.__cause__ or error).splitlines()[0]
        raise ValueError(f"db_url of the config: trades cannot be read: {first}") from error
    if not len(rows):
        return empty(TRADE_COLUMNS)
    return pd.DataFrame(
        {
            "pair": rows["pair"],
            "open_date": pd.to_datetime(rows["open_date"], utc=True),
            "close_date": pd.to_datetime(rows["close_date"], utc=True),
            "is_short": rows["is_short"].fillna(False).astype(bool),
            "enter_tag": rows["enter_tag"].fillna(""),
            "exit_reason": rows["exit_reason"].fillna(""),
            "stake": rows["stake_amount"].astype(float),
            "profit": rows["close_profit_abs"].astype(float),
            "net_return": rows["close_profit"].astype(float),
            "cost": rows["fee_open"].fillna(0.0).astype(float)
            + rows["fee_close"].fillna(0.0).astype(float),
        }
    )
