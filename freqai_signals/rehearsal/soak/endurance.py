"""A soak from its request to its outcome."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from freqai_signals.ledger.database import ledger_url
from freqai_signals.rehearsal.execution import Memory, Stage, time_shown
from freqai_signals.rehearsal.incidents import Incidents
from freqai_signals.rehearsal.run_record import RunRecord
from freqai_signals.rehearsal.scenario import Rehearsal
from freqai_signals.rehearsal.soak.bot_api import BotApi, NotNow, Refused
from freqai_signals.rehearsal.soak.injection import Injector, file_size
from freqai_signals.rehearsal.soak.plan import Injection, Kind, candle_incidents, draw_plan
from freqai_signals.rehearsal.soak.small_disk import SmallDisk
from freqai_signals.rehearsal.soak.soak_record import Note, SoakRecord
from freqai_signals.rehearsal.soak.verdict import SoakOutcome, judged_soak

_POLL_SECONDS: Final = 0.25
_RETRY_SECONDS: Final = 2.0
_LONGEST_RETRY_CANDLES: Final = 12
_MOST_VAIN_STARTS: Final = 3
_SHOWN_LINES: Final = 15
_PAUSE_MS: Final = 5 * 60_000
_NO_MARKETS: Final = "Could not load markets, therefore cannot start"


@dataclass(frozen=True)
class Soak:
    """Request of a soak.

    Attributes
    ----------
    rehearsal
        Config, candles, time and speed; its incidents are not used.
    seed
        Of the plan.
    only
        Numbers of the injections that are wanted; empty wants all.
    """

    rehearsal: Rehearsal
    seed: int = 0
    only: tuple[int, ...] = ()


def soak(request: Soak, notify: Callable[[str], None]) -> SoakOutcome:
    """Run the bot for the requested time while all goes wrong that the seed draws, and judge it.

    Raises
    ------
    ValueError
        If config, candles or speed cannot work; the message gives the reason.
    """
    wanted, api = request.rehearsal, BotApi()
    stage = Stage.of(wanted, notify, {"api_server": api.config(), "force_entry_enable": True})
    candle_ms = 1000 * stage.settings.candle_seconds
    plan = draw_plan(stage.pairs, stage.span, candle_ms, wanted.speed, request.seed, request.only)
    if not plan:
        raise ValueError("too short: nothing would be injected and judged; give more --hours")
    incidents = candle_incidents(plan, candle_ms)
    notify(f"{len(plan)} injections of seed {request.seed}")
    user_data = wanted.folder / "user_data"
    with SmallDisk(user_data) as disk, stage.bot(incidents, notify) as bot:
        ledger = ledger_url(stage.settings.ledger, bot.folder / "user_data")
        life = _Life(Injector(bot, stage.faults, api, disk, ledger, candle_ms), plan)
        try:
            life.live(stage.span[1])
        finally:
            life.finish()
    run = stage.record(life.incidents(incidents), life.exit_status, life.memory)
    SoakRecord(
        run=run,
        seed=request.seed,
        plan=tuple(plan),
        notes=tuple(life.notes),
        crashes=tuple(life.crashes),
        only=request.only,
        command=_options(request, stage, run),
    ).write(wanted.folder)
    return judged_soak(wanted.folder)


def _options(request: Soak, stage: Stage, run: RunRecord) -> tuple[str, ...]:
    """The command line's, but for config and injections; all of them, so that it can be copied."""
    wanted = request.rehearsal
    start = datetime.fromtimestamp(run.start_ms / 1000, UTC)
    return (
        *("--hours", f"{(run.stop_ms - run.start_ms) / 3_600_000:g}", "--seed", str(request.seed)),
        *("--start", f"{start:%Y-%m-%dT%H:%M}", "--speed", f"{wanted.speed:g}"),
        *("--faults", f"{wanted.faults:g}", "--datadir", run.candles, "--pairs", *stage.pairs),
        *("--strategy", wanted.strategy, "--strategy-path", str(wanted.code[0].resolve())),
        *("--freqaimodel-path", str(wanted.code[1].resolve())),
    )


@dataclass
class _Life:
    """The bot's life through a plan."""

    injector: Injector
    plan: Sequence[Injection]
    notes: list[Note] = field(default_factory=list)
    crashes: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._bot = self.injector.bot
        self._waiting = list(self.plan)
        self._ending: list[tuple[int, Injection]] = []
        self._retry = 0.0
        self._memory: list[list[tuple[float, float]]] = [[]]
        self._runs = self._bot.process
        self._status, self._vain, self._decided, self._start_at = -1, 0, 0, 0
        self._log_from = 0

    def live(self, stop_ms: int) -> None:
        """To the end, whatever happens."""
        bot, began = self._bot, self._bot.clock.start_ms
        self.injector.start_again()
        with time_shown(began, stop_ms) as show:
            while (now := bot.clock()) < stop_ms:
                self._watch(now)
                self._end_due(now)
                self._begin_due(now)
                self.injector.observe()
                hours = (now - began) / 3_600_000
                self._memory[-1].append((round(hours, 4), round(bot.memory() / 1e6, 1)))
                show(now)
                time.sleep(_POLL_SECONDS)

    def finish(self) -> None:
        """Put all right and end the bot, even if something cannot be put right."""
        try:
            for _, item in self._ending:
                self.injector.end(item)
            self._ending = []
            self.injector.release_ledger()
            self.injector.disk.free()
        finally:
            if self._bot.is_running():
                self._status = self._bot.end()

    def incidents(self, planned: Incidents) -> Incidents:
        """What was planned of the candles, with what happened."""
        injector = self.injector
        return replace(
            planned,
            outages=tuple(injector.outages),
            late=tuple(injector.late),
            away=tuple(injector.away),
            removed=tuple(injector.removed),
            ahead=tuple(injector.ahead),
        )

    @property
    def exit_status(self) -> int:
        """Of the bot that ended by itself first, else of the last one."""
        return self.crashes[0][1] if self.crashes else self._status

    @property
    def memory(self) -> Memory:
        """Samples of the longest time between two starts or reloads, counted from its first one.

        A start begins with less, and a reload builds a bot anew beside the old one.
        """
        parts = [part for part in self._memory if part]
        longest = max(parts, key=lambda part: part[-1][0] - part[0][0])
        return tuple((round(hours - longest[0][0], 4), size) for hours, size in longest)

    def _watch(self, now: int) -> None:
        """Start a bot that ended by itself, as whatever supervises it would."""
        injector = self.injector
        if self._bot.process is not self._runs:
            self._runs = self._bot.process
            self._log_from = len(self._bot.log)
            self._memory.append([])
        if self._bot.is_running():
            self._start_at = 0
        elif not injector.may_be_down:
            if not self._start_at:
                # freqtrade itself ends a start or reload whose exchange names no markets.
                if _NO_MARKETS in self._end_of_log():
                    injector.wait()
                    self._start_at = now + _PAUSE_MS
                else:
                    process = self._bot.process
                    self.crashes.append((now, -1 if process is None else int(process.poll() or 0)))
                    self._give_up()
            if now >= self._start_at:
                self._start_at = 0
                injector.start_again()

    def _end_of_log(self) -> str:
        return "\n".join(self._bot.log[self._log_from :].splitlines()[-_SHOWN_LINES:])

    def _give_up(self) -> None:
        """ValueError if the bot ends again and again, or has never decided anything."""
        decided = file_size(self._bot.record.path)
        self._vain = self._vain + 1 if decided == self._decided else 1
        self._decided = decided
        if decided and self._vain < _MOST_VAIN_STARTS:
            return
        when = f"{self._vain} times in a row" if decided else "before its first decision"
        raise ValueError(
            f"the bot ended by itself {when}, exit status {self.crashes[-1][1]}; the end of its "
            f"log:\n{self._end_of_log()}"
        )

    def _end_due(self, now: int) -> None:
        for due, item in list(self._ending):
            if due <= now:
                self._ending.remove((due, item))
                self.injector.end(item)

    def _begin_due(self, now: int) -> None:
        for item in [item for item in self._waiting if item.start <= now]:
            if time.monotonic() < self._retry:
                return
            try:
                answer, injected = self.injector.begin(item), True
            except Refused as error:
                answer, injected = f"not injected: {error}", False
            except (NotNow, OSError) as error:
                self._retry = time.monotonic() + _RETRY_SECONDS
                if now < item.start + _LONGEST_RETRY_CANDLES * self.injector.candle_ms:
                    continue
                answer, injected = f"not injected: {error}", False
            else:
                lasts = 0 if item.kind == Kind.SLEEP else item.stop - item.start
                self._ending.append((now + lasts, item))
                if item.kind == Kind.RELOAD:
                    self._memory.append([])
            self._waiting.remove(item)
            self.notes.append(Note(item.number, now, answer, injected))
