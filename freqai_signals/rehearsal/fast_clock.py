"""Time that runs faster: for the exchange by its clock, for the bot by Debian's faketime."""

import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from freqai_signals.sandbox.exchange.clock import wall_clock_ms


@dataclass
class FastClock:
    """Milliseconds since 1970 that begin at a chosen date and run at a chosen speed.

    Parameters
    ----------
    start_ms
        First date.
    began_ms
        Wall clock at which it was shown.
    speed
        Seconds that pass in one second of the wall clock.

    Examples
    --------
    >>> FastClock(start_ms=0, began_ms=wall_clock_ms() - 1000, speed=60.0)() // 1000
    60
    """

    start_ms: int
    began_ms: int
    speed: float = 1.0

    def __call__(self) -> int:
        """Now."""
        return self.start_ms + int((wall_clock_ms() - self.began_ms) * self.speed)

    def begin(self) -> None:
        """Show the first date now."""
        self.began_ms = wall_clock_ms()

    def jump(self, hours: float) -> None:
        """Let hours pass at once; a running process with a time of its own does not notice."""
        self.start_ms += int(hours * 3_600_000)


def faketime_library() -> str | None:
    """Path of the library that shows a process another time; None if it is not installed."""
    if shutil.which("faketime") is None:
        return None
    done = subprocess.run(
        ["faketime", "-f", "+0", "printenv", "LD_PRELOAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or None


def accelerated(command: list[str], time_file: Path, library: str) -> list[str]:
    """The command that starts another one with the time that a file shows.

    Every process counts from its own start: children of the command would begin anew. The file is
    read again every second, so a running process can be moved to another time.

    Parameters
    ----------
    command
        What to start.
    time_file
        Written by :func:`show_time`.
    library
        Of faketime.
    """
    return [
        "env",
        "TZ=UTC",
        f"LD_PRELOAD={library}",
        f"FAKETIME_TIMESTAMP_FILE={time_file}",
        "FAKETIME_CACHE_DURATION=1",
        *command,
    ]


def show_time(time_file: Path, now_ms: int, speed: float) -> None:
    """Let a process that reads the file count from a date on, as soon as it reads that anew.

    Parameters
    ----------
    time_file
        Replaced at once.
    now_ms
        The date.
    speed
        Seconds that pass in one second.
    """
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    written = time_file.with_suffix(".new")
    written.write_text(f"@{now:%Y-%m-%d %H:%M:%S} x{speed:g}\n")
    written.replace(time_file)
