"""A search whose boosters a cluster trains: the same trials, losses, record, whatever goes on."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

from freqai_signals.settings import SignalSettings
from freqai_signals.training import boosting, cluster
from freqai_signals.training.cluster import Cluster
from freqai_signals.training.sent_jobs import worker_versions
from freqai_signals.tuning.objective import _folds_ahead
from freqai_signals.tuning.records import TuningRecord
from freqai_signals.tuning.run import Scope, tune
from tests.model_rows import make_rows, small
from tests.training.dask_cluster import (
    DaskCluster,
    InThisProcess,
    dask_cluster,
    need_dask,
    old_lightgbm,
)
from tests.tuning.tuning_rows import POOL, records, tuning_settings

FOLDS = 5
Outcome = tuple[TuningRecord, list[tuple[Any, ...]]]


def settings() -> SignalSettings:
    """Trials are pruned after the first, second and fourth fold, and one beats the default."""
    default = {"learning_rate": 0.01, "rounds": 20}
    return tuning_settings(default, {"kind": "two_stage"}, trials=7, folds=FOLDS)


def outcome(folder: Path, made: Cluster | None = None) -> Outcome:
    """The record but for its time, and of each trial state, parameters and losses after folds."""
    with made or Cluster() as opened:
        record = tune(make_rows(), settings(), Scope(records(folder), POOL, cluster=opened))
    url = f"sqlite:///{records(folder).folder / 'studies.sqlite'}"
    (name,) = optuna.get_all_study_names(url)
    trials = optuna.load_study(study_name=name, storage=url).trials
    seen = [(t.state, t.params, t.intermediate_values, t.user_attrs.get("paths")) for t in trials]
    return dataclasses.replace(record, made=""), seen


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    record, trials = outcome(tmp_path_factory.mktemp("alone"))
    assert {len(losses) for _, _, losses, _ in trials} == {1, 2, 4, FOLDS}
    assert "gain" in record.evidence
    return record, trials


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    need_dask()
    with dask_cluster(tmp_path_factory.mktemp("dask"), "one", "two") as made:
        yield made


@pytest.fixture
def training_is_allowed(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """While it is empty, training a booster in this process is an error."""
    allowed: list[bool] = []

    def guarded(train: Callable[..., Any]) -> Callable[..., Any]:
        def only_if_allowed(*arguments: Any) -> Any:
            assert allowed, "a booster was trained outside of the cluster"
            return train(*arguments)

        return only_if_allowed

    for name in ("fit_rounds", "fit_early_stopping"):
        monkeypatch.setattr(boosting.booster, name, guarded(getattr(boosting.booster, name)))
    return allowed


@pytest.mark.parametrize(("threads", "default_trial"), [(1, [1, 1, 2, 1]), (8, [4, 1])])
def test_everything_is_trained_ahead_and_the_outcome_is_the_same(
    tmp_path: Path,
    alone: Outcome,
    training_is_allowed: list[bool],
    threads: int,
    default_trial: list[int],
) -> None:
    made = InThisProcess(threads, training_is_allowed)
    assert outcome(tmp_path, made) == alone
    assert made.windows[: len(default_trial)] == default_trial
    # The paired test.
    assert made.windows[-1] == 2


def test_folds_beyond_the_next_step_that_prunes_are_for_idle_threads() -> None:
    one_by_one = [_folds_ahead(done, small(), 1) for done in range(5)]
    assert one_by_one == [1, 2, 4, 4, 8]
    assert [_folds_ahead(0, small({"seeds": seeds}), 8) for seeds in (1, 2, 4)] == [4, 2, 1]
    assert _folds_ahead(0, small({"kind": "multiclass"}), 8) == 8


def warnings_of_the_cluster(caplog: pytest.LogCaptureFixture) -> list[str]:
    ours = [record for record in caplog.records if record.name == cluster.__name__]
    return [record.getMessage() for record in ours if record.levelname == "WARNING"]


def at_training(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], None]) -> None:
    """Do something when so many trainings of the cluster have begun."""
    collect, begun = cluster._collect, list[int]()

    def collected(*arguments: Any) -> None:
        begun.append(1)
        if len(begun) == number:
            act()
        collect(*arguments)

    monkeypatch.setattr(cluster, "_collect", collected)


@pytest.mark.slow
@pytest.mark.usefixtures("training_is_allowed")
def test_a_worker_of_another_version_is_refused_once_a_search(
    workers: DaskCluster, alone: Outcome, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with old_lightgbm(workers, tmp_path / "old"):
        assert outcome(tmp_path / "user", Cluster(workers.address)) == alone
    (refused,) = warnings_of_the_cluster(caplog)
    ours = worker_versions()["lightgbm"]
    assert refused.endswith(f"is refused, it has lightgbm 3.0 instead of {ours}")


@pytest.mark.slow
def test_a_worker_then_the_scheduler_ends_in_the_middle_of_a_search(
    workers: DaskCluster, alone: Outcome, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch, training_is_allowed: list[bool],
) -> None:  # fmt: skip
    """The last one: it ends what the test before it shares."""
    at_training(monkeypatch, 3, lambda: workers.kill(workers.busy()[0]))
    assert outcome(tmp_path / "worker", Cluster(workers.address)) == alone
    assert len(workers.processes) == 2
    assert warnings_of_the_cluster(caplog) == []

    training_is_allowed.append(True)
    at_training(monkeypatch, 3, lambda: workers.kill("scheduler"))
    assert outcome(tmp_path / "scheduler", Cluster(workers.address)) == alone
    left, gone = warnings_of_the_cluster(caplog)
    assert "trainings are left to this machine: Dask gave it up" in left
    assert f"scheduler at {workers.address} is gone. Boosters are trained on this" in gone


@pytest.mark.slow
def test_a_scheduler_out_of_reach_is_named_once_a_search(
    alone: Outcome, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    need_dask()
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 1)
    assert outcome(tmp_path, Cluster("tcp://127.0.0.1:9")) == alone
    (said,) = warnings_of_the_cluster(caplog)
    assert said.startswith("No Dask scheduler answers at tcp://127.0.0.1:9")
