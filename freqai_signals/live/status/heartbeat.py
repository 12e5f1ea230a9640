"""A bot's sign of life: a small file, rewritten while its loop runs.

A file rather than a row of the ledger: it must be there when the database is away or full, and
reading it must need nothing of the bot, which may be dead or hung.
"""

import json
import logging
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import psutil

from freqai_signals.files import write_atomically
from freqai_signals.registry.versions import slug
from freqai_signals.terminal import span_text, time_text

logger = logging.getLogger(__name__)

BEAT_SECONDS: Final = 30
SILENT_SECONDS: Final = 300
"""After these without a beat a bot counts as silent: its loop takes seconds."""

_GAP_CANDLES: Final = 3
_SAME_SECONDS: Final = 2


class Liveness(StrEnum):
    """What a sign of life says."""

    ALIVE = "alive"
    STOPPED = "stopped"
    HUNG = "hung"
    DEAD = "dead"
    SILENT = "silent"


@dataclass(frozen=True)
class Heartbeat:
    """The newest sign of life of one bot. Times are seconds since 1970, 0 where there is none.

    Attributes
    ----------
    bot, name
        FreqAI's identifier, and the name in messages.
    pid, created, host
        Of its process; when that began by its machine, which the bot's clock may differ from.
    started, time, ended
        When its loop first ran, when it last ran, when it was stopped in an orderly way.
    candle_seconds
        Length of a candle.
    pairs
        Those that it trades.
    decided
        Close of the newest candle that it has decided.
    next_training, expires, training_since
        Schedule of its models; the earliest of several.
    """

    bot: str
    name: str
    pid: int
    created: int
    host: str
    started: int
    time: int
    candle_seconds: int
    pairs: tuple[str, ...] = ()
    decided: int = 0
    next_training: int = 0
    expires: int = 0
    training_since: int = 0
    ended: int = 0

    def liveness(self, now: int) -> Liveness:
        """Whether the bot lives. A process can be looked at only on its own machine."""
        if self.ended >= self.time:
            return Liveness.STOPPED
        if now - self.time <= SILENT_SECONDS:
            return Liveness.ALIVE
        if self.host != platform.node():
            return Liveness.SILENT
        return Liveness.HUNG if self._runs() else Liveness.DEAD

    def _runs(self) -> bool:
        try:
            # A later process may have got the same number.
            created = float(psutil.Process(self.pid).create_time())
            return abs(created - self.created) < _SAME_SECONDS
        except psutil.Error:
            return False

    def sentence(self, now: int) -> str:
        """What there is to know of the bot's life, for people."""
        seen, ago = time_text(self.time), span_text(now - self.time)
        return {
            Liveness.ALIVE: f"alive, up {span_text(now - self.started)}, last loop {ago} ago",
            Liveness.STOPPED: f"stopped at {time_text(self.ended)}",
            Liveness.HUNG: f"silent since {seen} ({ago}): process {self.pid} runs, but its loop "
            "does not (hung, or stopped by command)",
            Liveness.DEAD: f"silent since {seen} ({ago}): its process {self.pid} is gone",
            Liveness.SILENT: f"silent since {seen} ({ago}); it runs on another machine",
        }[self.liveness(now)]


class HeartbeatFile:
    """Writes one bot's heartbeat, at most once in :data:`BEAT_SECONDS`.

    Parameters
    ----------
    user_data
        Whose folder ``signals`` holds the file.
    bot, name
        See :class:`Heartbeat`.
    candle_seconds
        Length of a candle.
    """

    def __init__(self, user_data: Path, bot: str, name: str, candle_seconds: int) -> None:
        self._path = user_data / "signals" / f"heartbeat-{slug(bot)}.json"
        pid, created = os.getpid(), int(psutil.Process().create_time())
        self._last = Heartbeat(bot, name, pid, created, platform.node(), 0, 0, candle_seconds)
        self._loop = 0
        self._unwritten = False

    def beat(self, now: int, pairs: tuple[str, ...], facts: Mapping[str, Any]) -> int:
        """Note that the loop runs.

        Parameters
        ----------
        now
            Seconds since 1970.
        pairs
            Those that the bot trades.
        facts
            Further attributes of :class:`Heartbeat`.

        Returns
        -------
        int
            Time of the last loop before a gap of three candles or more, which a restart may lie in;
            0 if there was no gap.
        """
        if not self._last.started:
            before = read_heartbeat(self._path)
            self._loop = before.time if before is not None else 0
            self._last = replace(self._last, started=now)
        least = max(_GAP_CANDLES * self._last.candle_seconds, SILENT_SECONDS)
        gap = self._loop if 0 < self._loop < now - least else 0
        self._loop = now
        if not 0 <= now - self._last.time < BEAT_SECONDS:
            self._write(replace(self._last, time=now, pairs=pairs, **facts))
        return gap

    def end(self, now: int) -> None:
        """Note that the bot was stopped in an orderly way."""
        if self._last.time:
            self._write(replace(self._last, ended=max(now, self._last.time)))

    def _write(self, beat: Heartbeat) -> None:
        self._last = beat
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, json.dumps(asdict(beat)).encode())
        except OSError as error:
            # Told once: on a full disk this is so at every beat.
            if not self._unwritten:
                logger.warning("%s cannot be written; the bot goes on: %s", self._path, error)
            self._unwritten = True
        else:
            self._unwritten = False


def read_heartbeat(path: Path) -> Heartbeat | None:
    """The heartbeat in a file; None if there is none that can be read."""
    try:
        given: dict[str, Any] = json.loads(path.read_text())
        # A later version may know more.
        known = {item.name: given[item.name] for item in fields(Heartbeat) if item.name in given}
        texts = {name: str(known[name]) for name in ("bot", "name", "host")}
        pairs = tuple(map(str, known["pairs"]))
        numbers = {
            name: int(value)
            for name, value in known.items()
            if name not in texts and name != "pairs"
        }
        return Heartbeat(**texts, **numbers, pairs=pairs)  # type: ignore[arg-type]
    except (OSError, ValueError, TypeError, KeyError):
        return None


def heartbeats(folder: Path) -> list[Heartbeat]:
    """All bots that have left a sign of life in a folder, by name."""
    found = [read_heartbeat(path) for path in folder.glob("heartbeat-*.json")]
    return sorted((beat for beat in found if beat is not None), key=lambda beat: beat.bot)
