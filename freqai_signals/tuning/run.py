"""One tuning, from the rows of a training window to the stored record.

The rows are split in time. On the earlier ones parameters are searched over purged folds; on the
later, held-out ones the best parameters are compared with the config's own. If they do not gain
there, the default is kept, and the record states it.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from statistics import fmean, stdev

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.provenance import code_digest, digest, library_versions
from freqai_signals.settings import SignalSettings
from freqai_signals.training.cluster import Cluster
from freqai_signals.training.worker_processes import usable_workers
from freqai_signals.tuning.objective import Trainers, compare
from freqai_signals.tuning.records import (
    TuningRecord,
    TuningRecords,
    basis_of,
    known_until,
)
from freqai_signals.tuning.search_space import (
    parameters_of,
    search_space,
    tuning_rows,
    with_parameters,
)
from freqai_signals.tuning.study import Found, Search, judged_before, search, shared_level

logger = logging.getLogger(__name__)

_COMPARED = ("parameters", "scheme", "folds", "held_out_fraction", "seed")


class Unfinished(ValueError):
    """The search ended before there was a result; another run resumes it."""


class StillRunning(Unfinished):
    """Other processes still run trials of the same study; the last one tests the result."""


@dataclass(frozen=True)
class Scope:
    """Whose parameters are tuned, and where the result is stored.

    Attributes
    ----------
    records
        Of FreqAI's identifier.
    pool
        Full names of the pairs that a model is trained for, sorted.
    ended
        Called before every training; true ends the search.
    notify
        Called with one line at each step.
    cluster
        Whose workers train; the record is the same without one.
    """

    records: TuningRecords
    pool: tuple[str, ...]
    ended: Callable[[], bool] = lambda: False
    notify: Callable[[str], None] = logger.info
    cluster: Cluster = field(default_factory=Cluster)


def tune(rows: TrainingRows, settings: SignalSettings, scope: Scope) -> TuningRecord:
    """Search, test the best parameters, and store the record.

    Parameters
    ----------
    rows
        Of one training window; nothing else is used, so the record depends on no later candle.
    settings
        Of the config: its parameters are the default, ``tuning`` is the budget.
    scope
        Pool, records and callbacks.

    Returns
    -------
    TuningRecord
        The same for the same rows, settings and seed, unless the minutes ended the search.

    Raises
    ------
    ValueError
        If there are too few rows, the storage cannot be used (``StorageError``), or the search
        ended too early (:class:`Unfinished`).
    """
    basis = basis_of(scope.pool, rows, settings)
    request = Search(
        name=_study_name(rows, settings, basis, scope),
        rows=tuning_rows(rows, settings),
        settings=settings,
        storage=_storage(settings, scope.records),
        ended=scope.ended,
        notify=scope.notify,
        trainers=Trainers(scope.cluster, usable_workers(settings.workers)),
    )
    found = search(request)
    _check_finished(found)
    if scope.ended():
        raise Unfinished("the search was stopped; run again to resume, finished trials are kept")
    default = parameters_of(settings, search_space(settings))
    evidence = {
        "trials": found.complete,
        "pruned": found.pruned,
        "default_score": found.default_score or 0.0,
        "tuned_score": found.score,
        "search_rows": len(request.rows.search),
        "seed": settings.tuning.seed,
    }
    if request.rows.paths > 1:
        evidence |= _path_losses("default", found.default_paths)
        evidence |= _path_losses("tuned", found.paths) | {"paths": request.rows.paths}
    # The default needs no test, and untested it leaves the level to real candidates.
    if dict(found.parameters) != default:
        evidence |= _judged(request, found, rows.learning_digest)
    record = TuningRecord(
        identifier=scope.records.identifier,
        pool=scope.pool,
        known_until=known_until(rows, settings),
        # Without a test, the default itself won the search: there is no gain.
        beats_default=evidence.get("gain_bound", 0.0) > 0.0,
        parameters=dict(found.parameters),
        default=default,
        basis=basis,
        evidence=evidence,
        code={**library_versions(), "optuna": version("optuna"), "package": code_digest()},
        made=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    scope.notify(f"record written to {scope.records.write(record)}")
    return record


def _path_losses(name: str, losses: tuple[float, ...]) -> dict[str, float]:
    """Mean and standard deviation of the log loss over backtest paths, nats."""
    return {f"{name}_path_mean": fmean(losses), f"{name}_path_spread": stdev(losses)}


def _judged(request: Search, found: Found, window: str) -> dict[str, float]:
    """Evidence of the paired test; all candidates tested on these rows share its level."""
    request.notify("testing the best parameters on the held-out rows")
    tuned = with_parameters(request.settings, found.parameters)
    compared = compare(request.rows, request.settings, tuned, request.trainers)
    candidates = judged_before(request, window, found.parameters)
    significance = shared_level(request.settings.tuning.significance, candidates)
    return {
        "gain": compared.gain.mean,
        "gain_error": compared.gain.standard_error,
        "gain_bound": compared.gain.bound(significance),
        "significance": significance,
        "judged_candidates": candidates,
        "judged_rows": compared.rows,
        "judged_days": compared.days,
        "judged_default_loss": compared.default_loss,
    }


def _check_finished(found: Found) -> None:
    if found.running:
        raise StillRunning(
            f"{found.running} trials still run in other processes; the last one to end tests "
            "the result"
        )
    # Without the default's score nothing can be called better.
    if found.default_score is None:
        raise Unfinished(
            "the search ended before the default parameters were scored; allow more minutes "
            "(freqai.signals.tuning.minutes) and run again to resume, finished trials are kept"
        )


def _study_name(
    rows: TrainingRows, settings: SignalSettings, basis: Mapping[str, str], scope: Scope
) -> str:
    """Equal only where trials can be compared; the budget may grow."""
    tuning = settings.tuning.model_dump(mode="json")
    parts = {
        "rows": rows.learning_digest,
        "basis": dict(basis),
        "tuning": {name: tuning[name] for name in _COMPARED},
        "code": code_digest(),
        "libraries": library_versions(),
    }
    return f"{scope.records.identifier} {digest(parts)[:24]}"


def _storage(settings: SignalSettings, records: TuningRecords) -> str:
    if settings.tuning.storage:
        return settings.tuning.storage
    records.folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{(records.folder / 'studies.sqlite').resolve()}"
