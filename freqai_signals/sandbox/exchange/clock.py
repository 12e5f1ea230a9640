"""What time it is at the exchange, and which stored candle that time belongs to."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

WEEK_MS: Final = 7 * 86_400_000


def wall_clock_ms() -> int:
    """Milliseconds since 1970 on the machine's own clock."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Clock:
    """The time that the exchange answers.

    Parameters
    ----------
    now_ms
        Gives milliseconds since 1970; another source than the wall clock accelerates time.
    shift_ms
        What is added to the dates of stored candles, so that history can be served as if it
        happened now; whole weeks keep time of day and weekday.

    Examples
    --------
    >>> clock = Clock(now_ms=lambda: 10_000, shift_ms=4_000)
    >>> clock.now_ms(), clock.to_stored(clock.now_ms())
    (10000, 6000)
    """

    now_ms: Callable[[], int] = wall_clock_ms
    shift_ms: int = 0

    def to_stored(self, time_ms: int) -> int:
        """Date of the stored candles that stands for an exchange time."""
        return time_ms - self.shift_ms


def weeks_onto_clock(last_ms: int, now_ms: int, ahead_days: float) -> int:
    """Whole weeks by which history is moved so that it lies around now.

    Parameters
    ----------
    last_ms
        Opening of the last stored candle.
    now_ms
        Time on the clock.
    ahead_days
        Days of candles that must still lie ahead; up to a week more do.

    Returns
    -------
    int
        Negative where the candles lie in the future.

    Examples
    --------
    >>> weeks_onto_clock(last_ms=20 * WEEK_MS, now_ms=30 * WEEK_MS, ahead_days=21)
    13
    """
    wanted = last_ms - int(ahead_days * 86_400_000)
    return -((wanted - now_ms) // WEEK_MS)
