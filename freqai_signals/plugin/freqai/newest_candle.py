"""The newest candle of a running bot: what a model reads of it, and the row of its prediction.

Frames of thousands of rows are neither made nor copied for one row more.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from pandas import DataFrame, concat

from freqai_signals.dataset.features.newest import NewestRow
from freqai_signals.model.signal_model import Prediction, SignalModel
from freqai_signals.plugin.signal_columns import MODEL_HOOKS, SignalColumns
from freqai_signals.schema import MODEL_COLUMNS, RETURN_SCALE_COLUMN, TRUST_COLUMN
from freqai_signals.signals.column_arrays import column_index

_DATE: Final = "date_pred"
_STATISTICS: Final = frozenset(
    f"{name}_{kind}" for name in MODEL_COLUMNS for kind in ("mean", "std")
)
_PRICES: Final = ("high", "low", "close")
_ROOM: Final = 512
_MOST_TABLES: Final = 8


@dataclass(frozen=True)
class NewestInputs:
    """What a model reads of a pair's newest candle.

    Attributes
    ----------
    row
        Its features.
    scale
        Shape ``(1,)``, its return scale.
    """

    row: NewestRow
    scale: npt.NDArray[np.float64]


class SharedPredictions:
    """Predictions of the newest candle, made at once for all pairs that a model serves.

    A model takes as long for one row as for a hundred.

    Parameters
    ----------
    shared
        Whether pairs share models; if not, a pair's row is predicted alone.
    """

    def __init__(self, shared: bool) -> None:
        self._shared = shared
        self._kept: dict[tuple[str, int], tuple[DataFrame, Prediction]] = {}

    def of(self, model: SignalModel, row: NewestRow) -> Prediction:
        """The prediction of one row, the same to the last bit as of that row alone."""
        if not (self._shared and model.card.key) or len(row.table) == 1:
            return model.predict(row.frame)
        # The table is kept beside, so that no other one gets its ``id``.
        key = (model.card.key, id(row.table))
        if key not in self._kept:
            self._kept[key] = row.table, model.predict(row.table)
            if len(self._kept) > _MOST_TABLES:
                del self._kept[next(iter(self._kept))]
        return self._kept[key][1].row(row.place)


def has_own_hooks(strategy: Any) -> bool:
    """Whether a strategy has methods of its own that make, or may change, what a model reads."""
    return any(
        getattr(type(strategy), name) is not getattr(SignalColumns, name)
        for name in (*MODEL_HOOKS, "pool_candles", "backtest_candles")
    )


def newest_inputs(strategy: SignalColumns, pair: str, frame: DataFrame) -> NewestInputs | None:
    """Features and return scale of a live frame's last row.

    The same as FreqAI's hooks give in that row, but made together with those of the other pairs.

    Parameters
    ----------
    strategy
        Whose hooks make what a model reads.
    pair
        Full name.
    frame
        Its closed candles.

    Returns
    -------
    NewestInputs
        None where hooks of the strategy's own, or FreqAI, change what the model reads.
    """
    if has_own_hooks(strategy) or strategy.config.get("reduce_df_footprint", False):
        return None
    traded = strategy.dp.current_whitelist()
    row = strategy.features.newest(pair, frame, strategy.pool_candles, traded)
    if row is None:
        return None
    # Of all candles: unlike a feature the scale is not rounded, so a shorter frame would show.
    barriers = strategy.barrier_columns.of(frame, strategy.round_trip_cost(pair))
    return NewestInputs(row, barriers[RETURN_SCALE_COLUMN][-1:])


def newest_row(
    predictions: DataFrame,
    do_preds: npt.NDArray[np.int_],
    dk: FreqaiDataKitchen,
    candles: DataFrame,
) -> dict[str, float]:
    """The numbers that FreqAI remembers of the last candle and its prediction, by column."""
    names, last = predictions.columns.astype(str), predictions.to_numpy(float)[-1].tolist()
    row = {TRUST_COLUMN: float(do_preds[-1])}
    row |= {f"{name}_price": float(candles[name].to_numpy()[-1]) for name in _PRICES}
    for name, value in zip(names, last, strict=True):
        row[name] = value
        row[f"{name}_mean"] = float(dk.data["labels_mean"][name])
        row[f"{name}_std"] = float(dk.data["labels_std"][name])
    return row | {name: float(v) for name, v in dk.data["extra_returns_per_train"].items()}


class PredictionTable:
    """A pair's past predictions, with room for the rows of candles to come.

    The frames it gives are views of its numbers. A row that is added lies behind all of theirs.

    Parameters
    ----------
    frame
        FreqAI's historic predictions; all columns but ``date_pred`` are numbers.
    most
        Newest rows that are kept.

    Attributes
    ----------
    frame
        All rows kept, oldest first: the very frame it was made of until a row is added.
    last
        Date of the newest row.
    """

    def __init__(self, frame: DataFrame, most: int) -> None:
        names = [str(name) for name in frame if name != _DATE]
        # Means and deviations, which a strategy never sees, are last: others can be sliced.
        self._names = sorted(names, key=_STATISTICS.__contains__)
        self._most = most
        self.frame = frame
        self.last: pd.Timestamp = frame[_DATE].max()
        self._reserve()

    @classmethod
    def of(cls, frame: DataFrame, most: int) -> Self | None:
        """None where a column is something else than numbers."""
        kinds = {dtype.kind for name, dtype in frame.dtypes.items() if name != _DATE}
        dated = isinstance(frame[_DATE].dtype, pd.DatetimeTZDtype)
        return cls(frame, most) if dated and kinds <= set("fi") else None

    def append(self, date: pd.Timestamp, row: Mapping[str, float]) -> bool:
        """Add the row of a candle after all others; False if it has other columns."""
        if row.keys() != set(self._names):
            return False
        if self._stop == self._values.shape[1]:
            self._reserve()
        self._values[:, self._stop] = [row[name] for name in self._names]
        self._dates[self._stop] = date.tz_convert(None).to_datetime64()
        self._stop += 1
        self.last = date
        self.frame = self._newest(self._all, self._most)
        return True

    def shown(self, rows: int) -> DataFrame:
        """The newest rows as a strategy sees them, without means and deviations."""
        return self._newest(self._seen, rows)

    def _newest(self, frame: DataFrame, rows: int) -> DataFrame:
        # A slice, so that pandas copies before anybody writes into it.
        return frame.iloc[max(self._stop - rows, 0) : self._stop].reset_index(drop=True)

    def _reserve(self) -> None:
        kept = self.frame.tail(self._most)
        self._stop = len(kept)
        self._values = np.zeros((len(self._names), self._stop + _ROOM))
        self._values[:, : self._stop] = kept[self._names].to_numpy(float).T
        # Columns are contiguous, as pandas has them. All frames given are slices of this one, so
        # that pandas copies what anybody writes into.
        self._all = DataFrame(self._values.T, columns=self._names, copy=False)
        dates = pd.DatetimeIndex(kept[_DATE])
        unused = pd.DatetimeIndex(np.zeros(_ROOM, f"M8[{dates.unit}]"), tz="UTC")
        self._all.insert(0, _DATE, dates.append(unused))
        # The frame's own memory, for a column of dates is copied where it is put in.
        self._dates = self._all[_DATE].array.asi8.view(f"M8[{dates.unit}]")
        hidden = sum(map(_STATISTICS.__contains__, self._names))
        self._seen = self._all.iloc[:, : len(self._names) + 1 - hidden]


class PredictionTables:
    """The table of each pair whose newest candles came one by one."""

    def __init__(self) -> None:
        self._kept: dict[str, PredictionTable] = {}

    def extended(
        self, pair: str, history: DataFrame, row: Callable[[], Mapping[str, float]],
        dates: "pd.Series[Any]", most: int,
    ) -> PredictionTable | None:  # fmt: skip
        """The table with the row of the last date; None where that is not the only one to add.

        Parameters
        ----------
        pair
            Full name.
        history
            Its predictions so far.
        row
            Makes it, as :func:`newest_row` does.
        dates
            Of the strategy's candles.
        most
            Newest rows that are kept.
        """
        table = self._kept.pop(pair, None)
        if table is not None and table.frame is not history:
            table = None
        last = history[_DATE].max() if table is None else table.last
        if len(dates) == 1 or not dates.iloc[-2] <= last < dates.iloc[-1]:
            return None
        table = table or PredictionTable.of(history, most)
        if table is None or not table.append(dates.iloc[-1], row()):
            return None
        self._kept[pair] = table
        return table


def beside(candles: DataFrame, predictions: DataFrame) -> DataFrame | None:
    """Candles without labels beside their predictions; None where these are of other dates."""
    frame = candles
    if any(name.startswith("&") for name in frame.columns):
        frame = frame[[name for name in frame.columns if not name.startswith("&")]]
    names = (*frame.columns, *predictions.columns)
    dates = pd.DatetimeIndex(frame["date"])
    is_same = dates.equals(pd.DatetimeIndex(predictions[_DATE]))
    is_sorted = (np.diff(dates.asi8) > 0).all()
    if not (is_same and is_sorted and len(set(names)) == len(names)):
        return None
    both: DataFrame = concat([frame.reset_index(drop=True), predictions], axis=1, ignore_index=True)
    both.columns = column_index(names)
    return both
