"""What trades on the predicted classes of a backtest returned, and when outcomes were known."""

import numpy as np
import pandas as pd

from freqai_signals.dataset.trades import closed_by_opposite
from freqai_signals.schema import (
    CONFIDENCE_COLUMN,
    EVENT_END_COLUMN,
    LABEL_COLUMN,
    TRADE_COLUMNS,
    TRUST_COLUMN,
    SignalClass,
)
from freqai_signals.settings import SignalSettings


def predicted_trade_returns(
    frame: pd.DataFrame, labels: pd.DataFrame, settings: SignalSettings
) -> "pd.Series[float]":
    """Gross return of a trade on each row's predicted class, with all exits of the strategy.

    NaN where the trade's outcome is not known; 0 for a hold.
    """
    exits = settings.exits
    # A column that is missing was reported as a reason; it must not end a backtest.
    frame = frame.reindex(columns=[LABEL_COLUMN, CONFIDENCE_COLUMN, TRUST_COLUMN])
    sure = (frame[TRUST_COLUMN] == 1) & (frame[CONFIDENCE_COLUMN] >= exits.opposite_confidence)
    sure &= exits.opposite_signal
    sells, buys = (sure & (frame[LABEL_COLUMN] == k) for k in (SignalClass.SELL, SignalClass.BUY))
    trades = labels.reindex(columns=TRADE_COLUMNS).to_numpy(np.float64)
    # Frames have no holes, so positions count candles.
    place = np.arange(len(frame))
    long, short = closed_by_opposite(place, trades, sells.to_numpy(), buys.to_numpy())
    is_sell, is_hold = (frame[LABEL_COLUMN] == k for k in (SignalClass.SELL, SignalClass.HOLD))
    gain = np.where(is_hold, 0.0, np.where(is_sell, short, long))
    return pd.Series(gain, index=frame.index)


def known_at(frame: pd.DataFrame, candle_seconds: int) -> "pd.Series[pd.Timestamp]":
    """Close of the candle at which each row's outcome was known, NaT where it is not."""
    dates = pd.to_datetime(frame["date"], utc=True).reset_index(drop=True)
    ends = frame[EVENT_END_COLUMN].reset_index(drop=True)
    close = dates.reindex(ends).reset_index(drop=True) + pd.Timedelta(seconds=candle_seconds)
    return close.set_axis(frame.index)
