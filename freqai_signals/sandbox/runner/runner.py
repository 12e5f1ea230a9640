"""Serve candles, run COMMAND against them, and stop with it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Final

from freqai_signals.sandbox.exchange.app import create_exchange
from freqai_signals.sandbox.exchange.clock import WEEK_MS, Clock
from freqai_signals.sandbox.exchange.request_log import RequestLog
from freqai_signals.sandbox.exchange.server import serving
from freqai_signals.sandbox.market.market_files import DEFAULT_ROOT, ensure_market
from freqai_signals.sandbox.market.spec import MarketSpec
from freqai_signals.sandbox.runner import supervisor
from freqai_signals.sandbox.runner.bot_config import bot_config_of, configs_of, read_configs
from freqai_signals.sandbox.runner.datadir import check_candles, exchange_folder
from freqai_signals.sandbox.runner.environment import (
    DATADIR_VARIABLE,
    child_environment,
    configured,
    quiet_logging,
    sandbox_config,
    sandbox_variables,
    trades,
    with_config,
    with_datadir,
    with_live_folder,
    without_exchange,
)
from freqai_signals.sandbox.runner.live_folder import live_place

DEFAULT_LOG: Final = DEFAULT_ROOT / "requests.log"

_ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL_SECONDS: Final = 0.2


@dataclass(frozen=True)
class SandboxRequest:
    """What to run on which candles.

    Parameters
    ----------
    command
        Program and arguments.
    datadir
        Candles to serve; None takes the simulated market.
    market
        Which simulated market.
    pairs
        Whitelist for the command; empty leaves that of its config.
    port
        Of the loopback exchange, 0 for a free one.
    log
        Request log.
    weeks
        Serve history as if it happened that many weeks later. None makes it end after now for
        ``freqtrade trade`` and does not move it for other commands.
    """

    command: tuple[str, ...]
    datadir: Path | None = None
    market: MarketSpec = field(default_factory=MarketSpec)
    pairs: tuple[str, ...] = ()
    port: int = 0
    log: Path = DEFAULT_LOG
    weeks: int | None = None


def run_sandbox(
    request: SandboxRequest, notify: Callable[[str], None], clock: Clock | None = None
) -> int:
    """Serve the candles, run the command, return its exit status.

    Parameters
    ----------
    request
        What to run on which candles.
    notify
        Called with lines of progress before the command starts.
    clock
        The exchange's clock; the wall clock by default.

    Returns
    -------
    int
        The command's exit status, 128 + n after signal n, 127 when it was not found.

    Raises
    ------
    DataDirectoryError
        If the candles cannot be served.
    """
    folder = served_folder(request.datadir, request.market, request.pairs, notify).resolve()
    check_candles(folder, request.pairs)
    command, clock = _placed(request, folder, clock)
    with closing(RequestLog(request.log)) as log:
        app = create_exchange(folder, clock, log)
        with serving(app, request.port) as url:
            notify(f"Serving {folder} at {url}, requests in {request.log}")
            if clock.shift_ms:
                notify(f"Candles are shown {clock.shift_ms // WEEK_MS} weeks after their date")
            if not configured(command):
                variables = sandbox_variables(url, folder, request.pairs)
                return _run(command, child_environment(variables, command))
            environment = child_environment({DATADIR_VARIABLE: str(folder)}, command)
            with TemporaryDirectory(prefix="freqai-signals-") as place:
                command = _configured(command, url, request.pairs, Path(place))
                return _run(command, without_exchange(environment, request.pairs))


def _configured(command: Sequence[str], url: str, pairs: Sequence[str], place: Path) -> list[str]:
    """Freqtrade's command with a config file that points it to the exchange."""
    config = sandbox_config(url, pairs)
    if logs := quiet_logging(command) if "log_config" not in read_configs(command) else {}:
        config["log_config"] = logs
    file = place / "sandbox.json"
    file.write_text(json.dumps(config, indent=1))
    return with_config(command, configs_of(command), file)


def _placed(request: SandboxRequest, folder: Path, clock: Clock | None) -> tuple[list[str], Clock]:
    """The command with its folders, and the clock that moves history."""
    if not trades(request.command):
        command = with_datadir(request.command, folder)
        weeks = request.weeks or 0
        return command, clock or Clock(shift_ms=weeks * WEEK_MS)
    bot_config = bot_config_of(request.command, request.pairs)
    place = live_place(folder, request.weeks, bot_config=bot_config)
    command = with_live_folder(request.command, place.folder)
    return command, clock or Clock(shift_ms=place.weeks * WEEK_MS)


def served_folder(
    datadir: Path | None,
    market: MarketSpec,
    pairs: Sequence[str],
    notify: Callable[[str], None],
) -> Path:
    """Folder of candles to serve: the given one, or a simulated market that lists the pairs too."""
    if datadir is not None:
        return exchange_folder(datadir)
    spec = replace(market, pairs=tuple(dict.fromkeys((*market.pairs, *pairs))))
    return ensure_market(spec, notify=notify).folder


def _run(command: Sequence[str], environment: dict[str, str]) -> int:
    relay = _Relay()
    before = {number: signal.signal(number, relay.pass_on) for number in _ENDING_SIGNALS}
    try:
        # -P: otherwise Python puts the supervisor's folder first on its path, with modules of ours.
        arguments = [sys.executable, "-P", supervisor.__file__, str(os.getpid()), *command]
        return relay.wait(subprocess.Popen(arguments, env=environment))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Relay:
    """Passes signals on to the supervisor, so that it ends before this process does."""

    def __init__(self) -> None:
        self._pending: list[int] = []
        self._overdue: float | None = None

    def pass_on(self, number: int, _frame: FrameType | None) -> None:
        """Note a signal."""
        if number == signal.SIGINT and supervisor.in_foreground():
            # The terminal has sent it to COMMAND too: a second one would cut its shutdown short.
            self._overdue = self._overdue or time.monotonic() + supervisor.GRACE_SECONDS
        else:
            self._pending.append(number)

    def wait(self, process: "subprocess.Popen[bytes]") -> int:
        """Return the exit status of the supervisor, which is that of COMMAND."""
        while True:
            if self._overdue is not None and time.monotonic() > self._overdue:
                self._overdue = None
                self._pending.append(signal.SIGTERM)
            while self._pending:
                process.send_signal(self._pending.pop(0))
            try:
                return process.wait(timeout=_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue
