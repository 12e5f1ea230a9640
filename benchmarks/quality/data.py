"""Candles to measure on: freqtrade's feather files, or the simulated market."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.barriers import LabelRule, barrier_width
from freqai_signals.dataset.features.cache import FeatureCache
from freqai_signals.dataset.pair_tables import Table, add_labels
from freqai_signals.sandbox.market import market_files
from freqai_signals.sandbox.posterior.barrier_posterior import SimulatedPosterior, barrier_posterior
from freqai_signals.sandbox.posterior.horizon_posterior import LatentState, horizon_posterior
from freqai_signals.sandbox.runner.datadir import check_candles, exchange_folder
from freqai_signals.settings import SignalSettings, timeframe_seconds

ROUND_TRIP_COST = 0.002
"""Two taker fees of 0.1 %, what Binance spot charges without discounts."""

POSTERIOR_ROWS = 2000
"""Rows per pair on which the attainable skill of triple-barrier labels is simulated."""


@dataclass(frozen=True)
class Source:
    """Candles of the pairs without gaps, and the simulated market they come from, if any."""

    name: str
    candles: Mapping[str, pd.DataFrame]
    simulated: market_files.Market | None = None

    @property
    def pairs(self) -> tuple[str, ...]:
        """Full names in the order of their indices."""
        return tuple(self.candles)

    def since(self, pair: str, first: pd.Timestamp) -> pd.DataFrame:
        """Candles of a pair; may include earlier ones."""
        return self.candles[pair]


def load(datadir: Path | None, pairs: Sequence[str], timeframe: str) -> Source:
    """Candles of the pairs from a folder, or of the simulated market without one.

    Raises
    ------
    ValueError
        If the folder or one of the pairs is not there, or a file is damaged.
    """
    if datadir is None:
        spec = market_files.MarketSpec()
        unknown = sorted(set(pairs) - set(spec.pairs))
        if unknown:
            raise ValueError(
                f"--pairs {' '.join(unknown)}: the simulated market has {' '.join(spec.pairs)}; "
                "name some of these, or --datadir with candles of others"
            )
        made = market_files.ensure_market(spec, notify=print)
        name, kept = f"simulated market {spec.digest()}", [p for p in spec.pairs if p in pairs]
        return Source(name, {pair: made.candles(pair, timeframe) for pair in kept}, made)
    folder = exchange_folder(datadir)
    check_candles(folder, list(pairs))
    files = {pair: folder / market_files.candle_file(pair, timeframe) for pair in pairs}
    frames = {pair: market_files.read_candles(path) for pair, path in files.items()}
    return Source(datadir.name, {p: without_holes(f, timeframe) for p, f in frames.items()})


def without_holes(candles: pd.DataFrame, timeframe: str) -> pd.DataFrame:
    """Fill missing candles as freqtrade does: flat at the last close, without volume."""
    step = f"{timeframe_seconds(timeframe)}s"
    dates = pd.date_range(candles["date"].iloc[0], candles["date"].iloc[-1], freq=step)
    frame = candles.set_index("date").reindex(dates)
    frame["close"] = frame["close"].ffill()
    for name in ("open", "high", "low"):
        frame[name] = frame[name].fillna(frame["close"])
    frame["volume"] = frame["volume"].fillna(0.0)
    return frame.rename_axis("date").reset_index()


def candle_files(folders: Sequence[Path], pair: str, timeframe: str) -> list[Path]:
    """Possible paths of a spot pair's candles in the folders."""
    name = market_files.candle_file(pair, timeframe)
    return [path for folder in folders for path in (folder / name, folder / "binance" / name)]


def tables(
    source: Source, settings: SignalSettings, cost: float = ROUND_TRIP_COST
) -> dict[str, Table]:
    """Features and labels of every pair over all of its candles."""
    cache = FeatureCache(settings, source.pairs)
    made = {}
    for pair, candles in source.candles.items():
        features = cache.features(pair, candles, source.since)
        labelled = add_labels(candles, settings, cost)
        made[pair] = Table.of(pd.concat([labelled, features], axis=1), settings.candle_seconds)
    return made


def posterior(
    source: Source,
    settings: SignalSettings,
    pair: str,
    state: LatentState,
    rows: NDArray[np.int64],
) -> SimulatedPosterior | NDArray[np.float64]:
    """Class probabilities at some candles of a pair of the simulated market, given their state."""
    rule = LabelRule.of(settings, ROUND_TRIP_COST)
    labels = rule.settings
    close = source.candles[pair]["close"].to_numpy(np.float64)
    if labels.kind == "fixed":
        width = np.full(len(rows), labels.threshold)
    else:
        width = barrier_width(close, rule)[rows]
    if labels.kind == "triple_barrier":
        return barrier_posterior(state, width, rule.horizon)
    return horizon_posterior(state, width, rule.horizon)
