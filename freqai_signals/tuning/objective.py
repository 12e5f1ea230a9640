"""Scores of parameters: on purged folds in the search, in a paired test at the end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.metrics import MeanTest, candle_means, class_prior, log_losses, mean_test
from freqai_signals.registry.gate import calibrated
from freqai_signals.settings import SignalSettings
from freqai_signals.training.fit import Request, train
from freqai_signals.tuning.search_space import TuningRows

_KEY = "tuning"


class TooFewRows(ValueError):
    """The default parameters give no model; the message says why."""


@dataclass(frozen=True)
class Score:
    """Mean log loss in nats, and after the last fold that of every backtest path."""

    loss: float
    paths: tuple[float, ...] = ()


def fold_scores(
    rows: TuningRows, settings: SignalSettings, check_time: Callable[[], None]
) -> Iterator[Score]:
    """Scores after steps of increasing cost; the last one counts.

    Parameters
    ----------
    rows
        Divided rows; the held-out ones are not used.
    settings
        With the parameters to be scored.
    check_time
        Called before every training; raises to stop.

    Yields
    ------
    Score
        First, unless the coarse rows are all rows, the loss over all folds after training on the
        coarse rows; then the mean of the losses of the folds up to each, after training on all
        rows. The same step means the same rows for all parameters, so that losses of one step can
        be compared.

    Raises
    ------
    TooFewRows
        If a fold gives no model.
    """
    search = rows.search
    if not rows.coarse.all():
        sparse = _for_sparse_rows(settings, float(rows.coarse.mean()))
        losses = []
        for fold in rows.folds:
            check_time()
            trained = search.take(fold.train & rows.coarse)
            tested = search.take(fold.test)
            losses.append(_fold_losses(trained, tested, sparse, strict=False).mean())
        yield Score(float(np.mean(losses)))
    losses = []
    total, count = np.zeros(rows.paths), np.zeros(rows.paths)
    for fold in rows.folds:
        check_time()
        found = _fold_losses(search.take(fold.train), search.take(fold.test), settings)
        losses.append(found.mean())
        path = fold.path[fold.test]
        total += np.bincount(path, weights=found, minlength=rows.paths)
        count += np.bincount(path, minlength=rows.paths)
        paths = tuple((total / count).tolist()) if len(losses) == len(rows.folds) else ()
        yield Score(float(np.mean(losses)), paths)


def steps(rows: TuningRows) -> int:
    """How many values :func:`fold_scores` yields."""
    return len(rows.folds) + (not rows.coarse.all())


@dataclass(frozen=True)
class Comparison:
    """Gain of the tuned over the default parameters on the held-out rows.

    Attributes
    ----------
    gain
        Mean of the default's log loss minus the tuned one's, nats a row, with its error.
    rows, days
        Size of the held-out part.
    default_loss
        Log loss of the default there, nats.
    """

    gain: MeanTest
    rows: int
    days: float
    default_loss: float


def compare(rows: TuningRows, default: SignalSettings, tuned: SignalSettings) -> Comparison:
    """Train both on the rows of the search and compare them on the held-out ones.

    Candle means are compared, with a standard error that allows for serial dependence.

    Raises
    ------
    TooFewRows
        If either gives no model.
    """
    default_losses, tuned_losses = (
        _losses(rows.search, rows.held_out, settings, strict=True) for settings in (default, tuned)
    )
    days = float(np.ptp(rows.held_out.start) + 1) / default.candles_per_day
    gain = mean_test(candle_means(rows.held_out.start, default_losses - tuned_losses), days)
    return Comparison(gain, len(rows.held_out), days, float(default_losses.mean()))


def _fold_losses(
    trained: TrainingRows, tested: TrainingRows, settings: SignalSettings, strict: bool = True
) -> NDArray[np.float64]:
    """Losses of the early-stopped model: the refit doubles the cost and favours no parameters."""
    once = settings.model_copy(update={"model": settings.model.model_copy(update={"refit": False})})
    return _losses(trained, tested, once, strict)


def _losses(
    trained: TrainingRows, tested: TrainingRows, settings: SignalSettings, strict: bool
) -> NDArray[np.float64]:
    """Losses of calibrated probabilities; of the class prior where there is no model."""
    model = train(Request(trained, settings), _KEY)
    if model.fit is None and strict:
        raise TooFewRows(f"tuning needs a model in every fold: {model.card.reason}")
    if model.fit is None:
        prior = np.broadcast_to(class_prior(trained.label), (len(tested), 3))
        return log_losses(tested.label, prior)
    return log_losses(tested.label, calibrated(model, tested))


def _for_sparse_rows(settings: SignalSettings, share: float) -> SignalSettings:
    """The same parameters for fewer rows: a leaf needs the same share of them."""
    samples = max(1, round(settings.booster.min_child_samples * share))
    booster = settings.booster.model_copy(update={"min_child_samples": samples})
    return settings.model_copy(update={"booster": booster})
