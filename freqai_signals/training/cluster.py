"""Boosters of many windows, trained by the workers of a Dask cluster: the same tasks and bits.

Dask's futures are used by themselves: joblib's backend for them waits for ever for a task whose
workers all ended.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from freqai_signals.model import booster
from freqai_signals.terminal import progress
from freqai_signals.training.boosting import WindowTask
from freqai_signals.training.sent_jobs import (
    SentJob,
    differences,
    train_sent,
    whole_arrays,
    worker_versions,
)
from freqai_signals.training.worker_processes import Job, jobs_of

if TYPE_CHECKING:
    from distributed import Client, Future

logger = logging.getLogger(__name__)

_CONNECT_SECONDS: Final = 10
_PATIENCE_SECONDS: Final = 30.0
"""Without a result for so long, it is asked whether there is still a worker."""


class ClusterError(RuntimeError):
    """Why a cluster cannot be used; the message says it to the user."""


def train_on_cluster(tasks: Sequence[WindowTask], scheduler: str) -> None:
    """Fill the store of the tasks with their boosters, trained by the workers of a Dask cluster.

    Whatever goes wrong, nothing is raised: what is missing afterwards is trained here by whoever
    asks for it.

    Parameters
    ----------
    tasks
        Windows, in the order in which they will be asked for; all have a store.
    scheduler
        Address of Dask's scheduler, such as ``tcp://10.0.0.5:8786``.
    """
    try:
        with _connected(scheduler) as client:
            _train(tasks, client, scheduler)
    except ClusterError as error:
        logger.warning("%s. Boosters are trained on this machine instead", error)
    # Whatever Dask or the network comes up with.
    except Exception:
        logger.warning("The cluster failed; what is missing is trained here", exc_info=True)


def _connected(scheduler: str) -> "Client":
    try:
        from distributed import Client
    except ImportError as error:
        install = 'pip install "freqai-signals[cluster]"'
        raise ClusterError(f"--scheduler needs Dask ({error}); install it: {install}") from error
    try:
        return Client(scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(f"No Dask scheduler answers at {scheduler} ({error})") from error


def _accepted(client: "Client", scheduler: str) -> tuple[list[str], bool]:
    """Addresses of the workers that have our versions, and whether there are others.

    Raises
    ------
    ClusterError
        If there is none.
    """
    ours = worker_versions()
    found = client.run(worker_versions, on_error="return")
    known = client.scheduler_info(n_workers=-1)["workers"]
    refused = {address: differences(theirs, ours) for address, theirs in found.items()}
    for address, why in refused.items():
        if why:
            name = known.get(address, {}).get("name", "?")
            logger.warning("Worker %s at %s is refused, it has %s", name, address, why)
    accepted = [address for address, why in refused.items() if not why]
    if not found:
        raise ClusterError(f"The Dask scheduler at {scheduler} has no workers")
    if not accepted:
        raise ClusterError(f"None of the {len(found)} workers at {scheduler} can be used")
    return accepted, len(accepted) < len(found)


def _train(tasks: Sequence[WindowTask], client: "Client", scheduler: str) -> None:
    accepted, some_refused = _accepted(client, scheduler)
    threads = sum(client.ncores(accepted).values())
    split = jobs_of([task.with_threads(1) for task in tasks], threads)
    jobs = [job for job in split if job.missing()]
    # Those that come later, for one that ended perhaps, are as welcome where nobody is refused.
    allowed = accepted if some_refused else None
    held: dict[int, Any] = {}
    waiting: dict[Future, Job] = {}
    logger.info("Training %d parts of windows, %d at a time (%s)", len(jobs), threads, scheduler)
    for job in jobs:
        arrays, first = whole_arrays(job.task.rows)
        if id(arrays[0]) not in held:
            # As data: workers cannot map our files.
            plain = [np.asarray(array) for array in arrays]
            held[id(arrays[0])] = client.scatter(plain, workers=allowed, broadcast=True, hash=False)
        future = client.submit(
            train_sent, SentJob.of(job, first), worker_versions(), *held[id(arrays[0])],
            workers=allowed, pure=False,
        )  # fmt: skip
        waiting[future] = job
    with progress("Training windows", max(round(sum(job.share for job in jobs)), 1)) as advance:
        _collect(waiting, partial(client.ncores, allowed), advance)


def _collect(
    waiting: dict["Future", Job], workers: Callable[[], Any], advance: Callable[[float], None]
) -> None:
    """Store what comes back, in any order; a job that failed is left to this machine."""
    finished: SimpleQueue[Future] = SimpleQueue()
    problems: Counter[str] = Counter()
    for future in waiting:
        future.add_done_callback(finished.put)
    while waiting:
        try:
            future = finished.get(timeout=_PATIENCE_SECONDS)
            trained, problem = _result(future)
        except (Empty, TimeoutError) as late:
            if not workers():
                raise ClusterError(f"No worker is left for {len(waiting)} trainings") from None
            if isinstance(late, TimeoutError):
                future.add_done_callback(finished.put)
            continue
        job = waiting.pop(future)
        assert job.task.store is not None
        for key, text in trained.items():
            job.task.store.save(key, booster.from_text(text))
        problems.update([problem] if problem else [])
        advance(0.0 if problem else job.share)
    for problem, count in problems.items():
        logger.warning("%d trainings are left to this machine: %s", count, problem)


def _result(future: "Future") -> tuple[dict[str, str], str]:
    """What :func:`train_sent` returned; why, if Dask gave it up, for a problem.

    Raises
    ------
    TimeoutError
        If a worker ended with the result, and the job is not trained again yet.
    """
    if future.status == "error":
        return {}, str(future.exception())
    try:
        trained, problem = future.result(timeout=_PATIENCE_SECONDS)
    except CancelledError as given_up:
        return {}, f"Dask gave it up ({getattr(given_up, 'reason', 'cancelled')})"
    return trained, problem
