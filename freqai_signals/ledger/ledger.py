"""The ledger: predictions, signals and outcomes. Append-only but for counters.

Every row has a natural key, and writing a key a second time changes nothing: restarts, duplicate
candles, replays and a second bot with the same model add nothing twice. The first row stays, since
it was acted on; counters are replaced, and a live prediction replaces a gap.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pandas as pd
from sqlalchemy import Engine, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

from freqai_signals.ledger.damage import sqlite_file
from freqai_signals.ledger.database import lock, open_engine, prepare, require_current
from freqai_signals.ledger.proof.chain import CHAINED, DAY, LIVE, Chain, plain
from freqai_signals.ledger.retention import prune
from freqai_signals.ledger.sql_tables import (
    CHAIN_HEADS,
    COUNTERS,
    DRIFT_EVENTS,
    HEALTH,
    METADATA,
    OUTCOMES,
    PREDICTIONS,
    SAME_ROW,
    SIGNALS,
)

_INSERTS: Final = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@dataclass(frozen=True)
class Entry:
    """Rows for one table; ``recorded`` is filled in when they are written."""

    table: str
    rows: Sequence[Mapping[str, Any]]

    def __len__(self) -> int:
        return len(self.rows)


class Ledger:
    """An open ledger. Methods raise SQLAlchemy's errors; the writer of a bot catches them.

    Parameters
    ----------
    url
        SQLAlchemy URL; tables are created or migrated on opening.
    read_only
        Change nothing, not even by opening; LedgerError unless the tables are up to date.
    detail_days
        Days for which rows are kept; older ones become daily sums. 0 keeps all.
    """

    def __init__(self, url: str, read_only: bool = False, detail_days: int = 0) -> None:
        self._detail_days = detail_days
        self.engine: Engine = open_engine(url, read_only)
        self.found_version = require_current(self.engine) if read_only else prepare(self.engine)
        self._reading = self.engine.execution_options(reads=True)
        self._file = sqlite_file(url)
        self._number = self._file_number()

    def is_there(self) -> bool:
        """Whether what was opened still lies under its name; else writing would be in vain."""
        return self._number == self._file_number()

    def _file_number(self) -> int:
        try:
            return self._file.stat().st_ino if self._file is not None else 0
        except OSError:
            return -1

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()

    def write(self, entries: Iterable[Entry]) -> None:
        """Write all entries in one transaction: all are durable on return, or none is stored."""
        now = int(time.time())
        upsert = partial(_upsert, self.engine.dialect.name)
        with self.engine.begin() as connection:
            lock(connection)
            chain = Chain(connection, now)
            for entry in entries:
                table = METADATA.tables[entry.table]
                rows = [plain(table, {"recorded": now, "resolved": now, **r}) for r in entry.rows]
                if table in CHAINED:
                    chain.add(table, rows)
                elif rows:
                    connection.execute(upsert(table), rows)
            chain.finish(upsert)
            for bot in chain.new_days if self._detail_days else ():
                prune(connection, bot, now // DAY - self._detail_days)

    def mark_sent(self, pair: str, candle: int, model_version: str) -> None:
        """Note that a signal's message was sent; only the first time counts."""
        key = (pair, candle, model_version)
        query = select(SIGNALS).where(
            SIGNALS.c.pair == pair,
            SIGNALS.c.candle == candle,
            SIGNALS.c.model_version == model_version,
            SIGNALS.c.sent.is_(None),
        )
        now = int(time.time())
        with self.engine.begin() as connection:
            lock(connection)
            found = connection.execute(query).mappings().first()
            if found is not None:
                chain = Chain(connection, now)
                chain.replace(SIGNALS, key, {**found, "sent": now})
                chain.finish(partial(_upsert, self.engine.dialect.name))

    def last_candle(self, pair: str, bot: str, until: int = 2**62) -> int:
        """Opening (seconds since 1970) of the newest candle recorded by a bot; 0 if none is.

        Later ones than ``until`` do not count.
        """
        query = (
            select(PREDICTIONS.c.candle)
            .where(
                PREDICTIONS.c.pair == pair,
                PREDICTIONS.c.bot == bot,
                PREDICTIONS.c.candle <= until,
            )
            .order_by(PREDICTIONS.c.candle.desc())
            .limit(1)
        )
        with self._reading.connect() as connection:
            return int(connection.execute(query).scalar() or 0)

    def newest_candle(self) -> int:
        """Opening of the newest candle that any bot recorded; 0 if none did."""
        with self._reading.connect() as connection:
            return int(connection.execute(select(func.max(PREDICTIONS.c.candle))).scalar() or 0)

    def unsent(self, pair: str, bot: str) -> int:
        """Opening of a bot's newest signal, if its message was not sent; else 0."""
        query = (
            select(SIGNALS.c.candle, SIGNALS.c.sent)
            .where(SIGNALS.c.pair == pair, SIGNALS.c.bot == bot)
            .order_by(SIGNALS.c.candle.desc())
            .limit(1)
        )
        with self._reading.connect() as connection:
            found = connection.execute(query).first()
        return int(found.candle) if found is not None and found.sent is None else 0

    def scored(self, since: int = 0) -> pd.DataFrame:
        """Live predictions with a known outcome, oldest first.

        Parameters
        ----------
        since
            Opening of the oldest candle wanted, seconds since 1970.
        """
        key = {column.name for column in OUTCOMES.primary_key.columns}
        outcome = [column for column in OUTCOMES.c if column.name not in key]
        query = (
            select(*PREDICTIONS.c, *outcome)
            .join(OUTCOMES, SAME_ROW)
            .where(
                PREDICTIONS.c.kind == LIVE,
                PREDICTIONS.c.candle >= since,
                OUTCOMES.c.realised.is_not(None),
            )
            .order_by(PREDICTIONS.c.candle, PREDICTIONS.c.pair)
        )
        return self.frame(query)

    def judged(
        self, models: Collection[str], since: int, until: int, pair: str = "", known: int = -1
    ) -> pd.DataFrame | None:
        """Probabilities, priors and outcomes of some models' live predictions, oldest first.

        Outcomes that were recorded before version 6 are left out: how far prices went is unknown.
        None where there are as many rows as are known, since rows are counted sooner than read.

        Parameters
        ----------
        models
            Versions that predicted, of any bot.
        since, until
            Openings of the oldest candle wanted and of the first one not wanted.
        pair
            One pair only; all if empty.
        known
            Rows of them that the caller has.
        """
        wanted = (
            PREDICTIONS.c.kind == LIVE,
            PREDICTIONS.c.candle >= since,
            PREDICTIONS.c.candle < until,
            PREDICTIONS.c.model_version.in_(models),
            OUTCOMES.c.moved.is_not(None),
            *([PREDICTIONS.c.pair == pair] if pair else []),
        )
        if known >= 0:
            count = select(func.count()).select_from(PREDICTIONS.join(OUTCOMES, SAME_ROW))
            with self._reading.connect() as connection:
                if connection.execute(count.where(*wanted)).scalar() == known:
                    return None
        names = [
            f"{kind}_{name}" for kind in ("proba", "prior") for name in ("sell", "hold", "buy")
        ]
        query = (
            select(
                PREDICTIONS.c.candle, PREDICTIONS.c.model_version, OUTCOMES.c.realised,
                OUTCOMES.c.moved, *(PREDICTIONS.c[name] for name in names),
            )
            .join(OUTCOMES, SAME_ROW)
            .where(*wanted)
            .order_by(PREDICTIONS.c.candle, PREDICTIONS.c.pair)
        )  # fmt: skip
        return self.frame(query)

    def rows(self, table: str, since: int = 0) -> pd.DataFrame:
        """All rows of a table since a candle or, without one, a time of recording."""
        chosen = METADATA.tables[table]
        time_column = chosen.c.get("candle", chosen.c.get("recorded"))
        query = select(chosen).order_by(*chosen.primary_key.columns)
        return self.frame(query if time_column is None else query.where(time_column >= since))

    def signals(self) -> pd.DataFrame:
        """Emitted signals, oldest first, without the records."""
        names = ("bot", "pair", "candle", "signal", "strength", "confidence")
        return self.frame(select(*(SIGNALS.c[name] for name in names)).order_by(SIGNALS.c.candle))

    def levels(self) -> dict[str, str]:
        """Newest recorded level of each pair."""
        query = (
            select(DRIFT_EVENTS.c.pair, DRIFT_EVENTS.c.level)
            .where(DRIFT_EVENTS.c.detector == HEALTH)
            .order_by(DRIFT_EVENTS.c.candle, DRIFT_EVENTS.c.recorded)
        )
        with self._reading.connect() as connection:
            return {str(row.pair): str(row.level) for row in connection.execute(query)}

    def counter(self, bot: str, name: str) -> str:
        """Content of a counter, empty if there is none."""
        query = select(COUNTERS.c.content).where(COUNTERS.c.bot == bot, COUNTERS.c.name == name)
        with self._reading.connect() as connection:
            return str(connection.execute(query).scalar() or "")

    def records(self, query: Any) -> list[dict[str, Any]]:
        """Rows of a query of SQLAlchemy's, each by the names of its columns."""
        with self._reading.connect() as connection:
            result = connection.execute(query)
            names = tuple(result.keys())
            return [dict(zip(names, row, strict=True)) for row in result]

    def frame(self, query: Any) -> pd.DataFrame:
        """Rows of a query of SQLAlchemy's."""
        with self._reading.connect() as connection:
            result = connection.execute(query)
            return pd.DataFrame(result.fetchall(), columns=list(result.keys()))


def _upsert(dialect: str, table: Table) -> Any:
    """Insert that leaves rows with the same key as they are; counters and heads are replaced."""
    if dialect not in _INSERTS:
        raise ValueError(f"the ledger supports SQLite and PostgreSQL, got {dialect!r}")
    statement: Any = _INSERTS[dialect](table)
    key = list(table.primary_key.columns)
    values = {
        column.name: statement.excluded[column.name] for column in table.c if column not in key
    }
    if table in (COUNTERS, CHAIN_HEADS):
        return statement.on_conflict_do_update(index_elements=key, set_=values)
    return statement.on_conflict_do_nothing(index_elements=key)
