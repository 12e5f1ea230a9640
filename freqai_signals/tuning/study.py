"""The search itself: Optuna's trials in a storage that survives a kill and can be shared."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import optuna
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import Trial, TrialState

from freqai_signals.provenance import digest
from freqai_signals.settings import SignalSettings
from freqai_signals.tuning.objective import fold_scores, steps
from freqai_signals.tuning.sampler import SlotSampler
from freqai_signals.tuning.search_space import (
    Parameters,
    Range,
    TuningRows,
    parameters_of,
    search_space,
    with_parameters,
)
from freqai_signals.tuning.storage import open_storage, storage_errors
from freqai_signals.tuning.trials import (
    PROCESS,
    HalvingPruner,
    alive_trials,
    fail_dead_trials,
    this_process,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Search:
    """What is searched, where it is kept, and who may end it.

    Attributes
    ----------
    name
        Of the study; equal only if the same rows and settings are searched with the same seed.
    rows
        Divided rows.
    settings
        The default parameters, and those of ``tuning``: trials, minutes, seed.
    storage
        SQLAlchemy URL.
    ended
        Asked before every training; true ends the search.
    notify
        Told of every trial, in one line.
    """

    name: str
    rows: TuningRows
    settings: SignalSettings
    storage: str
    ended: Callable[[], bool] = lambda: False
    notify: Callable[[str], None] = logger.info


@dataclass(frozen=True)
class Found:
    """What a search has found so far.

    Attributes
    ----------
    complete, pruned, running
        Trials scored on all folds, ended early, and at work in other processes.
    default_score
        Mean log loss of the default parameters over the folds, nats; None if it is not known.
    score
        That of the best ones; they may be the default ones.
    parameters
        The best ones.
    """

    complete: int
    pruned: int
    running: int
    default_score: float | None
    score: float
    parameters: Parameters


class _Ended(Exception):
    """The time is over, or somebody asked to stop: the trial does not count."""


def search(given: Search) -> Found:
    """Run trials until the study has as many as asked for, or the time is over.

    Safe to call again after a kill, and in several processes at a time: trials of dead processes
    count as failed, and whoever comes next draws the very same parameters again. One process with
    the same seed and number of trials finds the same, however often it was interrupted.

    Raises
    ------
    StorageError
        If the storage cannot be read or written; nothing in it is changed then.
    TooFewRows
        If the default parameters give no model.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = search_space(given.settings)
    default = parameters_of(given.settings, space)
    with storage_errors(given.storage):
        study = optuna.create_study(
            storage=open_storage(given.storage),
            study_name=given.name,
            sampler=SlotSampler(given.settings.tuning.seed, default),
            pruner=HalvingPruner(),
            load_if_exists=True,
        )
        _run(study, given, _Objective(given, space, default))
        return _found(study, default)


def judged_before(given: Search, window: str, parameters: Parameters) -> int:
    """Count parameters as judged; how many different ones were on these rows, these included.

    Parameters
    ----------
    given
        The search that found them; all studies of its storage count, those with other folds,
        seeds or defaults too.
    window
        Digest of the rows of the whole window.
    parameters
        That are judged.
    """
    name = f"judged {window[:24]}"
    with storage_errors(given.storage):
        storage = open_storage(given.storage)
        study = optuna.load_study(study_name=given.name, storage=storage)
        candidates = {digest(dict(parameters))[:24], *study.user_attrs.get(name, [])}
        study.set_user_attr(name, sorted(candidates))
        studies = optuna.get_all_study_summaries(storage, include_best_trial=False)
    return len(candidates.union(*(other.user_attrs.get(name, []) for other in studies)))


def _run(study: optuna.Study, given: Search, objective: "_Objective") -> None:
    while not objective.is_over():
        fail_dead_trials(study)
        if len(alive_trials(study)) >= given.settings.tuning.trials:
            return
        study.optimize(objective, n_trials=1, catch=(_Ended,))


def _found(study: optuna.Study, default: Mapping[str, float]) -> Found:
    trials = alive_trials(study)
    complete = [t for t in trials if t.state == TrialState.COMPLETE and t.value is not None]
    best = min(complete, key=lambda t: (t.value, t.number), default=None)
    usual = next((t.value for t in complete if t.params == default), None)
    return Found(
        complete=len(complete),
        pruned=sum(t.state == TrialState.PRUNED for t in trials),
        running=sum(t.state == TrialState.RUNNING for t in trials),
        default_score=usual,
        score=best.value if best and best.value is not None else float("nan"),
        parameters=dict(best.params) if best else {},
    )


class _Objective:
    """Score of a trial's parameters; stops those that do worse than half of the others."""

    def __init__(
        self, given: Search, space: Mapping[str, Range], default: Mapping[str, float]
    ) -> None:
        self._given = given
        self._space = {name: _distribution(limits) for name, limits in space.items()}
        self._default = dict(default)
        self._last_step = steps(given.rows)
        self._deadline = time.monotonic() + 60 * given.settings.tuning.minutes

    def is_over(self) -> bool:
        """Whether no further training may begin."""
        return time.monotonic() >= self._deadline or self._given.ended()

    def __call__(self, trial: Trial) -> float:
        trial.set_user_attr(PROCESS, this_process())
        sampler = trial.study.sampler
        assert isinstance(sampler, SlotSampler)
        if sampler.slot >= self._given.settings.tuning.trials:
            raise _Ended
        parameters = {name: _suggest(trial, name, kind) for name, kind in self._space.items()}
        is_default = parameters == self._default
        settings = with_parameters(self._given.settings, parameters)
        value = float("nan")
        for step, value in enumerate(fold_scores(self._given.rows, settings, self._ask), 1):
            trial.report(value, step)
            if step < self._last_step and trial.should_prune() and not is_default:
                self._tell(sampler.slot, f"{value:.5f} nats after step {step}, given up")
                raise optuna.TrialPruned
        self._tell(sampler.slot, f"{value:.5f} nats{' (the default)' if is_default else ''}")
        return value

    def _ask(self) -> None:
        if self.is_over():
            raise _Ended

    def _tell(self, slot: int, text: str) -> None:
        trials = self._given.settings.tuning.trials
        self._given.notify(f"trial {slot + 1} of {trials}: {text}")


def _distribution(limits: Range) -> FloatDistribution | IntDistribution:
    if limits.whole:
        return IntDistribution(int(limits.low), int(limits.high), log=limits.log)
    return FloatDistribution(limits.low, limits.high, log=limits.log)


def _suggest(trial: Trial, name: str, kind: FloatDistribution | IntDistribution) -> float | int:
    if isinstance(kind, IntDistribution):
        return trial.suggest_int(name, kind.low, kind.high, log=kind.log)
    return trial.suggest_float(name, kind.low, kind.high, log=kind.log)
