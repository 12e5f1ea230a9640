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
        Wall clock at which it began.
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
        """Begin at the first date now."""
        self.began_ms = wall_clock_ms()

    def run_at(self, speed: float) -> None:
        """Go on from now at another speed; a running process with its own faketime does not."""
        self.start_ms, self.began_ms, self.speed = self(), wall_clock_ms(), speed

    def jump(self, hours: float) -> None:
        """Skip hours; a running process with its own faketime does not notice."""
        self.start_ms += int(hours * 3_600_000)


def faketime_library() -> str | None:
    """Path of faketime's library, which shows a process another time; None if not installed."""
    if shutil.which("faketime") is None:
        return None
    # Where the library lies depends on the machine; faketime itself sets it for what it runs.
    done = subprocess.run(
        ["faketime", "-f", "+0", "printenv", "LD_PRELOAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or None


def accelerated(command: list[str], time_file: Path, library: str) -> list[str]:
    """The command that runs another one with the time of a file.

    Every process counts from its own start: children of the command would begin at the first date
    again. The file is read every second, so a running process can be moved to another time.

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
        # faketime takes the date in the file for local time.
        "TZ=UTC",
        f"LD_PRELOAD={library}",
        f"FAKETIME_TIMESTAMP_FILE={time_file}",
        "FAKETIME_CACHE_DURATION=1",
        # Times of files are faked too: bytecode would be taken for an old one and written again.
        "PYTHONDONTWRITEBYTECODE=1",
        *command,
    ]


def show_time(time_file: Path, now_ms: int, speed: float) -> None:
    """Write a date; a process that reads the file counts from it within a second.

    Parameters
    ----------
    time_file
        Replaced atomically.
    now_ms
        The date.
    speed
        Seconds that pass in one second.
    """
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    written = time_file.with_suffix(".new")
    # "@" lets the time run on from the date; without it the clock would stand still.
    written.write_text(f"@{now:%Y-%m-%d %H:%M:%S} x{speed:g}\n")
    written.replace(time_file)
