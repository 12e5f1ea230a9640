"""A training that leaves the interpreter to the thread that decides."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

SWITCH_SECONDS: Final = 2e-4
"""How long a thread may be kept waiting for the interpreter; Python's own is 5 ms."""


@contextmanager
def courteous(seconds: float = SWITCH_SECONDS) -> Iterator[None]:
    """Let other threads have the interpreter sooner while this one computes.

    A decision gives the interpreter back for a moment in each of its hundreds of array operations
    and waits each time until the training lets go of it: with Python's own interval for longer
    than it computes. LightGBM itself does not hold the interpreter.

    Examples
    --------
    >>> before = sys.getswitchinterval()
    >>> with courteous(0.001):
    ...     round(sys.getswitchinterval(), 6)
    0.001
    >>> sys.getswitchinterval() == before
    True
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(seconds, before))
    try:
        yield
    finally:
        sys.setswitchinterval(before)
