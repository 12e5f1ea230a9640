"""Content-addressed cache of trained models: the key covers everything that training depends on."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from freqai_signals.files import write_atomically
from freqai_signals.model import artefact
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.training.booster_store import BoosterStore
from freqai_signals.training.fit import Boosters, Request, train
from freqai_signals.training.training_times import keep_training_time

logger = logging.getLogger(__name__)

_MOST_UNSAVED: Final = 10

_UNSAVED: Final[dict[str, dict[str, tuple[str, bytes]]]] = {}
"""Folder to key to version and bytes of models that could not be stored.

Of the process, since freqtrade makes another store of the same folder when it reloads its config.
"""


@dataclass(frozen=True)
class ModelStore:
    """A folder of model files named by their key.

    Attributes
    ----------
    folder
        Outside FreqAI's ``user_data/models``, parts of which freqtrade's analysis commands delete.
    max_files
        The least recently used files beyond that are deleted.
    key
        Signs what is stored; a file that is not signed with it is trained again. None loads
        whatever is complete.
    workers
        Boosters of a model that are trained at a time.
    boosters
        Those that are finished, of models that may not be.
    """

    folder: Path
    max_files: int = 200
    key: bytes | None = field(default=None, repr=False)
    workers: int = 1
    boosters: BoosterStore = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Keep finished boosters in a folder beside the models."""
        object.__setattr__(self, "boosters", BoosterStore(self.folder / "boosters", key=self.key))

    @property
    def _unsaved(self) -> dict[str, tuple[str, bytes]]:
        return _UNSAVED.setdefault(str(self.folder.absolute()), {})

    def train(self, request: Request, before: Callable[[], None] = lambda: None) -> SignalModel:
        """The model of a request: loaded if it is stored, else trained and stored.

        ``before`` is called before it is trained, and not if it is stored.
        """
        key = request.key()
        found = self.load(key)
        if found is not None:
            version = found.card.version
            logger.info("Reusing model %s: rows, settings and code are unchanged", version)
            return found
        before()
        started, trained = time.perf_counter(), self.boosters.trained
        model = train(request, key, Boosters(self.boosters, self.workers))
        if model.card.key:
            self.save(model)
        # Boosters that are stored already tell nothing of how long theirs took.
        if not model.card.reason and self.boosters.trained > trained:
            keep_training_time(self.folder, model.card.rows, time.perf_counter() - started)
        return model

    def load(self, key: str) -> SignalModel | None:
        """The stored model; None if there is none, or its file is damaged or of another request.

        A whole file under the wrong name, for example copied, may know candles after the window.
        """
        waiting = self._unsaved.get(key)
        if waiting is not None:
            return artefact.from_bytes(waiting[1])
        path = self._path(key)
        try:
            model = artefact.read(path, self.key)
            if model.card.key != key:
                raise artefact.ArtefactError(
                    f"{path}: holds model {model.card.version} of another request"
                )
        except FileNotFoundError:
            return None
        except artefact.ArtefactError as error:
            logger.warning("%s; it is set aside as *.damaged and the model trained again", error)
            with suppress(OSError):
                # Under a name that is never loaded nor pruned.
                path.replace(path.with_suffix(".damaged"))
            return None
        except OSError as error:
            logger.warning("%s cannot be read, its model is trained again: %s", path, error)
            return None
        # The time of last use, by which old files are deleted.
        with suppress(OSError):
            path.touch()
        return model

    def save(self, model: SignalModel) -> None:
        """Store a model; an error, such as a full disk, is logged and the model still used."""
        key, version = model.card.key, model.card.version
        data = artefact.to_bytes(model, self.key)
        try:
            self._write(key, data)
        except OSError as error:
            logger.warning("Model %s could not be stored: %s", version, error)
            self._unsaved[key] = version, data
            for old in list(self._unsaved)[:-_MOST_UNSAVED]:
                self._unsaved.pop(old, None)

    def save_again(self) -> None:
        """Store what could not be stored before: who served has to be known after a restart too.

        A bot asks at every candle; at most the ten newest models wait in memory.
        """
        # A copy: training adds to it in another thread.
        for key, (version, data) in list(self._unsaved.items()):
            try:
                self._write(key, data)
            except OSError:
                return
            self._unsaved.pop(key, None)
            logger.info("Model %s is stored now", version)

    def _write(self, key: str, data: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path(key), data)
        self._prune()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.model"

    def _prune(self) -> None:
        used = {}
        for file in self.folder.glob("*.model"):
            # Another process that shares the folder may have deleted it meanwhile.
            with suppress(FileNotFoundError):
                used[file] = file.stat().st_mtime
        files = sorted(used, key=used.__getitem__)
        for file in files[: max(len(files) - self.max_files, 0)]:
            file.unlink(missing_ok=True)
