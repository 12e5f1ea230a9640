"""A rehearsed bot: its folder, and its process that is started, ended and killed."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pandas as pd
import psutil

from freqai_signals.live.decision_log import RECORD_VARIABLE, LiveRecord
from freqai_signals.rehearsal.fast_clock import (
    FastClock,
    accelerated,
    faketime_library,
    show_time,
)
from freqai_signals.sandbox.market.market_files import candle_file, write_feather
from freqai_signals.sandbox.runner import supervisor
from freqai_signals.sandbox.runner.environment import child_environment, sandbox_variables

STRATEGY: Final = "LightGBMSignalStrategy"
"""The rehearsed strategy; hyperopt's parameter file beside it has the same name."""

MODEL: Final = "LightGBMSignalClassifier"
"""The rehearsed model."""

_EXIT_ORDERS: Final = """
    select order_date,
        case when not ft_is_open then coalesce(order_filled_date, order_update_date) end
    from orders join trades on trades.id = ft_trade_id
    where ft_trade_id = ? and ft_order_side = case when is_short then 'buy' else 'sell' end
    order by orders.id
"""
_TIMEOUT_MS: Final = 10_000
_GRACE_SECONDS: Final = 90.0
_STOP_SECONDS: Final = 120.0

NO_FAKETIME: Final = (
    "a speed above 1 needs faketime (Debian: apt-get install faketime); without it rehearse at "
    "--speed 1, in real time"
)


@dataclass
class RehearsedBot:
    """Folder and processes of one rehearsal.

    Parameters
    ----------
    folder
        Of ``user_data``, database, decision log and logs; created if absent.
    candles
        Folder of candles that the exchange serves.
    url
        Of the exchange.
    clock
        Time of exchange and bot.
    command
        Freqtrade's options that name config, strategy and model.
    variables
        More environment variables for the bot.

    Attributes
    ----------
    ahead_ms
        By how much the running bot's clock is ahead of the exchange's.
    """

    folder: Path
    candles: Path
    url: str
    clock: FastClock
    command: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    def __post_init__(self) -> None:
        """Create the folder; ValueError for a speed above 1 without faketime."""
        self.folder = self.folder.resolve()
        (self.folder / "user_data" / "data").mkdir(parents=True, exist_ok=True)
        self._time_file = self.folder / "time"
        self.ahead_ms = 0
        self._library = faketime_library() if self.clock.speed != 1 else None
        if self.clock.speed != 1 and self._library is None:
            raise ValueError(NO_FAKETIME)

    @property
    def record(self) -> LiveRecord:
        """The bot's decision log."""
        return record_of(self.folder)

    @property
    def log(self) -> str:
        """The bot's log so far."""
        return log_of(self.folder)

    def start(self) -> None:
        """Start the bot; its log is appended to."""
        bot = [sys.executable, "-m", "freqtrade", "trade", *self.command]
        bot += ["--userdir", str(self.folder / "user_data")]
        bot += ["--datadir", str(self.folder / "user_data" / "data")]
        bot += ["--db-url", f"sqlite:///{self.folder / 'trades.sqlite'}"]
        if self._library is not None:
            # A lead over the exchange ends with the process that had it.
            self.ahead_ms = 0
            show_time(self._time_file, self.clock(), self.clock.speed)
            bot = accelerated(bot, self._time_file, self._library)
        # The supervisor ends the bot should this process be killed.
        arguments = [sys.executable, "-P", supervisor.__file__, str(os.getpid()), *bot]
        with (self.folder / "bot.log").open("a") as log:
            self.process = subprocess.Popen(
                arguments, env=self._environment(bot), stdout=log, stderr=log
            )

    def jump(self, hours: float) -> None:
        """Put the clock of the running bot ahead of the exchange's, by this much more than it is.

        With 0 it follows a jump of the exchange's. The bot reads the new time within a second.
        """
        self.ahead_ms += int(hours * 3_600_000)
        show_time(self._time_file, self.clock() + self.ahead_ms, self.clock.speed)

    def follow(self) -> None:
        """Put the clock of the running bot back to the exchange's."""
        self.ahead_ms = 0
        self.jump(0)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Ask the bot to end and wait for it; -1 if it had to be killed."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return -1

    def kill(self) -> None:
        """Kill the bot without warning, as a power cut would."""
        assert self.process is not None
        supervisor.kill_descendants(self.process.pid)
        self.process.wait(timeout=_STOP_SECONDS)

    def is_running(self) -> bool:
        """Whether the bot runs."""
        return self.process is not None and self.process.poll() is None

    def memory(self) -> int:
        """Resident bytes of the bot, 0 if it does not run."""
        total = 0
        for process in supervisor.descendants(self.process.pid) if self.process else ():
            # A process may end between being found and being asked.
            with suppress(psutil.Error):
                total += process.memory_info().rss
        return total

    def seed(self, pair: str, candles: pd.DataFrame, timeframe: str) -> None:
        """Store candles from before the start where the bot would download them to."""
        now = pd.Timestamp(self.clock.start_ms, unit="ms", tz="UTC")
        past = candles[candles["date"] < now].reset_index(drop=True)
        name = candle_file(pair, timeframe)
        if ":" in pair:
            # As freqtrade names the candles of contracts.
            name = f"futures/{name.replace(':', '_').replace('.feather', '-futures.feather')}"
        path = self.folder / "user_data" / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_feather(past, path)

    def trades(self) -> list[dict[str, Any]]:
        """All trades in the bot's database, oldest first."""
        return trades_of(self.folder)

    def _environment(self, command: list[str]) -> dict[str, str]:
        variables = sandbox_variables(self.url, self.candles)
        variables |= {
            RECORD_VARIABLE: str(self.record.path),
            # A bot ends after the training that it is in, which a busy machine takes long for.
            supervisor.GRACE_VARIABLE: str(_GRACE_SECONDS),
            "FREQTRADE__EXCHANGE__CCXT_CONFIG__timeout": str(int(_TIMEOUT_MS * self.clock.speed)),
            **self.variables,
        }
        return child_environment(variables, command)


def record_of(folder: Path) -> LiveRecord:
    """Decision log of a folder's bot."""
    return LiveRecord(folder / "record.jsonl")


def log_of(folder: Path) -> str:
    """The log of a folder's bot."""
    path = folder / "bot.log"
    return path.read_text(errors="replace") if path.is_file() else ""


def trades_of(folder: Path) -> list[dict[str, Any]]:
    """All trades in the database of a folder's bot, oldest first.

    Beside freqtrade's columns ``exit_orders``: from when to when each order to leave stood, None if
    it still does.
    """
    path = folder / "trades.sqlite"
    if not path.is_file():
        return []
    # Read-only: a running bot's database is not locked, and none is made by looking.
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        return [
            {**dict(row), "exit_orders": [*map(tuple, database.execute(_EXIT_ORDERS, [row["id"]]))]}
            for row in database.execute("select * from trades order by id")
        ]


def write_config(path: Path, config: Mapping[str, Any]) -> Path:
    """Store a freqtrade config."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config, indent=1))
    return path
