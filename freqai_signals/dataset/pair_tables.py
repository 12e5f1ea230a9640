"""Features and labels of a pair, made by the strategy's own hooks."""

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

_SPARING = 4


_LABELS = [LABEL_COLUMN, EVENT_END_COLUMN, REALISED_RETURN_COLUMN, RETURN_SCALE_COLUMN]


def row_memory(settings: SignalSettings) -> int:
    """Candles that a frame needs for its last row to have every feature and its barrier."""
    return max(feature_memory(settings), LabelRule.of(settings).memory)


def training_window(start: int, stop: int, settings: SignalSettings) -> Window:
    """Window of rows between two times.

    Parameters
    ----------
    start, stop
        Seconds since 1970, FreqAI's training window.
    settings
        Horizon, row step and what a row needs to be complete.

    Notes
    -----
    The first :func:`row_memory` candles of a window start no row, so that a model does not depend
    on how many candles were loaded before its window. A window shorter than four times that (the
    founding design's seven days) cannot spare them and relies on the candles before it.
    """
    first, last = start // settings.candle_seconds, stop // settings.candle_seconds
    memory = row_memory(settings)
    spared = memory if last - first >= _SPARING * memory else 0
    return Window(first + spared, last, settings.label_horizon_candles, settings.model.row_step)


def add_labels(
    candles: pd.DataFrame, settings: SignalSettings, round_trip_cost: float
) -> pd.DataFrame:
    """The frame with label, event end, realised return and return scale beside its columns.

    See :func:`~freqai_signals.dataset.labels.make_labels` for what is known when; the scale is
    known at the row's close.
    """
    rule = LabelRule.of(settings, round_trip_cost)
    labels = make_labels(candles, rule)
    labels[RETURN_SCALE_COLUMN] = return_scale(candles["close"].to_numpy(np.float64), rule)
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
        names = [name for name in frame.columns if "%" in name]
        return cls(frame[names], frame[_LABELS], candle_numbers(frame["date"], candle_seconds))


def training_rows(tables: Mapping[str, Table], window: Window) -> TrainingRows:
    """Rows of all pairs in one window; a pair without any there is left out.

    Raises
    ------
    ValueError
        If ``tables`` is empty.
    """
    parts = [
        pair_rows(pair, table.features, table.labels, table.numbers, window)
        for pair, table in sorted(tables.items())
    ]
    return pool_rows([part for part in parts if len(part)] or parts[:1])


class PairTables:
    """Tables of the pairs of a pool; those asked for again are computed once per set of candles.

    Parameters
    ----------
    candle_seconds
        Length of a candle.
    """

    def __init__(self, candle_seconds: int) -> None:
        self._candle_seconds = candle_seconds
        self._kept: dict[str, tuple[str, Table]] = {}

    def __getstate__(self) -> dict[str, object]:
        """Without the tables: hyperopt sends the strategy to a worker in every epoch."""
        return self.__dict__ | {"_kept": {}}

    def table(self, pair: str, strategy: Any) -> Table:
        """A pair's table, kept until its candles change.

        Parameters
        ----------
        pair
            Full name.
        strategy
            Gives ``training_candles`` and makes features and labels from them.
        """
        key = candle_digest(strategy.training_candles(pair))
        if pair not in self._kept or self._kept[pair][0] != key:
            self._kept[pair] = (key, self.new_table(pair, strategy))
        return self._kept[pair][1]

    def at_hand(self, pair: str, candles: pd.DataFrame) -> Table | None:
        """The kept table of exactly these candles, indexed like them; None if there is none."""
        digest, table = self._kept.get(pair, ("", None))
        if table is None or digest != candle_digest(candles):
            return None
        features, labels = (part.set_axis(candles.index) for part in (table.features, table.labels))
        return Table(features, labels, table.numbers)

    def new_table(self, pair: str, strategy: Any) -> Table:
        """A pair's table as above, neither looked up nor kept: for candles that come only once."""
        metadata, candles = {"pair": pair}, strategy.training_candles(pair)
        frame = strategy.feature_engineering_standard(candles, metadata=metadata)
        frame = strategy.set_freqai_targets(frame, metadata=metadata)
        return Table.of(frame, self._candle_seconds)

    def kept_rows(self, pairs: Sequence[str], strategy: Any, window: Window) -> TrainingRows:
        """Rows of all pairs in one window, from tables that are kept for the next one."""
        return training_rows({pair: self.table(pair, strategy) for pair in pairs}, window)

    def new_rows(
        self,
        pairs: Sequence[str],
        strategy: Any,
        window: Window,
        before_each: Callable[[], None] = lambda: None,
    ) -> TrainingRows:
        """Rows as above, with one pair's table in memory at a time; pairs without candles left out.

        ``before_each`` is called before each pair's table is made, which takes a while.

        Raises
        ------
        ValueError
            If no pair has candles.
        """
        parts = []
        for pair in pairs:
            before_each()
            if len(strategy.training_candles(pair)):
                parts.append(training_rows({pair: self.new_table(pair, strategy)}, window))
        return pool_rows([part for part in parts if len(part)] or parts[:1])
