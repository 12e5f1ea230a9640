"""Waiting for what ends by itself, as long as a busy machine needs."""

import time
from collections.abc import Callable
from typing import Final

PATIENCE: Final = 120.0
"""Seconds that a busy machine may take; only a failure takes as long."""


def wait_until(condition: Callable[[], bool]) -> bool:
    """Whether a condition comes true while there is patience."""
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()
