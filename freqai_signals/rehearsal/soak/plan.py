"""What goes wrong in a soak and when, drawn from a seed."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from freqai_signals.rehearsal.incidents import Incidents
from freqai_signals.rehearsal.lost_rows import LAST_SECONDS
from freqai_signals.sandbox.exchange.faults import SPOILINGS


class Kind(StrEnum):
    """What can go wrong."""

    OUTAGE = "outage"
    """The exchange is away."""
    REQUESTS = "requests"
    """Half of all requests fail or are slow."""
    LATE = "late candles"
    MISSING = "missing candles"
    SPOILED = "spoiled candle"
    """Without a price, or with a wrong one."""
    AHEAD = "candles of tomorrow"
    KILL = "kill"
    """SIGKILL, and away for a while."""
    RESTART = "restart"
    """SIGTERM, and started again."""
    SLEEP = "sleep"
    """The machine sleeps: all clocks are ahead when it wakes."""
    CLOCK = "clock ahead"
    """The bot's clock is ahead of the exchange's, then put right."""
    DISK = "disk full"
    LEDGER = "database away"
    """Another process holds the ledger: nothing can be written."""
    BLACKLIST = "pairlist change"
    """A pair leaves the whitelist, then joins it again."""
    RELOAD = "config reload"
    FORCE_EXIT = "forced exit"
    FORCE_ENTRY = "forced entry"
    REMOVE = "folder removed"


FOLDERS: Final = ("models", "signals/models", "signals/registry", "data", "signals")
"""What is removed of ``user_data``, one at a time; the last one holds the ledger."""

_CANDLES: Final[dict[Kind, tuple[int, int]]] = {
    Kind.OUTAGE: (1, 8), Kind.REQUESTS: (2, 8), Kind.LATE: (2, 6), Kind.MISSING: (1, 6),
    Kind.SPOILED: (1, 1), Kind.AHEAD: (1, 4), Kind.KILL: (0, 4), Kind.SLEEP: (2, 16),
    Kind.CLOCK: (2, 5), Kind.DISK: (2, 8), Kind.LEDGER: (2, 8), Kind.BLACKLIST: (3, 8),
}  # fmt: skip
"""Shortest and longest duration of a kind, in candles; the others last no time."""

_GAP_CANDLES: Final = (2, 6)
_FIRST_CANDLES: Final = 8
_ALLOWED_CANDLES: Final = 14
_SPARE_CANDLES: Final = 2


@dataclass(frozen=True)
class Injection:
    """One thing that goes wrong.

    Attributes
    ----------
    number
        From 1 on; names it in ``--only``.
    kind
        What.
    start, stop
        Market time, ms since 1970.
    pair
        Of which; empty if it concerns all.
    detail
        Kind of spoiling, or folder.
    """

    number: int
    kind: Kind
    start: int
    stop: int
    pair: str = ""
    detail: str = ""


def allowed_ms(candle_ms: int, speed: float) -> int:
    """Market time after an injection in which the bot must work again.

    Fourteen candles, or two minutes of the wall clock, in which a bot starts and trains.
    """
    return max(_ALLOWED_CANDLES * candle_ms, int(2000 * LAST_SECONDS * speed))


def draw_plan(
    pairs: Sequence[str],
    span: tuple[int, int],
    candle_ms: int,
    speed: float,
    seed: int,
    only: Collection[int] = (),
) -> tuple[Injection, ...]:
    """Rounds in which each kind comes once, in an order, at times and for durations drawn.

    What lasts may overlap with what follows; only sleep does not, whose time nobody lives through.

    Parameters
    ----------
    pairs
        One of them is concerned, where a kind concerns one.
    span
        Market time, ms since 1970.
    candle_ms
        Length of a candle.
    speed
        Times the clock; all ends early enough to be judged.
    seed
        The same plan comes from the same seed, pairs and beginning, however long it is.
    only
        Numbers of those that are wanted; empty wants all.

    Raises
    ------
    ValueError
        If a wanted one is not in the plan.
    """
    draw = random.Random(seed)
    found: list[Injection] = []
    now = span[0] + _FIRST_CANDLES * candle_ms
    # What cannot begin at once begins a little later.
    last = span[1] - allowed_ms(candle_ms, speed) - _SPARE_CANDLES * candle_ms
    while True:
        for kind in draw.sample(list(Kind), len(Kind)):
            low, high = _CANDLES.get(kind, (0, 0))
            stop = now + draw.randint(low, high) * candle_ms
            pair = draw.choice(pairs)
            detail = {Kind.SPOILED: draw.choice(SPOILINGS), Kind.REMOVE: draw.choice(FOLDERS)}
            if stop > last:
                return _wanted(found, only)
            item = Injection(len(found) + 1, kind, now, stop, pair, str(detail.get(kind, "")))
            found.append(item)
            gap = draw.randint(*_GAP_CANDLES) * candle_ms + draw.randrange(candle_ms)
            now = gap + (stop if kind == Kind.SLEEP else now)


def _wanted(plan: Sequence[Injection], only: Collection[int]) -> tuple[Injection, ...]:
    unknown = sorted({*only} - {item.number for item in plan})
    if unknown:
        raise ValueError(f"the plan has {len(plan)} injections, none of number {unknown}")
    return tuple(item for item in plan if not only or item.number in only)


def candle_incidents(plan: Sequence[Injection], candle_ms: int) -> Incidents:
    """What of a plan lies in the candles themselves."""
    missing: dict[str, set[int]] = {}
    spoiled = []
    for item in plan:
        first = item.start - item.start % candle_ms
        if item.kind == Kind.MISSING:
            missing.setdefault(item.pair, set()).update(range(first, item.stop, candle_ms))
        if item.kind == Kind.SPOILED:
            spoiled.append((item.pair, first, item.detail))
    return Incidents(
        missing={pair: sorted(opened) for pair, opened in missing.items()},
        spoiled=tuple(spoiled),  # type: ignore[arg-type]
    )
