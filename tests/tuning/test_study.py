"""Which trials a study draws, gives up and counts, on scores that cost nothing."""

import hashlib
import itertools
import math
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from freqai_signals.settings import SignalSettings
from freqai_signals.tuning.search_space import TuningRows, tuning_rows
from freqai_signals.tuning.storage import SILENCE_SECONDS
from freqai_signals.tuning.study import Found, Search, search
from freqai_signals.tuning.trials import HalvingPruner
from tests.model_rows import make_rows
from tests.tuning.tuning_rows import tuning_settings

TRIALS = 12
STEPS = 3


def made_up_scores(
    rows: TuningRows, settings: SignalSettings, ask: Callable[[], None]
) -> Iterator[float]:
    """Best where learning is neither fast nor slow, with noise that every further step lessens."""
    booster = settings.booster
    base = abs(math.log(booster.learning_rate / 0.07)) + booster.num_leaves / 100
    for step in range(1, STEPS + 1):
        ask()
        told = repr((booster.learning_rate, booster.num_leaves, step)).encode()
        noise = int(hashlib.sha256(told).hexdigest()[:6], 16) / 2**24
        yield base + 0.3 * noise / step


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


@pytest.fixture
def whole(tmp_path: Path) -> optuna.Study:
    """A search in one piece."""
    search_in(tmp_path, "whole")
    return study_in(tmp_path, "whole")


def test_interruptions_change_no_trial_that_counts(whole: optuna.Study, tmp_path: Path) -> None:
    """Wherever a trial was when its search ended, also where it had reported already."""
    reported = 0
    for number, asked in enumerate((5, 9, 13, 18)):
        calls = itertools.count()
        search_in(tmp_path, f"cut-{number}", lambda n=asked, c=calls: next(c) > n)  # type: ignore[misc]
        search_in(tmp_path, f"cut-{number}")
        study = study_in(tmp_path, f"cut-{number}")
        failed = [t for t in study.trials if t.state == TrialState.FAIL]
        reported += sum(bool(t.intermediate_values) for t in failed)
        assert counted(study) == counted(whole)
    assert reported > 0


def test_the_worse_half_is_given_up_as_optuna_does_where_no_trial_failed(
    whole: optuna.Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2)
    monkeypatch.setattr(HalvingPruner, "prune", lambda self, *given: usual.prune(*given))
    search_in(tmp_path, "optuna")
    assert counted(study_in(tmp_path, "optuna")) == counted(whole)
    assert {state for state, *_ in counted(whole)} == {TrialState.COMPLETE, TrialState.PRUNED}


def test_a_trial_that_died_before_it_had_a_process_is_drawn_again(
    whole: optuna.Study, tmp_path: Path
) -> None:
    """A kill just after Optuna noted the trial: neither a process nor a heartbeat tells of it."""
    calls = itertools.count()
    search_in(tmp_path, "killed", lambda: next(calls) > 9)
    died = optuna.trial.create_trial(state=TrialState.RUNNING)
    died.datetime_start = datetime.now() - timedelta(seconds=2 * SILENCE_SECONDS)
    study_in(tmp_path, "killed").add_trial(died)
    assert search_in(tmp_path, "killed").running == 0
    assert counted(study_in(tmp_path, "killed")) == counted(whole)


def test_a_trial_that_another_process_has_just_drawn_counts(tmp_path: Path) -> None:
    calls = itertools.count()
    search_in(tmp_path, "shared", lambda: next(calls) > 9)
    drawn = optuna.trial.create_trial(state=TrialState.RUNNING)
    # However long this test takes, the trial is young.
    drawn.datetime_start = datetime.now() + timedelta(hours=1)
    study_in(tmp_path, "shared").add_trial(drawn)
    found = search_in(tmp_path, "shared")
    assert found.running == 1
    assert found.complete + found.pruned == TRIALS - 1
