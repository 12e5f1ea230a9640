"""A training that leaves the interpreter to the thread that decides."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

SWITCH_SECONDS: Final = 2e-4
"""How long a thread may be kept waiting for the interpreter; Python's own is 5 ms."""

QUIET_SECONDS: Final = 0.3
"""Without a decision for so long, the bot is through with its pairs."""

MOST_SECONDS: Final = 30.0
"""Longest wait in one place: a bot that never ends deciding is trained for all the same."""


class InferencePriority:
    """Lets a training wait, between its steps that hold the interpreter, while the bot decides.

    One thread calls :meth:`decides`, another :meth:`wait`.

    Parameters
    ----------
    clock, sleep
        Seconds that only rise, and waiting for some.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        # Before the first decision nothing is waited for.
        self._last = float("-inf")

    def decides(self) -> None:
        """Note that a pair is being decided."""
        self._last = self._clock()

    def wait(self) -> None:
        """Wait until the bot is through with its pairs."""
        begin = self._clock()
        while (now := self._clock()) - self._last < QUIET_SECONDS and now - begin < MOST_SECONDS:
            self._sleep(QUIET_SECONDS / 3)


@contextmanager
def low_priority(seconds: float = SWITCH_SECONDS) -> Iterator[None]:
    """Let other threads have the interpreter sooner while this one computes.

    A decision gives the interpreter back for a moment in each of its hundreds of array operations
    and waits each time until the training lets go of it: with Python's own interval for longer
    than it computes. LightGBM itself does not hold the interpreter.

    Examples
    --------
    >>> before = sys.getswitchinterval()
    >>> with low_priority(0.001):
    ...     round(sys.getswitchinterval(), 6)
    0.001
    >>> sys.getswitchinterval() == before
    True
    """
    before = sys.getswitchinterval()
    # Never longer than what somebody else has set.
    sys.setswitchinterval(min(seconds, before))
    try:
        yield
    finally:
        sys.setswitchinterval(before)
