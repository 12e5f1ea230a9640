"""What a running bot asks of its ledger: of all pairs at once, and as sums.

It must not load a week of rows, nor ask as often as it has pairs.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
from sqlalchemy import ColumnElement, Table, and_, case, func, or_, select

from freqai_signals.ledger.ledger import Ledger
from freqai_signals.ledger.proof.chain import LIVE
from freqai_signals.ledger.sql_tables import OUTCOMES, PREDICTIONS, SAME_ROW, SIGNALS

RowsByPair = dict[str, list[dict[str, Any]]]

_ALWAYS: Final = 2**62
_NAN: Final = float("nan")
_RESOLVED_BY: Final = (
    "pair", "candle", "model_version", "bot", "predicted", "cost", "proba_sell", "proba_hold",
    "proba_buy", "prior_sell", "prior_hold", "prior_buy",
)  # fmt: skip


@dataclass(frozen=True)
class RecentQuality:
    """Quality of a pair's scored predictions; NaN without rows.

    Attributes
    ----------
    rows
        Scored predictions.
    skill
        1 - log loss / log loss of the class prior of each row's own model.
    accuracy
        Share of rows whose predicted class happened.
    """

    rows: int = 0
    skill: float = _NAN
    accuracy: float = _NAN


def unresolved(
    ledger: Ledger, bot: str, since: Mapping[str, int], until: int = _ALWAYS
) -> RowsByPair:
    """A bot's live predictions without an outcome, oldest first.

    Those of another bot may have another label.

    Parameters
    ----------
    ledger
        Of the bot.
    bot
        Its name there.
    since
        Opening of the oldest candle wanted, of each pair that is asked about.
    until
        Opening of the newest candle wanted.

    Returns
    -------
    dict
        By pair, without those that have none: what
        :func:`~freqai_signals.ledger.outcomes.resolve_outcomes` reads.
    """
    query = (
        select(*(PREDICTIONS.c[name] for name in _RESOLVED_BY))
        .outerjoin(OUTCOMES, SAME_ROW)
        .where(
            _of_pairs(PREDICTIONS, since),
            PREDICTIONS.c.candle <= until,
            PREDICTIONS.c.kind == LIVE,
            # By its plain name, SQLite would read all rows that the bot ever wrote.
            PREDICTIONS.c.bot.concat("") == bot,
            OUTCOMES.c.pair.is_(None),
        )
        .order_by(PREDICTIONS.c.candle)
    )
    return _by_pair(ledger, query)


def known_outcomes(
    ledger: Ledger, versions: Collection[str], since: Mapping[str, int]
) -> RowsByPair:
    """Outcomes of some models' predictions, made by any bot, oldest first.

    Parameters
    ----------
    ledger
        Of the bots.
    versions
        Of the models.
    since
        As for :func:`unresolved`.

    Returns
    -------
    dict
        By pair, without those that have none: ``pair``, ``candle``, ``model_version`` and
        ``realised``.
    """
    names = ("pair", "candle", "model_version", "realised")
    query = (
        select(*(OUTCOMES.c[name] for name in names))
        .where(_of_pairs(OUTCOMES, since), OUTCOMES.c.model_version.in_(versions))
        .order_by(OUTCOMES.c.candle)
    )
    return _by_pair(ledger, query)


def recent_quality(ledger: Ledger, pair: str, since: int) -> RecentQuality:
    """Quality of a pair's live predictions from a candle on, summed up by the database."""
    hit = case((PREDICTIONS.c.predicted == OUTCOMES.c.realised, 1), else_=0)
    query = (
        select(
            func.count().label("rows"),
            func.sum(OUTCOMES.c.loss).label("loss"),
            func.sum(OUTCOMES.c.prior_loss).label("prior_loss"),
            func.sum(hit).label("hits"),
        )
        .join(OUTCOMES, SAME_ROW)
        .where(
            PREDICTIONS.c.pair == pair,
            PREDICTIONS.c.candle >= since,
            PREDICTIONS.c.kind == LIVE,
            OUTCOMES.c.realised.is_not(None),
        )
    )
    (found,) = ledger.records(query)
    rows = int(found["rows"])
    if not rows:
        return RecentQuality()
    skill = 1.0 - found["loss"] / found["prior_loss"] if found["prior_loss"] else _NAN
    return RecentQuality(rows, skill, int(found["hits"]) / rows)


def loss_sums(ledger: Ledger, since: int = 0, bot: str = "") -> pd.DataFrame:
    """Losses of live predictions with a known outcome, a line a candle, oldest first.

    Parameters
    ----------
    ledger
        Of the bots.
    since
        Opening of the oldest candle wanted, seconds since 1970.
    bot
        One bot only; all if empty.

    Returns
    -------
    pandas.DataFrame
        ``candle``, its ``rows``, and the sums of their ``loss`` and ``prior_loss``.
    """
    query = (
        select(
            PREDICTIONS.c.candle,
            func.count().label("rows"),
            func.sum(OUTCOMES.c.loss).label("loss"),
            func.sum(OUTCOMES.c.prior_loss).label("prior_loss"),
        )
        .join(OUTCOMES, SAME_ROW)
        .where(
            PREDICTIONS.c.kind == LIVE,
            PREDICTIONS.c.candle >= since,
            OUTCOMES.c.realised.is_not(None),
        )
        .group_by(PREDICTIONS.c.candle)
        .order_by(PREDICTIONS.c.candle)
    )
    return ledger.frame(query.where(PREDICTIONS.c.bot == bot) if bot else query)


def signal_counts(ledger: Ledger, bot: str, since: int, until: int) -> dict[str, int]:
    """How many signals of each kind a bot has emitted.

    Parameters
    ----------
    ledger
        Of the bot.
    bot
        Its name there.
    since, until
        Openings of the oldest candle that counts and of the first one that does not.
    """
    query = (
        select(SIGNALS.c.signal, func.count().label("rows"))
        .where(SIGNALS.c.bot == bot, SIGNALS.c.candle >= since, SIGNALS.c.candle < until)
        .group_by(SIGNALS.c.signal)
    )
    found = ledger.frame(query)
    return {str(kind): int(rows) for kind, rows in zip(found["signal"], found["rows"], strict=True)}


def _of_pairs(table: Table, since: Mapping[str, int]) -> ColumnElement[bool]:
    """Rows of each pair from its own candle on, in as few terms as there are such candles."""
    pairs: dict[int, list[str]] = {}
    for pair, candle in since.items():
        pairs.setdefault(candle, []).append(pair)
    return or_(
        *(
            and_(table.c.pair.in_(names), table.c.candle >= candle)
            for candle, names in pairs.items()
        )
    )


def _by_pair(ledger: Ledger, query: Any) -> RowsByPair:
    found: RowsByPair = {}
    for row in ledger.records(query):
        found.setdefault(row["pair"], []).append(row)
    return found
