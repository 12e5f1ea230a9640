"""Feature selection: features are dropped only if that provably costs nothing.

The rows before the hold-out are split in three by time, purged of each other. A model of the first
part gives the permutation importance of each set of features on the second. The sets with an
importance within one standard error are dropped, or, if that drops too much, those without
importance. Each time a model without them must be as good on the third part, which chose nothing.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from freqai_signals.dataset.features import feature_groups
from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.metrics import MeanTest, candle_means, log_losses, mean_test
from freqai_signals.model.ensemble import raw_mean
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.settings import SignalSettings
from freqai_signals.training.boosting import WindowTask, fit_window
from freqai_signals.training.feature_clusters import (
    constant_columns,
    correlation_clusters,
    duplicate_columns,
    jaccard,
    permutation_losses,
)
from freqai_signals.training.row_checks import (
    Split,
    missing_classes,
    split_tail,
    why_not_trainable,
)

logger = logging.getLogger(__name__)

OTHER_GROUP: Final = "other"
_ERRORS: Final = (1.0, 0.0)
"""Standard errors above which a set is important, in the order in which they are tried."""

_LATER: Final = 0.4
"""Share of the rows' time used to choose and, the second half of it, to confirm."""


@dataclass(frozen=True)
class FeatureChoice:
    """Result of feature selection.

    Attributes
    ----------
    kept
        Names in the order of the rows.
    reason
        One sentence with the numbers that decided.
    constant, duplicate, dropped
        Names dropped because they have one value, equal another, or are not important.
    groups
        Permutation importance (increase of log loss, nats) by feature group; empty if none was
        measured.
    clusters
        Number of clusters evaluated, 0 if none.
    excess, excess_bound
        Log loss of the kept features minus that of all on the confirming rows (nats), and its upper
        bound; None if there was nothing to confirm.
    jaccard
        Jaccard index with the features of the previous model; None if there was none.
    """

    kept: tuple[str, ...]
    reason: str
    constant: tuple[str, ...] = ()
    duplicate: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    groups: Mapping[str, float] = field(default_factory=dict)
    clusters: int = 0
    excess: float | None = None
    excess_bound: float | None = None
    jaccard: float | None = None

    def evidence(self) -> dict[str, Any]:
        """For the model card: all but the kept names, which the model has."""
        facts = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}
        return facts | {"kept": len(self.kept)}


def choose_features(
    past: TrainingRows, before: tuple[str, ...], settings: SignalSettings
) -> FeatureChoice:
    """Select among the columns of ``past`` and log the result.

    Parameters
    ----------
    past
        The rows before the hold-out; no other rows are used.
    before
        Features of the previous model, empty if there was none.
    settings
        ``selection`` and the settings of training.

    Returns
    -------
    FeatureChoice
        Never raises for too few rows: then all their columns are kept, with the reason.
    """
    names = np.array(past.names, dtype=object)
    constant, duplicate = (
        (constant_columns(past.features), duplicate_columns(past.features))
        if "duplicates" in settings.selection.methods
        else (np.arange(0), np.arange(0))
    )
    duplicate = np.setdiff1d(duplicate, constant)
    left = np.setdiff1d(np.arange(len(names)), np.union1d(constant, duplicate))
    choice = _drop_unimportant(past.columns(tuple(names[left])), settings)
    choice = replace(
        choice,
        constant=tuple(names[constant]),
        duplicate=tuple(names[duplicate]),
        jaccard=jaccard(choice.kept, before) if before else None,
    )
    stability = (
        "" if choice.jaccard is None else f", Jaccard {choice.jaccard:.2f} with the last model"
    )
    logger.info("Features: %d of %d kept%s: %s", len(choice.kept), len(names), stability,
                choice.reason)  # fmt: skip
    return choice


def _drop_unimportant(past: TrainingRows, settings: SignalSettings) -> FeatureChoice:
    """Drop the sets of features that are not important, if that is confirmed."""
    everything, methods = past.names, settings.selection.methods
    if not {"groups", "clusters"} & set(methods):
        return FeatureChoice(everything, "only constant and duplicate columns are dropped")
    parts = _parts(sampled(past, settings.selection.max_rows), settings)
    reason = _why_not_split(parts, settings)
    if reason:
        return FeatureChoice(everything, f"all are kept, too few rows to split: {reason}")
    learn, choose, confirm = parts
    model = _TrialModel(learn, settings)
    groups = _groups(everything, settings)
    clusters = correlation_clusters(learn.features, settings.selection.correlation)
    # Groups are always measured, for the report, and dropped only by the method of that name.
    sets = {("groups", name): columns for name, columns in groups.items()}
    if "clusters" in methods:
        sets |= {("clusters", str(i)): columns.tolist() for i, columns in enumerate(clusters)}
    losses = permutation_losses(model.probabilities, choose.features, choose.label, sets)
    tests = {name: _test(choose, values, settings) for name, values in losses.items()}
    importance = {name: tests["groups", name].mean for name in groups}
    found = FeatureChoice(everything, "", groups=importance, clusters=len(clusters))
    for errors in _ERRORS:
        important = np.ones(len(everything), dtype=np.bool_)
        for name, test in tests.items():
            if name[0] in methods and test.mean <= errors * test.standard_error:
                important[sets[name]] = False
        found = _confirmed(found, important, model, confirm)
        if found.dropped:
            break
    return found


def _groups(names: Sequence[str], settings: SignalSettings) -> dict[str, list[int]]:
    """Column indices of each feature group."""
    group_of = feature_groups(settings)
    groups: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        groups.setdefault(group_of.get(name, OTHER_GROUP), []).append(index)
    return groups


def _confirmed(
    found: FeatureChoice, important: NDArray[np.bool_], full: "_TrialModel", confirm: TrainingRows
) -> FeatureChoice:
    """Keep only the important features if a model of these is as good on the confirming rows."""
    if important.all():
        return replace(found, reason="all are kept, every set is important")
    if not important.any():
        return replace(found, reason="all are kept, no set is important by itself")
    settings = full.settings
    kept = tuple(name for name, keep in zip(found.kept, important, strict=True) if keep)
    dropped = tuple(name for name in found.kept if name not in set(kept))
    reduced = _TrialModel(full.rows.columns(kept), settings)
    gain = full.losses(confirm) - reduced.losses(confirm.columns(kept))
    test = _test(confirm, gain, settings)
    # Bonferroni: two choices may be confirmed on the same rows.
    upper = -test.bound(settings.selection.significance / len(_ERRORS))
    found = replace(found, excess=-test.mean, excess_bound=upper)
    evidence = (
        f"without the {len(dropped)} unimportant ones log loss changes by {-test.mean:+.5f}, at "
        f"most {upper:+.5f} at {settings.selection.significance:.0%}; "
        f"{settings.selection.tolerance:+.5f} is tolerated"
    )
    if upper > settings.selection.tolerance:
        return replace(found, reason=f"all are kept, {evidence}")
    return replace(found, kept=kept, dropped=dropped, reason=evidence)


def group_shares(model: SignalModel, settings: SignalSettings) -> dict[str, float]:
    """Share of a model's total gain by feature group, largest first."""
    group_of = feature_groups(settings)
    shares: dict[str, float] = {}
    for name, share in model.feature_importance(len(model.names)):
        group = group_of.get(name, OTHER_GROUP)
        shares[group] = shares.get(group, 0.0) + share
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


class _TrialModel:
    """A model of some rows, trained like any other, with one seed and without calibration."""

    def __init__(self, rows: TrainingRows, settings: SignalSettings) -> None:
        self.rows = rows
        self.settings = settings
        stopped_only = settings.model.model_copy(update={"seeds": 1, "refit": False})
        split = Split.of(rows, settings, is_first=False)
        chosen = settings.model_copy(update={"model": stopped_only})
        self._heads = fit_window(WindowTask(rows, split, chosen)).stopped

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return raw_mean(self._heads, features)

    def losses(self, rows: TrainingRows) -> NDArray[np.float64]:
        return log_losses(rows.label, self.probabilities(rows.features))


def sampled(rows: TrainingRows, max_rows: int) -> TrainingRows:
    """Rows of all pairs at every n-th candle, so that about ``max_rows`` rows are left."""
    step = -(-len(rows) // max_rows)
    _, candle = np.unique(rows.start, return_inverse=True)
    return rows.take(candle % step == 0)


def _parts(rows: TrainingRows, settings: SignalSettings) -> tuple[TrainingRows, ...]:
    """Rows to train, to choose and to confirm on, in order of time and purged of each other."""
    learn, later = split_tail(rows, settings, _LATER)
    return (learn, *split_tail(later, settings, 0.5))


def _why_not_split(parts: tuple[TrainingRows, ...], settings: SignalSettings) -> str:
    """Why these parts do not suffice to select features; empty if they do."""
    learn, *later = parts
    if why_not_trainable(learn, settings):
        return why_not_trainable(learn, settings)
    past, tail = split_tail(learn, settings, settings.validation_fraction)
    reasons = [why_not_trainable(rows, settings) for rows in (past, *later)] + [
        missing_classes(tail)
    ]
    return next((reason for reason in reasons if reason), "")


def _test(rows: TrainingRows, values: NDArray[np.float64], settings: SignalSettings) -> MeanTest:
    days = float(np.ptp(rows.start) + 1) / settings.candles_per_day
    return mean_test(candle_means(rows.start, values), days)
