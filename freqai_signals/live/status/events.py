"""Events of models and levels from ledger and registry, merged by time."""

import time
from datetime import datetime
from typing import Any

from freqai_signals.ledger.ledger import Ledger
from freqai_signals.ledger.sql_tables import HEALTH, TRAINING
from freqai_signals.live.health import Health, what_follows
from freqai_signals.registry.registry import Registry
from freqai_signals.settings import DriftSettings


def history(ledger: Ledger, registry: Registry, newest: int) -> list[dict[str, str]]:
    """The newest events, oldest first.

    Returns
    -------
    list of dict
        ``time`` at which it was recorded (UTC); ``about`` a pair (after its bot, if there are
        several) or a scope of models; ``what`` happened, for example ``level drift``,
        ``training requested`` or ``serving <version>``; and ``why``.
    """
    drift = _rows(ledger, "drift_events")
    several = len({row["bot"] for row in drift}) > 1
    found = [
        (
            row["recorded"],
            f"{row['bot']} {row['pair']}".strip() if several else row["pair"],
            _event(row["detector"], row["level"]),
            row["detail"],
        )
        for row in drift
    ]
    found += [
        (
            int(datetime.fromisoformat(event.at).timestamp()),
            scope.name,
            f"{event.action.replace('_', ' ')} {event.version}".strip(),
            event.reason,
        )
        for scope in registry.scopes()
        for event in scope.history
    ]
    # Sorting is stable: events of one second stay in the order of their source.
    found.sort(key=lambda item: item[0])
    return [
        {"time": clock_text(at), "about": about, "what": what, "why": why}
        for at, about, what, why in found[-newest:]
    ]


def pair_health(ledger: Ledger, drift: DriftSettings) -> list[dict[str, str]]:
    """Level of every pair that a bot monitors, its cause, and what follows from it.

    Parameters
    ----------
    ledger
        Of the bots.
    drift
        From which the consequences of a level follow.

    Returns
    -------
    list of dict
        ``bot``, ``pair``, ``level``, ``since`` when it was entered (empty if it never changed),
        when the bot last wrote about the pair (``updated``), ``cause`` and ``what_follows``.
    """
    entered = {
        (row["bot"], row["pair"], row["level"]): row["recorded"]
        for row in _rows(ledger, "drift_events")
        if row["detector"] == HEALTH
    }
    found = []
    for row in _rows(ledger, "counters"):
        kind, _, pair = row["name"].partition(" ")
        if kind != HEALTH:
            continue
        health = Health.from_json(row["content"])
        level = str(health.level)
        # Events from before schema version 3 do not name their bot.
        since = entered.get((row["bot"], pair, level)) or entered.get(("", pair, level))
        found.append(
            {
                "bot": row["bot"],
                "pair": pair,
                "level": level,
                "since": clock_text(since) if since else "",
                "updated": clock_text(row["recorded"]),
                "cause": "; ".join(health.reasons),
                "what_follows": what_follows(health.level, drift),
            }
        )
    return found


def clock_text(seconds: int) -> str:
    """A time in UTC as shown to people.

    Examples
    --------
    >>> clock_text(86_400)
    '1970-01-02 00:00'
    """
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))


def _rows(ledger: Ledger, table: str) -> list[dict[Any, Any]]:
    """Rows in the order of writing."""
    return ledger.rows(table).sort_values("recorded", kind="stable").to_dict("records")


def _event(detector: str, level: str) -> str:
    if detector == TRAINING:
        return f"training {level}"
    return f"level {level}" if detector == HEALTH else f"{detector} {level}"
