"""A rehearsal from its request to its outcome."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from freqai_signals.config import settings_from_config
from freqai_signals.rehearsal.bot import MODEL, STRATEGY, RehearsedBot, write_config
from freqai_signals.rehearsal.fast_clock import FastClock
from freqai_signals.rehearsal.incidents import Incidents, plan_incidents
from freqai_signals.rehearsal.outcome import Outcome, judged
from freqai_signals.rehearsal.rotation import absences, listed, write_pairlist
from freqai_signals.rehearsal.run_record import RunRecord, keep_parameters
from freqai_signals.rehearsal.scenario import (
    DAY_MS,
    Rehearsal,
    announcement,
    load_candles,
    rehearsed_config,
    rehearsed_time,
)
from freqai_signals.sandbox.exchange.app import create_exchange
from freqai_signals.sandbox.exchange.clock import Clock
from freqai_signals.sandbox.exchange.faults import Faults
from freqai_signals.sandbox.exchange.request_log import RequestLog
from freqai_signals.sandbox.exchange.server import serving
from freqai_signals.sandbox.runner.runner import served_folder
from freqai_signals.settings import SignalSettings
from freqai_signals.terminal import progress

Memory = tuple[tuple[float, float], ...]

_POLL_SECONDS: Final = 0.5


@dataclass(frozen=True)
class Stage:
    """All that a bot needs in order to be run through a market's past.

    Attributes
    ----------
    request
        What was asked for.
    config
        The bot's.
    pairs, settings
        Its whitelist and ours.
    candles
        Folder that the exchange serves.
    shift_ms
        Added to the dates of its candles.
    clock
        Of exchange and bot.
    faults
        Of the exchange.
    span
        Beginning and end, ms of market time.
    """

    request: Rehearsal
    config: Mapping[str, Any]
    pairs: tuple[str, ...]
    settings: SignalSettings
    candles: Path
    shift_ms: int
    clock: FastClock
    faults: Faults
    span: tuple[int, int]

    @classmethod
    def of(
        cls,
        request: Rehearsal,
        notify: Callable[[str], None],
        more: Mapping[str, Any] | None = None,
    ) -> "Stage":
        """What a request asks for, with more keys of the bot's config.

        Raises
        ------
        ValueError
            If config, candles or speed cannot work; the message gives the reason.
        """
        config = rehearsed_config(request) | dict(more or {})
        pairs, settings = tuple(config["exchange"]["pair_whitelist"]), settings_from_config(config)
        candles = served_folder(request.datadir, request.market, pairs, notify).resolve()
        clock, shift_ms = rehearsed_time(request, candles)
        if request.speed != 1:
            clock.start_ms -= clock.start_ms % (1000 * settings.candle_seconds)
        faults = Faults(
            share=request.faults,
            slow_seconds=1.0 / request.speed,
            timeout_seconds=30.0 / request.speed,
        )
        span = (clock.start_ms, clock.start_ms + int(request.days * DAY_MS))
        return cls(request, config, pairs, settings, candles, shift_ms, clock, faults, span)

    @contextmanager
    def bot(self, incidents: Incidents, notify: Callable[[str], None]) -> Iterator[RehearsedBot]:
        """The bot, not started yet, at the beginning of its time, while the exchange serves it."""
        request, folder = self.request, self.request.folder
        incidents.begin(self.faults)
        history = load_candles(self.candles, self.pairs, self.settings, self.shift_ms, incidents)
        folder.mkdir(parents=True, exist_ok=True)
        keep_parameters(request.code[0], folder, request.strategy)
        shown = Clock(now_ms=self.clock, shift_ms=self.shift_ms)
        with closing(RequestLog(folder / "requests.log")) as log:
            app = create_exchange(self.candles, shown, log, self.faults)
            with serving(app) as url:
                path = write_config(folder / "config.json", self.config)
                options = bot_options(path, request.code, request.strategy)
                bot = RehearsedBot(folder, self.candles, url, self.clock, options)
                for pair, frame in history.items():
                    bot.seed(pair, frame, self.settings.timeframe)
                notify(announcement(request, self.clock))
                # Loading took seconds, which at speed 60 would be minutes of market time.
                self.clock.begin()
                yield bot

    def record(self, incidents: Incidents, exit_status: int, memory: Memory) -> RunRecord:
        """What happened, for the judgement."""
        return RunRecord(
            candles=str(self.candles),
            shift_ms=self.shift_ms,
            start_ms=self.span[0],
            stop_ms=self.span[1],
            speed=self.request.speed,
            incidents=incidents,
            faults=dict(self.faults.counts),
            exit_status=exit_status,
            memory=memory,
            strategy=self.request.strategy,
        )


def rehearse(request: Rehearsal, notify: Callable[[str], None]) -> Outcome:
    """Run the bot for the requested time and check its run.

    Raises
    ------
    ValueError
        If config, candles or speed cannot work; the message gives the reason.
    """
    stage = Stage.of(request, notify)
    incidents = _planned(request, stage.pairs, stage.span, 1000 * stage.settings.candle_seconds)
    with stage.bot(incidents, notify) as bot:
        tick = _tick(request, stage.pairs, incidents, stage.faults, stage.span[0])
        tick(stage.span[0])
        status, memory = _run(bot, stage.span[1], tick)
    stage.record(incidents, status, memory).write(request.folder)
    return judged(request.folder)


def _planned(
    request: Rehearsal, pairs: tuple[str, ...], span: tuple[int, int], candle_ms: int
) -> Incidents:
    """What goes wrong and who comes and goes between two times, ms since 1970."""
    incidents = plan_incidents(pairs, *span, candle_ms) if request.incidents else Incidents()
    away = absences(pairs, request.rotate, *span) if request.rotate else ()
    return replace(incidents, absent=away)


def _tick(
    request: Rehearsal, pairs: tuple[str, ...], incidents: Incidents, faults: Faults, start_ms: int
) -> Callable[[int], None]:
    """What is done again and again with the market's time."""
    written: tuple[str, ...] = ()

    def tick(now: int) -> None:
        nonlocal written
        incidents.apply(faults, now)
        wanted = listed(pairs, request.rotate, start_ms, now)
        if wanted != written:
            write_pairlist(request.folder, wanted)
            written = wanted

    return tick


def bot_options(config: Path, code: tuple[Path, Path], strategy: str = STRATEGY) -> tuple[str, ...]:
    """Options of freqtrade for a config, a strategy and the package's model."""
    return (
        *("--config", str(config.resolve())),
        *("--strategy", strategy, "--strategy-path", str(code[0].resolve())),
        *("--freqaimodel", MODEL),
        *("--freqaimodel-path", str(code[1].resolve())),
    )


def _run(bot: RehearsedBot, stop_ms: int, tick: Callable[[int], None]) -> tuple[int, Memory]:
    """Run the bot to the end of the rehearsal; its exit status and memory samples."""
    samples = []
    bot.start()
    try:
        with time_shown(bot.clock.start_ms, stop_ms) as show:
            while (now := bot.clock()) < stop_ms and bot.is_running():
                tick(now)
                hours = (now - bot.clock.start_ms) / 3_600_000
                samples.append((round(hours, 4), round(bot.memory() / 1e6, 1)))
                show(now)
                time.sleep(_POLL_SECONDS)
        return bot.end(), tuple(samples)
    finally:
        if bot.is_running():
            bot.kill()


@contextmanager
def time_shown(start_ms: int, stop_ms: int) -> Iterator[Callable[[int], None]]:
    """Show the market's time between two others: a bar, or a line for every tenth of it."""
    last = start_ms
    with progress("tenths of the market's time", 10) as step:

        def show(now: int) -> None:
            nonlocal last
            step(10 * (now - last) / (stop_ms - start_ms))
            last = now

        yield show
