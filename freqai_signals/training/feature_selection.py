"""Which features a model is trained on: fewer, if fewer are shown to cost nothing.

The rows before the hold-out are cut in three by time, purged of each other. A model of the first
part tells on the second what it loses when a set of features is exchanged between rows. The sets
whose loss is not above its standard error are left out, or, if that goes too far, those without a
loss. Either time a model without them must be as good on the third part, which chose nothing.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from freqai_signals.dataset.features import feature_groups
from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.dataset.splits import purged_tail
from freqai_signals.metrics import MeanTest, candle_means, log_losses, mean_test
from freqai_signals.model.ensemble import raw_mean
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.settings import SignalSettings
from freqai_signals.training.boosting import fit_heads
from freqai_signals.training.feature_clusters import (
    constant_columns,
    correlation_clusters,
    duplicate_columns,
    jaccard,
    permutation_losses,
)
from freqai_signals.training.row_checks import missing_classes, why_not_trainable

logger = logging.getLogger(__name__)

OTHER_GROUP: Final = "other"
_ERRORS: Final = (1.0, 0.0)
"""Standard errors above which a set is missed, in the order in which they are tried."""

_LATER: Final = 0.4
"""Share of the rows' time that judges, half of it to choose, half of it to confirm."""


@dataclass(frozen=True)
class FeatureChoice:
    """What is kept, and why.

    Attributes
    ----------
    kept
        Names in the order of the rows.
    reason
        One sentence with the numbers that decided.
    constant, duplicate, dropped
        Names left out because they hold one value, equal another, or were not missed.
    groups
        Log loss that the group's values are worth on purged rows (nats), by feature group; empty
        where nothing was measured.
    clusters
        Number of clusters that were judged, 0 if none.
    excess, excess_bound
        Log loss of the kept features minus that of all on the confirming rows (nats), and its upper
        bound; None where nothing was to be confirmed.
    jaccard
        Share of features in common with the model before; None if there was none.
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
        """For the model's card: all but the kept names, which the model has."""
        facts = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}
        return facts | {"kept": len(self.kept)}


def choose_features(
    past: TrainingRows, before: tuple[str, ...], settings: SignalSettings
) -> FeatureChoice:
    """Choose among the columns of ``past``; the log says what came out.

    Parameters
    ----------
    past
        The rows before the hold-out; nothing else is looked at.
    before
        Features of the model before, empty if there was none.
    settings
        ``selection`` and what shapes a model.

    Returns
    -------
    FeatureChoice
        Never raises for rows that cannot be judged: it keeps their columns and says so.
    """
    names = np.array(past.names, dtype=object)
    constant, duplicate = (
        (constant_columns(past.features), duplicate_columns(past.features))
        if "duplicates" in settings.selection.methods
        else (np.arange(0), np.arange(0))
    )
    duplicate = np.setdiff1d(duplicate, constant)
    left = np.setdiff1d(np.arange(len(names)), np.union1d(constant, duplicate))
    choice = _judged(past.columns(tuple(names[left])), settings)
    choice = replace(
        choice,
        constant=tuple(names[constant]),
        duplicate=tuple(names[duplicate]),
        jaccard=jaccard(choice.kept, before) if before else None,
    )
    stable = "" if choice.jaccard is None else f", Jaccard {choice.jaccard:.2f} with the last model"
    logger.info("Features: %d of %d kept%s: %s", len(choice.kept), len(names), stable,
                choice.reason)  # fmt: skip
    return choice


def _judged(past: TrainingRows, settings: SignalSettings) -> FeatureChoice:
    """Leave out what is not missed, if that is confirmed."""
    everything, asked = past.names, settings.selection.methods
    if not {"groups", "clusters"} & set(asked):
        return FeatureChoice(everything, "only constant and equal columns were looked for")
    parts = _parts(sampled(past, settings.selection.max_rows), settings)
    reason = _unfit(parts, settings)
    if reason:
        return FeatureChoice(everything, f"all are kept, their parts cannot judge: {reason}")
    learn, choose, confirm = parts
    judge = _Judge(learn, settings)
    groups = _groups(everything, settings)
    clusters = correlation_clusters(learn.features, settings.selection.correlation)
    sets = {("groups", name): places for name, places in groups.items()}
    if "clusters" in asked:
        sets |= {("clusters", str(i)): places.tolist() for i, places in enumerate(clusters)}
    lost = permutation_losses(judge.probabilities, choose.features, choose.label, sets)
    tests = {name: _test(choose, values, settings) for name, values in lost.items()}
    worth = {name: tests["groups", name].mean for name in groups}
    found = FeatureChoice(everything, "", groups=worth, clusters=len(clusters))
    for errors in _ERRORS:
        missed = np.ones(len(everything), dtype=np.bool_)
        for name, test in tests.items():
            if name[0] in asked and test.mean <= errors * test.standard_error:
                missed[sets[name]] = False
        found = _confirmed(found, missed, judge, confirm)
        if found.dropped:
            break
    return found


def _groups(names: Sequence[str], settings: SignalSettings) -> dict[str, list[int]]:
    """Columns of each feature group."""
    group_of = feature_groups(settings)
    groups: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        groups.setdefault(group_of.get(name, OTHER_GROUP), []).append(place)
    return groups


def _confirmed(
    found: FeatureChoice, missed: NDArray[np.bool_], whole: "_Judge", confirm: TrainingRows
) -> FeatureChoice:
    """Keep what is missed only if a model of that alone is as good on the confirming rows."""
    if missed.all():
        return replace(found, reason="all are kept, each set is missed")
    if not missed.any():
        return replace(found, reason="all are kept, none is missed by itself")
    settings = whole.settings
    kept = tuple(name for name, stays in zip(found.kept, missed, strict=True) if stays)
    dropped = tuple(name for name in found.kept if name not in set(kept))
    fewer = _Judge(whole.rows.columns(kept), settings)
    gain = whole.losses(confirm) - fewer.losses(confirm.columns(kept))
    test = _test(confirm, gain, settings)
    upper = -test.bound(settings.selection.significance / len(_ERRORS))
    found = replace(found, excess=-test.mean, excess_bound=upper)
    said = (
        f"without the {len(dropped)} that are not missed log loss changes by {-test.mean:+.5f}, at "
        f"most {upper:+.5f} at {settings.selection.significance:.0%}; "
        f"{settings.selection.tolerance:+.5f} is tolerated"
    )
    if upper > settings.selection.tolerance:
        return replace(found, reason=f"all are kept, {said}")
    return replace(found, kept=kept, dropped=dropped, reason=said)


def group_shares(model: SignalModel, settings: SignalSettings) -> dict[str, float]:
    """Share of a model's total gain by feature group, largest first."""
    group_of = feature_groups(settings)
    shares: dict[str, float] = {}
    for name, share in model.feature_importance(len(model.names)):
        group = group_of.get(name, OTHER_GROUP)
        shares[group] = shares.get(group, 0.0) + share
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


class _Judge:
    """A model of some rows, made as any other, with one seed and without calibration."""

    def __init__(self, rows: TrainingRows, settings: SignalSettings) -> None:
        self.rows = rows
        self.settings = settings
        one_seed = settings.model.model_copy(update={"seeds": 1})
        past, tail = _cut(rows, settings.validation_fraction, settings)
        self._heads = fit_heads(past, tail, settings.model_copy(update={"model": one_seed}))

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return raw_mean(self._heads, features)

    def losses(self, rows: TrainingRows) -> NDArray[np.float64]:
        return log_losses(rows.label, self.probabilities(rows.features))


def sampled(rows: TrainingRows, most: int) -> TrainingRows:
    """Every n-th candle, all pairs of it together, so that at most about ``most`` rows are left."""
    step = -(-len(rows) // most)
    _, place = np.unique(rows.start, return_inverse=True)
    return rows.take(place % step == 0)


def _parts(rows: TrainingRows, settings: SignalSettings) -> tuple[TrainingRows, ...]:
    """Rows that learn, choose and confirm, in this order of time and purged of each other."""
    learn, later = _cut(rows, _LATER, settings)
    return (learn, *_cut(later, 0.5, settings))


def _cut(
    rows: TrainingRows, fraction: float, settings: SignalSettings
) -> tuple[TrainingRows, TrainingRows]:
    before, after = purged_tail(
        rows.start, rows.event_end, fraction, settings.validation.embargo_candles
    )
    return rows.take(before), rows.take(after)


def _unfit(parts: tuple[TrainingRows, ...], settings: SignalSettings) -> str:
    """Why these parts cannot judge features; empty if they can."""
    learn, *later = parts
    if why_not_trainable(learn, settings):
        return why_not_trainable(learn, settings)
    past, tail = _cut(learn, settings.validation_fraction, settings)
    reasons = [why_not_trainable(rows, settings) for rows in (past, *later)] + [
        missing_classes(tail)
    ]
    return next((reason for reason in reasons if reason), "")


def _test(rows: TrainingRows, values: NDArray[np.float64], settings: SignalSettings) -> MeanTest:
    days = float(np.ptp(rows.start) + 1) / settings.candles_per_day
    return mean_test(candle_means(rows.start, values), days)
