"""One tuning, from the rows of a training window to the record of what was found.

The rows are divided in time. On the earlier ones parameters are searched for over purged folds; on
the later ones, which chose nothing, the best ones are compared with the config's own. If they do
not gain there, the default stays, and the record says so.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from statistics import fmean, stdev

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.provenance import code_digest, digest, library_versions
from freqai_signals.settings import SignalSettings
from freqai_signals.tuning.objective import compare
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

_COMPARED = ("parameters", "scheme", "folds", "coarse_step", "held_out_fraction", "seed")


class Unfinished(ValueError):
    """The search ended before there was anything to judge; run again, it goes on."""


class StillRunning(Unfinished):
    """Other processes are at work on the same study; the last one to end judges what was found."""


@dataclass(frozen=True)
class Scope:
    """Whose parameters are tuned, and where what is found is kept.

    Attributes
    ----------
    records
        Of FreqAI's identifier.
    pool
        Full names of the pairs that a model is trained for, sorted.
    ended
        Asked before every training; true ends the search.
    notify
        Called with one line at each step.
    """

    records: TuningRecords
    pool: tuple[str, ...]
    ended: Callable[[], bool] = lambda: False
    notify: Callable[[str], None] = logger.info


def tune(rows: TrainingRows, settings: SignalSettings, scope: Scope) -> TuningRecord:
    """Search, judge, and store the record.

    Parameters
    ----------
    rows
        Of one training window; nothing else is looked at, so the record knows no more than they do.
    settings
        The config's: its parameters are the default, ``tuning`` the budget.
    scope
        Whose.

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
    given = Search(
        name=_study_name(rows, settings, basis, scope),
        rows=tuning_rows(rows, settings),
        settings=settings,
        storage=_storage(settings, scope.records),
        ended=scope.ended,
        notify=scope.notify,
    )
    found = search(given)
    _check_finished(found)
    if scope.ended():
        raise Unfinished("the search was stopped; run again, finished trials are kept")
    default = parameters_of(settings, search_space(settings))
    evidence = {
        "trials": found.complete,
        "pruned": found.pruned,
        "default_score": found.default_score or 0.0,
        "tuned_score": found.score,
        "search_rows": len(given.rows.search),
        "seed": settings.tuning.seed,
    }
    if given.rows.paths > 1:
        evidence |= _path_losses("default", found.default_paths)
        evidence |= _path_losses("tuned", found.paths) | {"paths": given.rows.paths}
    if dict(found.parameters) != default:
        evidence |= _judged(given, found, rows.digest())
    record = TuningRecord(
        identifier=scope.records.identifier,
        pool=scope.pool,
        known_until=known_until(rows, settings),
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


def _judged(given: Search, found: Found, window: str) -> dict[str, float]:
    """Evidence of the paired test; its level is shared by all candidates judged on these rows."""
    given.notify("judging the best parameters on the rows that chose none")
    tuned = with_parameters(given.settings, found.parameters)
    compared = compare(given.rows, given.settings, tuned)
    candidates = judged_before(given, window, found.parameters)
    significance = shared_level(given.settings.tuning.significance, candidates)
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
            f"{found.running} trials still run in other processes; the last one to end judges "
            "what was found"
        )
    if found.default_score is None:
        raise Unfinished(
            "the search ended before the default parameters were scored; allow more minutes "
            "(freqai.signals.tuning.minutes) and run again, finished trials are kept"
        )


def _study_name(
    rows: TrainingRows, settings: SignalSettings, basis: Mapping[str, str], scope: Scope
) -> str:
    """Equal only where trials can be compared; the budget may grow."""
    tuning = settings.tuning.model_dump(mode="json")
    parts = {
        "rows": rows.digest(),
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
