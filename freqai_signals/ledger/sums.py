"""Sums over a ledger's rows, made by the database: a running bot must not load a week of rows."""

import pandas as pd
from sqlalchemy import func, select

from freqai_signals.ledger.ledger import Ledger
from freqai_signals.ledger.proof.chain import LIVE
from freqai_signals.ledger.sql_tables import OUTCOMES, PREDICTIONS, SAME_ROW, SIGNALS


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
