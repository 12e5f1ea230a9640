"""Boosters of many windows, trained side by side by worker processes before they are asked for."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import joblib
import psutil
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import BrokenProcessPool

from freqai_signals.terminal import progress
from freqai_signals.training.boosting import WindowTask, WindowTrainer

logger = logging.getLogger(__name__)

_WORKER_BYTES: Final = 300 * 2**20
"""Of a worker process before its first booster: Python, NumPy, LightGBM."""

_ROW_BYTES: Final = 4
"""For each row and feature: bins and their copies, gradients; features are mapped and shared."""


_WORTH_CELLS: Final = 5_000_000
"""Rows times features of all windows below which they are trained one by one."""

_WORTH_PROCESSES: Final = 60_000_000
"""From here on the imports of new processes, three seconds each, are a small part; below, threads
of this process do the same."""

_ENDED_TWICE: Final = (
    "the worker process that trained it ended twice; the system may have too little memory: set "
    "freqai.signals.workers to 1 or train on fewer rows"
)


def usable_workers(asked: int | None) -> int:
    """Trainings at a time: as many as asked for, at most one a core.

    Parameters
    ----------
    asked
        ``freqai.signals.workers``; None takes all cores.
    """
    cores = int(joblib.cpu_count())
    if asked is not None and asked > cores:
        logger.warning(
            "freqai.signals.workers is %d, but only %d cores can be used here: %d train at a time",
            asked, cores, cores,
        )  # fmt: skip
    return min(asked or cores, cores)


@dataclass(frozen=True)
class Job:
    """Chains of one window that one process trains from the same bins.

    Attributes
    ----------
    task
        The window; it has a store.
    chains
        Seed and place of each.
    share
        Part of the window's chains, for a bar.
    """

    task: WindowTask
    chains: tuple[tuple[int, int], ...]
    share: float

    def missing(self) -> bool:
        """Whether a booster of these chains is not in the store."""
        trainer = WindowTrainer(self.task)
        return not all(trainer.is_stored(*chain) for chain in self.chains)


def run_job(job: Job, index: int) -> tuple[int, dict[str, str], str]:
    """In a worker process: train what is missing. Boosters come back only if they are not stored.

    Memory that is not there is a result, so that the others go on.
    """
    trainer = WindowTrainer(job.task)
    try:
        for chain in job.chains:
            trainer.chain(*chain)
    except MemoryError as error:
        return index, {}, f"there was not enough memory to train it ({error or 'MemoryError'})"
    store = job.task.store
    return index, dict(store.unsaved) if store is not None else {}, ""


def train_ahead(tasks: Sequence[WindowTask], workers: int) -> int:
    """Fill the store of the tasks with their boosters.

    Whatever goes wrong, nothing is raised: what is missing afterwards is trained by whoever asks
    for it. Only a window on which worker processes ended twice, without a word or for want of
    memory, is marked in the store as one that cannot be trained: it might end the bot as well.

    Parameters
    ----------
    tasks
        Windows, in the order in which they will be asked for; all have a store.
    workers
        Processes, each with one of LightGBM's threads. With one, or little to train, nothing is
        done here.

    Returns
    -------
    int
        Windows that had boosters to train; 0 if nothing was done.
    """
    jobs, workers = _worth_while(tasks, workers)
    if not jobs:
        return 0
    count = len({job.task.key for job in jobs})
    cells = sum(task.rows.features.size for task in tasks)
    backend = "loky" if cells >= _WORTH_PROCESSES else "threading"
    logger.info("Training the boosters of %d windows, %d at a time (%s)", count, workers, backend)
    total = round(sum(job.share for job in jobs))
    try:
        with progress("Training windows", max(total, 1)) as advance:
            if backend == "loky":
                _train_all(jobs, workers, advance)
            else:
                _side_by_side(jobs, workers, advance, backend)
    # The trainings that follow one after the other meet the same error, or do without.
    except Exception:
        logger.warning("Training side by side failed; it goes on one by one", exc_info=True)
    finally:
        if backend == "loky":
            # They would hold their memory for five minutes more.
            get_reusable_executor().shutdown(wait=True)
    return count


def train_by_threads(tasks: Sequence[WindowTask], workers: int) -> None:
    """The same by threads of this process and without a word, for a few trainings at many times.

    Parameters
    ----------
    tasks, workers
        As of :func:`train_ahead`.
    """
    jobs, workers = _worth_while(tasks, workers)
    try:
        _side_by_side(jobs, workers, lambda share: None, "threading")
    except Exception:
        logger.warning("Training side by side failed; it goes on one by one", exc_info=True)


def _worth_while(tasks: Sequence[WindowTask], workers: int) -> tuple[list[Job], int]:
    """What is missing, and how much of it is trained at a time; nothing if that is not worth it."""
    cells = sum(task.rows.features.size for task in tasks)
    if workers < 2 or cells < _WORTH_CELLS:
        return [], 1
    tasks = [task.with_threads(1) for task in tasks]
    workers = min(workers, sum(len(task.chains()) for task in tasks), _fitting(tasks, workers))
    jobs = jobs_of(tasks, workers) if workers > 1 else []
    return [job for job in jobs if job.missing()], workers


def _train_all(jobs: list[Job], workers: int, advance: Callable[[float], None]) -> None:
    """All at a time; if a process ends, the rest again; if one ends again, one by one."""
    left = jobs
    for attempt in ("first", "again"):
        left = _side_by_side(left, workers, advance)
        if not left:
            return
        logger.warning(
            "A worker process ended (%s time): %d trainings are left", attempt, len(left)
        )
    for job in left:
        if _side_by_side([job], 2, advance):
            _fail(job, _ENDED_TWICE)


def _side_by_side(
    jobs: list[Job], workers: int, advance: Callable[[float], None], backend: str = "loky"
) -> list[Job]:
    """Train jobs at the same time; returns those that were not ended because a process died."""
    pool = joblib.Parallel(n_jobs=workers, backend=backend, return_as="generator_unordered")
    short = []
    try:
        for index, unsaved, problem in pool(
            joblib.delayed(run_job)(job, index) for index, job in enumerate(jobs)
        ):
            job = jobs[index]
            assert job.task.store is not None
            job.task.store.unsaved.update(unsaved)
            if problem and len(jobs) == 1:
                _fail(job, problem)
            elif problem:
                short.append(job)
            else:
                advance(job.share)
    except BrokenProcessPool:
        return [job for job in jobs if job.missing()]
    return short


def _fail(job: Job, reason: str) -> None:
    store = job.task.store
    assert store is not None
    store.failures[job.task.key] = reason
    logger.warning("A window is not trained and will abstain: %s", reason)


def jobs_of(tasks: Sequence[WindowTask], workers: int) -> list[Job]:
    """A window at a time where that keeps all workers busy, else a chain at a time, longest first.

    Chains of one window share its bins only in the same process.
    """
    if len(tasks) % workers == 0 or len(tasks) >= 4 * workers:
        return [Job(task, tuple(task.chains()), 1.0) for task in tasks]
    single = [
        (place, Job(task, ((seed, place),), 1.0 / len(task.chains())))
        for task in tasks
        for seed, place in task.chains()
    ]
    return [job for _, job in sorted(single, key=lambda item: item[0])]


def _fitting(tasks: Sequence[WindowTask], workers: int) -> int:
    """How many of the workers the free memory has room for."""
    largest = max((task.rows.features.size for task in tasks), default=0)
    free = psutil.virtual_memory().available
    fitting = max(int(free // (_WORKER_BYTES + _ROW_BYTES * largest)), 1)
    if fitting < workers:
        logger.warning(
            "%d MB of memory are free, enough for %d of %d workers", free // 2**20, fitting, workers
        )
    return min(fitting, workers)
