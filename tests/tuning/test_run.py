"""A tuning: repeatable, resumable, shared, with a fair test of what it found."""

import dataclasses
import math
import os
import signal
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import optuna
import pytest
import sqlalchemy

from freqai_signals.training import worker_processes
from freqai_signals.training.boosting import WindowTask
from freqai_signals.tuning import objective
from freqai_signals.tuning.objective import TooFewRows
from freqai_signals.tuning.records import TuningRecord
from freqai_signals.tuning.run import Scope, Unfinished, tune
from freqai_signals.tuning.search_space import tuning_rows
from freqai_signals.tuning.storage import StorageError
from tests.ledger.ledger_rows import POSTGRES
from tests.model_rows import make_rows
from tests.tuning.tuning_rows import (
    POOL,
    POOR,
    begin,
    in_a_process,
    records,
    tuned,
    tuning_settings,
)


def same(one: TuningRecord, other: TuningRecord) -> bool:
    return dataclasses.replace(one, made="") == dataclasses.replace(other, made="")


def studies(url: str) -> list[optuna.Study]:
    storage = optuna.storages.RDBStorage(url)
    return [
        optuna.load_study(study_name=name, storage=storage)
        for name in optuna.get_all_study_names(storage)
    ]


def sqlite(folder: Path) -> str:
    return f"sqlite:///{folder / 'studies.sqlite'}"


@pytest.fixture
def postgres() -> Iterator[str]:
    """URL of a new database on the server that the environment names."""
    given = os.environ.get(POSTGRES)
    if not given:
        pytest.skip(f"no server: start one with .ci/postgres.sh and name it in {POSTGRES}")
    name = f"tuning_{uuid.uuid4().hex[:10]}"
    engine = sqlalchemy.create_engine(given, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
    yield sqlalchemy.make_url(given).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


# Repeatable


def test_the_same_seed_and_trials_give_the_same_record(tmp_path: Path) -> None:
    one = tuned(tmp_path / "one", tuning_settings())
    assert same(one, tuned(tmp_path / "other", tuning_settings()))
    threads = tuned(tmp_path / "threads", tuning_settings({"threads": 2}))
    assert threads.parameters == one.parameters
    assert threads.evidence == one.evidence


def test_folds_that_are_trained_side_by_side_give_the_same_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_a_time: list[tuple[int, int]] = []

    def by_threads(tasks: Sequence[WindowTask], workers: int) -> None:
        at_a_time.append((len(tasks), workers))
        worker_processes.train_by_threads(tasks, workers)
        # Their own trainings find all of them.
        assert not any(job.missing() for job in worker_processes.jobs_of(tasks, workers))

    monkeypatch.setattr(objective, "train_by_threads", by_threads)
    monkeypatch.setattr(worker_processes, "_WORTH_CELLS", 1)
    monkeypatch.setattr(worker_processes.joblib, "cpu_count", lambda: 4)
    settings = tuning_settings()
    alone = tuned(tmp_path / "one", settings.model_copy(update={"workers": 1}))
    assert at_a_time == []
    assert same(tuned(tmp_path / "four", settings), alone)
    assert set(at_a_time) == {(2, 4)}


def test_another_seed_tries_other_parameters(tmp_path: Path) -> None:
    tuned(tmp_path, tuning_settings(storage=sqlite(tmp_path)))
    tuned(tmp_path, tuning_settings(storage=sqlite(tmp_path), seed=7))
    one, other = ([t.params for t in study.trials] for study in studies(sqlite(tmp_path)))
    assert one[0] == other[0]  # the default
    assert one[1:] != other[1:]


def test_the_default_is_the_first_trial_and_is_never_pruned(tmp_path: Path) -> None:
    settings = tuning_settings(POOR, storage=sqlite(tmp_path))
    record = tuned(tmp_path, settings)
    (study,) = studies(sqlite(tmp_path))
    first = study.trials[0]
    assert first.params == record.default
    assert first.state == optuna.trial.TrialState.COMPLETE
    assert record.evidence["default_score"] == first.value


def test_worse_trials_stop_before_all_folds(tmp_path: Path) -> None:
    record = tuned(tmp_path, tuning_settings(trials=10, storage=sqlite(tmp_path)))
    (study,) = studies(sqlite(tmp_path))
    pruned = [t for t in study.trials if t.state == optuna.trial.TrialState.PRUNED]
    assert len(pruned) == record.evidence["pruned"] > 0
    assert all(len(t.intermediate_values) < 2 for t in pruned)
    complete = [t for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE]
    assert all(len(t.intermediate_values) == 2 for t in complete)


# Honest


def test_parameters_that_are_better_on_unseen_rows_win(tmp_path: Path) -> None:
    record = tuned(tmp_path, tuning_settings(POOR))
    assert record.beats_default
    assert record.parameters != record.default
    assert record.evidence["gain_bound"] > 0
    assert record.evidence["tuned_score"] < record.evidence["default_score"]
    assert record.evidence["judged_rows"] > 200


def test_on_rows_without_any_edge_the_default_stays(tmp_path: Path) -> None:
    rows = make_rows()
    order = np.random.default_rng(1).permutation(len(rows))
    shuffled = dataclasses.replace(rows, label=rows.label[order])
    record = tune(shuffled, tuning_settings(trials=8), Scope(records(tmp_path), POOL))
    assert not record.beats_default


def test_rows_that_judge_choose_nothing(tmp_path: Path) -> None:
    rows = make_rows()
    clean = tune(rows, tuning_settings(POOR), Scope(records(tmp_path / "clean"), POOL))
    first = tuning_rows(rows, tuning_settings()).held_out.start.min()
    wrong = np.where(rows.start >= first, (rows.label + 1) % 3, rows.label).astype(np.int8)
    poisoned = tune(
        dataclasses.replace(rows, label=wrong),
        tuning_settings(POOR),
        Scope(records(tmp_path / "poisoned"), POOL),
    )
    assert poisoned.parameters == clean.parameters
    assert poisoned.evidence["tuned_score"] == clean.evidence["tuned_score"]
    assert poisoned.evidence["gain"] != clean.evidence["gain"]


def test_every_further_candidate_judged_on_the_same_rows_needs_more_proof(tmp_path: Path) -> None:
    """Whichever study found it: another seed, or other folds, give no new five percent."""
    first = tuned(tmp_path, tuning_settings(POOR, trials=3))
    assert first.evidence["significance"] == pytest.approx(0.05 * 6 / math.pi**2)
    seeded = tuned(tmp_path, tuning_settings(POOR, trials=3, seed=7))
    folded = tuned(tmp_path, tuning_settings(POOR, trials=3, seed=8, folds=3))
    assert first.parameters != seeded.parameters != folded.parameters
    assert folded.evidence["judged_candidates"] == 3
    assert folded.evidence["significance"] == pytest.approx(0.05 * 6 / (3 * math.pi) ** 2)
    again = tuned(tmp_path, tuning_settings(POOR, trials=3))
    assert again.parameters == first.parameters
    assert again.evidence["judged_candidates"] == 3
    assert again.evidence["gain_bound"] < first.evidence["gain_bound"]


def test_candidates_judged_on_other_rows_share_no_level(tmp_path: Path) -> None:
    settings = tuning_settings(POOR, trials=3)
    tuned(tmp_path, settings)
    later = tune(make_rows(seed=1), settings, Scope(records(tmp_path), POOL))
    assert later.evidence["judged_candidates"] == 1


def test_combinatorial_folds_give_the_losses_of_every_backtest_path(tmp_path: Path) -> None:
    settings = tuning_settings(POOR, trials=3, folds=4, scheme="combinatorial")
    record = tuned(tmp_path, settings)
    assert record.evidence["paths"] == 3
    for name in ("default", "tuned"):
        # Folds of equal length, so the mean over paths is the mean over splits.
        mean = record.evidence[f"{name}_path_mean"]
        assert mean == pytest.approx(record.evidence[f"{name}_score"], abs=1e-3)
        assert 0 < record.evidence[f"{name}_path_spread"] < 0.1
    assert "paths" not in tuned(tmp_path, tuning_settings(POOR, trials=3)).evidence


# Resumable and shared


def test_an_interrupted_search_is_finished_by_the_next_call(tmp_path: Path) -> None:
    settings = tuning_settings(storage=sqlite(tmp_path))
    asked = iter(range(1000))
    scope = Scope(records(tmp_path), POOL, ended=lambda: next(asked) > 6)
    with pytest.raises(Unfinished, match="stopped; run again to resume, finished trials are kept"):
        tune(make_rows(), settings, scope)
    assert records(tmp_path).read(POOL) == []
    (study,) = studies(sqlite(tmp_path))
    finished = [t for t in study.trials if t.state != optuna.trial.TrialState.FAIL]
    assert 0 < len(finished) < 5
    resumed = tuned(tmp_path, settings)
    assert resumed.evidence["trials"] + resumed.evidence["pruned"] == 5
    (study,) = studies(sqlite(tmp_path))
    for trial in finished:
        assert study.trials[trial.number].value == trial.value


def test_a_search_that_ends_before_the_default_is_scored_leaves_no_record(tmp_path: Path) -> None:
    scope = Scope(records(tmp_path), POOL, ended=lambda: True)
    with pytest.raises(Unfinished, match=r"allow more minutes.*finished trials are kept"):
        tune(make_rows(), tuning_settings(), scope)
    assert records(tmp_path).read(POOL) == []


def test_minutes_end_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(0, 100_000, 10))
    monkeypatch.setattr("freqai_signals.tuning.study.time.monotonic", lambda: float(next(now)))
    record = tuned(tmp_path, tuning_settings(trials=1000, minutes=1.5))
    assert 1 <= record.evidence["trials"] + record.evidence["pruned"] < 5


def killed_and_resumed(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    process = in_a_process(folder, url, trials=5, slow=0.0, later=60.0)
    begin(process)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("trial 1 of 5")
    (study,) = studies(url)
    while len(study.trials) < 2 or not study.trials[1].params:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    states = [t.state for t in study.trials]
    assert states == [optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.RUNNING]
    (dead,) = [t for t in study.trials if t.state == optuna.trial.TrialState.RUNNING]
    monkeypatch.setattr("freqai_signals.tuning.storage.SILENCE_SECONDS", 8)
    resumed = tuned(folder, tuning_settings(storage=url))
    assert resumed.evidence["trials"] + resumed.evidence["pruned"] == 5
    (study,) = studies(url)
    states = [t.state for t in study.trials]
    assert states.count(optuna.trial.TrialState.FAIL) == 1
    assert states.count(optuna.trial.TrialState.RUNNING) == 0
    # The trial that died is repeated with the same parameters.
    (again,) = [t for t in study.trials if t.system_attrs.get("failed_trial") == dead.number]
    assert again.params.items() >= dead.params.items()


def shared_by_two(folder: Path, url: str) -> None:
    processes = [in_a_process(folder, url, trials=8, slow=0.1) for _ in range(2)]
    begin(*processes)
    outputs = [process.communicate(timeout=600) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    (study,) = studies(url)
    assert [t.state for t in study.trials].count(optuna.trial.TrialState.RUNNING) == 0
    counted = [t for t in study.trials if t.state != optuna.trial.TrialState.FAIL]
    # The process that ends first may not see the last trial of the other one yet.
    assert 8 <= len(counted) <= 9
    workers = {t.user_attrs["process"] for t in counted}
    assert len(workers) == 2, outputs
    assert len({tuple(t.params.values()) for t in counted if t.params}) >= 7
    (record,) = records(folder).read(POOL)
    assert record.evidence["trials"] + record.evidence["pruned"] == len(counted)


@pytest.mark.slow
def test_a_killed_search_goes_on_in_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed_and_resumed(tmp_path, sqlite(tmp_path), monkeypatch)


@pytest.mark.slow
def test_two_processes_share_a_study_in_sqlite(tmp_path: Path) -> None:
    shared_by_two(tmp_path, sqlite(tmp_path))


@pytest.mark.slow
def test_a_killed_search_goes_on_in_postgresql(
    tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_and_resumed(tmp_path, postgres, monkeypatch)


@pytest.mark.slow
def test_two_processes_share_a_study_in_postgresql(tmp_path: Path, postgres: str) -> None:
    shared_by_two(tmp_path, postgres)


# Bad input


def test_a_corrupt_storage_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "studies.sqlite"
    path.write_bytes(b"SQLite format 3\0" + b"garbage" * 1000)
    with pytest.raises(StorageError, match=r"studies\.sqlite cannot be used: .*nothing in it"):
        tuned(tmp_path, tuning_settings(storage=sqlite(tmp_path)))
    assert path.read_bytes() == b"SQLite format 3\0" + b"garbage" * 1000


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+psycopg://me:secret@127.0.0.1:9/none", r"me:\*\*\*@127.0.0.1:9/none"),
        ("no URL at all", "not a URL"),
        ("postgresql+pg99://me@127.0.0.1/none", "cannot be used"),
    ],
)
def test_a_storage_out_of_reach_is_named_without_its_password(
    tmp_path: Path, url: str, said: str
) -> None:
    with pytest.raises(StorageError, match=said) as raised:
        tuned(tmp_path, tuning_settings(storage=url))
    assert "secret" not in str(raised.value)


def test_a_default_that_cannot_be_trained_says_why(
    tmp_path: Path,
) -> None:
    rows = make_rows()
    holds = dataclasses.replace(rows, label=np.ones_like(rows.label))
    with pytest.raises(TooFewRows, match="a model in every fold: class sell has 0 rows"):
        tune(holds, tuning_settings(), Scope(records(tmp_path), POOL))
