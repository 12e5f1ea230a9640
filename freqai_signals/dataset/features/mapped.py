"""Memory that the system may have back: arrays in files, and pages that hold nothing but zeros."""

import ctypes
import errno
import logging
import mmap
import os
import sys
import tempfile
import threading
import weakref
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

if sys.platform != "win32":
    import resource

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]
_BLOCK: Final = 2**20
Number = TypeVar("Number", bound=np.generic)

# glibc keeps what was freed between what was not: of features a hundred megabytes.
_MALLOC_TRIM: Final = (
    getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
)

# Of all arrays in files that are read only, so that nothing is lost when their pages go.
_MAPPINGS: Final[list[weakref.ref[Any]]] = []
_MAPPINGS_CHANGE: Final = threading.Lock()

# Folders of which a message said that no file can be made there: not again for each pair.
_FULL: Final[set[Path]] = set()


def rests(mapping: Any) -> None:
    """Have :func:`rest` take the pages of a file's mapping, which is only read from now on."""
    with _MAPPINGS_CHANGE:
        _MAPPINGS[:] = [kept for kept in _MAPPINGS if kept() is not None]
        _MAPPINGS.append(weakref.ref(mapping))


def rest() -> None:
    """Let the system have free memory, and that of mapped files until they are used again."""
    for kept in list(_MAPPINGS):
        if (mapping := kept()) is not None and hasattr(mmap, "MADV_DONTNEED"):
            mapping.madvise(mmap.MADV_DONTNEED)
    if _MALLOC_TRIM is not None:
        _MALLOC_TRIM(0)


def reserve(file: int, size: int, start: int = 0) -> None:
    """Take room for a part of a file on the disk; ``OSError`` if there is none.

    A disk that is full later would end the process by a signal, not by an error.
    """
    if hasattr(os, "posix_fallocate"):
        if size:
            os.posix_fallocate(file, start, size)
        return
    # macOS and Windows. Of the last block that fits a part may be written.
    os.lseek(file, start, os.SEEK_SET)
    while size:
        size -= os.write(file, bytes(min(_BLOCK, size)))


def begins(values: NDArray[Any]) -> int:
    """Place of the first number whose bits are not all 0, else the length."""
    used = values.view(f"u{values.itemsize}") != 0
    return int(np.argmax(used)) if used.any() else len(values)


def in_file(values: NDArray[Number], folder: Path) -> NDArray[Number]:
    """The same numbers in a file without a name, mapped; as they are where it cannot be made.

    What a row begins with takes no room if it is 0.
    """
    if not values.size:
        return values
    rows = np.atleast_2d(values)
    firsts = [begins(row) for row in rows]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.truncate(values.nbytes)
            for place, (row, first) in enumerate(zip(rows, firsts, strict=True)):
                begin = place * row.nbytes + first * row.itemsize
                reserve(file.fileno(), row[first:].nbytes, begin)
            mapping = _mapping(file.fileno(), values.nbytes)
    except OSError as error:
        if folder not in _FULL:
            _FULL.add(folder)
            logger.warning("Rows stay in memory, no file can be made in %s: %s", folder, error)
        return values
    mapped = np.frombuffer(mapping, values.dtype).reshape(values.shape)
    for target, row, first in zip(np.atleast_2d(mapped), rows, firsts, strict=True):
        target[first:] = row[first:]
    mapped.flags.writeable = False
    rests(mapping)
    return mapped


def _mapping(file: int, size: int) -> mmap.mmap:
    if sys.version_info >= (3, 13):
        return mmap.mmap(file, size, trackfd=False)
    # It keeps the file open, and others must be opened as well.
    kept = sum(mapping() is not None for mapping in _MAPPINGS)
    if sys.platform != "win32" and kept >= resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2:
        raise OSError(errno.EMFILE, f"{kept} mapped files take half of those that may be open")
    return mmap.mmap(file, size)


def zeros(shape: tuple[int, int]) -> Floats:
    """Zeros of which only those pages take memory that something else is written to.

    NumPy's own lie in memory that was used before, and has to be cleared, where there is some.
    """
    if not hasattr(mmap, "MAP_ANONYMOUS"):
        return np.zeros(shape)
    size = 8 * shape[0] * shape[1]
    mapping = mmap.mmap(-1, max(size, 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        # A huge page would be all of it at the first number.
        mapping.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(mapping, np.float64, shape[0] * shape[1]).reshape(shape)
