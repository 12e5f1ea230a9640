"""A training window over stored candles, with the very rows that training it would use."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from freqai_signals.dataset.features.cache import FeatureCache
from freqai_signals.dataset.pair_tables import Table, add_labels, training_rows, training_window
from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.expected_value import held_hours, round_trip_cost

_EXCHANGE_FEES: Final = {
    "spot": {"taker": 0.001, "maker": 0.001},
    "futures": {"taker": 0.0005, "maker": 0.0002},
}
"""Binance's fees for one side without discounts, which freqtrade uses where the config has none."""


@dataclass(frozen=True)
class TuningWindow:
    """Features and labels of all pairs, and the end of the window.

    Attributes
    ----------
    settings
        Of the config.
    identifier
        FreqAI's.
    pool
        Pairs of the pool, sorted.
    tables
        Pair to its features and labels.
    until
        End of the window, UTC.
    """

    settings: SignalSettings
    identifier: str
    pool: tuple[str, ...]
    tables: Mapping[str, Table]
    until: dt.datetime

    def pools(self) -> list[tuple[str, ...]]:
        """The pool, or each pair alone where pairs have models of their own."""
        own = self.settings.model.pool == "pair"
        return [(pair,) for pair in self.pool] if own else [self.pool]

    def rows(self, pool: Sequence[str]) -> TrainingRows:
        """Rows of the pairs in the window."""
        stop = int(self.until.timestamp())
        start = stop - 86400 * self.settings.train_period_days
        window = training_window(start, stop, self.settings)
        rows = training_rows({pair: self.tables[pair] for pair in pool}, window)
        if not len(rows):
            raise ValueError(
                f"no candle of {', '.join(pool)} lies in the {self.settings.train_period_days} "
                f"days before {self.until:%Y-%m-%d %H:%M}, or none has all features; give an end "
                "with --until that has candles before it"
            )
        return rows


def tuning_window(
    config: Mapping[str, Any],
    settings: SignalSettings,
    candles: Mapping[str, pd.DataFrame],
    until: dt.datetime | None,
) -> TuningWindow:
    """Compute features and labels of a window.

    Parameters
    ----------
    config
        freqtrade's merged config.
    settings
        Of that config.
    candles
        Base candles of every pair of the pool, without holes.
    until
        End of the window, UTC; None takes that of the candles.

    Raises
    ------
    ValueError
        If the window ends after the candles.
    """
    pool = tuple(candles)
    features, cost = FeatureCache(settings, pool), _round_trip_cost(config, settings)
    tables = {}
    for pair, frame in candles.items():
        made = features.compute(pair, frame, lambda name, first: candles[name])
        labelled = add_labels(frame, settings, cost)
        tables[pair] = Table.of(pd.concat([labelled, made], axis=1), settings.candle_seconds)
    last = max(frame["date"].iloc[-1] for frame in candles.values())
    end = (last + pd.Timedelta(seconds=settings.candle_seconds)).to_pydatetime()
    if until is not None and until > end:
        raise ValueError(
            f"--until {until:%Y-%m-%d %H:%M} lies after the last candle, which ends at "
            f"{end:%Y-%m-%d %H:%M}; give an earlier day or more candles"
        )
    identifier = str(config.get("freqai", {}).get("identifier", "no_id_provided"))
    return TuningWindow(settings, identifier, pool, tables, until or end)


def _round_trip_cost(config: Mapping[str, Any], settings: SignalSettings) -> float:
    """Cost as the strategy takes it, with Binance's fees because no exchange is connected."""
    fees = _EXCHANGE_FEES["spot" if config.get("trading_mode", "spot") == "spot" else "futures"]
    fee = config.get("fee")
    # freqtrade's ``fee`` holds for every order, whatever its kind.
    taker, maker = (fees["taker"], fees["maker"]) if fee is None else (fee, fee)
    hours = held_hours(settings, str(config.get("trading_mode", "spot")))
    return round_trip_cost(settings.costs, taker, maker, hours)
