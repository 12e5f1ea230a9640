"""Splitting off the hold-out, and whether rows suffice to train and to validate a model."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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


@dataclass(frozen=True)
class Split:
    """Masks of a training window's rows, each of shape ``(n,)``.

    Attributes
    ----------
    past, tail
        Rows before the hold-out, purged of it, and the hold-out.
    early, end
        Two parts of the past, purged of each other, from which a first model has its history of
        predictions; all false where there is a history already, or too few rows for one.
    """

    past: NDArray[np.bool_]
    tail: NDArray[np.bool_]
    early: NDArray[np.bool_]
    end: NDArray[np.bool_]

    @classmethod
    def of(cls, rows: TrainingRows, settings: SignalSettings, is_first: bool) -> "Split":
        """Split a window; ``is_first`` asks for rows of a first history."""
        embargo, fraction = settings.validation.embargo_candles, settings.validation_fraction
        past, tail = purged_tail(rows.start, rows.event_end, fraction, embargo)
        none = np.zeros(len(rows), dtype=np.bool_)
        if not is_first or not past.any():
            return cls(past, tail, none, none)
        # The end is as long as the hold-out.
        before = np.flatnonzero(past)
        parts = purged_tail(
            rows.start[before], rows.event_end[before], fraction / (1.0 - fraction), embargo
        )
        early, end = (np.isin(np.arange(len(rows)), before[part]) for part in parts)
        if why_not_trainable(rows.take(early), settings):
            return cls(past, tail, none, none)
        return cls(past, tail, early, end)


def split_tail(
    rows: TrainingRows, settings: SignalSettings, fraction: float
) -> tuple[TrainingRows, TrainingRows]:
    """Split off the last ``fraction`` of the rows' time span; the earlier rows are purged."""
    before, after = purged_tail(
        rows.start, rows.event_end, fraction, settings.validation.embargo_candles
    )
    return rows.take(before), rows.take(after)
