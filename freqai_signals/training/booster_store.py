"""Finished boosters by what they were trained from: a killed backtest trains none of them again."""

import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from freqai_signals.files import write_atomically
from freqai_signals.model import artefact, booster

logger = logging.getLogger(__name__)

_UNUSED_SECONDS: Final = 2 * 86_400


@dataclass
class BoosterStore:
    """A folder of booster files named by their key.

    Attributes
    ----------
    folder
        Made when the first booster is stored.
    max_files
        The least recently used files beyond that are deleted, if not used for two days.
    key
        Signs what is stored; a file that is not signed with it is trained again.
    unsaved
        Text of boosters that could not be written, by key, so that none is trained twice.
    failures
        Window to the reason for which worker processes failed on it.
    trained
        How many were stored by this process.
    """

    folder: Path
    max_files: int = 1000
    key: bytes | None = field(default=None, repr=False)
    unsaved: dict[str, str] = field(default_factory=dict, repr=False)
    failures: dict[str, str] = field(default_factory=dict, repr=False)
    trained: int = 0

    def why_not(self, window: str) -> str:
        """Why a window's boosters cannot be trained; empty if they may be."""
        return self.failures.get(window, "")

    def load(self, key: str) -> booster.Fitted | None:
        """The stored booster; None if there is none, or its file is damaged or of another key."""
        if key in self.unsaved:
            return booster.from_text(self.unsaved[key])
        path = self._path(key)
        try:
            fitted = artefact.booster_from_bytes(path.read_bytes(), key, self.key)
        except FileNotFoundError:
            return None
        except (artefact.ArtefactError, OSError) as error:
            logger.warning("%s is not used, its booster is trained again: %s", path, error)
            return None
        with suppress(OSError):
            path.touch()
        return fitted

    def holds(self, key: str) -> bool:
        """Whether there is a file of a key, without reading it."""
        return key in self.unsaved or self._path(key).is_file()

    def save(self, key: str, fitted: booster.Fitted) -> booster.Fitted:
        """Store a booster, in memory where the folder cannot be written.

        Returns
        -------
        Fitted
            As a reader of the file gets it: whoever trains a booster, the same one is used.
        """
        self.trained += 1
        text = booster.to_text(fitted)
        content = artefact.booster_to_bytes(text, key, self.key)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path(key), content)
            self._prune()
        except OSError as error:
            if not self.unsaved:
                logger.warning("Boosters are kept in memory only, storing one failed: %s", error)
            self.unsaved[key] = text
        return booster.from_text(text)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.booster"

    def _prune(self) -> None:
        files = list(self.folder.glob("*.booster"))
        if len(files) <= self.max_files:
            return
        used = {}
        for file in files:
            # Another process that shares the folder may have deleted it meanwhile.
            with suppress(FileNotFoundError):
                used[file] = file.stat().st_mtime
        # Those of a run that goes on may be many, and all are still to be used.
        unused_since = time.time() - _UNUSED_SECONDS
        for file in sorted(used, key=used.__getitem__)[: -self.max_files]:
            if used[file] < unused_since:
                file.unlink(missing_ok=True)


@dataclass
class MemoryStore(BoosterStore):
    """Boosters that live as long as it does; it needs neither a disk nor the signing key."""

    folder: Path = Path()

    def load(self, key: str) -> booster.Fitted | None:
        """The booster of a key; None if there is none."""
        return booster.from_text(self.unsaved[key]) if key in self.unsaved else None

    def save(self, key: str, fitted: booster.Fitted) -> booster.Fitted:
        """Keep a booster; returned as a reader gets it."""
        self.unsaved[key] = booster.to_text(fitted)
        return booster.from_text(self.unsaved[key])
