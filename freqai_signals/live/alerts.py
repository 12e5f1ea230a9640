"""Alerts to the operator: on changes, not too often, one line for many pairs.

Nothing is sent here. The bot's loop passes the present states and sends the returned messages
through freqtrade's own channels.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from freqai_signals.live.health import Health, what_follows
from freqai_signals.settings import AlertSettings, DriftSettings

NORMAL: Final = "ok"
_NAMED_PAIRS: Final = 3
_SUMMARISED_FROM: Final = 3
_CLOCK_SECONDS: Final = 5


@dataclass(frozen=True)
class Alert:
    """State of one thing, for example a pair's level or the ledger.

    Attributes
    ----------
    topic
        For example ``level``, ``model``, ``ledger``.
    pair
        Pair or scope; empty for the whole bot.
    state
        An alert is sent when this text changes; ``ok`` is normal. Single events have a text of
        their own, with a model version for example.
    severity
        0 for normal; a rise is sent at once, whatever the cooldown.
    detail
        Reason or numbers, shown in brackets.
    follows
        What follows, shown at the end; empty for nothing.
    at_once
        Never held back by a cooldown: what an operator or a training has done.
    """

    topic: str
    pair: str
    state: str
    severity: int
    detail: str = ""
    follows: str = ""
    at_once: bool = False


@dataclass(frozen=True)
class Ahead:
    """What is ahead of the exchange's time.

    Attributes
    ----------
    pairs
        Those of which the exchange has shown a candle that has not begun.
    seconds
        By which this machine's clock is ahead.
    """

    pairs: frozenset[str] = frozenset()
    seconds: float = 0.0


@dataclass(frozen=True)
class _Sent:
    state: str = NORMAL
    severity: int = 0
    candle: int = -(10**9)


class Alerts:
    """Remembers what was sent, so that only changes are.

    Parameters
    ----------
    settings
        Cooldown.
    """

    def __init__(self, settings: AlertSettings) -> None:
        self.settings = settings
        self._sent: dict[tuple[str, str], _Sent] = {}

    def update(self, candle: int, alerts: Iterable[Alert]) -> list[str]:
        """Messages for what has changed since it was last sent, the most severe first.

        A change within the cooldown of its pair and topic waits; if it still holds afterwards, it
        is sent then.

        Parameters
        ----------
        candle
            Number of the newest candle.
        alerts
            Present states; a state that is left out stays as it was.
        """
        if not self.settings.enabled:
            return []
        changed = [item for item in alerts if self._is_due(candle, item)]
        for item in changed:
            self._sent[item.topic, item.pair] = _Sent(item.state, item.severity, candle)
        groups: dict[tuple[int, str, str], list[Alert]] = {}
        for item in changed:
            groups.setdefault((-item.severity, item.topic, item.state), []).append(item)
        return [line for _, group in sorted(groups.items()) for line in self._lines(group)]

    def to_json(self) -> str:
        """Text that :meth:`restore` reads, so that a restart repeats nothing."""
        rows = [[topic, pair, asdict(sent)] for (topic, pair), sent in self._sent.items()]
        return json.dumps(rows)

    def restore(self, text: str) -> None:
        """Continue from the text of :meth:`to_json`; ValueError if it is anything else."""
        try:
            self._sent = {
                (str(topic), str(pair)): _Sent(**sent) for topic, pair, sent in json.loads(text)
            }
        except TypeError as error:
            raise ValueError(f"the stored alerts cannot be read: {error}") from error

    def _is_due(self, candle: int, item: Alert) -> bool:
        sent = self._sent.get((item.topic, item.pair), _Sent())
        if item.state == sent.state:
            return False
        if item.at_once:
            return True
        # A later candle than the present one is from a wrong clock or a shorter timeframe.
        cooled = not 0 <= candle - sent.candle < self.settings.cooldown_candles
        return cooled or item.severity > sent.severity

    def _lines(self, group: Sequence[Alert]) -> list[str]:
        if len(group) < _SUMMARISED_FROM:
            return [_line(item) for item in group]
        pairs = sorted(item.pair for item in group)
        more = f" and {len(pairs) - _NAMED_PAIRS} more" if len(pairs) > _NAMED_PAIRS else ""
        named = ", ".join(pairs[:_NAMED_PAIRS])
        return [_line(replace(group[0], pair=f"{len(pairs)} pairs ({named}{more})"))]


def level_alert(pair: str, health: Health, settings: DriftSettings) -> Alert:
    """State of a pair's level, its cause and what follows from it."""
    level, cause = health.level, "; ".join(health.reasons)
    follows = what_follows(level, settings) if level else ""
    return Alert("level", pair, str(level), int(level), cause, follows)


def model_alert(scope: str, version: str, event: str, reason: str) -> Alert:
    """What happened to a model: ``event`` is for example ``refused`` or ``rolled back to``."""
    is_trouble = event == "refused"
    return Alert(
        "model", scope, f"{event} {version}", int(is_trouble), reason, at_once=not is_trouble
    )


def ahead_alerts(pairs: Iterable[str], ahead: Ahead) -> list[Alert]:
    """State of the pairs' candles and of this machine's clock against the exchange's time."""
    if ahead.seconds <= _CLOCK_SECONDS:
        found = [Alert("clock", "", NORMAL, 0)]
    else:
        why = f"by {ahead.seconds:.0f} s, open candles are left out"
        follows = "no trade is opened on candles that are old by this clock; put it right (NTP)"
        found = [Alert("clock", "", "ahead of the exchange", 1, why, follows)]
    why = "left out; the exchange or this machine's clock is wrong"
    return found + [
        Alert("candles", pair, "ahead of the clock", 1, why)
        if pair in ahead.pairs
        else Alert("candles", pair, NORMAL, 0)
        for pair in pairs
    ]


def ledger_alert(problem: str, waiting: int, lost: int) -> Alert:
    """State of the ledger, from the writer's numbers."""
    if lost:
        return Alert("ledger", "", "rows lost", 2, f"{lost} rows, {waiting} waiting: {problem}")
    if problem:
        return Alert("ledger", "", "cannot be written", 1, f"{waiting} rows waiting: {problem}")
    return Alert("ledger", "", NORMAL, 0)


def _line(item: Alert) -> str:
    about = f" {item.pair}" if item.pair else ""
    detail = f" ({item.detail})" if item.detail else ""
    follows = f"; what follows: {item.follows}" if item.follows else ""
    return f"{item.topic}{about}: {item.state}{detail}{follows}"
