"""The search: an Optuna study in a storage that survives a kill and can be shared."""

import hashlib
import logging
import math
import os
import platform
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import optuna
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, Trial, TrialState

from freqai_signals.provenance import digest
from freqai_signals.settings import SignalSettings
from freqai_signals.tuning.objective import Score, Trainers, fold_scores
from freqai_signals.tuning.search_space import (
    Parameters,
    Range,
    TuningRows,
    parameters_of,
    search_space,
    with_parameters,
)
from freqai_signals.tuning.storage import SILENCE_SECONDS, open_storage, storage_errors

logger = logging.getLogger(__name__)

_RANDOM_TRIALS: Final = 8
"""Trials drawn at random before TPE models what is good."""

_PATHS: Final = "paths"
"""Attribute of a trial: loss of each backtest path."""


@dataclass(frozen=True)
class Search:
    """What is searched, where it is stored, and what may end it.

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
        Called before every training; true ends the search.
    notify
        Called with one line after every trial.
    trainers
        Train boosters.
    """

    name: str
    rows: TuningRows
    settings: SignalSettings
    storage: str
    ended: Callable[[], bool] = lambda: False
    notify: Callable[[str], None] = logger.info
    trainers: Trainers = field(default_factory=Trainers)


@dataclass(frozen=True)
class Found:
    """Result of a search so far.

    Attributes
    ----------
    complete, pruned, running
        Trials scored on all folds, stopped early, and running in other processes.
    default_score
        Mean log loss of the default parameters over the folds, nats; None if it is not known.
    score
        That of the best parameters, which may be the default.
    parameters
        The best ones.
    default_paths, paths
        Mean log loss over each backtest path, nats, of the default and of the best parameters; one
        path unless the folds are combinatorial.
    """

    complete: int
    pruned: int
    running: int
    default_score: float | None
    score: float
    parameters: Parameters
    default_paths: tuple[float, ...] = ()
    paths: tuple[float, ...] = ()


class _Ended(Exception):
    """The time is over, or the search was stopped: the trial does not count."""


def search(request: Search) -> Found:
    """Run trials until the study has the number of the settings, or the time is over.

    Can be called again after a kill, and in several processes at a time, each of which may then
    run one trial more. Optuna marks trials of dead processes as failed and repeats them with the
    same parameters. One uninterrupted process with the same seed and number of trials finds the
    same.

    Raises
    ------
    StorageError
        If the storage cannot be read or written; nothing in it is changed then.
    TooFewRows
        If the default parameters give no model.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = search_space(request.settings)
    default = parameters_of(request.settings, space)
    with storage_errors(request.storage), warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(
            storage=open_storage(request.storage),
            study_name=request.name,
            pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2),
            load_if_exists=True,
        )
        _enqueue_default(study, default)
        _run(study, request, _Objective(request, space, default))
        return _found(study, default)


def judged_before(request: Search, window: str, parameters: Parameters) -> int:
    """Register parameters for the paired test; number of different ones on these rows so far.

    Parameters
    ----------
    request
        The search that found them; all studies of its storage count, those with other folds,
        seeds or defaults too.
    window
        Digest of the rows of the whole window.
    parameters
        To be tested; they are included in the number.
    """
    name = f"judged {window[:24]}"
    with storage_errors(request.storage):
        storage = open_storage(request.storage)
        study = optuna.load_study(study_name=request.name, storage=storage)
        candidates = {digest(dict(parameters))[:24], *study.user_attrs.get(name, [])}
        study.set_user_attr(name, sorted(candidates))
        studies = optuna.get_all_study_summaries(storage, include_best_trial=False)
    return len(candidates.union(*(other.user_attrs.get(name, []) for other in studies)))


def shared_level(significance: float, candidate: int) -> float:
    r"""Level at which the ``candidate``-th set of parameters on the same rows is tested.

    :math:`\alpha \cdot 6 / (\pi^2 k^2)`, whose sum over all *k* is :math:`\alpha`: however many
    candidates are tested, the probability that any useless one wins is at most ``significance``.

    Examples
    --------
    >>> [round(shared_level(0.05, k), 4) for k in (1, 2, 3)]
    [0.0304, 0.0076, 0.0034]
    """
    return 6 * significance / (math.pi * candidate) ** 2


def _run(study: optuna.Study, request: Search, objective: "_Objective") -> None:
    """Run trials; then wait for those of others until a dead process would have been noticed."""
    patience = SILENCE_SECONDS
    while not objective.is_over():
        optuna.storages.fail_stale_trials(study)
        trials = _counted(study)
        # One at a time: other processes count towards the same number.
        if len(trials) < request.settings.tuning.trials:
            study.optimize(objective, n_trials=1, catch=(_Ended,))
        elif patience > 0 and any(t.state == TrialState.RUNNING for t in trials):
            patience -= 1
            time.sleep(1)
        else:
            return


def _counted(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that are complete, pruned or running.

    A running trial without parameters does not count: where its process died before the first
    heartbeat, Optuna never marks it as failed.
    """
    done = (TrialState.COMPLETE, TrialState.PRUNED)
    trials = study.get_trials(deepcopy=False, states=(*done, TrialState.RUNNING))
    return [t for t in trials if t.state in done or t.params]


def _found(study: optuna.Study, default: Mapping[str, float]) -> Found:
    trials = _counted(study)
    complete = [t for t in trials if t.state == TrialState.COMPLETE and t.value is not None]
    # By number on a tie, so that the result does not depend on the storage's order.
    best = min(complete, key=lambda t: (t.value, t.number), default=None)
    default_trial = next((t for t in complete if t.params == default), None)
    return Found(
        complete=len(complete),
        pruned=sum(t.state == TrialState.PRUNED for t in trials),
        running=sum(t.state == TrialState.RUNNING for t in trials),
        default_score=default_trial.value if default_trial else None,
        score=best.value if best and best.value is not None else float("nan"),
        parameters=dict(best.params) if best else {},
        default_paths=tuple(default_trial.user_attrs[_PATHS]) if default_trial else (),
        paths=tuple(best.user_attrs[_PATHS]) if best else (),
    )


def _enqueue_default(study: optuna.Study, default: Mapping[str, float]) -> None:
    """Make the config's own parameters the next trial unless a trial has them already."""
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    trials = [*_counted(study), *waiting]
    # A waiting trial has no parameters yet, only those it was enqueued with.
    if default not in [t.system_attrs.get("fixed_params", t.params) for t in trials]:
        study.enqueue_trial(dict(default))


class _Objective:
    """Score of a trial's parameters; Optuna's pruner stops those of the worse half."""

    def __init__(
        self, request: Search, space: Mapping[str, Range], default: Mapping[str, float]
    ) -> None:
        self._request = request
        self._space = {name: _distribution(limits) for name, limits in space.items()}
        self._default = dict(default)
        self._last_step = len(request.rows.folds)
        self._deadline = time.monotonic() + 60 * request.settings.tuning.minutes

    def is_over(self) -> bool:
        """Whether no further training may begin."""
        return time.monotonic() >= self._deadline or self._request.ended()

    def __call__(self, trial: Trial) -> float:
        # Processes that share a study must not draw alike, and one process draws the same again.
        trial.study.sampler = _sampler(self._request.settings.tuning.seed, trial.number)
        trial.set_user_attr("process", f"{platform.node()} {os.getpid()}")
        parameters = {name: _suggest(trial, name, kind) for name, kind in self._space.items()}
        is_default = parameters == self._default
        settings = with_parameters(self._request.settings, parameters)
        score = Score(float("nan"))
        request = self._request
        scores = fold_scores(request.rows, settings, self._check_time, request.trainers)
        for step, score in enumerate(scores, 1):
            trial.report(score.loss, step)
            # The default is never pruned: every other trial is compared with its full score.
            if step < self._last_step and trial.should_prune() and not is_default:
                self._notify(trial, f"{score.loss:.5f} nats after step {step}, pruned")
                raise optuna.TrialPruned
        trial.set_user_attr(_PATHS, list(score.paths))
        self._notify(trial, f"{score.loss:.5f} nats{' (the default)' if is_default else ''}")
        return score.loss

    def _check_time(self) -> None:
        if self.is_over():
            raise _Ended

    def _notify(self, trial: Trial, text: str) -> None:
        place = sum(other.number <= trial.number for other in _counted(trial.study))
        self._request.notify(f"trial {place} of {self._request.settings.tuning.trials}: {text}")


def _sampler(seed: int, number: int) -> optuna.samplers.BaseSampler:
    digits = hashlib.sha256(f"{seed} {number}".encode()).digest()
    # A constant liar takes running trials for bad ones: other processes look elsewhere.
    # NumPy's seeds have 32 bits.
    return optuna.samplers.TPESampler(
        n_startup_trials=_RANDOM_TRIALS, constant_liar=True, seed=int.from_bytes(digits[:4], "big")
    )


def _distribution(limits: Range) -> FloatDistribution | IntDistribution:
    if limits.whole:
        return IntDistribution(int(limits.low), int(limits.high), log=limits.log)
    return FloatDistribution(limits.low, limits.high, log=limits.log)


def _suggest(trial: Trial, name: str, kind: FloatDistribution | IntDistribution) -> float | int:
    if isinstance(kind, IntDistribution):
        return trial.suggest_int(name, kind.low, kind.high, log=kind.log)
    return trial.suggest_float(name, kind.low, kind.high, log=kind.log)
