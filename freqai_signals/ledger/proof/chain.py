"""Rows that cannot be edited unseen: each carries the hash of the one before, bot by bot.

A bot's predictions, signals and outcomes have consecutive numbers. With ``content`` the row as JSON
(:func:`content`, all columns but ``hash``)::

    digest = SHA-256(content)        hash = SHA-256(hash of the row before + digest)

so a changed, removed or inserted row breaks every hash behind it. A row that is replaced (a gap by
a live prediction, a signal whose message went out) leaves its digest in ``chain_replaced``, and the
new row names the number that it replaces. At the first row of a UTC day the last hash of the day
before becomes that day's root; whoever has noted a root can tell that nothing before was rewritten.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Connection,
    DefaultClause,
    Float,
    Integer,
    SmallInteger,
    Table,
    select,
)

from freqai_signals.ledger.sql_tables import (
    CHAIN_HEADS,
    CHAIN_REPLACED,
    CHAIN_ROOTS,
    KEY,
    OUTCOMES,
    PREDICTIONS,
    SIGNALS,
)

LIVE: Final = "live"
DAY: Final = 86_400
CHAINED: Final = (PREDICTIONS, SIGNALS, OUTCOMES)
_WHOLE: Final = (BigInteger, Integer, SmallInteger)

Row = dict[str, Any]
Upsert = Callable[[Table], Any]


def plain(table: Table, row: Mapping[str, Any]) -> Row:
    """The columns of a row as every database gives them back; NaN, which SQLite lacks, is None."""
    found = {}
    for name, column in table.c.items():
        if name in row:
            found[name] = _plain(column.type, row[name])
        elif isinstance(column.server_default, DefaultClause):
            found[name] = _plain(column.type, column.server_default.arg)
    return found


def _plain(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, Float):
        # Adding 0.0 makes -0.0, which SQLite forgets, a 0.0.
        return None if value != value else float(value) + 0.0
    return int(value) if isinstance(kind, _WHOLE) else str(value)


def content(table: str, row: Mapping[str, Any]) -> str:
    """What of a row is hashed: one line of JSON, keys sorted, numbers as Python writes them."""
    known = {name: value for name, value in row.items() if name != "hash" and value is not None}
    # SQLite keeps bytes in any column; nothing of ours writes them, but whoever edits may.
    return json.dumps([table, known], sort_keys=True, separators=(",", ":"), default=repr)


def digest_of(text: str) -> str:
    """SHA-256 of a content, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def link(before: str, digest: str) -> str:
    """Hash of a row from that of the row before (empty for a bot's first) and its own digest."""
    return hashlib.sha256((before + digest).encode()).hexdigest()


class Chain:
    """Appends rows within one transaction that no other writer of the ledger overlaps.

    Parameters
    ----------
    connection
        Of the transaction.
    now
        Seconds since 1970.

    Attributes
    ----------
    new_days
        Bots whose first row of a day this is.
    """

    def __init__(self, connection: Connection, now: int) -> None:
        self._connection = connection
        self._day = now // DAY
        self._heads: dict[str, Row] = {}
        self.new_days: list[str] = []

    def add(self, table: Table, rows: Iterable[Row]) -> None:
        """Append rows with new keys; a live prediction replaces one that was found later."""
        rows = list(rows)
        known = self._known(table, rows)
        fresh: dict[tuple[Any, ...], Row] = {}
        replacing: dict[tuple[Any, ...], Row] = {}
        for row in rows:
            key = tuple(row[name] for name in KEY)
            is_better = known.get(key, LIVE) != LIVE and row.get("kind") == LIVE
            if key not in known or (is_better and key in fresh):
                fresh[key] = row
            elif is_better:
                replacing[key] = row
            else:
                continue
            known[key] = row.get("kind", LIVE)
        if fresh:
            self._connection.execute(
                table.insert(), [self._linked(table, row) for row in fresh.values()]
            )
        for key, row in replacing.items():
            self.replace(table, key, row)

    def replace(self, table: Table, key: Sequence[Any], row: Mapping[str, Any]) -> None:
        """Put a row in the place of one with the same key, whose digest is kept."""
        where = [table.c[name] == value for name, value in zip(KEY, key, strict=True)]
        old = dict(self._connection.execute(select(table).where(*where)).mappings().one())
        bot, number = str(old["bot"]), old["number"]
        kept = {"bot": bot, "number": number, "digest": digest_of(content(table.name, old))}
        self._connection.execute(CHAIN_REPLACED.insert(), [kept])
        changed = {**{name: old[name] for name in KEY}, **row, "replaces": f"{number} {bot}"}
        linked = self._linked(table, plain(table, changed))
        self._connection.execute(table.update().where(*where).values(linked))

    def finish(self, upsert: Upsert) -> None:
        """Write down where each bot's chain ends now."""
        if self._heads:
            self._connection.execute(upsert(CHAIN_HEADS), list(self._heads.values()))

    def _linked(self, table: Table, row: Row) -> Row:
        head = self._head(str(row.get("bot") or ""))
        row = {"replaces": None, **row, "bot": head["bot"], "number": head["number"] + 1}
        row["hash"] = link(head["hash"], digest_of(content(table.name, row)))
        head["number"], head["hash"] = row["number"], row["hash"]
        return row

    def _head(self, bot: str) -> Row:
        if bot not in self._heads:
            query = select(CHAIN_HEADS).where(CHAIN_HEADS.c.bot == bot)
            found = self._connection.execute(query).mappings().first()
            new = {"bot": bot, "number": 0, "hash": "", "day": self._day, "pruned": 0}
            head = dict(found or new)
            if head["day"] < self._day:
                root = {column.name: head[column.name] for column in CHAIN_ROOTS.c}
                self._connection.execute(CHAIN_ROOTS.insert(), [root])
                self.new_days.append(bot)
            self._heads[bot] = head | {"day": max(self._day, head["day"])}
        return self._heads[bot]

    def _known(self, table: Table, rows: Sequence[Row]) -> dict[tuple[Any, ...], str]:
        """Keys that are in the table, perhaps among others, and the kinds of predictions."""
        kind = [table.c.kind] if table is PREDICTIONS else []
        columns = [*(table.c[name] for name in KEY), *kind]
        found: dict[tuple[Any, ...], str] = {}
        for pair in {row["pair"] for row in rows}:
            candles = [row["candle"] for row in rows if row["pair"] == pair]
            inside = table.c.candle.between(min(candles), max(candles))
            query = select(*columns).where(table.c.pair == pair, inside)
            for row in self._connection.execute(query):
                found[tuple(row[:3])] = str(row[3]) if kind else LIVE
        return found
