"""Scores of parameters: on purged folds in the search, in a paired test at the end."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.dataset.splits import BoolArray
from freqai_signals.metrics import MeanTest, candle_means, log_losses, mean_test
from freqai_signals.registry.gate import calibrated
from freqai_signals.settings import SignalSettings
from freqai_signals.training.booster_store import MemoryStore
from freqai_signals.training.cluster import Cluster
from freqai_signals.training.fit import Boosters, Request, boosters_ahead, train
from freqai_signals.training.worker_processes import train_by_threads
from freqai_signals.tuning.search_space import TuningRows

_KEY = "tuning"


class TooFewRows(ValueError):
    """The default parameters give no model; the message says why."""


@dataclass(frozen=True)
class Score:
    """Mean log loss in nats, and after the last fold that of every backtest path."""

    loss: float
    paths: tuple[float, ...] = ()


@dataclass(frozen=True)
class Trainers:
    """Who trains the boosters of folds, which changes none of them.

    Attributes
    ----------
    cluster
        Whose workers train, if it is one.
    workers
        Trainings at a time on this machine, for what no cluster trains.
    """

    cluster: Cluster = field(default_factory=Cluster)
    workers: int = 1

    @property
    def at_a_time(self) -> int:
        """Trainings at a time."""
        return self.cluster.threads or self.workers

    def train_ahead(
        self,
        search: TrainingRows,
        parts: Sequence[tuple[BoolArray, SignalSettings]],
        store: MemoryStore,
    ) -> None:
        """Fill the store with the boosters of parts of the rows, each with its settings.

        A cluster's workers take the parts themselves, so that the rows travel to each of them once
        a search. Here a single part is left to its own training, whose boosters share its bins.
        """
        if not self.cluster.threads and min(self.workers, len(parts)) < 2:
            return
        tasks = []
        for mask, settings in parts:
            task = boosters_ahead(Request(search.take(mask), settings), True, store)
            tasks += [replace(task, taken=(search, mask))] if task is not None else []
        self.cluster.train(tasks, shown=False)
        # It has none, or has just lost it.
        if not self.cluster.threads:
            train_by_threads(tasks, self.workers)


def fold_scores(
    rows: TuningRows, settings: SignalSettings, check_time: Callable[[], None], trainers: Trainers
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
    trainers
        Train boosters of the next folds together.

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
    store, trained = MemoryStore(), 0
    for done, fold in enumerate(rows.folds):
        check_time()
        if done == trained:
            trained = _folds_ahead(done, once, trainers.at_a_time)
            masks = [fold.train for fold in rows.folds[done:trained]]
            trainers.train_ahead(rows.search, [(mask, once) for mask in masks], store)
        how = Boosters(store, trainers.workers)
        found = _losses(rows.search.take(fold.train), rows.search.take(fold.test), once, how)
        losses.append(found.mean())
        # With several paths a row is tested once in each, so losses are summed path by path.
        path = fold.path[fold.test]
        total += np.bincount(path, weights=found, minlength=rows.paths)
        count += np.bincount(path, minlength=rows.paths)
        paths = tuple((total / count).tolist()) if len(losses) == len(rows.folds) else ()
        yield Score(float(np.mean(losses)), paths)


def _folds_ahead(done: int, settings: SignalSettings, threads: int) -> int:
    """Up to which fold the workers train, given how many are done.

    Up to the next power of two, after which the trial may be pruned. Beyond it only as many as keep
    threads busy that would be idle: what pruning then makes needless costs no time.
    """
    chains = settings.model.seeds * (1 if settings.model.kind == "multiclass" else 2)
    return max(1 << done.bit_length(), done + threads // chains)


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


def compare(
    rows: TuningRows, default: SignalSettings, tuned: SignalSettings, trainers: Trainers
) -> Comparison:
    """Train both on the rows of the search and compare them on the held-out ones.

    Candle means are compared, with a standard error that allows for serial dependence.

    Raises
    ------
    TooFewRows
        If either gives no model.
    """
    store, everything = MemoryStore(), np.ones(len(rows.search), np.bool_)
    trainers.train_ahead(rows.search, [(everything, each) for each in (default, tuned)], store)
    how = Boosters(store, trainers.workers)
    default_losses, tuned_losses = (
        _losses(rows.search, rows.held_out, settings, how) for settings in (default, tuned)
    )
    days = float(np.ptp(rows.held_out.start) + 1) / default.candles_per_day
    gain = mean_test(candle_means(rows.held_out.start, default_losses - tuned_losses), days)
    return Comparison(gain, len(rows.held_out), days, float(default_losses.mean()))


def _losses(
    trained: TrainingRows, tested: TrainingRows, settings: SignalSettings, how: Boosters
) -> NDArray[np.float64]:
    """Losses of calibrated probabilities."""
    model = train(Request(trained, settings), _KEY, how)
    if model.fit is None:
        raise TooFewRows(f"tuning needs a model in every fold: {model.card.reason}")
    return log_losses(tested.label, calibrated(model, tested))
