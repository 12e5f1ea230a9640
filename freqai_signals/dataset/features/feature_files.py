"""Features of a pair on disk, mapped into memory: computed once per set of candles, ever."""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.features import feature_groups
from freqai_signals.dataset.features.mapped import rests
from freqai_signals.provenance import code_digest, digest, library_versions
from freqai_signals.settings import SignalSettings

logger = logging.getLogger(__name__)

MOST_BYTES: Final = 8 * 2**30
"""Of all files together; the least recently used ones beyond that are deleted."""

_SHAPE: Final = {"features", "timeframe", "indicator_periods_candles", "label_horizon_candles"}
"""Settings that features depend on."""


class FeatureFiles:
    """A folder of float32 matrices, one a pair and set of candles, in NumPy's own format.

    Parameters
    ----------
    folder
        Made when the first file is written.
    settings
        Which features. With the code and the libraries they are a part of every file's name.
    """

    def __init__(self, folder: Path, settings: SignalSettings) -> None:
        self._folder = folder
        self._names = list(feature_groups(settings))
        chosen = settings.model_dump(mode="json", include=_SHAPE)
        self._recipe = [chosen, code_digest(), library_versions()]

    def load(self, key: str, index: pd.Index) -> pd.DataFrame | None:
        """The stored features with an index; None if there are none, or the file is damaged.

        Parameters
        ----------
        key
            Digest of the candles of the pair and of its market.
        index
            Of the candles.
        """
        path = self._path(key)
        try:
            matrix = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError) as error:
            logger.warning("%s is not used, its features are computed again: %s", path, error)
            return None
        if matrix.shape != (len(index), len(self._names)) or matrix.dtype != np.float32:
            logger.warning("%s holds %s, not these features", path, matrix.shape)
            return None
        with suppress(OSError):
            path.touch()
        rests(matrix._mmap)
        return pd.DataFrame(matrix, index=index, columns=self._names, copy=False)

    def keep(
        self, key: str, index: pd.Index, columns: Iterable[tuple[str, NDArray[np.float32]]]
    ) -> pd.DataFrame | None:
        """Store features while they are made; returns them mapped, None if they cannot be stored.

        Parameters
        ----------
        key, index
            As for :meth:`load`.
        columns
            Name and values of each feature, in order.
        """
        try:
            self._write(self._path(key), len(index), columns)
        except OSError as error:
            logger.warning("Features stay in memory, %s cannot be written: %s", self._folder, error)
            return None
        return self.load(key, index)

    def _write(
        self, path: Path, rows: int, columns: Iterable[tuple[str, NDArray[np.float32]]]
    ) -> None:
        """Write a file whole or not at all, unflushed: what a crash takes is made again."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._make_room(4 * rows * len(self._names))
        header = {"descr": "<f4", "fortran_order": True, "shape": (rows, len(self._names))}
        handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                np.lib.format.write_array_header_1_0(file, header)
                for name, (made, values) in zip(self._names, columns, strict=True):
                    if made != name:
                        raise ValueError(f"the features have {made} in the place of {name}")
                    file.write(values.astype("<f4", copy=False).data)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _make_room(self, size: int) -> None:
        free = shutil.disk_usage(self._folder).free
        if free < 4 * size:
            raise OSError(f"only {free // 2**20} MB of the disk are free")
        used = {}
        for file in self._folder.glob("*.npy"):
            # Another process that shares the folder may have deleted it meanwhile.
            with suppress(FileNotFoundError):
                used[file] = file.stat()
        total = sum(stat.st_size for stat in used.values()) + size
        for file in sorted(used, key=lambda name: used[name].st_mtime):
            if total <= MOST_BYTES:
                return
            # Whoever has it mapped keeps it.
            file.unlink(missing_ok=True)
            total -= used[file].st_size

    def _path(self, key: str) -> Path:
        return self._folder / f"{digest([key, *self._recipe])}.npy"
