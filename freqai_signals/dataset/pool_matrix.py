"""The rows of a whole run, made once: its windows are slices of one matrix on disk."""

import logging
import os
import tempfile
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
from numpy.typing import NDArray

from freqai_signals.dataset.features.mapped import reserve, rests
from freqai_signals.dataset.rows import TrainingRows, Window, pool_rows

logger = logging.getLogger(__name__)

_PREFIX: Final = "rows-"
_LEFT_BEHIND_SECONDS: Final = 86_400

Mapped = np.memmap[tuple[int, ...], np.dtype[np.float32]]


class PoolMatrix:
    """Rows of a pool in all windows of a run.

    Features lie in a file that is mapped into memory: this process and its workers share one copy,
    which the system may drop and read again. Where the file cannot be made, they stay in memory;
    the rows are the same.

    Parameters
    ----------
    parts
        Rows of each pair, sorted by pair, as :func:`~freqai_signals.dataset.rows.pair_rows` makes
        them from a window that covers all windows of the run.
    folder
        Where the file lies until the matrix is dropped; None keeps the features in memory.
    """

    def __init__(self, parts: Sequence[TrainingRows], folder: Path | None = None) -> None:
        mapped = _mapped([part.features for part in parts], folder) if folder is not None else None
        if mapped is None:
            self._rows = pool_rows(parts)
            return
        path = Path(str(mapped.filename))
        weakref.finalize(self, _remove, path)
        # One column of places: sorting these sorts the features, pair by pair, into the file.
        ends = np.cumsum([len(part) for part in parts])
        places = [
            replace(part, features=np.arange(end - len(part), end, dtype=np.float64)[:, None])
            for part, end in zip(parts, ends, strict=True)
        ]
        sorted_rows = pool_rows(places)
        rank = np.empty(len(sorted_rows), np.int64)
        rank[sorted_rows.features[:, 0].astype(np.int64)] = np.arange(len(rank))
        for part, end in zip(parts, ends, strict=True):
            mapped[rank[end - len(part) : end]] = part.features
        mapped.flush()
        features: Any = np.memmap(path, np.float32, "r", shape=mapped.shape)
        rests(features._mmap)
        self._rows = replace(sorted_rows, features=features)

    def window(self, window: Window) -> TrainingRows:
        """Rows of one window; pairs without rows are left out.

        Parameters
        ----------
        window
            It must lie within that of the parts and have the same step.

        Returns
        -------
        TrainingRows
            Its features are a part of the matrix, not a copy.
        """
        rows = self._rows
        inside = rows.take(window.holds(rows.start, rows.event_end))
        if not len(inside):
            return replace(inside, pairs=rows.pairs[:1])
        present = np.unique(inside.pair)
        return replace(
            inside,
            pair=np.searchsorted(present, inside.pair).astype(np.int16),
            pairs=tuple(rows.pairs[index] for index in present),
        )


def _mapped(parts: Sequence[NDArray[np.float32]], folder: Path) -> Mapped | None:
    """A file with room for all parts, mapped; None with a message if there is no room for it."""
    shape = (sum(len(part) for part in parts), parts[0].shape[1]) if parts else (0, 0)
    if not shape[0]:
        return None
    size, path = 4 * shape[0] * shape[1], None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_left_behind(folder)
        handle, name = tempfile.mkstemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=folder)
        path = Path(name)
        with os.fdopen(handle, "wb") as file:
            reserve(file.fileno(), size)
        return np.memmap(path, np.float32, "r+", shape=shape)
    except OSError as error:
        logger.warning(
            "Rows stay in memory, no file of %d MB can be made in %s: %s",
            size // 2**20, folder, error,
        )  # fmt: skip
        if path is not None:
            _remove(path)
        return None


def _remove_left_behind(folder: Path) -> None:
    """Remove files of processes that were killed."""
    for path in folder.glob(f"{_PREFIX}*"):
        owner = path.name.removeprefix(_PREFIX).split("-")[0]
        # A process of another container that shares the folder cannot be seen from here.
        with suppress(OSError):
            is_old = time.time() - path.stat().st_mtime > _LEFT_BEHIND_SECONDS
            if is_old and owner.isdigit() and not psutil.pid_exists(int(owner)):
                path.unlink()


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
