"""A backtest's windows: each model trained once, each pair labelled once."""

import logging
import time
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from freqai_signals.dataset.features.mapped import rest
from freqai_signals.dataset.rows import candle_numbers
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.registry.promotion import window_serving
from freqai_signals.schema import LABEL_COLUMN, RETURN_SCALE_COLUMN
from freqai_signals.settings import SignalSettings
from freqai_signals.training.cluster import Cluster
from freqai_signals.training.fit import boosters_ahead
from freqai_signals.training.model_store import ModelStore
from freqai_signals.training.request import Request
from freqai_signals.training.training_times import keep_training_time
from freqai_signals.training.worker_processes import train_ahead

logger = logging.getLogger(__name__)

SCHEDULER_KEY: Final = "signal_scheduler"
"""Top-level key of freqtrade's merged config under which ``train`` passes Dask's address on."""


class WindowModels:
    """Of each training window the newly trained model, and the one that serves.

    Parameters
    ----------
    store
        Knows whether the very same model was trained before.
    settings
        Those of the gate.
    scheduler
        Address of a Dask scheduler whose workers train what is trained ahead; empty for none.
    """

    def __init__(self, store: ModelStore, settings: SignalSettings, scheduler: str = "") -> None:
        self._store = store
        self._settings = settings
        self._scheduler = scheduler
        self._kept: dict[tuple[Hashable, int], tuple[SignalModel, SignalModel]] = {}
        self._ahead: set[Hashable] = set()

    def forget(self) -> None:
        """Let all models go: what asks for one later finds it stored.

        Each has a history of its own, with many pairs tens of megabytes.
        """
        self._kept.clear()

    def serving(
        self,
        run: Hashable,
        windows: Sequence[Any],
        request: Callable[[Any, SignalModel | None], Request],
        later: Sequence[Any] = (),
    ) -> SignalModel:
        """What serves the last window; windows before it are trained where they are not at hand.

        Every model carries on the calibration history of the one before, so a window's model is the
        same whether or not the predictions of earlier windows came from the cache.

        Parameters
        ----------
        run
            Names what the windows have in common: pool and first candle.
        windows
            Training windows from the run's first on, oldest first; ``stopts`` names one.
        request
            What a window's model is made from, given the one before; asked for only if the model
            is not at hand.
        later
            Windows that will be asked for next: where one must be trained, the boosters of all
            that follow it are trained side by side, as they depend on their own rows only.

        Raises
        ------
        ValueError
            If there is no window.
        """
        if not windows:
            raise ValueError("there is no training window; the timerange must begin after one")
        new: SignalModel | None = None
        serving: SignalModel | None = None
        for place, window in enumerate(windows):
            name = (run, int(window.stopts))
            if name not in self._kept:
                made_of = request(window, new)
                next_ones = (*windows[place:], *later)
                before = partial(self._train_ahead, run, next_ones, request, new)
                new = self._store.train(made_of, before)
                self._kept[name] = window_serving(new, serving, made_of.rows, self._settings)
            new, serving = self._kept[name]
        assert serving is not None
        return serving

    def _train_ahead(
        self,
        run: Hashable,
        windows: Sequence[Any],
        request: Callable[[Any, SignalModel | None], Request],
        previous: SignalModel | None,
    ) -> None:
        """Train the boosters of a run's windows, once a run; models of them are made in order.

        Not where a search for parameters must come first.
        """
        if run in self._ahead or (self._store.workers < 2 and not self._scheduler):
            return
        searched = self._settings.tuning.when == "stale"
        if self._scheduler and (searched or self._settings.selection.enabled):
            what = "parameters" if searched else "features"
            logger.warning("%s are chosen window by window, which no cluster can do", what)
        if searched:
            return
        self._ahead.add(run)
        has_history = previous is not None and len(previous.history.log_odds) > 0
        tasks = []
        for place, window in enumerate(windows):
            is_first = place == 0 and not has_history
            task = boosters_ahead(request(window, None), is_first, self._store.boosters)
            tasks += [task] if task is not None else []
        with Cluster(self._scheduler) as cluster:
            cluster.train(tasks)
        # While the workers need theirs.
        rest()
        started = time.perf_counter()
        count = train_ahead(tasks, self._store.workers)
        if count:
            seconds = (time.perf_counter() - started) / count
            rows = sum(len(task.rows) for task in tasks) // len(tasks)
            keep_training_time(self._store.folder, rows, seconds)


class LabelledOnce:
    """The strategy as FreqAI sees it in a backtest: the same hooks, but nothing is labelled again.

    FreqAI asks for the labels of all earlier rows twice a window and reads only the column's name:
    training rows come from the pair's table, whose labels the strategy's own hook has made.

    Parameters
    ----------
    strategy
        Whose ``tables`` hold its labels.
    candle_seconds
        Length of a candle.
    """

    def __init__(self, strategy: Any, candle_seconds: int) -> None:
        self._strategy = strategy
        self._candle_seconds = candle_seconds
        self._scale: dict[str, pd.Series] = {}

    def __getattr__(self, name: str) -> Any:
        """Everything else is the strategy's."""
        return getattr(self._strategy, name)

    def set_freqai_targets(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any], **kwargs: Any
    ) -> pd.DataFrame:
        """The frame with an empty label, and the return scale that predictions are made with.

        The scale of a row is known at its close. A frame with candles that the table lacks is
        labelled by the strategy.
        """
        pair = metadata["pair"]
        if pair not in self._scale:
            table = self._strategy.tables.table(pair, self._strategy)
            self._scale[pair] = table.labels[RETURN_SCALE_COLUMN].set_axis(table.numbers)
        numbers = pd.Index(candle_numbers(dataframe["date"], self._candle_seconds))
        places = self._scale[pair].index.get_indexer(numbers)
        if (places < 0).any():
            labelled: pd.DataFrame = self._strategy.set_freqai_targets(dataframe, metadata=metadata)
            return labelled
        frame = dataframe.assign(**{LABEL_COLUMN: np.nan})
        frame[RETURN_SCALE_COLUMN] = self._scale[pair].to_numpy()[places]
        return frame
