"""A soak from its request to its outcome."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from freqai_signals.config import settings_from_config
from freqai_signals.ledger.database import ledger_url
from freqai_signals.rehearsal.bot import RehearsedBot, write_config
from freqai_signals.rehearsal.execution import Progress, bot_options, request_faults
from freqai_signals.rehearsal.incidents import Incidents
from freqai_signals.rehearsal.run_record import RunRecord, keep_parameters
from freqai_signals.rehearsal.scenario import (
    DAY_MS,
    Rehearsal,
    announcement,
    load_candles,
    rehearsed_config,
    rehearsed_time,
)
from freqai_signals.rehearsal.soak.aftermath import SoakOutcome, judged_soak
from freqai_signals.rehearsal.soak.bot_api import BotApi, NotNow
from freqai_signals.rehearsal.soak.injection import Injector
from freqai_signals.rehearsal.soak.plan import Injection, Kind, candle_incidents, draw_plan
from freqai_signals.rehearsal.soak.small_disk import SmallDisk
from freqai_signals.rehearsal.soak.soak_record import Note, SoakRecord
from freqai_signals.sandbox.exchange.app import create_exchange
from freqai_signals.sandbox.exchange.clock import Clock
from freqai_signals.sandbox.exchange.request_log import RequestLog
from freqai_signals.sandbox.exchange.server import serving
from freqai_signals.sandbox.runner.runner import served_folder

_POLL_SECONDS: Final = 0.25
_RETRY_SECONDS: Final = 2.0
_LONGEST_RETRY_CANDLES: Final = 12


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
    config = rehearsed_config(wanted) | {"api_server": api.config(), "force_entry_enable": True}
    pairs, settings = tuple(config["exchange"]["pair_whitelist"]), settings_from_config(config)
    candle_ms = 1000 * settings.candle_seconds
    candles = served_folder(wanted.datadir, wanted.market, pairs, notify).resolve()
    clock, shift_ms = rehearsed_time(wanted, candles)
    clock.start_ms -= clock.start_ms % candle_ms
    start_ms, stop_ms = clock.start_ms, clock.start_ms + int(wanted.days * DAY_MS)
    plan = draw_plan(pairs, (start_ms, stop_ms), candle_ms, request.seed, request.only)
    incidents, faults = candle_incidents(plan, candle_ms), request_faults(wanted)
    incidents.begin(faults)
    wanted.folder.mkdir(parents=True, exist_ok=True)
    keep_parameters(wanted.code[0], wanted.folder, wanted.strategy)
    disk = SmallDisk(wanted.folder / "user_data")
    with closing(RequestLog(wanted.folder / "requests.log")) as log:
        app = create_exchange(candles, Clock(now_ms=clock, shift_ms=shift_ms), log, faults)
        with serving(app) as url:
            path = write_config(wanted.folder / "config.json", config)
            options = bot_options(path, wanted.code, wanted.strategy)
            bot = RehearsedBot(wanted.folder, candles, url, clock, options)
            for pair, frame in load_candles(candles, pairs, settings, shift_ms, incidents).items():
                bot.seed(pair, frame, settings.timeframe)
            notify(f"{announcement(wanted, clock)}, {len(plan)} injections of seed {request.seed}")
            clock.begin()
            ledger = ledger_url(settings.ledger, bot.folder / "user_data")
            injector = Injector(bot, faults, api, disk, ledger, candle_ms)
            life = _Life(injector, plan)
            try:
                life.live(stop_ms)
            finally:
                life.finish()
                disk.settle()
    life.record(request, incidents, str(candles), shift_ms, (start_ms, stop_ms)).write(bot.folder)
    return judged_soak(bot.folder)


@dataclass
class _Life:
    """The bot's life through a plan."""

    injector: Injector
    plan: Sequence[Injection]
    notes: list[Note] = field(default_factory=list)
    crashes: list[tuple[int, int]] = field(default_factory=list)
    status: int = -1

    def __post_init__(self) -> None:
        self._bot = self.injector.bot
        self._waiting = list(self.plan)
        self._ending: list[tuple[int, Injection]] = []
        self._retry = 0.0
        self._memory: list[list[tuple[float, float]]] = [[]]
        self._runs = self._bot.process

    def live(self, stop_ms: int) -> None:
        """To the end, whatever happens."""
        bot, began = self._bot, self._bot.clock.start_ms
        self.injector.start_again()
        with Progress(began, stop_ms) as shown:
            while (now := bot.clock()) < stop_ms:
                self._watch(now)
                self._end_due(now)
                self._begin_due(now)
                self.injector.observe()
                megabytes = round(bot.memory() / 1e6, 1)
                self._memory[-1].append((round((now - began) / 3_600_000, 4), megabytes))
                shown.show(bot, megabytes)
                time.sleep(_POLL_SECONDS)

    def finish(self) -> None:
        """Put all right and end the bot."""
        for _, item in self._ending:
            self.injector.end(item)
        self._ending = []
        self.injector.release_ledger()
        self.injector.disk.free()
        if self._bot.is_running():
            self.status = self._bot.end()

    def record(
        self,
        request: Soak,
        planned: Incidents,
        candles: str,
        shift_ms: int,
        span: tuple[int, int],
    ) -> SoakRecord:
        """What happened, for the judgement."""
        injector = self.injector
        crashes = tuple(self.crashes)
        run = RunRecord(
            candles=candles,
            shift_ms=shift_ms,
            start_ms=span[0],
            stop_ms=span[1],
            speed=request.rehearsal.speed,
            incidents=replace(
                planned,
                outages=tuple(injector.outages),
                late=tuple(injector.late),
                away=tuple(injector.away),
                removed=tuple(injector.removed),
                ahead=tuple(injector.ahead),
            ),
            faults=dict(injector.faults.counts),
            exit_status=crashes[0][1] if crashes else self.status,
            # A start begins with less: growth shows within the longest time between two.
            memory=_longest(self._memory),
            strategy=request.rehearsal.strategy,
        )
        return SoakRecord(run, request.seed, tuple(self.plan), tuple(self.notes), crashes)

    def _watch(self, now: int) -> None:
        """Start a bot that ended by itself, as whatever supervises it would."""
        injector = self.injector
        if self._bot.process is not self._runs:
            self._runs = self._bot.process
            self._memory.append([])
        if not self._bot.is_running() and not injector.may_be_down:
            process = self._bot.process
            self.crashes.append((now, -1 if process is None else int(process.poll() or 0)))
            injector.start_again()

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
                answer = self.injector.begin(item)
            except (NotNow, OSError) as error:
                self._retry = time.monotonic() + _RETRY_SECONDS
                if now < item.start + _LONGEST_RETRY_CANDLES * self.injector.candle_ms:
                    continue
                answer = f"not injected: {error}"
            else:
                lasts = 0 if item.kind == Kind.SLEEP else item.stop - item.start
                self._ending.append((now + lasts, item))
                if item.kind == Kind.RELOAD:
                    # A reload builds a bot anew beside the old one, as a start does.
                    self._memory.append([])
            self._waiting.remove(item)
            self.notes.append(Note(item.number, now, answer))


def _longest(stretches: Sequence[Sequence[tuple[float, float]]]) -> tuple[tuple[float, float], ...]:
    """The samples of the longest time between two starts or reloads, counted from its first one."""
    longest = max((part for part in stretches if part), key=lambda part: part[-1][0] - part[0][0])
    return tuple((round(hours - longest[0][0], 4), size) for hours, size in longest)


def reproduction(folder: Path, numbers: Sequence[int]) -> str:
    """The command that lets only some of a soak's injections happen again."""
    kept = SoakRecord.read(folder)
    hours = (kept.run.stop_ms - kept.run.start_ms) / 3_600_000
    start = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(kept.run.start_ms / 1000))
    words = " ".join(map(str, numbers))
    return (
        f"freqai-signals soak --hours {hours:g} --seed {kept.seed} --start {start} "
        f"--speed {kept.run.speed:g} --only {words}"
    )
