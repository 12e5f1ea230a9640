"""Rows and ledgers that several tests share; SQLite in a folder, PostgreSQL where one is named."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import create_engine, make_url, text

from freqai_signals.ledger.database import open_engine
from freqai_signals.ledger.ledger import Entry
from freqai_signals.ledger.sql_tables import METADATA

CANDLE = 300
POSTGRES = "FREQAI_SIGNALS_POSTGRES_URL"


def prediction(
    number: int, pair: str = "BTC/USDT", version: str = "v1", **values: Any
) -> dict[str, Any]:
    return {
        "pair": pair, "candle": number * CANDLE, "model_version": version, "bot": "bot",
        "kind": "live", "predicted": 2, "proba_sell": 0.2, "proba_hold": 0.3, "proba_buy": 0.5,
        "prior_sell": 0.25, "prior_hold": 0.5, "prior_buy": 0.25, "confidence": 0.9,
        "expected_return": 0.001, "cost": 0.002, "signal": "buy", "strength": 1, "reason": "",
        **values,
    }  # fmt: skip


def outcome(
    number: int, pair: str = "BTC/USDT", version: str = "v1", **values: Any
) -> dict[str, Any]:
    return {
        "pair": pair, "candle": number * CANDLE, "model_version": version, "realised": 2,
        "event_end": (number + 3) * CANDLE, "gross": 0.01, "net": 0.008, "loss": 0.69,
        "prior_loss": 1.39, **values,
    }  # fmt: skip


def predictions(*numbers: int, **values: Any) -> Entry:
    return Entry("predictions", [prediction(number, **values) for number in numbers])


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'ledger.sqlite'}"


def postgres_url() -> str:
    """URL of an empty database on the server that the environment names."""
    url = os.environ.get(POSTGRES)
    if not url:
        pytest.skip(f"no server: start one with .ci/postgres.sh and name it in {POSTGRES}")
    # One a worker: two test files would otherwise empty each other's tables.
    url = _database_of(url, os.environ.get("PYTEST_XDIST_WORKER", "alone"))
    engine = open_engine(url)
    with engine.begin() as connection:
        METADATA.drop_all(connection)
        connection.execute(text("DROP TABLE IF EXISTS ledger_schema"))
    engine.dispose()
    return url


def _database_of(server: str, worker: str) -> str:
    name = f"ledger_{worker}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        known = text("SELECT 1 FROM pg_database WHERE datname = :name")
        if connection.execute(known, {"name": name}).first() is None:
            connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def analysed(rows: int, first: int = 1000, **columns: Any) -> pd.DataFrame:
    """A frame as the strategy sees it after all decisions."""
    dates = pd.to_datetime(np.arange(first, first + rows) * CANDLE, unit="s", utc=True)
    values = {
        "date": dates, "&-signal": 2.0, "proba_sell": 0.2, "proba_hold": 0.3, "proba_buy": 0.5,
        "confidence": 0.9, "expected_return": 0.001, "do_predict": 1, "signal": -1,
        "signal_strength": 0, "reject_reason": "no_edge", **columns,
    }  # fmt: skip
    return pd.DataFrame(values)
