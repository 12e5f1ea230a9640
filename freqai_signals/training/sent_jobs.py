"""What travels to a worker of a cluster and back: jobs without their rows, versions, boosters."""

import platform
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqai_signals.dataset.rows import TrainingRows, unknown_trades
from freqai_signals.provenance import code_digest, library_versions
from freqai_signals.settings import SignalSettings
from freqai_signals.training.booster_store import MemoryStore
from freqai_signals.training.boosting import WindowTask
from freqai_signals.training.row_checks import Split
from freqai_signals.training.worker_processes import Job, run_job

Arrays = tuple[NDArray[np.float32], NDArray[np.int8]]
"""Features and labels that windows are parts of."""

Part = slice | NDArray[np.uint8]


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
    part
        The window's rows in the arrays: a run, or a mask, eight to a byte.
    checksum
        Of these rows.
    masks
        Past, tail and early rows, eight to a byte.
    settings
        Of model, booster and direction; the others, some of them secret, stay at home.
    """

    name: str
    chains: tuple[tuple[int, int], ...]
    part: Part
    checksum: int
    masks: tuple[NDArray[np.uint8], ...]
    settings: SignalSettings

    @classmethod
    def of(cls, job: Job, part: Part) -> "SentJob":
        """What to send of a job whose rows are a part of the arrays."""
        task = job.task
        rows, split, settings = task.rows, task.split, task.settings
        needed = {name: getattr(settings, name) for name in ("model", "booster", "direction")}
        return cls(
            task.key,
            job.chains,
            part,
            _checksum(rows.features, rows.label),
            tuple(np.packbits(mask) for mask in (split.past, split.tail, split.early)),
            SignalSettings().model_copy(update=needed),
        )

    def job(self, features: NDArray[np.float32], label: NDArray[np.int8]) -> Job:
        """The job on a worker, from the arrays that it has."""
        part = self.part if isinstance(self.part, slice) else _unpacked(self.part, len(label))
        count = len(label[part])
        none = np.zeros(count, np.int64)
        rows = TrainingRows(
            features[part], (), label[part], none, none, np.zeros(count),
            unknown_trades(count), none.astype(np.int16), (),
        )  # fmt: skip
        past, tail, early = (_unpacked(mask, count) for mask in self.masks)
        split = Split(past, tail, early, end=np.zeros(count, np.bool_))
        task = _NamedTask(rows, split, self.settings, MemoryStore(), name=self.name)
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


def whole_arrays(task: WindowTask) -> tuple[Arrays, Part]:
    """The arrays that a window's rows are a part of, which are sent instead: windows overlap.

    Windows of a run are slices of one matrix; of copies, the task has to know.
    """
    rows = task.rows
    if task.taken is not None:
        whole, which = task.taken
        return (whole.features, whole.label), np.packbits(which)
    features, label = _owner(rows.features), _owner(rows.label)
    first = (rows.label.ctypes.data - label.ctypes.data) // label.itemsize
    part = slice(first, first + len(rows))
    pairs = ((features[part], rows.features), (label[part], rows.label))
    if all(_memory(one) == _memory(other) for one, other in pairs):
        return (features, label), part
    return (rows.features, rows.label), slice(0, len(rows))


def _unpacked(mask: NDArray[np.uint8], count: int) -> NDArray[np.bool_]:
    return np.unpackbits(mask, count=count).view(np.bool_)


def _owner(array: NDArray[Any]) -> NDArray[Any]:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _memory(array: NDArray[Any]) -> tuple[Any, ...]:
    return array.ctypes.data, array.shape, array.strides


def _checksum(features: NDArray[np.float32], label: NDArray[np.int8]) -> int:
    start = zlib.crc32(np.ascontiguousarray(label).data)
    return zlib.crc32(np.ascontiguousarray(features).data, start)
