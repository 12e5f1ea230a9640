"""Features and labels of a pair, computed by the strategy's FreqAI hooks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import gcd
from pathlib import Path
from typing import Any, Final
from weakref import ReferenceType, ref

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.barriers import LabelRule, width_and_scale
from freqai_signals.dataset.features import feature_memory
from freqai_signals.dataset.features.cache import candle_digest
from freqai_signals.dataset.features.mapped import in_file
from freqai_signals.dataset.labels import make_labels
from freqai_signals.dataset.pool_matrix import PoolMatrix
from freqai_signals.dataset.rows import (
    TrainingRows,
    Window,
    candle_numbers,
    pair_rows,
    pool_rows,
)
from freqai_signals.dataset.spread import spread_squares
from freqai_signals.dataset.trades import trade_outcomes
from freqai_signals.schema import (
    EVENT_END_COLUMN,
    LABEL_COLUMN,
    REALISED_RETURN_COLUMN,
    RETURN_SCALE_COLUMN,
    SPREAD_COLUMN,
    TRADE_COLUMNS,
)
from freqai_signals.settings import SignalSettings

_LABELS = [
    *(LABEL_COLUMN, EVENT_END_COLUMN, REALISED_RETURN_COLUMN, RETURN_SCALE_COLUMN),
    *(*TRADE_COLUMNS, SPREAD_COLUMN),
]

_MOST_THREADS: Final = 4
"""Tables made at a time: they take memory, and more threads gain little."""


def row_memory(settings: SignalSettings) -> int:
    """Candles that a frame needs so that its last row has every feature and its barrier."""
    return max(feature_memory(settings), LabelRule.of(settings).memory)


def thinned(settings: SignalSettings, pairs: int) -> SignalSettings:
    """Settings with the smallest ``model.row_step`` that keeps a window within ``model.max_rows``.

    Pairs move together: what each further one tells is little, and it costs as much time and
    memory as the first. At most half a horizon, so that every move lies in two labels at least.

    Parameters
    ----------
    settings
        ``row_step`` is the smallest that is considered.
    pairs
        That train one model.

    Examples
    --------
    >>> [thinned(SignalSettings(), pairs).model.row_step for pairs in (1, 13, 14, 100)]
    [7, 7, 11, 11]
    """
    model, day = settings.model, settings.candles_per_day
    if model.pool == "pair":
        return settings
    wider = range(settings.row_step + 1, settings.label_horizon_candles // 2 + 1)
    steps = [settings.row_step, *(step for step in wider if gcd(step, day) == 1)]
    candles = settings.train_period_days * day * pairs
    fits = [step for step in steps if candles <= step * model.max_rows]
    chosen = {"row_step": fits[0] if fits else steps[-1]}
    return settings.model_copy(update={"model": model.model_copy(update=chosen)})


def training_window(start: int, stop: int, settings: SignalSettings) -> Window:
    """Rows that FreqAI's training window allows.

    Parameters
    ----------
    start, stop
        Seconds since 1970, FreqAI's training window.
    settings
        Horizon, row step, features and labels.

    Notes
    -----
    The first :func:`row_memory` candles of a window start no row, so that a model does not depend
    on how many candles were loaded before its window. A window shorter than four times that (the
    founding design's seven days) would lose too much and uses the candles before it instead.
    """
    first, last = start // settings.candle_seconds, stop // settings.candle_seconds
    memory = row_memory(settings)
    warm_up = memory if last - first >= 4 * memory else 0
    return Window(first + warm_up, last, settings.label_horizon_candles, settings.row_step)


def add_labels(
    candles: pd.DataFrame, settings: SignalSettings, round_trip_cost: float
) -> pd.DataFrame:
    """Add label, event end, realised return, return scale, trade outcomes and spread to candles.

    See :func:`~freqai_signals.dataset.labels.make_labels` and
    :func:`~freqai_signals.dataset.trades.trade_outcomes` for what is known when; scale and spread
    are known at the row's close.
    """
    rule = LabelRule.of(settings, round_trip_cost)
    labels = make_labels(candles, rule)
    close = candles["close"].to_numpy(np.float64)
    width, labels[RETURN_SCALE_COLUMN] = width_and_scale(close, rule)
    labels[list(TRADE_COLUMNS)] = trade_outcomes(candles, width, rule.horizon, settings.exits)
    numbers = candle_numbers(candles["date"], settings.candle_seconds)
    labels[SPREAD_COLUMN] = spread_squares(candles, numbers, settings.candles_per_day)
    # FreqAI calls the label hook also on frames that have labels already.
    return pd.concat([candles.drop(columns=_LABELS, errors="ignore"), labels], axis=1)


@dataclass(frozen=True)
class Table:
    """One pair's features, labels and candle numbers, row by row."""

    features: pd.DataFrame
    labels: pd.DataFrame
    numbers: NDArray[np.int64]

    @classmethod
    def of(cls, frame: pd.DataFrame, candle_seconds: int) -> "Table":
        """Take the columns of a frame that carries ``date``, features and labels."""
        # As FreqAI takes them for features: by a "%" anywhere in the name.
        names = [name for name in frame.columns if "%" in name]
        return cls(frame[names], frame[_LABELS], candle_numbers(frame["date"], candle_seconds))


def training_rows(tables: Mapping[str, Table], window: Window) -> TrainingRows:
    """Rows of all pairs in one window; pairs without rows are left out.

    Raises
    ------
    ValueError
        If ``tables`` is empty.
    """
    return pool_rows(pair_parts(tables, window))


def pair_parts(
    tables: Mapping[str, Table], window: Window, after_each: Callable[[], None] = lambda: None
) -> list[TrainingRows]:
    """Rows of each pair in one window, sorted by pair; pairs without rows are left out."""
    parts = []
    for pair, table in sorted(tables.items()):
        parts.append(pair_rows(pair, table.features, table.labels, table.numbers, window))
        after_each()
    # Without any rows, an empty part still provides the feature names.
    return [part for part in parts if len(part)] or parts[:1]


class PairTables:
    """Cache of the pool's tables, one a pair, valid as long as the pair's candles do not change.

    Parameters
    ----------
    candle_seconds
        Length of a candle.
    folder
        Where the rows of a run lie on disk while they are used; None keeps them in memory.
    """

    def __init__(self, candle_seconds: int, folder: Path | None = None) -> None:
        self._candle_seconds = candle_seconds
        self._folder = folder
        self._kept: dict[str, tuple[str, Table]] = {}
        self._digests: dict[str, tuple[ReferenceType[pd.DataFrame], str]] = {}
        self._matrix: tuple[object, PoolMatrix] | None = None

    def __getstate__(self) -> dict[str, object]:
        """Leave the tables out: hyperopt pickles the strategy for a worker in every epoch."""
        return self.__dict__ | {"_kept": {}, "_digests": {}, "_matrix": None}

    def table(self, pair: str, strategy: Any) -> Table:
        """A pair's table, cached until its candles change.

        Parameters
        ----------
        pair
            Full name.
        strategy
            Provides ``training_candles`` and the hooks that compute features and labels.
        """
        key = self._digest(pair, strategy.training_candles(pair))
        if pair not in self._kept or self._kept[pair][0] != key:
            self._kept[pair] = (key, self._at_rest(self._computed(pair, strategy)))
        return self._kept[pair][1]

    def _digest(self, pair: str, candles: pd.DataFrame) -> str:
        """Digest of a frame, made once: every window asks for those of all pairs."""
        frame, digest = self._digests.get(pair, (None, ""))
        if frame is None or frame() is not candles:
            digest = candle_digest(candles)
            self._digests[pair] = ref(candles), digest
        return digest

    def cached(self, pair: str, candles: pd.DataFrame) -> Table | None:
        """The cached table of exactly these candles, indexed like them; None if there is none."""
        digest, table = self._kept.get(pair, ("", None))
        if table is None or digest != candle_digest(candles):
            return None
        features, labels = (part.set_axis(candles.index) for part in (table.features, table.labels))
        return Table(features, labels, table.numbers)

    def _at_rest(self, table: Table) -> Table:
        """The table with its labels in a file, as its features are."""
        if self._folder is None or not (table.labels.dtypes == np.float64).all():
            return table
        values = in_file(np.ascontiguousarray(table.labels.to_numpy().T), self._folder)
        names, index = table.labels.columns, table.labels.index
        labels = pd.DataFrame(values.T, index=index, columns=names, copy=False)
        return replace(table, labels=labels, numbers=in_file(table.numbers, self._folder))

    def _computed(self, pair: str, strategy: Any) -> Table:
        # A hook may add columns; the candles are not its own.
        metadata, candles = {"pair": pair}, strategy.training_candles(pair).copy(deep=False)
        frame = strategy.feature_engineering_standard(candles, metadata=metadata)
        frame = strategy.set_freqai_targets(frame, metadata=metadata)
        return Table.of(frame, self._candle_seconds)

    def run_rows(
        self,
        pairs: Sequence[str],
        strategy: Any,
        window: Window,
        run: Sequence[Window],
        after_each: Callable[[], None] = lambda: None,
        at_a_time: int = 1,
    ) -> TrainingRows:
        """Rows of all pairs in one window of a run, for whose windows they are made only once.

        Parameters
        ----------
        pairs, strategy
            As in :meth:`table`.
        window
            One of the run's.
        run
            All its windows; they differ in their ends only.
        after_each
            Called after each pair's table is made, and again after its rows are.
        at_a_time
            Tables that threads make at the same time, at most four; with 1 this thread makes them.
        """
        tables = self._tables(pairs, strategy, min(at_a_time, _MOST_THREADS), after_each)
        whole = replace(window, first=min(w.first for w in run), stop=max(w.stop for w in run))
        key = (whole, [(pair, self._kept[pair][0]) for pair in sorted(tables)])
        if self._matrix is None or self._matrix[0] != key:
            # The one before first: two would not fit into memory where one just does.
            self._matrix = None
            self._matrix = key, PoolMatrix(pair_parts(tables, whole, after_each), self._folder)
        return self._matrix[1].window(window)

    def _tables(
        self, pairs: Sequence[str], strategy: Any, threads: int, after_each: Callable[[], None]
    ) -> dict[str, Table]:
        # NumPy and pandas let other threads run while they compute.
        pool = joblib.Parallel(n_jobs=threads, backend="threading", return_as="generator")
        made = pool(joblib.delayed(self.table)(pair, strategy) for pair in pairs)
        tables = {}
        for pair, table in zip(pairs, made, strict=True):
            tables[pair] = table
            after_each()
        return tables

    def uncached_rows(
        self,
        pairs: Sequence[str],
        strategy: Any,
        window: Window,
        before_each: Callable[[], None] = lambda: None,
    ) -> TrainingRows:
        """Rows of all pairs with candles, with only one pair's table in memory at a time.

        For a running bot, where no later window uses the same candles. ``before_each`` is called
        before each pair's table is computed, which takes a while.

        Raises
        ------
        ValueError
            If no pair has candles.
        """
        parts = []
        for pair in pairs:
            before_each()
            if len(strategy.training_candles(pair)):
                parts.append(training_rows({pair: self._computed(pair, strategy)}, window))
        return pool_rows([part for part in parts if len(part)] or parts[:1])
