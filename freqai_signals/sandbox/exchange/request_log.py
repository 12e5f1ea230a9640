"""The sandbox's request log: one line per request, appended to a file."""

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

LARGEST_BYTES: Final = 10_000_000
"""A log that has grown beyond this is renamed to ``*.old``, and a new one begins."""


class RequestLog:
    """Line writer; several sandboxes may share a file, their lines carry the process number.

    Parameters
    ----------
    path
        File; its folder is created.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        # Line-buffered and appended: whole lines, also of several processes and before a kill.
        self._file = path.open("a", buffering=1)

    def __call__(self, line: str) -> None:
        """Write one line, with time and process number before it."""
        self._keep_small()
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._file.write(f"{now} {os.getpid()} {line}\n")

    def _keep_small(self) -> None:
        own = os.fstat(self._file.fileno())
        if own.st_size <= LARGEST_BYTES:
            return
        # Another sandbox may have renamed it already.
        with suppress(FileNotFoundError):
            if self._path.stat().st_ino == own.st_ino:
                self._path.replace(self._path.with_name(f"{self._path.name}.old"))
        self._file.close()
        self._file = self._path.open("a", buffering=1)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
