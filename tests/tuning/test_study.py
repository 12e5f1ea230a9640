"""Which trials a study draws, prunes and counts, on scores that cost nothing."""

import hashlib
import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from freqai_signals.settings import SignalSettings
from freqai_signals.training.cluster import Cluster
from freqai_signals.tuning.objective import Score
from freqai_signals.tuning.search_space import (
    TuningRows,
    parameters_of,
    search_space,
    tuning_rows,
)
from freqai_signals.tuning.study import Found, Search, search, shared_level
from tests.model_rows import make_rows
from tests.tuning.tuning_rows import tuning_settings

TRIALS = 12
STEPS = 3


def made_up_scores(
    rows: TuningRows, settings: SignalSettings, check_time: Callable[[], None], cluster: Cluster
) -> Iterator[Score]:
    """Best where learning is neither fast nor slow, with noise that every further step lessens."""
    booster = settings.booster
    base = abs(math.log(booster.learning_rate / 0.07)) + booster.num_leaves / 100
    for step in range(1, STEPS + 1):
        check_time()
        seed = repr((booster.learning_rate, booster.num_leaves, step)).encode()
        noise = int(hashlib.sha256(seed).hexdigest()[:6], 16) / 2**24
        yield Score(base + 0.3 * noise / step)


@pytest.fixture(autouse=True)
def _scores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freqai_signals.tuning.study.fold_scores", made_up_scores)


def search_in(folder: Path, name: str, ended: Callable[[], bool] = lambda: False) -> Found:
    settings = tuning_settings(trials=TRIALS)
    rows = tuning_rows(make_rows(), settings)
    url = f"sqlite:///{folder / name}.sqlite"
    return search(Search(name, rows, settings, url, ended, lambda line: None))


def study_in(folder: Path, name: str) -> optuna.Study:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{folder / name}.sqlite")


def counted(study: optuna.Study) -> list[tuple[TrialState, dict[str, float], float | None]]:
    """State, parameters and value of the trials that did not fail."""
    trials = [t for t in study.trials if t.state != TrialState.FAIL]
    return [(t.state, t.params, t.value) for t in trials]


def test_interrupted_searches_end_with_all_trials_and_repeat_none(tmp_path: Path) -> None:
    """Wherever a trial was when its search ended, also where it had reported already."""
    reported = 0
    for number, asked in enumerate((1, 5, 9, 13)):
        calls = itertools.count()
        name = f"cut-{number}"
        search_in(tmp_path, name, lambda n=asked, c=calls: next(c) > n)  # type: ignore[misc]
        found = search_in(tmp_path, name)
        study = study_in(tmp_path, name)
        failed = [t for t in study.trials if t.state == TrialState.FAIL]
        reported += sum(bool(t.intermediate_values) for t in failed)
        assert found.complete + found.pruned == TRIALS
        assert found.default_score is not None
        parameters = [tuple(sorted(params.items())) for _, params, _ in counted(study)]
        assert len(set(parameters)) == TRIALS
    assert reported > 0


def test_the_worse_half_is_pruned(tmp_path: Path) -> None:
    found = search_in(tmp_path, "whole")
    assert min(found.complete, found.pruned) >= 3
    trials = study_in(tmp_path, "whole").trials
    complete = [t.value for t in trials if t.state == TrialState.COMPLETE and t.number]
    pruned = [t.value for t in trials if t.state == TrialState.PRUNED]
    assert np.median(complete) < np.median(pruned)


def test_a_trial_that_died_before_its_first_heartbeat_blocks_nothing(tmp_path: Path) -> None:
    """A kill just after Optuna created the trial: it stays in the state ``RUNNING`` for ever."""
    calls = itertools.count()
    search_in(tmp_path, "killed", lambda: next(calls) > 9)
    died = optuna.trial.create_trial(state=TrialState.RUNNING)
    study_in(tmp_path, "killed").add_trial(died)
    found = search_in(tmp_path, "killed")
    assert found.running == 0
    assert found.complete + found.pruned == TRIALS


def test_a_default_that_died_before_its_first_heartbeat_is_scored_again(tmp_path: Path) -> None:
    settings = tuning_settings(trials=TRIALS)
    default = parameters_of(settings, search_space(settings))
    url = f"sqlite:///{tmp_path / 'killed'}.sqlite"
    study = optuna.create_study(storage=url, study_name="killed")
    died = {"fixed_params": default}
    study.add_trial(optuna.trial.create_trial(state=TrialState.RUNNING, system_attrs=died))
    assert search_in(tmp_path, "killed").default_score is not None


def test_a_trial_of_another_process_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freqai_signals.tuning.study.SILENCE_SECONDS", 1)
    calls = itertools.count()
    search_in(tmp_path, "shared", lambda: next(calls) > 9)
    study = study_in(tmp_path, "shared")
    running = optuna.trial.create_trial(
        state=TrialState.RUNNING,
        params=study.trials[1].params,
        distributions=study.trials[1].distributions,
    )
    study.add_trial(running)
    found = search_in(tmp_path, "shared")
    assert found.running == 1
    assert found.complete + found.pruned == TRIALS - 1


@pytest.mark.parametrize("significance", [0.01, 0.05])
def test_the_levels_of_all_candidates_never_exceed_the_significance(significance: float) -> None:
    levels = [shared_level(significance, k) for k in range(1, 20_001)]
    assert levels == sorted(levels, reverse=True)
    assert 0.9999 * significance < sum(levels) < significance
