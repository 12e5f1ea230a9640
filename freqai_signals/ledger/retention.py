"""Old rows become sums over days; the chain of those that stay begins at a root that is kept."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, and_, case, func, select

from freqai_signals.ledger.proof.chain import CHAINED, DAY, LIVE
from freqai_signals.ledger.sql_tables import (
    CHAIN_HEADS,
    CHAIN_REPLACED,
    CHAIN_ROOTS,
    DAILY,
    OUTCOMES,
    PREDICTIONS,
    SAME_ROW,
)

_DAYS_AT_ONCE: Final = 7
_SUMS: Final = ("candles", "live", "scored", "hits", "loss", "prior_loss", "net")


def prune(connection: Connection, bot: str, before: int) -> int:
    """Sum up and remove a bot's rows that were written before a day; the number of the last.

    At most a week of them at once, so that a long history holds nobody up: the next day's first row
    removes more.

    Parameters
    ----------
    connection
        Of a transaction that no other writer overlaps.
    bot
        Whose rows.
    before
        Day since 1970 (UTC); rows that were written on it stay.
    """
    roots = (
        select(CHAIN_ROOTS.c.number)
        .join(CHAIN_HEADS, CHAIN_HEADS.c.bot == CHAIN_ROOTS.c.bot)
        .where(
            CHAIN_ROOTS.c.bot == bot,
            CHAIN_ROOTS.c.day < before,
            CHAIN_ROOTS.c.number > CHAIN_HEADS.c.pruned,
        )
        .order_by(CHAIN_ROOTS.c.day)
        .limit(_DAYS_AT_ONCE)
    )
    last = max((int(row.number) for row in connection.execute(roots)), default=0)
    if last:
        _sum_up(connection, bot, last)
        for table in (*CHAINED, CHAIN_REPLACED):
            connection.execute(table.delete().where(table.c.bot == bot, table.c.number <= last))
        connection.execute(CHAIN_HEADS.update().where(CHAIN_HEADS.c.bot == bot).values(pruned=last))
    return last


def _sum_up(connection: Connection, bot: str, last: int) -> None:
    day = (PREDICTIONS.c.candle // DAY).label("day")
    is_scored = and_(PREDICTIONS.c.kind == LIVE, OUTCOMES.c.realised.is_not(None))
    is_hit = and_(is_scored, PREDICTIONS.c.predicted == OUTCOMES.c.realised)
    query = (
        select(
            PREDICTIONS.c.pair,
            day,
            func.count().label("candles"),
            _count(PREDICTIONS.c.kind == LIVE, "live"),
            _count(is_scored, "scored"),
            _count(is_hit, "hits"),
            *(
                func.sum(case((is_scored, OUTCOMES.c[name]), else_=0.0)).label(name)
                for name in ("loss", "prior_loss", "net")
            ),
        )
        .outerjoin(OUTCOMES, SAME_ROW)
        .where(PREDICTIONS.c.bot == bot, PREDICTIONS.c.number <= last)
        .group_by(PREDICTIONS.c.pair, day)
    )
    for row in connection.execute(query).mappings().fetchall():
        _add(connection, bot, dict(row))


def _count(condition: Any, name: str) -> Any:
    return func.sum(case((condition, 1), else_=0)).label(name)


def _add(connection: Connection, bot: str, row: Mapping[str, Any]) -> None:
    """Candles of a day may have been written on two."""
    where = (DAILY.c.bot == bot, DAILY.c.pair == row["pair"], DAILY.c.day == row["day"])
    before = connection.execute(select(DAILY).where(*where)).mappings().first()
    if before is None:
        connection.execute(DAILY.insert(), [{"bot": bot, **row}])
        return
    sums = {name: before[name] + row[name] for name in _SUMS}
    connection.execute(DAILY.update().where(*where).values(sums))
