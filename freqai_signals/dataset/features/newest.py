"""Features of every pair's newest candle, made once a candle for all that have the same dates."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.features import Market, feature_memory, newest_features
from freqai_signals.schema import DATE_COLUMN, OHLCV
from freqai_signals.settings import SignalSettings


@dataclass(frozen=True)
class NewestRow:
    """Features of one pair's newest candle, among those that were made with them.

    Attributes
    ----------
    table
        One row a pair, one float32 column a feature. Rows of one candle share the very table.
    place
        Position of the pair's row.
    """

    table: pd.DataFrame
    place: int

    @property
    def frame(self) -> pd.DataFrame:
        """The pair's row alone."""
        return self.table.iloc[self.place : self.place + 1]


@dataclass(frozen=True)
class _Kept:
    """Features of one candle, and what they were made of."""

    columns: tuple[NDArray[np.float64], ...]
    dates: NDArray[np.int64]
    market: Market
    row: NewestRow

    def is_of(self, frame: pd.DataFrame, market: Market) -> bool:
        """Whether these are the features of this frame's last candle."""
        return (
            self.market is market
            and np.array_equal(self.dates, _dates(frame))
            and all(map(_are_same, self.columns, _columns(frame)))
        )


class NewestFeatures:
    """The last features of each pair's newest candle.

    Parameters
    ----------
    settings
        Which features.
    """

    def __init__(self, settings: SignalSettings) -> None:
        self._settings = settings
        self._kept: dict[str, _Kept] = {}

    def row(
        self,
        pair: str,
        candles: pd.DataFrame,
        market: Market,
        others: Callable[[], Mapping[str, pd.DataFrame]],
    ) -> NewestRow:
        """The features that :func:`~freqai_signals.dataset.features.build_features` has last.

        Parameters
        ----------
        pair
            Full name.
        candles
            Its base candles.
        market
            The pool's returns.
        others
            Frames of pairs that will be asked for on the same candle. Asked once for each of them:
            where a pair turns out to have other candles, its features are made alone.
        """
        # Not tail(), which copies.
        recent = candles.iloc[-feature_memory(self._settings) :]
        kept = self._kept.get(pair)
        if kept is None or not kept.is_of(recent, market):
            dates = _dates(recent)
            frames = {
                name: frame.iloc[-len(recent) :]
                for name, frame in others().items()
                if name not in self._kept or self._kept[name].market is not market
            }
            same = {name: f for name, f in frames.items() if np.array_equal(_dates(f), dates)}
            self._make(same | {pair: recent}, market)
        return self._kept[pair].row

    def _make(self, frames: Mapping[str, pd.DataFrame], market: Market) -> None:
        features = newest_features(list(frames.values()), self._settings, market)
        for place, (pair, frame) in enumerate(frames.items()):
            row = NewestRow(features, place)
            self._kept[pair] = _Kept(_columns(frame), _dates(frame), market, row)


def _dates(frame: pd.DataFrame) -> NDArray[np.int64]:
    return pd.DatetimeIndex(frame[DATE_COLUMN]).asi8


def _columns(frame: pd.DataFrame) -> tuple[NDArray[np.float64], ...]:
    return tuple(frame[name].to_numpy(np.float64) for name in OHLCV)


def _are_same(kept: NDArray[np.float64], values: NDArray[np.float64]) -> bool:
    """Whether two columns have the same bits, so that a missing number equals another."""
    return np.array_equal(
        np.ascontiguousarray(kept).view(np.int64), np.ascontiguousarray(values).view(np.int64)
    )
