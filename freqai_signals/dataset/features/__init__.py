"""Features: causal, scale-free, with bounded memory and no pair in their names."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.causal import Array
from freqai_signals.dataset.features.groups import GROUPS
from freqai_signals.dataset.features.inputs import FeatureInput, Market, Spans, positive
from freqai_signals.schema import FEATURE_PREFIX, OHLCV
from freqai_signals.settings import SignalSettings

__all__ = [
    "GROUPS",
    "Market",
    "build_features",
    "feature_columns",
    "feature_groups",
    "feature_memory",
    "newest_features",
]

_GRID: Final = 2.0**-13
"""Features are rounded to multiples of this. Running sums carry a floating-point residue of older
candles, about 1e-12; without it, a frame that starts elsewhere gives the same model."""


def feature_memory(settings: SignalSettings) -> int:
    """Candles that a frame needs so that its last row has every feature.

    This is the strategy's ``startup_candle_count``: no feature looks further back.
    """
    spans = Spans.from_settings(settings)
    return max(GROUPS[name].memory(spans) for name in settings.features.groups)


@lru_cache(maxsize=8)
def feature_groups(settings: SignalSettings) -> Mapping[str, str]:
    """Map the name of every feature to its group."""
    # Names depend on the settings, so they are read from the features of one dummy candle.
    columns = {name: np.ones(1) for name in OHLCV}
    dates = pd.Series(pd.to_datetime([0], utc=True))
    market = Market.from_closes({"": pd.Series(columns["close"], pd.DatetimeIndex(dates))}, "")
    found = _by_group(columns, dates, settings, market)
    return MappingProxyType({name: group for group, values in found for name in values})


def build_features(
    candles: pd.DataFrame, settings: SignalSettings, market: Market | None = None
) -> pd.DataFrame:
    """Compute the features of one pair.

    Parameters
    ----------
    candles
        freqtrade's frame of base candles: ``date`` (UTC), ``open high low close volume``, one row
        per candle, sorted. Prices that are not positive numbers count as missing.
    settings
        ``features`` chooses the groups, ``indicator_periods_candles`` the spans.
    market
        The pool's returns; by default the pair alone is the market.

    Returns
    -------
    pandas.DataFrame
        Same index, one float32 column a feature, rounded to multiples of 2 ** -13, each name
        starting with ``%-``. The value at row *t* is known at the close of candle *t* and uses at
        most :func:`feature_memory` candles; it is NaN in earlier rows and where one of these
        candles is missing. Features do not change when all prices, or all volumes, are multiplied
        by a constant.
    """
    return pd.DataFrame(dict(feature_columns(candles, settings, market)), index=candles.index)


def feature_columns(
    candles: pd.DataFrame, settings: SignalSettings, market: Market | None = None
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The columns of :func:`build_features` one by one: all at once take a hundred times more."""
    if market is None:
        closes = pd.Series(candles["close"].to_numpy(), index=pd.DatetimeIndex(candles["date"]))
        market = Market.from_closes({"": closes}, "")
    columns = {name: candles[name].to_numpy(np.float64) for name in OHLCV}
    for _, values in _by_group(columns, candles["date"], settings, market):
        for name, array in values.items():
            yield name, _rounded(array)


def newest_features(
    frames: Sequence[pd.DataFrame], settings: SignalSettings, market: Market
) -> pd.DataFrame:
    """Compute the features of several pairs' newest candle.

    Parameters
    ----------
    frames
        As for :func:`build_features`, one a pair, all with the same dates.
    settings
        As for :func:`build_features`.
    market
        The pool's returns.

    Returns
    -------
    pandas.DataFrame
        One row a frame, in their order: the last row of what :func:`build_features` gives.
    """
    recent = [frame.iloc[-feature_memory(settings) :] for frame in frames]
    columns = {
        name: np.column_stack([frame[name].to_numpy(np.float64) for frame in recent])
        for name in OHLCV
    }
    values: dict[str, Array] = {}
    for _, found in _by_group(columns, recent[0]["date"], settings, market):
        values |= found
    # What is the same for all pairs, such as the time of day, is one number.
    newest = [np.broadcast_to(array[-1], len(frames)) for array in values.values()]
    return pd.DataFrame(_rounded(np.array(newest)).T, columns=_index(tuple(values)), copy=False)


@lru_cache(maxsize=8)
def _index(names: tuple[str, ...]) -> pd.Index:
    """The same one at every candle: pandas takes longer to make it than to make a row."""
    return pd.Index(names)


def _by_group(
    columns: dict[str, Array], dates: pd.Series, settings: SignalSettings, market: Market
) -> Iterator[tuple[str, dict[str, Array]]]:
    """Features before they are rounded, from OHLCV of one pair or, side by side, of several."""
    mean, lead = (
        returns.reshape(-1, *[1] * (columns["close"].ndim - 1)) for returns in market.at(dates)
    )
    volume = columns["volume"]
    inputs = FeatureInput(
        **{name: positive(columns[name]) for name in ("open", "high", "low", "close")},
        volume=np.where(np.isfinite(volume) & (volume >= 0), volume, np.nan),
        date=dates,
        spans=Spans.from_settings(settings),
        market_mean=mean,
        market_lead=lead,
    )
    for group in settings.features.groups:
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            values = GROUPS[group].compute(inputs)
        yield group, {FEATURE_PREFIX + name: array for name, array in values.items()}


def _rounded(values: Array) -> NDArray[np.float32]:
    # Adding 0.0 turns -0.0 into 0.0, since the digest of rows differs between them.
    with np.errstate(invalid="ignore", over="ignore"):
        rounded = np.divide(values, _GRID)
        np.rint(rounded, out=rounded)
        rounded *= _GRID
        rounded += 0.0
        return rounded.astype(np.float32)
