"""A Dask scheduler and workers, processes of their own on 127.0.0.1; they end with the test."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from freqai_signals.training.boosting import WindowTask, fit_window
from freqai_signals.training.cluster import Cluster

REPO = Path(__file__).resolve().parents[2]
_SECONDS = 30


def need_dask() -> None:
    pytest.importorskip(
        "distributed", reason='Dask is missing: pip install "freqai-signals[cluster]"'
    )


class InThisProcess(Cluster):
    """A cluster that needs no Dask, and counts the windows that it is asked for.

    ``allowed`` is not empty while it trains.
    """

    def __init__(self, threads: int, allowed: list[bool] | None = None) -> None:
        super().__init__()
        self.threads = threads
        self.allowed = [] if allowed is None else allowed
        self.windows: list[int] = []

    def train(self, tasks: Sequence[WindowTask], shown: bool = True) -> None:
        self.allowed.append(True)
        self.windows.append(len(tasks))
        for task in tasks:
            fit_window(task)
        self.allowed.clear()


@dataclass
class DaskCluster:
    folder: Path
    address: str = ""
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, name: str, module: str, *options: str, **variables: str) -> None:
        path = os.pathsep.join([variables.pop("first_path", str(REPO)), str(REPO)])
        command = [sys.executable, "-m", f"distributed.cli.{module}", "--no-dashboard", *options]
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=log,
                env={**os.environ, "PYTHONPATH": path, **variables},
            )  # fmt: skip

    def worker(self, name: str, **variables: str) -> None:
        options = ("--no-nanny", "--nthreads", "1", "--name", name, "--host", "127.0.0.1")
        self.start(name, "dask_worker", self.address, *options, **variables)

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def busy(self) -> list[str]:
        """Names of the workers that train something right now."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            info = client.scheduler_info(n_workers=-1)["workers"]
            return [info[worker]["name"] for worker, work in client.processing().items() if work]

    def wait(self, names: Mapping[str, object] | set[str]) -> None:
        """Until exactly these workers are there."""
        from distributed import Client

        end = time.monotonic() + _SECONDS
        with Client(self.address, set_as_default=False) as client:
            while time.monotonic() < end:
                workers = client.scheduler_info(n_workers=-1)["workers"].values()
                if {worker["name"] for worker in workers} == set(names):
                    return
                time.sleep(0.1)
        logs = [path.read_text() for path in self.folder.glob("*.log")]
        raise AssertionError(f"workers {set(names)} did not come: {logs}")


@contextmanager
def old_lightgbm(cluster: DaskCluster, folder: Path) -> Iterator[None]:
    """One more worker, ``old``, which really finds another version of a library installed."""
    described = folder / "lightgbm-3.0.dist-info" / "METADATA"
    described.parent.mkdir(parents=True)
    described.write_text("Metadata-Version: 2.1\nName: lightgbm\nVersion: 3.0\n")
    names = set(cluster.processes) - {"scheduler"}
    cluster.worker("old", first_path=str(folder))
    cluster.wait({*names, "old"})
    yield
    cluster.kill("old")


@contextmanager
def dask_cluster(folder: Path, *workers: str) -> Iterator[DaskCluster]:
    """A scheduler with workers of these names."""
    cluster = DaskCluster(folder)
    file = folder / "scheduler.json"
    try:
        cluster.start(
            "scheduler", "dask_scheduler",
            *("--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file)),
        )  # fmt: skip
        end = time.monotonic() + _SECONDS
        while not cluster.address and time.monotonic() < end:
            time.sleep(0.1)
            if file.exists() and file.read_text():
                cluster.address = json.loads(file.read_text())["address"]
        for name in workers:
            cluster.worker(name)
        cluster.wait(set(workers))
        yield cluster
    finally:
        for name in list(cluster.processes):
            cluster.kill(name)
