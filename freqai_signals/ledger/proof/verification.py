"""Whether every row of a ledger still stands as it was written, and in its place."""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select

from freqai_signals.ledger.database import one_moment
from freqai_signals.ledger.ledger import Ledger
from freqai_signals.ledger.proof.chain import CHAINED, content, digest_of, link
from freqai_signals.ledger.sql_tables import CHAIN_HEADS, CHAIN_REPLACED, CHAIN_ROOTS

MOST_PROBLEMS: Final = 100
_AT_ONCE: Final = 5_000
_NOWHERE: Final = 2**63


class Verified(NamedTuple):
    """What a check found.

    Attributes
    ----------
    rows
        Rows that were looked at, replaced ones included.
    problems
        ``bot``, ``number`` and ``problem`` of each; empty if the ledger is as it was written.
    """

    rows: int
    problems: tuple[Mapping[str, Any], ...]


class Link(NamedTuple):
    """A row of a chain, or the digest of one that another replaced."""

    number: int
    table: str
    digest: str
    hash: str | None
    replaces: str | None
    text: str


@dataclass
class _Walk:
    """Along one bot's chain."""

    bot: str
    number: int = 0
    hash: str = ""
    rows: int = 0


def verify(ledger: Ledger, roots: Mapping[tuple[str, int], str] | None = None) -> Verified:
    """Walk every bot's chain from its beginning to its end.

    Parameters
    ----------
    ledger
        Open; it is only read.
    roots
        Bot and day (since 1970, UTC) to the root that somebody noted; they are held against the
        ledger's own.
    """
    rows, problems = 0, []
    with one_moment(ledger.engine) as connection:
        # A bot of which all is gone has a noted root, if anything.
        for bot in sorted({*_bots(connection), *(name for name, _ in roots or {})}):
            walk = _Walk(bot)
            problems += list(_problems(connection, walk, roots or {}))
            rows += walk.rows
        problems += [
            {"bot": "", "number": 0, "problem": f"{table.name}: {count} rows in no chain"}
            for table in CHAINED
            if (count := _unchained(connection, table))
        ]
    return Verified(rows, tuple(problems[:MOST_PROBLEMS]))


def links(connection: Connection, bot: str) -> Iterator[Link]:
    """A bot's chain by number: rows of all tables, and what was replaced."""
    replaced = (
        Link(_place(row.number), "", str(row.digest), None, None, "")
        for row in connection.execute(
            select(CHAIN_REPLACED)
            .where(CHAIN_REPLACED.c.bot == bot)
            .order_by(CHAIN_REPLACED.c.number)
        )
    )
    parts = [_rows(connection, table, bot) for table in CHAINED]
    return heapq.merge(*parts, replaced, key=lambda item: item.number)


def _rows(connection: Connection, table: Any, bot: str) -> Iterator[Link]:
    query = select(table).where(table.c.bot == bot, table.c.number.is_not(None))
    found = connection.execution_options(yield_per=_AT_ONCE).execute(query.order_by(table.c.number))
    for row in found.mappings():
        text = content(table.name, dict(row))
        own = None if row["hash"] is None else str(row["hash"])
        yield Link(_place(row["number"]), table.name, digest_of(text), own, row["replaces"], text)


def _place(number: Any) -> int:
    """Place in a chain; the last one for what SQLite keeps in a column of numbers and is none."""
    return number if isinstance(number, int) else _NOWHERE


def _problems(
    connection: Connection, walk: _Walk, noted: Mapping[tuple[str, int], str]
) -> Iterator[dict[str, Any]]:
    bot = walk.bot
    kept = _roots(connection, bot)
    walk.number, walk.hash = _start(connection, bot, kept)
    at = {number: root for number, root in kept.values() if number > walk.number}
    unexplained = _replaced_by_nobody(connection, bot)
    for item in links(connection, bot):
        walk.rows += 1
        if item.number != walk.number + 1:
            yield _problem(walk, f"rows after it are missing or twice; next is {item.number}")
        expected = link(walk.hash, item.digest)
        if item.hash not in (None, expected):
            yield _problem(walk, f"row {item.number} of {item.table} or its neighbour was changed")
        if item.hash is None and item.number in unexplained:
            yield _problem(walk, f"row {item.number} was removed: no row replaces it")
        walk.number, walk.hash = item.number, item.hash or expected
        if at.pop(item.number, walk.hash) != walk.hash:
            yield _problem(walk, "the root kept for its day is another one")
    yield from _end_problems(connection, walk, at)
    for (name, day), root in noted.items():
        if name == bot and kept.get(day, (0, ""))[1] != root:
            yield _problem(walk, f"the root of day {day} was another one: {root}")


def _start(
    connection: Connection, bot: str, roots: Mapping[int, tuple[int, str]]
) -> tuple[int, str]:
    """Number and hash behind which the rows begin: 0, or the root that older ones ended with."""
    query = select(CHAIN_HEADS.c.pruned).where(CHAIN_HEADS.c.bot == bot)
    stored = connection.execute(query).scalar()
    pruned = 0 if stored is None else _place(stored)
    hashes = dict(roots.values())
    return (pruned, hashes.get(pruned, "")) if pruned else (0, "")


def _end_problems(
    connection: Connection, walk: _Walk, unmet: Mapping[int, str]
) -> Iterator[dict[str, Any]]:
    head = connection.execute(select(CHAIN_HEADS).where(CHAIN_HEADS.c.bot == walk.bot)).first()
    if head is None or (head.number, head.hash) != (walk.number, walk.hash):
        yield _problem(walk, "rows at the end were removed or added")
    if unmet:
        yield _problem(walk, f"rows of {len(unmet)} days that have a root are missing")


def _problem(walk: _Walk, text: str) -> dict[str, Any]:
    return {"bot": walk.bot, "number": walk.number, "problem": text}


def _bots(connection: Connection) -> list[str]:
    tables = (*CHAINED, CHAIN_HEADS, CHAIN_REPLACED, CHAIN_ROOTS)
    found: set[str] = set()
    for table in tables:
        found |= {str(row.bot) for row in connection.execute(select(table.c.bot).distinct())}
    return sorted(found)


def _roots(connection: Connection, bot: str) -> dict[int, tuple[int, str]]:
    query = select(CHAIN_ROOTS).where(CHAIN_ROOTS.c.bot == bot)
    return {
        _place(row.day): (_place(row.number), str(row.hash)) for row in connection.execute(query)
    }


def _replaced_by_nobody(connection: Connection, bot: str) -> set[int]:
    query = select(CHAIN_REPLACED.c.number).where(CHAIN_REPLACED.c.bot == bot)
    numbers = {_place(row.number) for row in connection.execute(query)}
    for table in CHAINED if numbers else ():
        named = select(table.c.replaces).where(table.c.replaces.is_not(None))
        for (text,) in connection.execute(named):
            number, _, name = str(text).partition(" ")
            if name == bot and number.isdecimal():
                numbers.discard(int(number))
    return numbers


def _unchained(connection: Connection, table: Any) -> int:
    query = select(table.c.number).where(table.c.number.is_(None) | table.c.hash.is_(None))
    return len(connection.execute(query).fetchall())
