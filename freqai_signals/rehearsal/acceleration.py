"""Time that runs faster: for the exchange by its clock, for the bot by Debian's faketime."""

import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime

from freqai_signals.sandbox.clock import wall_clock_ms


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


def accelerated(command: list[str], clock: FastClock, library: str) -> list[str]:
    """The command that starts another one with the clock's time.

    Every process counts from its own start: children of the command would begin anew.
    """
    now = datetime.fromtimestamp(clock() / 1000, UTC)
    return [
        "env",
        "TZ=UTC",
        f"LD_PRELOAD={library}",
        f"FAKETIME=@{now:%Y-%m-%d %H:%M:%S} x{clock.speed:g}",
        *command,
    ]
