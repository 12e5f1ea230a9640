"""Open problems of the bots, the worst first, each with what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any, Final

from freqai_signals.live.status.heartbeat import Heartbeat, Liveness
from freqai_signals.terminal import span_text, time_text

_LATE_CANDLES: Final = 3
_TRAINING_HOURS: Final = 6


class Severity(IntEnum):
    """How bad a problem is; the highest is the exit status of ``status --check``."""

    FINE = 0
    WARNING = 1
    CRITICAL = 2


@dataclass(frozen=True)
class Problem:
    """One open problem: about a bot, pair or scope, what it is, and what to do."""

    severity: Severity
    about: str
    what: str
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For tables and JSON."""
        return asdict(self) | {"severity": self.severity.name.lower()}


def open_problems(
    beats: Sequence[Heartbeat],
    serving: Sequence[Mapping[str, Any]],
    health: Sequence[Mapping[str, str]],
    ledger_files: Sequence[Mapping[str, Any]],
    now: int,
) -> list[Problem]:
    """What is wrong now.

    Parameters
    ----------
    beats
        Signs of life.
    serving
        Scopes with ``scope``, ``version`` and ``refused``, the reason of a newer refused model.
    health
        Pairs with ``bot``, ``pair``, ``level``, ``cause`` and ``what_follows``.
    ledger_files
        What lies beside the ledger.
    now
        Seconds since 1970.
    """
    found = [problem for beat in beats for problem in _of_bot(beat, now)]
    if not beats:
        what = "no bot has left a sign of life here"
        found.append(Problem(Severity.WARNING, "bots", what, "start one, or name its --userdir"))
    found += [problem for scope in serving for problem in _of_scope(scope)]
    for item in health:
        if item["level"] != "ok":
            bad = item["level"] == "halted"
            what = f"level {item['level']}: {item['cause'] or 'no cause is known'}"
            follows = f"what follows: {item['what_follows']}"
            severity = Severity.CRITICAL if bad else Severity.WARNING
            found.append(Problem(severity, item["pair"], what, follows))
    for file in ledger_files:
        damaged = ".damaged-" in file["file"]
        what = "a damaged ledger was set aside" if damaged else "rows were not written yet"
        remedy = (
            "sqlite3 FILE .recover reads it" if damaged else "the bot's next start takes them in"
        )
        found.append(Problem(Severity.WARNING, file["file"], what, remedy))
    return sorted(found, key=lambda problem: -problem.severity)


def _of_bot(beat: Heartbeat, now: int) -> list[Problem]:
    life = beat.liveness(now)
    if life is Liveness.STOPPED:
        return [Problem(Severity.WARNING, beat.name, beat.sentence(now), "start it again")]
    if life is not Liveness.ALIVE:
        remedy = "look at its log, then restart it; open trades are not looked after"
        return [Problem(Severity.CRITICAL, beat.name, beat.sentence(now), remedy)]
    found = []
    late = now - beat.decided - beat.candle_seconds
    if beat.decided and late > _LATE_CANDLES * beat.candle_seconds:
        what = f"no candle was decided since {time_text(beat.decided)} ({span_text(late)} late)"
        found.append(Problem(Severity.CRITICAL, beat.name, what, "is the exchange reachable?"))
    if 0 < beat.expires < now:
        what = f"the model expired at {time_text(beat.expires)}: every row abstains"
        found.append(
            Problem(Severity.CRITICAL, beat.name, what, "its log says why none is trained")
        )
    overdue = now - beat.next_training - 3600 * _TRAINING_HOURS
    if beat.next_training and overdue > 0 and not beat.training_since:
        what = f"the training due at {time_text(beat.next_training)} has not begun"
        found.append(Problem(Severity.WARNING, beat.name, what, "its log says why"))
    return found


def _of_scope(scope: Mapping[str, Any]) -> list[Problem]:
    about, refused = scope["scope"], scope["refused"]
    if not scope["version"]:
        why = f": {refused}" if refused else ""
        return [Problem(Severity.CRITICAL, about, f"no model serves, every row abstains{why}")]
    if refused:
        what = f"the newest model is refused, {scope['version']} serves on: {refused}"
        return [Problem(Severity.WARNING, about, what)]
    return []
