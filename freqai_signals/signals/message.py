"""An emitted signal in one line, for people and for chats."""

from typing import Any

import pandas as pd

from freqai_signals.schema import CONFIDENCE_COLUMN, EXPECTED_RETURN_COLUMN, SignalClass
from freqai_signals.signals.decide import DECISION_SIGNAL_COLUMN, TAG_COLUMN


def signal_message(pair: str, row: "pd.Series[Any]") -> str | None:
    """Text of a buy or sell signal; None where the row holds none.

    Parameters
    ----------
    pair
        Full name.
    row
        Newest row of a frame that carries the model's columns and the decision.

    Examples
    --------
    >>> row = pd.Series({"date": pd.Timestamp("2024-01-20 00:10", tz="UTC"), "signal": 2,
    ...                  "signal_tag": "buy_strong", "confidence": 0.993,
    ...                  "expected_return": 0.0031, "close": 1689.94})
    >>> signal_message("ETH/USDT", row)
    'ETH/USDT buy_strong at 1689.94, candle 2024-01-20 00:10: confidence 99.3 %, expected +0.31 %'
    """
    if int(row[DECISION_SIGNAL_COLUMN]) not in (SignalClass.BUY, SignalClass.SELL):
        return None
    return (
        f"{pair} {row[TAG_COLUMN]} at {row['close']:g}, candle {row['date']:%Y-%m-%d %H:%M}: "
        f"confidence {100 * row[CONFIDENCE_COLUMN]:.1f} %, "
        f"expected {100 * row[EXPECTED_RETURN_COLUMN]:+.2f} %"
    )
