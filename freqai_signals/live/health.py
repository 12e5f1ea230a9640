"""Level of trust in a pair, and what follows: a small state machine without side effects.

``ok -> warning -> drift -> halted``. A reason raises the level at once. A level is left downwards
after ``resume_candles`` without a reason for it. Exits are never touched.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import IntEnum
from typing import Final

from freqai_signals.drift.monitors import DriftState
from freqai_signals.settings import DriftSettings

_NEVER: Final = 99


class Level(IntEnum):
    """Trust in a pair's predictions, falling."""

    OK = 0
    WARNING = 1
    DRIFT = 2
    HALTED = 3

    def __str__(self) -> str:
        """Lower-case name, as settings and columns have it."""
        return self.name.lower()


@dataclass(frozen=True)
class Evidence:
    """Facts about a pair at the close of a candle.

    Attributes
    ----------
    drift
        States of the pair's monitors.
    quality
        Tests of the pool's live quality.
    stale_candles
        Candles since the last trusted prediction.
    """

    drift: Sequence[DriftState] = ()
    quality: Sequence[DriftState] = ()
    stale_candles: int = 0


@dataclass(frozen=True)
class Health:
    """Level of a pair.

    Attributes
    ----------
    level
        Present level.
    candle
        Number of the newest candle judged.
    since
        Candle at which the level was entered.
    calm_since
        Candle since which there is no reason for the level; -1 while there is one.
    reasons
        Why; empty when ok.
    """

    level: Level = Level.OK
    candle: int = -1
    since: int = -1
    calm_since: int = -1
    reasons: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Text that :meth:`from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Health":
        """Read the text of :meth:`to_json`; ValueError if it is anything else."""
        try:
            given = json.loads(text)
            reasons = tuple(map(str, given.pop("reasons")))
            return cls(**given | {"level": Level(given["level"]), "reasons": reasons})
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"the stored level cannot be read: {error!r}") from error


@dataclass(frozen=True)
class Action:
    """Consequences of a level.

    Attributes
    ----------
    retrain
        Ask FreqAI to train before its schedule.
    block_entries
        No entry, whatever the signal; exits continue.
    reject_reason
        Short code for rows that are blocked; empty otherwise.
    """

    retrain: bool
    block_entries: bool
    reject_reason: str


def next_health(health: Health, candle: int, evidence: Evidence, settings: DriftSettings) -> Health:
    """Level at the close of a candle; a candle that was judged before changes nothing."""
    if candle <= health.candle:
        return health
    wanted, reasons = _wanted(evidence, settings)
    if wanted > health.level:
        return Health(wanted, candle, candle, -1, reasons)
    if wanted == health.level:
        return replace(health, candle=candle, calm_since=-1, reasons=reasons)
    calm_since = health.calm_since if health.calm_since >= 0 else candle
    if candle - calm_since < settings.resume_candles:
        return replace(health, candle=candle, calm_since=calm_since)
    lower = Level(health.level - 1)
    return Health(lower, candle, candle, -1 if lower == wanted else candle, reasons)


def renewed(health: Health, candle: int) -> Health:
    """Level after a change of the model: at most a warning until its own rows are scored."""
    if health.level <= Level.WARNING:
        return health
    # This candle is judged yet: an alarm that is about the new model too must not pause for one.
    return Health(Level.WARNING, candle - 1, candle, -1, ("a new model serves",))


def until(health: Health, candle: int) -> Health:
    """A stored level with no candle number beyond ``candle``, or it would hold until then.

    Later numbers are those of a shorter timeframe, or of a clock that was ahead.
    """
    return replace(
        health,
        candle=min(health.candle, candle),
        since=min(health.since, candle),
        calm_since=min(health.calm_since, candle),
    )


def action_of(health: Health, settings: DriftSettings) -> Action:
    """Consequences of a level under these settings."""
    blocks = health.level >= _from(settings.block_entries_from)
    return Action(
        retrain=health.level >= _from(settings.retrain_from),
        block_entries=blocks,
        reject_reason=str(health.level) if blocks else "",
    )


def what_follows(level: Level, settings: DriftSettings) -> str:
    """Consequences of a level in words.

    Examples
    --------
    >>> what_follows(Level.HALTED, DriftSettings())
    'no entries, exits go on; trained before the schedule'
    """
    action = action_of(Health(level), settings)
    steps = ["no entries, exits go on"] if action.block_entries else []
    steps += ["trained before the schedule"] if action.retrain else []
    return "; ".join(steps) or "nothing"


def _wanted(evidence: Evidence, settings: DriftSettings) -> tuple[Level, tuple[str, ...]]:
    """Level that the evidence alone calls for, and why."""
    # Data may drift and the model still hold: only the test of what came of its predictions halts.
    failed = [f"{s.detector}: {s.detail}" for s in evidence.quality if s.drift]
    drifted = [f"{s.detector}: {s.detail}" for s in evidence.drift if s.drift]
    stale = evidence.stale_candles >= settings.stale_candles
    silence = [f"no trusted prediction for {evidence.stale_candles} candles"] * stale
    if failed:
        return Level.HALTED, (*failed, *drifted)
    if drifted:
        return Level.DRIFT, tuple(drifted)
    if silence:
        return Level.WARNING, tuple(silence)
    return Level.OK, ()


def _from(name: str) -> int:
    return _NEVER if name == "never" else int(Level[name.upper()])
