"""Feature selection: features are dropped only if that provably costs nothing.

The rows before the hold-out are split in two by time, purged of each other. A model of the first
part gives each feature's gain. The features that add least to it are dropped if a model without
them is as good on the second part, which chose nothing.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from freqai_signals.dataset.features import feature_groups
from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.metrics import candle_means, log_losses, mean_test
from freqai_signals.model.booster import gain
from freqai_signals.model.ensemble import raw_mean
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.settings import SignalSettings
from freqai_signals.training.boosting import WindowTask, fit_window
from freqai_signals.training.row_checks import (
    Split,
    missing_classes,
    split_tail,
    why_not_trainable,
)

logger = logging.getLogger(__name__)

OTHER_GROUP: Final = "other"
_CONFIRMING_SHARE: Final = 0.3
"""Share of the rows' time used to confirm a choice."""


@dataclass(frozen=True)
class FeatureChoice:
    """Result of feature selection.

    Attributes
    ----------
    kept
        Names in the order of the rows.
    reason
        One sentence with the numbers that decided.
    dropped
        Names of the features left out.
    excess, excess_bound
        Log loss of the kept features minus that of all on the confirming rows (nats), and its upper
        bound; None if there was nothing to confirm.
    jaccard
        Jaccard index with the features of the previous model, 1 for the same ones; None if there
        was none.
    """

    kept: tuple[str, ...]
    reason: str
    dropped: tuple[str, ...] = ()
    excess: float | None = None
    excess_bound: float | None = None
    jaccard: float | None = None

    def evidence(self) -> dict[str, Any]:
        """For the model card: all but the kept names, which the model has."""
        return asdict(self) | {"kept": len(self.kept), "dropped": list(self.dropped)}


def choose_features(
    past: TrainingRows, before: tuple[str, ...], settings: SignalSettings, workers: int = 1
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
    workers
        Boosters that are trained at a time, which changes none of them.

    Returns
    -------
    FeatureChoice
        Never raises for too few rows: then all their columns are kept, with the reason.
    """
    choice = _drop_unimportant(sampled(past, settings.selection.max_rows), settings, workers)
    stability = ""
    if before:
        choice = replace(choice, jaccard=_jaccard(choice.kept, before))
        stability = f", Jaccard {choice.jaccard:.2f} with the last model"
    logger.info("Features: %d of %d kept%s: %s", len(choice.kept), len(past.names), stability,
                choice.reason)  # fmt: skip
    return choice


def _drop_unimportant(rows: TrainingRows, settings: SignalSettings, workers: int) -> FeatureChoice:
    """Drop the features that add least gain, if that is confirmed."""
    learn, confirm = split_tail(rows, settings, _CONFIRMING_SHARE)
    reason = _why_not_split(learn, confirm, settings)
    if reason:
        return FeatureChoice(rows.names, f"all are kept, too few rows to split: {reason}")
    full = _TrialModel(learn, settings, workers)
    important = full.important(settings.selection.gain_share)
    if important.all():
        return FeatureChoice(rows.names, "all are kept, every one adds to the gain")
    return _confirmed(important, full, confirm)


def _confirmed(
    important: NDArray[np.bool_], full: "_TrialModel", confirm: TrainingRows
) -> FeatureChoice:
    """Keep only the important features if a model of these is as good on the confirming rows."""
    names, settings = full.rows.names, full.settings
    kept = tuple(name for name, keep in zip(names, important, strict=True) if keep)
    reduced = _TrialModel(full.rows.columns(kept), settings, full.workers)
    gained = full.losses(confirm) - reduced.losses(confirm.columns(kept))
    days = float(np.ptp(confirm.start) + 1) / settings.candles_per_day
    test = mean_test(candle_means(confirm.start, gained), days)
    limits = settings.selection
    # The test is of what leaving out gains: at worst it loses this much.
    upper = -test.bound(limits.significance)
    evidence = (
        f"without the {len(names) - len(kept)} unimportant ones log loss changes by "
        f"{-test.mean:+.5f}, at most {upper:+.5f} at {limits.significance:.0%}; "
        f"{limits.tolerance:+.5f} is tolerated"
    )
    if upper > limits.tolerance:
        return FeatureChoice(names, f"all are kept, {evidence}", (), -test.mean, upper)
    dropped = tuple(name for name in names if name not in set(kept))
    return FeatureChoice(kept, evidence, dropped, -test.mean, upper)


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

    def __init__(self, rows: TrainingRows, settings: SignalSettings, workers: int) -> None:
        self.rows = rows
        self.settings = settings
        self.workers = workers
        stopped_only = settings.model.model_copy(update={"seeds": 1, "refit": False})
        split = Split.of(rows, settings, is_first=False)
        chosen = settings.model_copy(update={"model": stopped_only})
        self._heads = fit_window(WindowTask(rows, split, chosen), workers).stopped

    def important(self, gain_share: float) -> NDArray[np.bool_]:
        """Features that make up ``gain_share`` of any booster's gain, shape ``(m,)``.

        Direction's gain is far smaller than that of moves, so each booster counts by itself.
        """
        important = np.zeros(len(self.rows.names), dtype=np.bool_)
        for fitted in self._heads[0].boosters:
            gains = gain(fitted)
            order = np.argsort(-gains, kind="stable")
            before = np.cumsum(gains[order]) - gains[order]
            # Also the feature that reaches the share; one without any gain was never split on.
            important[order[(before < gain_share * gains.sum()) & (gains[order] > 0)]] = True
        return important

    def losses(self, rows: TrainingRows) -> NDArray[np.float64]:
        return log_losses(rows.label, raw_mean(self._heads, rows.features))


def sampled(rows: TrainingRows, max_rows: int) -> TrainingRows:
    """Rows of all pairs at every n-th candle, so that about ``max_rows`` rows are left."""
    step = -(-len(rows) // max_rows)
    _, candle = np.unique(rows.start, return_inverse=True)
    return rows.take(candle % step == 0)


def _why_not_split(learn: TrainingRows, confirm: TrainingRows, settings: SignalSettings) -> str:
    """Why these parts do not suffice to select features; empty if they do."""
    if why_not_trainable(learn, settings):
        return why_not_trainable(learn, settings)
    past, tail = split_tail(learn, settings, settings.validation_fraction)
    reasons = [why_not_trainable(rows, settings) for rows in (past, confirm)]
    return next((reason for reason in [*reasons, missing_classes(tail)] if reason), "")


def _jaccard(one: Sequence[str], other: Sequence[str]) -> float:
    """Jaccard index of two sets of names, of which the second is not empty."""
    return len(set(one) & set(other)) / len(set(one) | set(other))
