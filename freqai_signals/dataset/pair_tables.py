"""Features and labels of a pair, computed by the strategy's FreqAI hooks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.barriers import LabelRule, return_scale
from freqai_signals.dataset.features import feature_memory
from freqai_signals.dataset.features.cache import candle_digest
from freqai_signals.dataset.labels import make_labels
from freqai_signals.dataset.rows import (
    TrainingRows,
    Window,
    candle_numbers,
    pair_rows,
    pool_rows,
)
from freqai_signals.schema import (
    EVENT_END_COLUMN,
    LABEL_COLUMN,
    REALISED_RETURN_COLUMN,
    RETURN_SCALE_COLUMN,
)
from freqai_signals.settings import SignalSettings

_LABELS = [LABEL_COLUMN, EVENT_END_COLUMN, REALISED_RETURN_COLUMN, RETURN_SCALE_COLUMN]


def row_memory(settings: SignalSettings) -> int:
    """Candles that a frame needs so that its last row has every feature and its barrier."""
    return max(feature_memory(settings), LabelRule.of(settings).memory)


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
    return Window(first + warm_up, last, settings.label_horizon_candles, settings.model.row_step)


def add_labels(
    candles: pd.DataFrame, settings: SignalSettings, round_trip_cost: float
) -> pd.DataFrame:
    """Add label, event end, realised return and return scale to a frame of candles.

    See :func:`~freqai_signals.dataset.labels.make_labels` for what is known when; the scale is
    known at the row's close.
    """
    rule = LabelRule.of(settings, round_trip_cost)
    labels = make_labels(candles, rule)
    labels[RETURN_SCALE_COLUMN] = return_scale(candles["close"].to_numpy(np.float64), rule)
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
    parts = [
        pair_rows(pair, table.features, table.labels, table.numbers, window)
        # Sorted, so that the order of a whitelist changes neither the rows' digest nor the model.
        for pair, table in sorted(tables.items())
    ]
    # Without any rows, an empty part still provides the feature names.
    return pool_rows([part for part in parts if len(part)] or parts[:1])


class PairTables:
    """Cache of the pool's tables, one a pair, valid as long as the pair's candles do not change.

    Parameters
    ----------
    candle_seconds
        Length of a candle.
    """

    def __init__(self, candle_seconds: int) -> None:
        self._candle_seconds = candle_seconds
        self._kept: dict[str, tuple[str, Table]] = {}

    def __getstate__(self) -> dict[str, object]:
        """Leave the tables out: hyperopt pickles the strategy for a worker in every epoch."""
        return self.__dict__ | {"_kept": {}}

    def table(self, pair: str, strategy: Any) -> Table:
        """A pair's table, cached until its candles change.

        Parameters
        ----------
        pair
            Full name.
        strategy
            Provides ``training_candles`` and the hooks that compute features and labels.
        """
        key = candle_digest(strategy.training_candles(pair))
        if pair not in self._kept or self._kept[pair][0] != key:
            self._kept[pair] = (key, self._computed(pair, strategy))
        return self._kept[pair][1]

    def cached(self, pair: str, candles: pd.DataFrame) -> Table | None:
        """The cached table of exactly these candles, indexed like them; None if there is none."""
        digest, table = self._kept.get(pair, ("", None))
        if table is None or digest != candle_digest(candles):
            return None
        features, labels = (part.set_axis(candles.index) for part in (table.features, table.labels))
        return Table(features, labels, table.numbers)

    def _computed(self, pair: str, strategy: Any) -> Table:
        metadata, candles = {"pair": pair}, strategy.training_candles(pair)
        frame = strategy.feature_engineering_standard(candles, metadata=metadata)
        frame = strategy.set_freqai_targets(frame, metadata=metadata)
        return Table.of(frame, self._candle_seconds)

    def cached_rows(self, pairs: Sequence[str], strategy: Any, window: Window) -> TrainingRows:
        """Rows of all pairs in one window; the tables stay cached for the next window."""
        return training_rows({pair: self.table(pair, strategy) for pair in pairs}, window)

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
