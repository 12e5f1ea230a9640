"""A rehearsal from its request to its outcome."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final

from rich import progress
from rich.console import Console

from freqai_signals.config import settings_from_config
from freqai_signals.rehearsal.bot import MODEL, STRATEGY, RehearsedBot, write_config
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
from freqai_signals.terminal import notify

Memory = tuple[tuple[float, float], ...]

_POLL_SECONDS: Final = 0.5


def rehearse(request: Rehearsal, notify: Callable[[str], None]) -> Outcome:
    """Run the bot for the requested time and check its run.

    Raises
    ------
    ValueError
        If config, candles or speed cannot work; the message gives the reason.
    """
    config = rehearsed_config(request)
    pairs = tuple(config["exchange"]["pair_whitelist"])
    settings = settings_from_config(config)
    candles = served_folder(request.datadir, request.market, pairs, notify).resolve()
    clock, shift_ms = rehearsed_time(request, candles)
    stop_ms = clock.start_ms + int(request.days * DAY_MS)
    faults = request_faults(request)
    incidents = _planned(request, pairs, (clock.start_ms, stop_ms), 1000 * settings.candle_seconds)
    incidents.begin(faults)
    history = load_candles(candles, pairs, settings, shift_ms, incidents)
    request.folder.mkdir(parents=True, exist_ok=True)
    keep_parameters(request.code[0], request.folder, request.strategy)
    with closing(RequestLog(request.folder / "requests.log")) as log:
        app = create_exchange(candles, Clock(now_ms=clock, shift_ms=shift_ms), log, faults)
        with serving(app) as url:
            path = write_config(request.folder / "config.json", config)
            bot = RehearsedBot(
                request.folder,
                candles,
                url,
                clock,
                bot_options(path, request.code, request.strategy),
            )
            for pair, frame in history.items():
                bot.seed(pair, frame, settings.timeframe)
            notify(announcement(request, clock))
            # Loading took seconds, which at speed 60 would be minutes of market time.
            clock.begin()
            tick = _tick(request, pairs, incidents, faults, clock.start_ms)
            tick(clock.start_ms)
            status, memory = _run(bot, stop_ms, tick)
    RunRecord(
        candles=str(candles),
        shift_ms=shift_ms,
        start_ms=clock.start_ms,
        stop_ms=stop_ms,
        speed=request.speed,
        incidents=incidents,
        faults=dict(faults.counts),
        exit_status=status,
        memory=memory,
        strategy=request.strategy,
    ).write(request.folder)
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

    def tick(now: int) -> None:
        incidents.apply(faults, now)
        if request.rotate:
            write_pairlist(request.folder, listed(pairs, request.rotate, start_ms, now))

    return tick


def bot_options(config: Path, code: tuple[Path, Path], strategy: str = STRATEGY) -> tuple[str, ...]:
    """Options of freqtrade for a config, a strategy and the package's model."""
    return (
        *("--config", str(config.resolve())),
        *("--strategy", strategy, "--strategy-path", str(code[0].resolve())),
        *("--freqaimodel", MODEL),
        *("--freqaimodel-path", str(code[1].resolve())),
    )


def request_faults(request: Rehearsal) -> Faults:
    """Requests that fail for this share of them, as fast as the clock."""
    return Faults(
        share=request.faults,
        slow_seconds=1.0 / request.speed,
        timeout_seconds=30.0 / request.speed,
    )


def _run(bot: RehearsedBot, stop_ms: int, tick: Callable[[int], None]) -> tuple[int, Memory]:
    """Run the bot to the end of the rehearsal; its exit status and memory samples."""
    samples = []
    bot.start()
    try:
        with Progress(bot.clock.start_ms, stop_ms) as shown:
            while (now := bot.clock()) < stop_ms and bot.is_running():
                tick(now)
                hours = (now - bot.clock.start_ms) / 3_600_000
                samples.append((round(hours, 4), round(bot.memory() / 1e6, 1)))
                shown.show(bot, samples[-1][1])
                time.sleep(_POLL_SECONDS)
        return bot.end(), tuple(samples)
    finally:
        if bot.is_running():
            bot.kill()


class Progress:
    """A bar over market time; without a terminal a line for every tenth of it.

    Parameters
    ----------
    start_ms, stop_ms
        Market time of the rehearsal.
    """

    def __init__(self, start_ms: int, stop_ms: int) -> None:
        console = Console(stderr=True)
        self._start, self._stop, self._tenth = start_ms, stop_ms, 0
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=stop_ms - start_ms)

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def show(self, bot: RehearsedBot, megabytes: float) -> None:
        """Show the present state of the bot."""
        now = bot.clock()
        tenth = 10 * (now - self._start) // (self._stop - self._start)
        if self._bar.disable and tenth == self._tenth:
            return
        rows = sum(1 for _ in bot.record.rows())
        date = datetime.fromtimestamp(now / 1000, UTC)
        text = f"{date:%m-%d %H:%M} · {rows} decisions · {len(bot.trades())} trades"
        text += f" · {megabytes:.0f} MB"
        if self._bar.disable:
            self._tenth = tenth
            notify(f"{10 * tenth} % of the rehearsal: {text}")
        self._bar.update(self._task, completed=now - self._start, description=text)
