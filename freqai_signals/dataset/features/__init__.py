"""Features: causal, scale-free, with bounded memory and no pair in their names."""

from typing import Final

import numpy as np
import pandas as pd

from freqai_signals.dataset.features.groups import GROUPS
from freqai_signals.dataset.features.inputs import FeatureInput, Market, Spans, positive
from freqai_signals.schema import FEATURE_PREFIX
from freqai_signals.settings import SignalSettings

__all__ = ["GROUPS", "Market", "build_features", "feature_groups", "feature_memory"]

_GRID: Final = 2.0**-13
"""Features are rounded to multiples of this. Running sums carry a floating-point residue of older
candles, about 1e-12; without it, a frame that starts elsewhere gives the same model."""


def feature_memory(settings: SignalSettings) -> int:
    """Candles that a frame needs so that its last row has every feature.

    This is the strategy's ``startup_candle_count``: no feature looks further back.
    """
    spans = Spans.from_settings(settings)
    return max(GROUPS[name].memory(spans) for name in settings.features.groups)


def feature_groups(settings: SignalSettings) -> dict[str, str]:
    """Map the name of every feature to its group."""
    # Names depend on the settings, so they are read from the features of one dummy candle.
    candle = pd.DataFrame({name: [1.0] for name in ("open", "high", "low", "close", "volume")})
    candle.insert(0, "date", pd.to_datetime([0], utc=True))
    groups = settings.features.groups
    alone = {group: settings.features.model_copy(update={"groups": (group,)}) for group in groups}
    return {
        str(name): group
        for group, features in alone.items()
        for name in build_features(candle, settings.model_copy(update={"features": features}))
    }


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
    if market is None:
        closes = pd.Series(candles["close"].to_numpy(), index=pd.DatetimeIndex(candles["date"]))
        market = Market.from_closes({"": closes}, "")
    mean, lead = market.at(candles["date"])
    columns = {
        name: candles[name].to_numpy(np.float64) for name in ("open", "high", "low", "close")
    }
    volume = candles["volume"].to_numpy(np.float64)
    inputs = FeatureInput(
        **{name: positive(values) for name, values in columns.items()},
        volume=np.where(np.isfinite(volume) & (volume >= 0), volume, np.nan),
        date=candles["date"],
        spans=Spans.from_settings(settings),
        market_mean=mean,
        market_lead=lead,
    )
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        values = {
            FEATURE_PREFIX + name: array
            for group in settings.features.groups
            for name, array in GROUPS[group].compute(inputs).items()
        }
        # Adding 0.0 turns -0.0 into 0.0, since the digest of rows differs between them.
        rounded = {
            name: (np.rint(array / _GRID) * _GRID + 0.0).astype(np.float32)
            for name, array in values.items()
        }
    return pd.DataFrame(rounded, index=candles.index)
