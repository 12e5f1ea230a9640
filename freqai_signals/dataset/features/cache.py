"""Features of many pairs, each computed once per set of candles."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import ReferenceType, ref

import numpy as np
import pandas as pd

from freqai_signals.dataset.features import Market, build_features, feature_columns
from freqai_signals.dataset.features.feature_files import FeatureFiles
from freqai_signals.dataset.features.newest import NewestFeatures, NewestRow
from freqai_signals.schema import OHLCV
from freqai_signals.settings import SignalSettings

Candles = Callable[[str, pd.Timestamp], pd.DataFrame]
"""Returns the base candles of a pair from a date on (or earlier), empty if there are none."""

_MAX_MARKETS = 4
"""Markets kept at a time: those of the bot's frames and of a training in another thread."""


def candle_digest(candles: pd.DataFrame) -> str:
    """SHA-256 of dates and OHLCV, hexadecimal."""
    # pandas 3 keeps the unit that dates were made with, and equal dates must give equal digests.
    sha = hashlib.sha256(candles["date"].dt.as_unit("s").astype("int64").to_numpy().tobytes())
    for column in OHLCV:
        sha.update(np.ascontiguousarray(candles[column].to_numpy(np.float64)).data)
    return sha.hexdigest()


class CandleDigests:
    """Digests of pairs' candles, kept: predictions of every pair depend on the candles of all.

    Parameters
    ----------
    candles
        Gives the candles of a pair.
    """

    def __init__(self, candles: Callable[[str], pd.DataFrame]) -> None:
        self._candles = candles
        self._kept: dict[tuple[str, int], str] = {}

    def until(self, pair: str, stop: int) -> str:
        """Digest of a pair's candles before ``stop``, seconds since 1970."""
        if (pair, stop) not in self._kept:
            candles = self._candles(pair)
            before = candles["date"] < pd.Timestamp(stop, unit="s", tz="UTC")
            self._kept[pair, stop] = candle_digest(candles[before])
        return self._kept[pair, stop]


class FeatureCache:
    """The last features of each pair, valid as long as the candles of pair and market are the same.

    A backtest needs the features of a pair for its own predictions and again for every window of
    the pool; they are computed once. Live, every new candle replaces the entry. Thread-safe:
    entries are replaced, never changed.

    Parameters
    ----------
    settings
        Which features.
    pool
        The pairs whose mean is the market.
    folder
        Where features of a backtest are kept on disk; None keeps those of this process in memory.
    """

    def __init__(
        self, settings: SignalSettings, pool: Sequence[str], folder: Path | None = None
    ) -> None:
        self.settings = settings
        self.pool = tuple(pool)
        self._folder = folder
        self._files: FeatureFiles | None = None
        self._kept: dict[str, tuple[str, pd.DataFrame]] = {}
        self._markets: dict[tuple[pd.Timestamp, pd.Timestamp], _CachedMarket] = {}
        self._newest = NewestFeatures(settings)

    def __getstate__(self) -> dict[str, object]:
        """Leave the features out: hyperopt pickles the strategy for a worker in every epoch."""
        return self.__dict__ | {"_kept": {}, "_markets": {}, "_files": None}

    def features(self, pair: str, candles: pd.DataFrame, source: Candles) -> pd.DataFrame:
        """Features of one pair, indexed like its candles.

        Parameters
        ----------
        pair
            Full name.
        candles
            Its base candles.
        source
            Candles of the other pool pairs; only those with the same dates are used.
        """
        market = self._market(candles, source)
        # A changed candle of another pair changes the cross-asset features.
        key = candle_digest(candles) + market_digest(market)
        kept = self._kept.get(pair)
        if kept is not None and kept[0] == key:
            return kept[1].set_axis(candles.index)
        if self._files is None and self._folder is not None:
            self._files = FeatureFiles(self._folder, self.settings)
        features = None
        if self._files is not None:
            features = self._files.load(key, candles.index)
            if features is None:
                made = feature_columns(candles, self.settings, market)
                features = self._files.keep(key, candles.index, made)
        if features is None:
            features = build_features(candles, self.settings, market)
        self._kept[pair] = (key, features)
        return features

    def compute(self, pair: str, candles: pd.DataFrame, source: Candles) -> pd.DataFrame:
        """Features of one pair without the cache, for frames that are used only once."""
        return build_features(candles, self.settings, self._market(candles, source))

    def newest(
        self, pair: str, candles: pd.DataFrame, source: Candles, pairs: Iterable[str]
    ) -> NewestRow | None:
        """Features of a frame's last candle alone, made with those of ``pairs`` at once.

        None without a market, where there is nothing that pairs have in common.
        """
        market = self._market(candles, source)
        if market is None:
            return None
        first = candles["date"].iloc[0]

        def others() -> dict[str, pd.DataFrame]:
            frames = {name: source(name, first) for name in pairs}
            # Some have no candles yet; those that begin at another time have another market.
            return {
                name: frame
                for name, frame in frames.items()
                if len(frame) and frame["date"].iloc[0] == first
            }

        return self._newest.row(pair, candles, market, others)

    def _market(self, candles: pd.DataFrame, source: Candles) -> Market | None:
        """The market between a frame's first and last candle.

        Live, all pairs need the same one at every close: it is recomputed only if a pair has got
        another frame since, such as after a late candle.
        """
        if candles.empty:
            return None
        span = candles["date"].iloc[0], candles["date"].iloc[-1]
        frames = tuple(source(pair, span[0]) for pair in self.pool)
        cached = self._markets.get(span)
        if cached is not None and cached.is_of(frames):
            return cached.market
        market = self._new_market(span, frames)
        others = [item for item in list(self._markets.items()) if item[0] != span]
        cached = _CachedMarket(tuple(map(ref, frames)), market)
        # A new dictionary, so that a training in another thread never sees it half changed.
        self._markets = dict([*others[1 - _MAX_MARKETS :], (span, cached)])
        return market

    def _new_market(
        self, span: tuple[pd.Timestamp, pd.Timestamp], frames: Sequence[pd.DataFrame]
    ) -> Market | None:
        closes = {}
        for pair, frame in zip(self.pool, frames, strict=True):
            if len(frame):
                dates = pd.DatetimeIndex(frame["date"])
                inside = slice(dates.searchsorted(span[0]), dates.searchsorted(span[1], "right"))
                values = frame["close"].to_numpy(np.float64)[inside]
                closes[pair] = pd.Series(values, index=dates[inside])
        return Market.from_closes(closes, self.settings.features.lead_pair) if closes else None


@dataclass(frozen=True)
class _CachedMarket:
    """A market and weak references to the frames that it was computed from."""

    frames: tuple[ReferenceType[pd.DataFrame], ...]
    market: Market | None

    def is_of(self, frames: Sequence[pd.DataFrame]) -> bool:
        """Whether these are the same frame objects, not just frames with the same dates."""
        return all(kept() is frame for kept, frame in zip(self.frames, frames, strict=True))


def with_features(frame: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Add features to a frame, replacing those that it has.

    When FreqAI checks a cached window, the frame already has the features, and copies of them under
    longer names.
    """
    if features.columns[0] in frame:
        copies = frame.columns.str.startswith(tuple(features.columns))
        frame = frame.loc[:, ~copies]
    return pd.concat([frame, features], axis=1)


def market_digest(market: Market | None) -> str:
    """SHA-256 of the market's dates and returns, hexadecimal; empty without a market."""
    if market is None:
        return ""
    dates = pd.DatetimeIndex(market.returns.index).as_unit("s").asi8
    return hashlib.sha256(
        dates.tobytes() + market.returns.to_numpy(np.float64).tobytes()
    ).hexdigest()
