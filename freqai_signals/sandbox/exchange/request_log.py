"""The sandbox's request log: one line per request, appended to a file."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

LARGEST_BYTES: Final = 10_000_000
"""A log that has grown beyond this is started afresh by the next sandbox."""


class RequestLog:
    """Line writer; several sandboxes may share a file, their lines carry the process number.

    Parameters
    ----------
    path
        File; its folder is created.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        began_anew = path.exists() and path.stat().st_size > LARGEST_BYTES
        self._file = path.open("w" if began_anew else "a", buffering=1)

    def __call__(self, line: str) -> None:
        """Write one line, with time and process number before it."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._file.write(f"{now} {os.getpid()} {line}\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
