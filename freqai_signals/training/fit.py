"""Training: from rows to a SignalModel, or to one that abstains and has the reason in its card."""

import logging
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from freqai_signals import metrics
from freqai_signals.dataset.features import feature_groups
from freqai_signals.dataset.holdout import Holdout
from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.drift.training_reference import MAX_FEATURES, drift_reference
from freqai_signals.metrics import Probabilities
from freqai_signals.model.calibration import (
    CalibrationRows,
    DirectionHistory,
    fit_calibrator,
)
from freqai_signals.model.card import ModelCard
from freqai_signals.model.ensemble import Head, raw_mean
from freqai_signals.model.reference import ClassReturns, MarginReference, NoveltyReference
from freqai_signals.model.signal_model import Fit, SignalModel
from freqai_signals.provenance import digest
from freqai_signals.settings import SignalSettings
from freqai_signals.training.boosting import first_history, fit_heads, refit, rounds_of
from freqai_signals.training.climatology import SIGNIFICANCE, gain_over_climatology
from freqai_signals.training.feature_selection import choose_features, group_shares
from freqai_signals.training.request import Request, new_card
from freqai_signals.training.row_checks import missing_classes, split_tail, why_not_trainable

__all__ = ["Request", "train"]

logger = logging.getLogger(__name__)

_TRAIN_METRIC_ROWS = 20_000
_MAX_MEDIAN_PERCENTILE = 0.9
_NOT_REFITTED = ("refitted boosters are overconfident; the early-stopped ones are used instead",)


def train(request: Request, key: str | None = None) -> SignalModel:
    """Train a model: early stopping and calibration on a purged tail, refit on all rows.

    Parameters
    ----------
    request
        Rows, settings, previous model.
    key
        ``request.key()`` if the caller has it already.

    Returns
    -------
    SignalModel
        Never raises for unsuitable rows: the model then abstains and its card holds the reason.
        Bit-identical for the same request and any number of threads.
    """
    rows, settings = request.rows, request.settings
    card = new_card(request, key or request.key())
    history = _history(request)
    reason = why_not_trainable(rows, settings)
    if reason:
        return SignalModel(replace(card, reason=reason), rows.names, history)

    past, tail = split_tail(rows, settings, settings.validation_fraction)
    reason = why_not_trainable(past, settings) or missing_classes(tail)
    if reason:
        return SignalModel(replace(card, reason=reason), rows.names, history)

    # On the past only: the hold-out must not take part in the choice.
    card, kept = _select_features(card, past, request)
    window = _Window(*(part.columns(kept) for part in (rows, past, tail)))
    held_out, history, calibrated = _held_out_fit(window, settings, history)
    fit = _refitted(held_out, window, settings)
    held = Holdout.of(window.past, window.tail, calibrated)
    scores = _scores(fit, window, calibrated)
    card = replace(
        card,
        metrics=scores,
        rounds=rounds_of(fit.heads),
        warnings=_warnings(window, calibrated, settings)
        + (_NOT_REFITTED if settings.model.refit and fit is held_out else ()),
        notes=_notes(scores["validation"], settings),
    )
    for warning in card.warnings:
        logger.warning("Model %s: %s", card.version, warning)
    until = int(rows.event_end.max())
    model = SignalModel(card, window.rows.names, history, fit, until, held)
    monitored = _monitored(model, settings)
    return replace(
        model,
        card=replace(card, groups=group_shares(model, settings)),
        drift=drift_reference(window.rows, held, monitored, settings),
    )


def _monitored(model: SignalModel, settings: SignalSettings) -> list[str]:
    """Features with the largest gain, but for the calendar's: only holes can make these differ."""
    group_of = feature_groups(settings)
    names = [
        n for n, _ in model.feature_importance(len(model.names)) if group_of.get(n) != "calendar"
    ]
    return names[:MAX_FEATURES]


@dataclass(frozen=True)
class _Window:
    """All rows of a training window, and two parts purged of each other: past and hold-out."""

    rows: TrainingRows
    past: TrainingRows
    tail: TrainingRows


def _held_out_fit(
    window: _Window, settings: SignalSettings, history: DirectionHistory
) -> tuple[Fit, DirectionHistory, Probabilities]:
    """A fit with early stopping, its history, and its calibrated hold-out probabilities."""
    rows, past, tail = window.rows, window.past, window.tail
    heads = fit_heads(past, tail, settings)
    raw = raw_mean(heads, tail.features)
    if not len(history.log_odds):
        history = _first_history(past, heads, settings)
    # Rows per independent outcome: mean length of an event over the step between rows.
    overlap = float(np.mean(rows.event_end - rows.start)) / settings.model.row_step
    calibrator = fit_calibrator(
        CalibrationRows(tail.label, raw, tail.start, tail.event_end, overlap),
        history,
        settings.calibration,
    )
    calibrated = calibrator(raw)
    fit = Fit(
        heads=heads,
        calibrator=calibrator,
        margins=MarginReference.of(calibrated),
        novelty=NoveltyReference.of(rows.features),
        class_returns=ClassReturns.of(rows.label, rows.realised_return),
        prior=metrics.class_prior(rows.label),
    )
    return fit, history, calibrated


def _scores(fit: Fit, window: _Window, calibrated: Probabilities) -> dict[str, dict[str, float]]:
    """Metrics of the final fit on a sample of all rows, and of the held-out fit on the hold-out."""
    rows, tail = window.rows, window.tail
    sample = rows.take(np.arange(len(rows)) % (len(rows) // _TRAIN_METRIC_ROWS + 1) == 0)
    prior = metrics.class_prior(window.past.label)
    return {
        "train": metrics.summary(sample.label, fit.calibrated(sample.features), fit.prior),
        "validation": metrics.summary(tail.label, calibrated, prior),
    }


def _select_features(
    card: ModelCard, past: TrainingRows, request: Request
) -> tuple[ModelCard, tuple[str, ...]]:
    """The card with the result of feature selection, and the features to train on."""
    if not request.settings.selection.enabled:
        return card, past.names
    previous = request.previous
    before = previous.names if previous is not None and previous.fit is not None else ()
    choice = choose_features(past, before, request.settings)
    names = list(choice.kept)
    changes: dict[str, Any] = {"features": len(names), "features_digest": digest(names)}
    return replace(card, selection=choice.evidence(), **changes), choice.kept


def _refitted(held_out: Fit, window: _Window, settings: SignalSettings) -> Fit:
    """The fit that predicts: trained again on all rows, unless that makes it overconfident.

    With few rows, boosters trained on the hold-out too may have much larger margins there than
    those that define the percentiles of confidence; then every row would get a high confidence.
    """
    if not settings.model.refit:
        return held_out
    refitted = replace(held_out, heads=refit(held_out.heads, window.rows, settings))
    confidence = held_out.margins.percentile(refitted.calibrated(window.tail.features))
    return held_out if np.median(confidence) > _MAX_MEDIAN_PERCENTILE else refitted


def _history(request: Request) -> DirectionHistory:
    """The previous model's history plus its predictions of rows after its training."""
    previous = request.previous
    if previous is None:
        return DirectionHistory()
    later = request.rows.take(request.rows.start > previous.trained_until)
    has_features = set(previous.names) <= set(later.names)
    if previous.fit is None or not has_features or not len(later):
        return previous.history
    # Raw, since the slope of calibration is fitted on them.
    raw = previous.fit.raw(later.columns(previous.names).features)
    return previous.history.extended(later.event_end, later.label, raw)


def _first_history(
    past: TrainingRows, heads: tuple[Head, ...], settings: SignalSettings
) -> DirectionHistory:
    """History from the end of ``past``, as long as the hold-out; empty with too few rows."""
    fraction = settings.validation_fraction / (1.0 - settings.validation_fraction)
    early, end = split_tail(past, settings, fraction)
    if why_not_trainable(early, settings):
        return DirectionHistory()
    return first_history(early, end, heads, settings)


def _warnings(
    window: _Window, calibrated: Probabilities, settings: SignalSettings
) -> tuple[str, ...]:
    skill, test = gain_over_climatology(window.past, window.tail, calibrated, settings)
    if test.bound(SIGNIFICANCE) > 0:
        return ()
    return (
        f"skill over climatology, {skill:+.3f} on the hold-out, is not shown at level "
        f"{SIGNIFICANCE:g}: the hour and recent volatility alone may predict as well",
    )


def _notes(validation: dict[str, float], settings: SignalSettings) -> tuple[str, ...]:
    """What a reader of the card should see, and nobody needs to act on."""
    accuracy, limit = validation["accuracy"], settings.validation.accuracy_warning
    low = accuracy < limit
    return (f"validation accuracy {accuracy:.3f} is below {limit}",) if low else ()
