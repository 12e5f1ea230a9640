"""freqtrade's classes used without their log lines, which belong to its own commands."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_log(level: int = logging.WARNING) -> Iterator[None]:
    """Drop log records up to ``level`` for a while."""
    before = logging.root.manager.disable
    logging.disable(level)
    try:
        yield
    finally:
        logging.disable(before)
