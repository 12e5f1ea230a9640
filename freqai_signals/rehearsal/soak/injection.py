"""Lets things go wrong for a running bot, and ends them again."""

import json
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine

from freqai_signals.ledger.damage import sqlite_file
from freqai_signals.ledger.database import open_engine
from freqai_signals.rehearsal.bot import RehearsedBot
from freqai_signals.rehearsal.incidents import NOTICED_MS
from freqai_signals.rehearsal.soak.bot_api import BotApi, NotNow, Refused
from freqai_signals.rehearsal.soak.plan import Injection, Kind
from freqai_signals.rehearsal.soak.small_disk import SmallDisk
from freqai_signals.sandbox.exchange.faults import Faults

_BURST: Final = 0.5
_STARTING_SPEED: Final = 6.0
_HOUR_MS: Final = 3_600_000
_LATE_SHARE: Final = 0.3
_TRIES: Final = 3
LEDGER_FOLDER: Final = "signals"


@dataclass
class Injector:
    """What is wrong at present.

    Parameters
    ----------
    bot, faults, api, disk
        What it acts on.
    ledger
        URL of the bot's ledger.
    candle_ms
        Length of a candle.

    Attributes
    ----------
    away
        Spans in which the bot was away, in ms of market time; of the last one the end is not known
        yet while ``is_away``.
    outages
        Spans in which the exchange was.
    late
        Spans in which a pair's candles came late.
    ahead
        Spans in which the bot's clock was ahead, and by how much (ms); of the last one the end is
        not known yet while it is ahead.
    removed
        Moments at which the ledger's folder was removed.
    """

    bot: RehearsedBot
    faults: Faults
    api: BotApi
    disk: SmallDisk
    ledger: str
    candle_ms: int
    away: list[tuple[int, int]] = field(default_factory=list)
    outages: list[tuple[int, int]] = field(default_factory=list)
    late: list[tuple[str, int, int, int]] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    ahead: list[tuple[int, int, int]] = field(default_factory=list)
    is_away: bool = False
    may_be_down: bool = False

    def __post_init__(self) -> None:
        """Remember how the exchange is when nothing is wrong."""
        self._late_ms = int(_LATE_SHARE * self.candle_ms)
        self._usual_share = self.faults.share
        self._usual_speed = self.bot.clock.speed
        self._active: dict[Injection, int] = {}
        self._lead = 0
        self._lock: tuple[Engine, Connection] | None = None
        self._record_size = 0

    def begin(self, item: Injection) -> str:
        """Let it go wrong; what the bot or the system says to it.

        Raises
        ------
        NotNow
            If it cannot be done at this moment.
        Refused
            If it cannot be done at all.
        """
        starts: Mapping[Kind, Callable[[Injection], str]] = {
            Kind.KILL: self._kill,
            Kind.RESTART: self._restart,
            Kind.SLEEP: self._sleep,
            Kind.CLOCK: self._put_ahead,
            Kind.DISK: self._fill,
            Kind.LEDGER: self._hold_ledger,
            Kind.BLACKLIST: lambda item: self.api.block(item.pair),
            Kind.RELOAD: lambda item: self.api.reload_config(),
            Kind.FORCE_EXIT: lambda item: self.api.force_exit(),
            Kind.FORCE_ENTRY: lambda item: self.api.force_entry(item.pair),
            Kind.REMOVE: self._remove,
        }
        begin = starts.get(item.kind)
        answer = begin(item) if begin is not None else ""
        self._active[item] = self.bot.clock()
        self._show_exchange()
        self._note_lead()
        return _in_short(answer)

    def end(self, item: Injection) -> None:
        """Put it right."""
        began, now = self._active.pop(item), self.bot.clock()
        if item.kind == Kind.KILL:
            self.start_again()
        elif item.kind == Kind.CLOCK and not self._is_active(Kind.CLOCK):
            self.bot.follow()
            self.leave()
        elif item.kind == Kind.DISK and not self._is_active(Kind.DISK):
            self.disk.free()
        elif item.kind == Kind.LEDGER and not self._is_active(Kind.LEDGER):
            self.release_ledger()
        elif item.kind == Kind.BLACKLIST:
            self._unblock(item.pair)
        elif item.kind == Kind.OUTAGE:
            self.outages.append((began, now))
        elif item.kind == Kind.LATE:
            self.late.append((item.pair, began, now, self._late_ms))
        self._show_exchange()
        self._note_lead()

    def observe(self) -> None:
        """Notice that the bot decides again, and by how much its clock is ahead."""
        self._note_lead()
        if self.is_away and file_size(self.bot.record.path) > self._record_size:
            self.is_away = False
            self.away[-1] = (self.away[-1][0], self.bot.clock())
            self._run_at(self._usual_speed)

    def leave(self) -> None:
        """The bot is away from now on, until it decides again."""
        self._record_size = file_size(self.bot.record.path)
        if not self.is_away:
            now = self.bot.clock()
            # What was decided in the last moment may not have been acted on.
            self.away.append((now - self.candle_ms, now))
        self.is_away = True

    def start_again(self) -> None:
        """Start a bot that does not run."""
        self.may_be_down = False
        if not self.bot.is_running():
            self.leave()
            # Importing takes a machine what it takes, which is hours of a market that runs fast.
            self.bot.clock.run_at(min(self._usual_speed, _STARTING_SPEED))
            self.bot.start()

    def wait(self) -> None:
        """Let time go on as usual while no bot runs."""
        self._run_at(self._usual_speed)

    def _note_lead(self) -> None:
        lead, now = self.bot.ahead_ms, self.bot.clock()
        if lead != self._lead:
            if self._lead:
                until = now + int(NOTICED_MS * self.bot.clock.speed)
                self.ahead[-1] = (self.ahead[-1][0], until, self._lead)
            if lead:
                self.ahead.append((now, now, lead))
            self._lead = lead

    def _run_at(self, speed: float) -> None:
        if speed != self.bot.clock.speed:
            self.bot.clock.run_at(speed)
            self.bot.jump(0)

    def release_ledger(self) -> None:
        """Let the bot write again."""
        if self._lock is not None:
            engine, connection = self._lock
            connection.close()
            engine.dispose()
            self._lock = None

    def _unblock(self, pair: str) -> None:
        # Whoever starts again meanwhile knows of no blacklist; a busy bot may answer late.
        for _ in range(_TRIES):
            with suppress(NotNow):
                with suppress(Refused):
                    self.api.unblock(pair)
                return

    def _show_exchange(self) -> None:
        self.faults.down = self._is_active(Kind.OUTAGE)
        self.faults.share = _BURST if self._is_active(Kind.REQUESTS) else self._usual_share
        late = [item.pair for item in self._active if item.kind == Kind.LATE]
        self.faults.late_ms = dict.fromkeys(late, self._late_ms)
        self.faults.ahead = {item.pair for item in self._active if item.kind == Kind.AHEAD}

    def _is_active(self, kind: Kind) -> bool:
        return any(item.kind == kind for item in self._active)

    def _kill(self, item: Injection) -> str:
        self.leave()
        self.may_be_down = True
        if self.bot.is_running():
            self.bot.kill()
        return ""

    def _restart(self, item: Injection) -> str:
        if not self.bot.is_running():
            raise NotNow("the bot does not run")
        self.leave()
        status = self.bot.end(signal.SIGTERM)
        self.start_again()
        return f"exit status {status}"

    def _sleep(self, item: Injection) -> str:
        hours = (item.stop - item.start) / _HOUR_MS
        self.leave()
        self.bot.clock.jump(hours)
        self.bot.jump(0)
        return f"{hours:.1f} h"

    def _put_ahead(self, item: Injection) -> str:
        hours = (item.stop - item.start) / _HOUR_MS
        self.leave()
        self.bot.jump(hours)
        return f"{hours:.1f} h"

    def _fill(self, item: Injection) -> str:
        if self.disk.refusal:
            raise Refused(self.disk.refusal)
        self.disk.fill()
        return ""

    def _hold_ledger(self, item: Injection) -> str:
        file = sqlite_file(self.ledger)
        if file is not None and not file.is_file():
            raise NotNow("there is no ledger yet")
        if self._lock is not None:
            return ""
        engine = open_engine(self.ledger)
        try:
            # On SQLite this takes the write lock.
            connection = engine.connect()
            connection.begin()
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql("LOCK TABLE predictions, counters, signals, outcomes")
        # A full disk, or a bot that writes for long: whatever it is, the next moment is another.
        except Exception as error:
            engine.dispose()
            raise NotNow(str(error)) from error
        self._lock = engine, connection
        return ""

    def _remove(self, item: Injection) -> str:
        user_data = self.bot.folder / "user_data"
        folder = user_data / item.detail
        if not folder.is_dir():
            raise Refused("there is none")
        kept = user_data / "removed" / f"{item.number:04d}-{folder.name}"
        kept.parent.mkdir(exist_ok=True)
        folder.rename(kept)
        if item.detail == LEDGER_FOLDER:
            self.removed.append(self.bot.clock())
        return item.detail


def file_size(path: Path) -> int:
    """Bytes, 0 if there is none."""
    return path.stat().st_size if path.is_file() else 0


def _in_short(answer: str) -> str:
    with suppress(ValueError, AttributeError):
        found = json.loads(answer)
        answer = str(found.get("status") or found.get("result") or found.get("error") or "done")
    return answer[:120]
