"""Splitting off the hold-out, and whether rows suffice to train and to validate a model."""

import numpy as np

from freqai_signals import metrics
from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.dataset.splits import purged_tail
from freqai_signals.settings import SignalSettings


def why_not_trainable(rows: TrainingRows, settings: SignalSettings) -> str:
    """Why these rows cannot train a model; empty if they can."""
    limits = settings.validation
    if len(rows) < limits.min_rows:
        return f"{len(rows)} rows to train on, fewer than the minimum of {limits.min_rows}"
    for name, count in metrics.class_counts(rows.label).items():
        if count < limits.min_class_rows:
            return (
                f"class {name} has {count} rows to train on, fewer than the minimum of "
                f"{limits.min_class_rows}"
            )
    # ``initial``: without features there is no largest range.
    if np.ptp(rows.features, axis=0).max(initial=0.0) == 0.0:
        return "all features are constant"
    return ""


def missing_classes(tail: TrainingRows) -> str:
    """Why these rows cannot validate a model; empty if they can."""
    missing = [name for name, count in metrics.class_counts(tail.label).items() if not count]
    return f"the hold-out has no row of class {', '.join(missing)}" if missing else ""


def split_tail(
    rows: TrainingRows, settings: SignalSettings, fraction: float
) -> tuple[TrainingRows, TrainingRows]:
    """Split off the last ``fraction`` of the rows' time span; the earlier rows are purged."""
    before, after = purged_tail(
        rows.start, rows.event_end, fraction, settings.validation.embargo_candles
    )
    return rows.take(before), rows.take(after)
