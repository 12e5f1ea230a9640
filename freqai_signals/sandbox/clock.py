"""What time it is at the exchange, and which stored candle that time belongs to."""

import time
from collections.abc import Callable
from dataclasses import dataclass


def wall_clock_ms() -> int:
    """Milliseconds since 1970 on the machine's own clock."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Clock:
    """Time as the exchange tells it.

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
