"""A training that leaves the interpreter and the cores to the thread that decides."""

import os
import sys
import threading
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


NICENESS: Final = 5
"""Of a thread that trains: a third of a decision's claim to a core. More brought nothing, and would
keep a training from the interpreter for longer where other programs have all cores."""


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
    than it computes. LightGBM itself does not hold the interpreter, but keeps cores busy: the
    system gives them to other threads first, for good, since only a privileged process may take
    that back. So this is for a thread that does nothing but train; a main thread keeps its claim.

    Examples
    --------
    >>> before = sys.getswitchinterval()
    >>> with low_priority(0.001):
    ...     round(sys.getswitchinterval(), 6)
    0.001
    >>> sys.getswitchinterval() == before
    True
    """
    # Linux alone has a niceness for each thread, which those that it starts inherit.
    if sys.platform == "linux" and threading.current_thread() is not threading.main_thread():
        thread = threading.get_native_id()
        given = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, max(given, NICENESS))
    before = sys.getswitchinterval()
    # Never longer than what somebody else has set.
    sys.setswitchinterval(min(seconds, before))
    try:
        yield
    finally:
        sys.setswitchinterval(before)
