"""Boosters trained by a real Dask cluster on loopback: the same bits, whatever happens to it."""

import dataclasses
import pickle
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freqai_signals.dataset.pool_matrix import PoolMatrix
from freqai_signals.dataset.rows import Window
from freqai_signals.settings import LedgerSettings
from freqai_signals.training import boosting, cluster
from freqai_signals.training.booster_store import BoosterStore
from freqai_signals.training.boosting import WindowTask
from freqai_signals.training.cluster import Cluster, ClusterError
from freqai_signals.training.fit import Boosters, Request
from freqai_signals.training.sent_jobs import SentJob, train_sent, whole_arrays, worker_versions
from freqai_signals.training.worker_processes import jobs_of
from tests.model_rows import make_rows, small
from tests.training.dask_cluster import DaskCluster, dask_cluster, need_dask, old_lightgbm
from tests.training.test_worker_processes import models, tasks, windows

SIGNING_KEY = b"a secret of this installation"


@pytest.fixture
def nothing_trains_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: object) -> None:
        raise AssertionError("a booster was trained in this process")

    monkeypatch.setattr(boosting.booster, "fit_rounds", refused)
    monkeypatch.setattr(boosting.booster, "fit_early_stopping", refused)


@pytest.fixture(scope="module")
def alone() -> list[bytes]:
    """Models of one process."""
    return models(windows(seeds=2))


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    need_dask()
    with dask_cluster(tmp_path_factory.mktemp("dask"), "one", "two") as made:
        yield made


def train_on_cluster(made: list[WindowTask], address: str) -> None:
    with Cluster(address) as opened:
        opened.train(made)


def window_tasks(store: BoosterStore) -> list[WindowTask]:
    return tasks(windows(seeds=2), store)


def test_rows_are_sent_once_and_secrets_never(tmp_path: Path) -> None:
    rows = make_rows(2000)
    matrix = PoolMatrix([rows], tmp_path)
    settings = small()
    ledger = LedgerSettings(url="postgresql+psycopg://me:password@db/ledger")
    settings = settings.model_copy(update={"ledger": ledger})
    edges = [Window(10_000 + 200 * i, 11_500 + 200 * i) for i in range(3)]
    requests = [Request(matrix.window(edge), settings) for edge in edges]
    store = BoosterStore(tmp_path / "boosters", key=SIGNING_KEY)
    jobs = jobs_of(tasks(requests, store), 2)
    assert len(jobs) > len(edges)
    held = [whole_arrays(job.task) for job in jobs]
    assert len({id(features) for (features, _), _ in held}) == 1
    for job, ((features, _), part) in zip(jobs, held, strict=True):
        content = pickle.dumps(SentJob.of(job, part))
        assert SIGNING_KEY not in content
        assert b"password" not in content
        assert len(content) < 0.2 * job.task.rows.features.nbytes
        assert len(features) < 1.5 * len(job.task.rows)


def test_rows_that_are_copies_are_sent_as_they_are() -> None:
    (task, *_) = tasks(windows(), BoosterStore(Path("unused")))
    copied = task.rows.take(np.arange(len(task.rows)) % 3 > 0)
    (features, label), part = whole_arrays(dataclasses.replace(task, rows=copied))
    assert (features is copied.features, label is copied.label) == (True, True)
    assert part == slice(0, len(copied))


def test_a_job_trains_the_same_boosters_from_what_was_sent(tmp_path: Path) -> None:
    made = tasks(windows(), BoosterStore(tmp_path))
    for task in made:
        boosting.fit_window(task)
    for job in jobs_of(made, 1):
        arrays, part = whole_arrays(job.task)
        sent = pickle.loads(pickle.dumps(SentJob.of(job, part)))
        trained, problem = train_sent(sent, worker_versions(), *arrays)
        assert problem == ""
        assert trained
        assert all((tmp_path / f"{key}.booster").is_file() for key in trained)
        spoilt = arrays[0] + np.float32(1)
        assert train_sent(sent, worker_versions(), spoilt, arrays[1])[1].startswith("the rows did")
        other = {**worker_versions(), "numpy": "1.0"}
        assert "instead of 1.0" in train_sent(sent, other, *arrays)[1]


def test_of_copies_that_are_known_the_whole_is_sent_once(tmp_path: Path) -> None:
    (request, *_) = windows()
    masks = [np.arange(len(request.rows)) % 7 != i for i in range(2)]
    whole = []
    for mask in masks:
        part = Request(request.rows.take(mask), request.settings)
        (task,) = tasks([part], BoosterStore(tmp_path))
        boosting.fit_window(task)
        (job, *_) = jobs_of([dataclasses.replace(task, taken=(request.rows, mask))], 1)
        arrays, sent_part = whole_arrays(job.task)
        whole.append(arrays[0])
        sent = pickle.loads(pickle.dumps(SentJob.of(job, sent_part)))
        trained, problem = train_sent(sent, worker_versions(), *arrays)
        assert problem == ""
        assert trained
        assert all((tmp_path / f"{key}.booster").is_file() for key in trained)
    assert all(features is request.rows.features for features in whole)


def test_without_dask_it_says_how_to_install_it_and_trains_here(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    train_on_cluster(tasks(windows(), BoosterStore(tmp_path)), "tcp://127.0.0.1:8786")
    assert 'install it: pip install "freqai-signals[cluster]"' in caplog.text
    assert "trained on this machine instead" in caplog.text
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "tcp//nonsense"])
def test_a_scheduler_out_of_reach_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    need_dask()
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 1)
    train_on_cluster(tasks(windows(), BoosterStore(tmp_path)), address)
    assert f"No Dask scheduler answers at {address}" in caplog.text


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_trains_here")
def test_a_cluster_trains_the_same_bytes(
    workers: DaskCluster, alone: list[bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = BoosterStore(tmp_path, key=SIGNING_KEY)
    train_on_cluster(window_tasks(store), workers.address)
    assert "WARNING" not in caplog.text
    assert models(windows(seeds=2), Boosters(BoosterStore(tmp_path, key=SIGNING_KEY))) == alone
    trained = store.trained
    assert trained == len(list(tmp_path.iterdir()))
    train_on_cluster(window_tasks(store), workers.address)
    assert store.trained == trained


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_trains_here")
def test_rows_stay_with_all_workers_from_one_training_to_the_next(
    workers: DaskCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask looks every two seconds for copies that are in nobody's way, and drops them."""
    from distributed import Client

    # Windows of one matrix, as in a backtest.
    matrix, settings = PoolMatrix([make_rows(2000)], tmp_path), small()
    edges = [Window(10_000 + 200 * i, 11_500 + 200 * i) for i in range(3)]
    store = BoosterStore(tmp_path / "boosters")
    first, *others = tasks([Request(matrix.window(e), settings) for e in edges], store)
    scattered: list[object] = []
    scatter = Client.scatter

    def counted(client: Client, data: object, **options: object) -> object:
        scattered.append(data)
        return scatter(client, data, **options)

    monkeypatch.setattr(Client, "scatter", counted)
    with Client(workers.address, set_as_default=False) as observer:
        with Cluster(workers.address) as opened:
            opened.train([first])
            time.sleep(5)
            held = [key for keys in observer.has_what().values() for key in keys]
            assert sorted(Counter(held).values()) == [2, 2]
            opened.train(others)
        assert len(scattered) == 1
        assert observer.amm.running()
        time.sleep(1)
        assert not any(observer.has_what().values())


def when_first_is_done(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    @contextmanager
    def progress(title: str, total: int) -> Iterator[Callable[[float], None]]:
        done: list[float] = []

        def advance(share: float) -> None:
            done.append(share)
            if len(done) == 1:
                act()

        yield advance

    monkeypatch.setattr(cluster, "progress", progress)


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_trains_here")
def test_a_worker_with_another_version_is_refused_by_name(
    workers: DaskCluster, alone: list[bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The other workers train."""
    with old_lightgbm(workers, tmp_path / "old"):
        train_on_cluster(window_tasks(BoosterStore(tmp_path / "store")), workers.address)
    (refused,) = [r.getMessage() for r in caplog.records if "refused" in r.getMessage()]
    ours = worker_versions()["lightgbm"]
    assert refused.startswith("Worker old at tcp://127.0.0.1:")
    assert refused.endswith(f"is refused, it has lightgbm 3.0 instead of {ours}")
    assert models(windows(seeds=2), Boosters(BoosterStore(tmp_path / "store"))) == alone


@pytest.mark.slow
def test_what_a_killed_worker_had_is_trained_by_another_then_here(
    workers: DaskCluster, alone: list[bytes], tmp_path: Path,
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The last one: it ends what the tests before it share, a worker, then the scheduler."""
    when_first_is_done(monkeypatch, lambda: workers.kill(workers.busy()[0]))
    store = BoosterStore(tmp_path / "first")
    train_on_cluster(window_tasks(store), workers.address)
    assert len(workers.processes) == 2
    assert store.trained == len(list(store.folder.iterdir()))
    assert "left to this machine" not in caplog.text
    trained = store.trained
    assert models(windows(seeds=2), Boosters(store)) == alone
    assert store.trained == trained

    when_first_is_done(monkeypatch, lambda: workers.kill("scheduler"))
    store = BoosterStore(tmp_path / "second")
    train_on_cluster(window_tasks(store), workers.address)
    assert "trainings are left to this machine: Dask gave it up" in caplog.text
    assert 0 < store.trained < trained
    assert models(windows(seeds=2), Boosters(store)) == alone


class _Future:
    """A job whose worker ended with the result, at a scheduler without another."""

    status = "lost"

    def add_done_callback(self, call: Callable[["_Future"], None]) -> None:
        call(self)

    def result(self, timeout: float) -> None:
        raise TimeoutError


def test_a_job_that_ends_its_workers_is_left_with_the_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = BoosterStore(Path("unused"))
    (job, *_) = jobs_of(window_tasks(store), 1)
    given_up: Any = _Future()
    given_up.status = "error"
    given_up.exception = lambda: RuntimeError("4 workers died while running it")
    shares: list[float] = []
    cluster._collect({given_up: job}, dict, shares.append)
    assert "1 trainings are left to this machine: 4 workers died" in caplog.text
    assert (shares, store.trained) == ([0.0], 0)


def test_without_a_worker_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_PATIENCE_SECONDS", 0.01)
    (job, *_) = jobs_of(window_tasks(BoosterStore(Path("unused"))), 1)
    answers = iter([{"tcp://10.0.0.1:1": 1}, {}])
    waiting: Any = {_Future(): job}
    with pytest.raises(ClusterError, match="No worker is left for 1 trainings"):
        cluster._collect(waiting, lambda: next(answers), lambda share: None)


class _Strangers:
    """A client of which only what vetting asks for is there."""

    def __init__(self, versions: dict[str, object]) -> None:
        self.versions = versions

    def run(self, *arguments: object, **options: object) -> dict[str, object]:
        return self.versions

    def ncores(self) -> dict[str, int]:
        return dict.fromkeys(self.versions, 1)

    def scheduler_info(self, n_workers: int) -> dict[str, object]:
        return {"workers": {address: {"name": "spare"} for address in self.versions}}


def test_where_nobody_can_train_the_message_says_why(caplog: pytest.LogCaptureFixture) -> None:
    old = {**worker_versions(), "numpy": "1.0"}
    absent = ModuleNotFoundError("No module named 'freqai_signals'")
    strangers: Any = _Strangers({"tcp://10.0.0.1:1": old, "tcp://10.0.0.2:2": absent})
    with pytest.raises(ClusterError, match="None of the 2 workers at tcp://s:1 can be used"):
        cluster._accepted(strangers, "tcp://s:1")
    assert "Worker spare at tcp://10.0.0.1:1 is refused, it has numpy 1.0" in caplog.text
    assert "it has ModuleNotFoundError: No module named 'freqai_signals'" in caplog.text
    nobody: Any = _Strangers({})
    with pytest.raises(ClusterError, match="The Dask scheduler at tcp://s:1 has no workers"):
        cluster._accepted(nobody, "tcp://s:1")


def test_workers_that_come_between_trainings_are_compared_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    opened = Cluster("tcp://s:1")
    client: Any = _Strangers({"tcp://10.0.0.1:1": worker_versions()})
    opened._vet(client)
    assert (opened.threads, opened._allowed) == (1, None)
    client.versions["tcp://10.0.0.2:2"] = {**worker_versions(), "numpy": "1.0"}
    client.versions["tcp://10.0.0.3:3"] = worker_versions()
    for _ in range(2):
        opened._vet(client)
    assert (opened.threads, opened._allowed) == (2, ["tcp://10.0.0.1:1", "tcp://10.0.0.3:3"])
    assert caplog.text.count("is refused, it has numpy 1.0") == 1
