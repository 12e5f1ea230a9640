"""Input of a feature group: the candles of one pair, the market's returns, and the spans."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.causal import Array, daily_volatility, log_returns, rolling_mean
from freqai_signals.settings import SignalSettings, timeframe_seconds

SMALLEST_VOLATILITY = 1e-6
"""Lower limit of a volatility used as a divisor: in a halted market it is 0."""


@dataclass(frozen=True)
class Spans:
    """The windows of all groups, in base candles; ``season_days`` counts days."""

    periods: tuple[int, ...]
    day: int
    volatility: int
    season_days: int
    horizon: int
    higher: tuple[tuple[str, int], ...]

    @classmethod
    def from_settings(cls, settings: SignalSettings) -> "Spans":
        """Derive the windows from the settings."""
        features = settings.features
        return cls(
            periods=tuple(sorted(set(settings.indicator_periods_candles))),
            day=settings.candles_per_day,
            volatility=max(round(features.volatility_span_days * settings.candles_per_day), 1),
            season_days=features.season_days,
            # At most a day: what followed this time of day yesterday must have ended by now.
            horizon=min(settings.label_horizon_candles, settings.candles_per_day),
            higher=tuple(
                (name, timeframe_seconds(name) // settings.candle_seconds)
                for name in features.higher_timeframes
            ),
        )


def lead_among(pairs: Iterable[str], lead: str) -> str | None:
    """The pair that ``lead`` names in full or by its coin, None if there is none.

    Examples
    --------
    >>> lead_among(["ETH/USDT", "BTC/USDT"], "BTC")
    'BTC/USDT'
    """
    named = [pair for pair in sorted(pairs) if lead in (pair, pair.split("/")[0])]
    return named[0] if named else None


@dataclass(frozen=True)
class Market:
    """One-candle log returns of the pool and of the lead pair, by candle date.

    Attributes
    ----------
    returns
        Index: candle dates (UTC). Columns ``mean`` (over the pool pairs that traded then) and
        ``lead``. Known at the close of the row's candle.
    """

    returns: pd.DataFrame

    @classmethod
    def from_closes(cls, closes: Mapping[str, pd.Series], lead: str) -> "Market":
        """Build from closes indexed by date, one series a pair; ``lead`` is a pair or a coin."""
        # Sorted: the order of a sum of floats shows in its last bits, and so in the digest of rows.
        returns = {
            pair: log_returns(positive(series.to_numpy(np.float64)))
            for pair, series in sorted(closes.items())
        }
        dates = [series.index for series in closes.values()]
        if all(other.equals(dates[0]) for other in dates[1:]):
            # Row by row as pandas has columns, or a mean would add them in another order.
            frame = pd.DataFrame(np.stack(list(returns.values())).T, dates[0], list(returns))
        else:
            frame = pd.DataFrame(
                {pair: pd.Series(values, closes[pair].index) for pair, values in returns.items()}
            )
        frame = frame.sort_index()
        mean, leader = frame.mean(axis=1), lead_among(closes, lead)
        return cls(pd.DataFrame({"mean": mean, "lead": frame[leader] if leader else mean}))

    def at(self, dates: pd.Series) -> tuple[Array, Array]:
        """Mean and lead returns at the given candle dates; 0 where no pair traded."""
        rows = self.returns.reindex(pd.DatetimeIndex(dates))
        return (
            np.nan_to_num(rows["mean"].to_numpy(np.float64)),
            np.nan_to_num(rows["lead"].to_numpy(np.float64)),
        )


@dataclass(frozen=True)
class FeatureInput:
    """Candles of one pair as arrays of shape ``(n,)``, and quantities that several groups use."""

    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    date: pd.Series
    spans: Spans
    market_mean: Array
    market_lead: Array

    @cached_property
    def returns(self) -> Array:
        """One-candle log returns."""
        return log_returns(self.close)

    @cached_property
    def absolute_returns(self) -> Array:
        """Their sizes."""
        return np.abs(self.returns)

    @cached_property
    def squared_returns(self) -> Array:
        """Their squares."""
        return np.square(self.returns)

    def mean(self, name: str, window: int) -> Array:
        """Mean of a quantity over the last ``window`` rows, which groups share.

        Parameters
        ----------
        name
            An attribute, such as ``volume``.
        window
            In rows.
        """
        kept = self._means.get((name, window))
        if kept is None:
            kept = self._means[name, window] = rolling_mean(getattr(self, name), window)
        return kept

    @cached_property
    def _means(self) -> dict[tuple[str, int], Array]:
        return {}

    @cached_property
    def log_close(self) -> Array:
        """Log of the close."""
        return np.asarray(np.log(self.close), dtype=np.float64)

    @cached_property
    def sigma(self) -> Array:
        """Volatility per candle, floored so that it can divide."""
        return np.maximum(daily_volatility(self.close, self.spans.volatility), SMALLEST_VOLATILITY)

    @cached_property
    def range(self) -> Array:
        """Log of high over low, at least 0."""
        return np.asarray(np.log(self.high / self.low), dtype=np.float64)

    @cached_property
    def close_location(self) -> Array:
        """Where the close lies in its candle: -1 at the low, +1 at the high, 0 if flat."""
        width = self.high - self.low
        with np.errstate(invalid="ignore", divide="ignore"):
            location = (2 * self.close - self.high - self.low) / width
        return np.where(width > 0, location, np.where(np.isnan(width), np.nan, 0.0))


def positive(values: NDArray[np.float64]) -> Array:
    """Prices; NaN where a value is not a positive number."""
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)
