"""Training: from rows to a SignalModel, or to one that abstains and has the reason in its card."""

import logging
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from freqai_signals import metrics
from freqai_signals.dataset.features import feature_groups
from freqai_signals.dataset.holdout import Holdout
from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.drift.training_reference import MAX_FEATURES, drift_reference
from freqai_signals.metrics import Probabilities
from freqai_signals.model.calibration import CalibrationRows, fit_calibrator
from freqai_signals.model.card import ModelCard
from freqai_signals.model.ensemble import raw_mean
from freqai_signals.model.reference import MarginReference, NoveltyReference
from freqai_signals.model.signal_model import Fit, SignalModel
from freqai_signals.model.trade_value import TradeValue
from freqai_signals.provenance import digest
from freqai_signals.settings import SignalSettings
from freqai_signals.training.booster_store import BoosterStore
from freqai_signals.training.boosting import (
    NotTrainedError,
    WindowBoosters,
    WindowTask,
    fit_window,
    rounds_of,
)
from freqai_signals.training.climatology_check import SIGNIFICANCE, gain_over_climatology
from freqai_signals.training.feature_selection import choose_features, group_shares
from freqai_signals.training.past_predictions import (
    PastPredictions,
    evidence_block,
    of_earlier_model,
    pair_spreads,
    ranks,
    worth,
    worth_warnings,
)
from freqai_signals.training.request import Request, new_card
from freqai_signals.training.row_checks import Split, missing_classes, why_not_trainable

__all__ = ["Boosters", "Request", "train"]

logger = logging.getLogger(__name__)

_CHECKED_ROWS = 2_000
_MAX_MEDIAN_PERCENTILE = 0.9
_NOT_REFITTED = "refitted boosters are overconfident; the early-stopped ones are used instead"


@dataclass(frozen=True)
class Boosters:
    """How boosters are trained, which changes none of them.

    Attributes
    ----------
    store
        Where finished ones are kept and looked for; None keeps none.
    workers
        How many are trained at a time.
    """

    store: BoosterStore | None = None
    workers: int = 1


@dataclass(frozen=True)
class _Window:
    """All rows of a training window, and two parts purged of each other: past and hold-out."""

    rows: TrainingRows
    past: TrainingRows
    tail: TrainingRows


def train(
    request: Request, key: str | None = None, boosters: Boosters | None = None
) -> SignalModel:
    """Train a model: early stopping and calibration on a purged tail, refit on all rows.

    Parameters
    ----------
    request
        Rows, settings, previous model.
    key
        ``request.key()``, if it is known.
    boosters
        One after the other and unstored by default.

    Returns
    -------
    SignalModel
        Never raises for unsuitable rows: the model then abstains and its card holds the reason.
        Bit-identical for the same request and any number of threads and workers. A model without
        boosters because worker processes failed has no key: it is not to be stored.
    """
    # Each further thread of BLAS keeps a core busy for a tenth of a second after a sum of
    # microseconds; how many share one may change its last bits.
    with threadpool_limits(limits=1, user_api="blas"):
        return _trained(request, key or request.key(), boosters or Boosters())


def _trained(request: Request, key: str, how: Boosters) -> SignalModel:
    rows, settings = request.rows, request.settings
    card = new_card(request, key)
    before = of_earlier_model(request.previous, rows, settings)
    untrained = SignalModel(card, rows.names, before.directions, trades=before.trades)
    reason = why_not_trainable(rows, settings)
    if reason:
        return replace(untrained, card=replace(card, reason=reason))

    split = Split.of(rows, settings, is_first=not len(before.directions.log_odds))
    past, tail = rows.take(split.past), rows.take(split.tail)
    reason = why_not_trainable(past, settings) or missing_classes(tail)
    if reason:
        return replace(untrained, card=replace(card, reason=reason))

    # On the past only: the hold-out must not take part in the choice.
    # A first model's past predictions, of the end of that past, must not take part either.
    choosing = rows.take(split.early) if split.early.any() else past
    card, kept = _select_features(card, choosing, request, how.workers)
    window = _Window(*(part.columns(kept) for part in (rows, past, tail)))
    try:
        fitted = fit_window(WindowTask(window.rows, split, settings, how.store), how.workers)
    except NotTrainedError as error:
        return replace(untrained, card=replace(card, key="", reason=str(error)))
    if fitted.early:
        end = window.rows.take(split.end)
        raw = raw_mean(fitted.early, end.features)
        before = PastPredictions().extended(end, raw, raw.argmax(axis=1), ranks(raw), settings)
    held_out, calibrated = _held_out_fit(window, fitted, settings, before)
    fit = _refitted(held_out, fitted, window)
    held = Holdout.of(window.past, window.tail, calibrated)
    card = _judged(card, fit, window, calibrated, settings)
    if settings.model.refit and fit is held_out:
        card = replace(card, warnings=(*card.warnings, _NOT_REFITTED))
    for warning in card.warnings:
        logger.warning("Model %s: %s", card.version, warning)
    until = int(rows.event_end.max())
    model = SignalModel(
        card, window.rows.names, before.directions, fit, until, held, trades=before.trades
    )
    monitored = _monitored(model, settings)
    return replace(
        model,
        card=replace(card, groups=group_shares(model, settings)),
        drift=drift_reference(window.rows, held, monitored, settings),
    )


def _judged(
    card: ModelCard, fit: Fit, window: _Window, calibrated: Probabilities, settings: SignalSettings
) -> ModelCard:
    """The card with how good the model is."""
    scores = _scores(fit, window, calibrated)
    return replace(
        card,
        metrics=scores,
        rounds=rounds_of(fit.heads),
        warnings=(*_warnings(window, calibrated, settings), *worth_warnings(fit)),
        notes=_notes(scores["validation"], settings),
    )


def _monitored(model: SignalModel, settings: SignalSettings) -> list[str]:
    """Features with the largest gain, but for the calendar's: only holes can make these differ."""
    group_of = feature_groups(settings)
    names = [
        n for n, _ in model.feature_importance(len(model.names)) if group_of.get(n) != "calendar"
    ]
    return names[:MAX_FEATURES]


def boosters_ahead(request: Request, is_first: bool, store: BoosterStore) -> WindowTask | None:
    """The task of a window's boosters before the models of earlier windows are known.

    Parameters
    ----------
    request
        Its ``previous`` is not used.
    is_first
        Whether no model before it will have a history of predictions.
    store
        Where :func:`train` will look for them.

    Returns
    -------
    WindowTask or None
        None where the rows cannot train a model, or where features are selected first.
    """
    rows, settings = request.rows, request.settings
    if settings.selection.enabled or why_not_trainable(rows, settings):
        return None
    split = Split.of(rows, settings, is_first)
    past, tail = rows.take(split.past), rows.take(split.tail)
    if why_not_trainable(past, settings) or missing_classes(tail):
        return None
    return WindowTask(rows, split, settings, store)


def _held_out_fit(
    window: _Window, fitted: WindowBoosters, settings: SignalSettings, before: PastPredictions
) -> tuple[Fit, Probabilities]:
    """The early-stopped fit and its calibrated hold-out probabilities."""
    rows, tail, heads = window.rows, window.tail, fitted.stopped
    raw = raw_mean(heads, tail.features)
    # Rows per independent outcome: mean length of an event over the step between rows.
    overlap = float(np.mean(rows.event_end - rows.start)) / settings.row_step
    block = evidence_block(settings)
    calibrator = fit_calibrator(
        CalibrationRows(tail.label, raw, tail.start, tail.event_end, overlap, block),
        before.directions,
        settings.calibration,
    )
    calibrated = calibrator(raw)
    fit = Fit(
        heads=heads,
        calibrator=calibrator,
        margins=MarginReference.of(calibrated),
        novelty=NoveltyReference.of(rows.features),
        prior=metrics.class_prior(rows.label),
        value=TradeValue.of(before.trades, calibrator, block, settings.candles_per_day),
        spreads=pair_spreads(rows),
    )
    return fit, calibrated


def _scores(fit: Fit, window: _Window, calibrated: Probabilities) -> dict[str, dict[str, float]]:
    """Metrics of the final fit on a sample of all rows, and of the held-out fit on the hold-out."""
    rows, tail = window.rows, window.tail
    sample = rows.take(_some(len(rows)))
    prior = metrics.class_prior(window.past.label)
    return {
        "train": metrics.summary(sample.label, fit.calibrated(sample.features), fit.prior),
        "validation": metrics.summary(tail.label, calibrated, prior),
        **worth(fit),
    }


def _some(count: int) -> NDArray[np.bool_]:
    """A mask of at most 2,000 of so many rows, the same each time.

    Every so-many-th might be of one pair only, since the rows of a candle come pair by pair.
    """
    chosen = np.random.default_rng(0).choice(count, min(count, _CHECKED_ROWS), replace=False)
    return np.isin(np.arange(count), chosen)


def _select_features(
    card: ModelCard, past: TrainingRows, request: Request, workers: int
) -> tuple[ModelCard, tuple[str, ...]]:
    """The card with the result of feature selection, and the features to train on."""
    if not request.settings.selection.enabled:
        return card, past.names
    previous = request.previous
    before = previous.names if previous is not None and previous.fit is not None else ()
    choice = choose_features(past, before, request.settings, workers)
    names = list(choice.kept)
    changes: dict[str, Any] = {"features": len(names), "features_digest": digest(names)}
    return replace(card, selection=choice.evidence(), **changes), choice.kept


def _refitted(held_out: Fit, fitted: WindowBoosters, window: _Window) -> Fit:
    """The fit that predicts: trained again on all rows, unless that makes it overconfident.

    With few rows, boosters trained on the hold-out too may have much larger margins there than
    those that define the percentiles of confidence; then every row would get a high confidence.
    """
    if not fitted.refitted:
        return held_out
    refitted = replace(held_out, heads=fitted.refitted)
    sample = window.tail.features[_some(len(window.tail))]
    confidence = held_out.margins.percentile(refitted.calibrated(sample))
    return held_out if np.median(confidence) > _MAX_MEDIAN_PERCENTILE else refitted


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
