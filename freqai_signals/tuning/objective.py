"""Scores of parameters: on purged folds in the search, in a paired test at the end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.metrics import MeanTest, candle_means, log_losses, mean_test
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
    """Mean of the losses of the folds up to each one, after training on its rows.

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
        One a fold; the last one counts. The same step means the same rows for all parameters, so
        that losses of one step can be compared.

    Raises
    ------
    TooFewRows
        If a fold gives no model.
    """
    losses = []
    total, count = np.zeros(rows.paths), np.zeros(rows.paths)
    # The refit doubles the cost and favours no parameters.
    once = settings.model_copy(update={"model": settings.model.model_copy(update={"refit": False})})
    for fold in rows.folds:
        check_time()
        found = _losses(rows.search.take(fold.train), rows.search.take(fold.test), once)
        losses.append(found.mean())
        # With several paths a row is tested once in each, so losses are summed path by path.
        path = fold.path[fold.test]
        total += np.bincount(path, weights=found, minlength=rows.paths)
        count += np.bincount(path, minlength=rows.paths)
        paths = tuple((total / count).tolist()) if len(losses) == len(rows.folds) else ()
        yield Score(float(np.mean(losses)), paths)


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
        _losses(rows.search, rows.held_out, settings) for settings in (default, tuned)
    )
    days = float(np.ptp(rows.held_out.start) + 1) / default.candles_per_day
    gain = mean_test(candle_means(rows.held_out.start, default_losses - tuned_losses), days)
    return Comparison(gain, len(rows.held_out), days, float(default_losses.mean()))


def _losses(
    trained: TrainingRows, tested: TrainingRows, settings: SignalSettings
) -> NDArray[np.float64]:
    """Losses of calibrated probabilities."""
    model = train(Request(trained, settings), _KEY)
    if model.fit is None:
        raise TooFewRows(f"tuning needs a model in every fold: {model.card.reason}")
    return log_losses(tested.label, calibrated(model, tested))
