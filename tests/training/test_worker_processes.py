"""Boosters of many windows by worker processes: the same bits, whatever happens to them."""

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.bench_training import synthetic_rows
from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.model import booster
from freqai_signals.model.artefact import to_bytes
from freqai_signals.training import boosting, worker_processes
from freqai_signals.training.booster_store import BoosterStore
from freqai_signals.training.boosting import WindowTask
from freqai_signals.training.fit import Boosters, Request, boosters_ahead, train
from freqai_signals.training.model_store import ModelStore
from freqai_signals.training.row_checks import Split
from freqai_signals.training.worker_processes import train_ahead, usable_workers
from tests.model_rows import make_rows, small

WINDOWS = 3


@dataclass
class Fatal(BoosterStore):
    """Ends its process, or has no memory, when it stores; with a mark, only the first time."""

    error: str = "exit"
    mark: str = ""

    def save(self, key: str, fitted: booster.Fitted) -> booster.Fitted:
        if not (self.mark and Path(self.mark).exists()):
            if self.mark:
                Path(self.mark).touch()
            if self.error == "memory":
                raise MemoryError("no 47 MB")
            os._exit(9)
        return super().save(key, fitted)


@pytest.fixture(autouse=True)
def _however_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_processes, "_WORTH_CELLS", 0)
    monkeypatch.setattr(worker_processes, "_WORTH_PROCESSES", 0)


def windows(seeds: int = 1) -> list[Request]:
    """Overlapping windows, as of a backtest."""
    rows, settings = make_rows(2000), small({"seeds": seeds})
    edges = [(10_000 + 200 * i, 11_500 + 200 * i) for i in range(WINDOWS)]
    return [Request(rows.take((rows.start >= a) & (rows.start < b)), settings) for a, b in edges]


def tasks(requests: list[Request], store: BoosterStore) -> list[WindowTask]:
    made = [boosters_ahead(request, i == 0, store) for i, request in enumerate(requests)]
    return [task for task in made if task is not None]


def models(requests: list[Request], boosters: Boosters | None = None) -> list[bytes]:
    """Each model made after the one before, as its history goes on."""
    made, previous = [], None
    for request in requests:
        previous = train(Request(request.rows, request.settings, previous), boosters=boosters)
        made.append(to_bytes(previous))
    return made


@pytest.fixture
def nothing_trains(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """After a call, training a booster in this process is an error."""

    def forbid() -> None:
        def refused(*arguments: object) -> None:
            raise AssertionError("a booster was trained a second time")

        monkeypatch.setattr(boosting.booster, "fit_rounds", refused)
        monkeypatch.setattr(boosting.booster, "fit_early_stopping", refused)

    return forbid


@pytest.mark.parametrize(
    ("workers", "seeds", "cells"), [(2, 1, 10**9), (3, 2, 10**9), (2, 1, 0), (3, 2, 0)]
)
def test_models_are_the_same_bytes_for_any_number_of_workers(
    tmp_path: Path,
    nothing_trains: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
    seeds: int,
    cells: int,
) -> None:
    """In threads, up to so many cells, and in processes."""
    monkeypatch.setattr(worker_processes, "_WORTH_PROCESSES", cells)
    requests = windows(seeds)
    alone = models(requests)
    assert models(requests, Boosters(workers=workers)) == alone
    store = BoosterStore(tmp_path)
    train_ahead(tasks(requests, store), workers)
    nothing_trains()
    assert models(requests, Boosters(store)) == alone


def test_what_is_stored_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = BoosterStore(tmp_path)
    made = tasks(windows(), store)
    for task in made[:2]:
        boosting.fit_window(task)
    started: list[int] = []

    def counted(jobs: list[object], *arguments: object) -> list[object]:
        started.append(len(jobs))
        return []

    monkeypatch.setattr(worker_processes, "_side_by_side", counted)
    train_ahead(made, 2)
    boosting.fit_window(made[2])
    train_ahead(made, 2)
    # Move and direction of the one that is left, then nothing.
    assert started == [2]


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, nothing_trains: Callable[[], None]
) -> None:
    requests = windows()
    alone = models(requests)
    train_ahead(tasks(requests, Fatal(tmp_path, mark=str(tmp_path / "died"))), 2)
    assert "A worker process ended (first time)" in caplog.text
    nothing_trains()
    assert models(requests, Boosters(BoosterStore(tmp_path))) == alone


@pytest.mark.slow
@pytest.mark.parametrize("error", ["exit", "memory"])
def test_a_window_on_which_workers_die_abstains_and_is_not_stored(
    tmp_path: Path, error: str
) -> None:
    requests = windows()
    store = ModelStore(tmp_path)
    fatal = Fatal(tmp_path / "boosters", error=error)
    train_ahead(tasks(requests[:1], fatal), 2)
    store.boosters.failures.update(fatal.failures)
    model = store.train(requests[0])
    assert model.fit is None
    reason = {"exit": "ended twice", "memory": "not enough memory to train it (no 47 MB)"}[error]
    assert reason in model.card.reason
    assert list(tmp_path.glob("*.model")) == []
    # Another run, perhaps on a larger machine, trains it.
    assert ModelStore(tmp_path).train(requests[0]).fit is not None


def test_a_store_that_cannot_be_written_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, nothing_trains: Callable[[], None]
) -> None:
    requests = windows()
    alone = models(requests)
    (tmp_path / "file").write_text("in the way")
    store = BoosterStore(tmp_path / "file" / "boosters")
    train_ahead(tasks(requests, store), 2)
    nothing_trains()
    assert models(requests, Boosters(store)) == alone


def test_a_damaged_or_foreign_booster_is_trained_again(
    rows: TrainingRows, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    request = Request(rows, small())
    alone = to_bytes(train(request, boosters=Boosters(BoosterStore(tmp_path, key=b"ours"))))
    files = sorted(tmp_path.glob("*.booster"))
    contents = [file.read_bytes() for file in files]
    # Cut short, or whole and signed but of another key.
    for place, file in enumerate(files):
        file.write_bytes(contents[place - 1] if place % 2 else contents[place][:-40])
    assert to_bytes(train(request, boosters=Boosters(BoosterStore(tmp_path, key=b"ours")))) == alone
    assert caplog.text.count("its booster is trained again") == len(files) > 2
    caplog.clear()
    train(request, boosters=Boosters(BoosterStore(tmp_path, key=b"theirs")))
    assert caplog.text.count("not signed by this installation") == len(files)


def test_a_stored_booster_is_written_as_text_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    texts: list[str] = []
    write = booster.to_text

    def to_text(fitted: booster.Fitted) -> str:
        texts.append(write(fitted))
        return texts[-1]

    monkeypatch.setattr(booster, "to_text", to_text)
    store = BoosterStore(tmp_path)
    train(windows()[0], boosters=Boosters(store))
    assert len(texts) == store.trained > 0


def test_the_least_recently_used_boosters_go_unless_a_run_may_need_them(
    rows: TrainingRows, tmp_path: Path
) -> None:
    store = BoosterStore(tmp_path, max_files=2)
    train(Request(rows, small()), boosters=Boosters(store))
    files = sorted(tmp_path.glob("*.booster"))
    assert len(files) > 2
    for days, file in enumerate(files):
        os.utime(file, (0, 86_400 * days))
    train(Request(rows, small({"refit": False}, {"seed": 7})), boosters=Boosters(store))
    assert not set(files) & set(tmp_path.glob("*.booster"))


def test_more_workers_than_cores_are_refused_with_a_message(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_processes.joblib, "cpu_count", lambda: 2)
    assert usable_workers(None) == usable_workers(2) == 2
    assert usable_workers(1) == 1
    assert caplog.text == ""
    assert usable_workers(64) == 2
    assert "freqai.signals.workers is 64, but only 2 cores" in caplog.text


def test_without_memory_for_two_the_windows_are_trained_one_by_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SimpleNamespace(available=400 * 2**20)
    monkeypatch.setattr(worker_processes.psutil, "virtual_memory", lambda: free)
    train_ahead(tasks(windows(), BoosterStore(tmp_path)), 2)
    assert "400 MB of memory are free, enough for 1 of 2 workers" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_a_worker_leaves_the_windows_to_whoever_asks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise OSError("no semaphores")

    monkeypatch.setattr(worker_processes, "_side_by_side", broken)
    train_ahead(tasks(windows(), BoosterStore(tmp_path)), 2)
    assert "it goes on one by one" in caplog.text
    assert "no semaphores" in caplog.text


def test_boosters_of_equal_parameters_are_kept_apart(tmp_path: Path) -> None:
    """Move and direction have one objective: their targets and rows tell them apart."""
    booster = {"learning_rate": 0.1, "feature_fraction": 0.5, "rounds": 20}
    alike = {"learning_rate": 0.1, "feature_fraction": 0.5, "rounds": 20}
    request = Request(make_rows(1500), small({}, booster, direction=alike))
    alone = to_bytes(train(request))
    assert to_bytes(train(request, boosters=Boosters(BoosterStore(tmp_path)))) == alone
    assert to_bytes(train(request, boosters=Boosters(BoosterStore(tmp_path)))) == alone


def test_boosters_depend_neither_on_trades_nor_on_who_is_first(
    tmp_path: Path, nothing_trains: Callable[[], None]
) -> None:
    (request, *_) = windows()
    store = BoosterStore(tmp_path)
    boosting.fit_window(boosters_ahead(request, True, store))  # type: ignore[arg-type]
    nothing_trains()
    other = dataclasses.replace(request.rows, trade=request.rows.trade + 1.0)
    again = Request(other, request.settings)
    assert boosting.fit_window(boosters_ahead(again, False, store)).early == ()  # type: ignore[arg-type]


def test_boosters_depend_on_the_hold_out_and_on_the_code(
    rows: TrainingRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    longer = small(validation_fraction=0.3)
    made = [WindowTask(rows, Split.of(rows, each, True), small()) for each in (small(), longer)]
    assert made[0].key != made[1].key
    (first, again, other) = (BoosterStore(tmp_path) for _ in range(3))
    train(Request(rows, small()), boosters=Boosters(first))
    train(Request(rows, small()), boosters=Boosters(again))
    monkeypatch.setattr(boosting, "code_digest", lambda: "other")
    train(Request(rows, small()), boosters=Boosters(other))
    assert (first.trained, again.trained) == (other.trained, 0)
    assert len(list(tmp_path.glob("*.booster"))) == 2 * first.trained > 0


def test_rows_of_the_benchmark_train(rows: TrainingRows) -> None:
    made = synthetic_rows(1500, 20)
    assert made.trade.shape[1] == rows.trade.shape[1]
    assert train(Request(made, small())).fit is not None
