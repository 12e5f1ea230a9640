"""What travels to a worker of a cluster and back: jobs without their rows, versions, boosters."""

import platform
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqai_signals.dataset.rows import TrainingRows, unknown_trades
from freqai_signals.model import booster
from freqai_signals.provenance import code_digest, library_versions
from freqai_signals.settings import SignalSettings
from freqai_signals.training.booster_store import BoosterStore
from freqai_signals.training.boosting import WindowTask
from freqai_signals.training.row_checks import Split
from freqai_signals.training.worker_processes import Job, run_job

Arrays = tuple[NDArray[np.float32], NDArray[np.int8]]
"""Features and labels that windows are parts of."""


def worker_versions() -> dict[str, str]:
    """What the bits of a booster depend on beside its rows and settings, by name."""
    library, version = platform.libc_ver()
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        **library_versions(),
        "freqai_signals (digest of its code)": code_digest()[:12],
        "processor": platform.machine(),
        # Its exponentials and logarithms.
        "C library": f"{library} {version}",
    }


def differences(theirs: object, ours: Mapping[str, str]) -> str:
    """What differs between the versions of a worker and ours; empty if it may train.

    Parameters
    ----------
    theirs
        What :func:`worker_versions` returned there, or the error that it raised.
    ours
        The same from here.

    Examples
    --------
    >>> differences({"numpy": "1.26", "scipy": "1"}, {"numpy": "2.4", "scipy": "1"})
    'numpy 1.26 instead of 2.4'
    >>> differences(ImportError("No module named 'freqai_signals'"), {})
    "ImportError: No module named 'freqai_signals'"
    """
    if not isinstance(theirs, Mapping):
        return f"{type(theirs).__name__}: {theirs}"
    names = [name for name in ours if theirs.get(name) != ours[name]]
    return ", ".join(f"{name} {theirs.get(name)} instead of {ours[name]}" for name in names)


@dataclass
class _KeptInMemory(BoosterStore):
    """What a worker has trained, to be sent back; it needs neither a disk nor the signing key."""

    def load(self, key: str) -> booster.Fitted | None:
        return booster.from_text(self.unsaved[key]) if key in self.unsaved else None

    def save(self, key: str, fitted: booster.Fitted) -> booster.Fitted:
        self.unsaved[key] = booster.to_text(fitted)
        return booster.from_text(self.unsaved[key])


@dataclass(frozen=True)
class _NamedTask(WindowTask):
    """A task whose key is known, from all columns of its rows; boosters need two of them."""

    name: str = ""

    @property
    def key(self) -> str:
        return self.name


@dataclass(frozen=True)
class SentJob:
    """A job as it travels: all of it but the arrays, which a worker gets once.

    Attributes
    ----------
    name
        The window's key.
    chains
        Seed and place of each.
    first, count
        The window's rows in the arrays.
    checksum
        Of these rows.
    masks
        Past, tail and early rows, eight to a byte.
    settings
        Of model, booster and direction; the others, some of them secret, stay at home.
    """

    name: str
    chains: tuple[tuple[int, int], ...]
    first: int
    count: int
    checksum: int
    masks: tuple[NDArray[np.uint8], ...]
    settings: SignalSettings

    @classmethod
    def of(cls, job: Job, first: int) -> "SentJob":
        """What to send of a job whose rows begin at a place in the arrays."""
        task = job.task
        rows, split, settings = task.rows, task.split, task.settings
        needed = {name: getattr(settings, name) for name in ("model", "booster", "direction")}
        return cls(
            task.key,
            job.chains,
            first,
            len(rows),
            _checksum(rows.features, rows.label),
            tuple(np.packbits(mask) for mask in (split.past, split.tail, split.early)),
            SignalSettings().model_copy(update=needed),
        )

    def job(self, features: NDArray[np.float32], label: NDArray[np.int8]) -> Job:
        """The job on a worker, from the arrays that it has."""
        part, none = slice(self.first, self.first + self.count), np.zeros(self.count, np.int64)
        rows = TrainingRows(
            features[part], (), label[part], none, none, np.zeros(self.count),
            unknown_trades(self.count), none.astype(np.int16), (),
        )  # fmt: skip
        past, tail, early = (np.unpackbits(m, count=self.count).view(np.bool_) for m in self.masks)
        split = Split(past, tail, early, end=np.zeros(self.count, np.bool_))
        task = _NamedTask(rows, split, self.settings, _KeptInMemory(Path()), self.name)
        return Job(task, self.chains, 0.0)


def train_sent(
    sent: SentJob,
    versions: Mapping[str, str],
    features: NDArray[np.float32],
    label: NDArray[np.int8],
) -> tuple[dict[str, str], str]:
    """On a worker: the texts of a job's boosters by key, and what kept it from training them.

    Parameters
    ----------
    sent
        The job.
    versions
        Of who asks; checked again, since workers may join later.
    features, label
        What the job's rows are a part of.
    """
    refused = differences(worker_versions(), versions)
    if refused:
        return {}, f"a worker that joined later is refused, it has {refused}"
    job = sent.job(features, label)
    if _checksum(job.task.rows.features, job.task.rows.label) != sent.checksum:
        return {}, "the rows did not arrive as they were sent"
    _, trained, problem = run_job(job, 0)
    return trained, problem


def whole_arrays(rows: TrainingRows) -> tuple[Arrays, int]:
    """The arrays that a window's rows are a part of, and the place of the first of them there.

    Windows of a run are slices of one matrix, which is sent instead of them: they overlap.
    """
    features, label = _owner(rows.features), _owner(rows.label)
    first = (rows.label.ctypes.data - label.ctypes.data) // label.itemsize
    part = slice(first, first + len(rows))
    pairs = ((features[part], rows.features), (label[part], rows.label))
    if all(_memory(one) == _memory(other) for one, other in pairs):
        return (features, label), first
    return (rows.features, rows.label), 0


def _owner(array: NDArray[Any]) -> NDArray[Any]:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _memory(array: NDArray[Any]) -> tuple[Any, ...]:
    return array.ctypes.data, array.shape, array.strides


def _checksum(features: NDArray[np.float32], label: NDArray[np.int8]) -> int:
    start = zlib.crc32(np.ascontiguousarray(label).data)
    return zlib.crc32(np.ascontiguousarray(features).data, start)
