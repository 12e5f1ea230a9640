"""Boosters of many windows, trained by the workers of a Dask cluster: the same tasks and bits.

Dask's futures are used by themselves: joblib's backend for them waits for ever for a task whose
workers all ended.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from freqai_signals.model import booster
from freqai_signals.terminal import progress
from freqai_signals.training.boosting import WindowTask
from freqai_signals.training.sent_jobs import (
    Arrays,
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


class Cluster:
    """The workers of a Dask cluster while it is open: rows travel to each of them once.

    Whatever goes wrong, nothing is raised: it is said, once, and what is missing is trained here by
    whoever asks for it.

    Parameters
    ----------
    scheduler
        Address of Dask's scheduler, such as ``tcp://10.0.0.5:8786``; empty for no cluster.

    Attributes
    ----------
    threads
        Trainings at a time; 0 without a cluster, and once it cannot be used any more.
    """

    def __init__(self, scheduler: str = "") -> None:
        self.threads = 0
        self._scheduler = scheduler
        self._client: Client | None = None
        self._present: set[str] = set()
        self._allowed: list[str] | None = None
        self._held: dict[int, tuple[Arrays, list[Future]]] = {}
        self._stopped_amm = False

    def __enter__(self) -> "Cluster":
        """Connect, and compare the workers' versions with ours."""
        if self._scheduler:
            with self._usable_or_closed():
                self._client = _connected(self._scheduler)
                self._vet(self._client)
        return self

    def __exit__(self, *_: object) -> None:
        """Let the workers forget the rows."""
        client, self._client, self.threads = self._client, None, 0
        self._held.clear()
        # Of a scheduler that is gone, and whatever has been trained is here.
        with suppress(Exception):
            if client is not None and self._stopped_amm:
                client.amm.start()
        with suppress(Exception):
            if client is not None:
                client.close()

    def train(self, tasks: Sequence[WindowTask], shown: bool = True) -> None:
        """Fill the store of the tasks with their boosters.

        Parameters
        ----------
        tasks
            Windows, in the order in which they will be asked for; all have a store. Workers forget
            rows that no task is part of.
        shown
            Whether a bar shows how far it is.
        """
        with self._usable_or_closed():
            if self._client is not None:
                self._train(self._client, tasks, shown)

    @contextmanager
    def _usable_or_closed(self) -> Iterator[None]:
        try:
            yield
        except ClusterError as error:
            logger.warning("%s. Boosters are trained on this machine instead", error)
            self.__exit__()
        # Whatever Dask or the network comes up with.
        except Exception:
            logger.warning("The cluster failed; what is missing is trained here", exc_info=True)
            self.__exit__()

    def _train(self, client: "Client", tasks: Sequence[WindowTask], shown: bool) -> None:
        if client.status != "running":
            raise ClusterError(f"The Dask scheduler at {self._scheduler} is gone")
        self._vet(client)
        split = jobs_of([task.with_threads(1) for task in tasks], self.threads)
        jobs = [job for job in split if job.missing()]
        if not jobs:
            return
        logger.info(
            "Training %d parts of windows, %d at a time (%s)",
            len(jobs), self.threads, self._scheduler,
        )  # fmt: skip
        waiting: dict[Future, Job] = {}
        parts = [whole_arrays(job.task) for job in jobs]
        self._hold(client, [arrays for arrays, _ in parts])
        for job, (arrays, part) in zip(jobs, parts, strict=True):
            future = client.submit(
                train_sent, SentJob.of(job, part), worker_versions(),
                *self._held[id(arrays[0])][1], workers=self._allowed, pure=False,
            )  # fmt: skip
            waiting[future] = job
        total = max(round(sum(job.share for job in jobs)), 1)
        bar = progress("Training windows", total) if shown else nullcontext(lambda share: None)
        with bar as advance:
            _collect(waiting, partial(client.ncores, self._allowed), advance)

    def _vet(self, client: "Client") -> None:
        """Compare the versions of the workers with ours, again where others have come or gone."""
        threads = client.ncores()
        if threads.keys() != self._present:
            accepted, some_refused = _accepted(client, self._scheduler)
            # Later ones, for one that ended perhaps, are as welcome where nobody is refused.
            self._allowed = accepted if some_refused else None
            self._present = set(threads)
            self.threads = sum(threads.get(address, 0) for address in accepted)

    def _hold(self, client: "Client", needed: Sequence[Arrays]) -> None:
        """Let all workers have these arrays, and forget others."""
        # Dask would drop all copies but one between two trainings.
        if client.amm.running():
            client.amm.stop()
            self._stopped_amm = True
        known, self._held = self._held, {}
        for arrays in needed:
            name = id(arrays[0])
            if name in self._held:
                continue
            _, futures = known.get(name, (arrays, []))
            if not futures or any(future.status != "finished" for future in futures):
                # As data: workers cannot map our files.
                plain = [np.asarray(array) for array in arrays]
                futures = client.scatter(plain, workers=self._allowed, broadcast=True, hash=False)
            # With the arrays, so that no others can get their place in memory.
            self._held[name] = arrays, futures


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
