"""An emitted signal in one line, for people and for chats."""

import re
from typing import Any, Final

import pandas as pd

from freqai_signals.schema import (
    CONFIDENCE_COLUMN,
    DECISION_SIGNAL_COLUMN,
    EXPECTED_RETURN_COLUMN,
    TAG_COLUMN,
    SignalClass,
)

_MOST_CHARACTERS: Final = 1_000
_MARKED_WORD: Final = re.compile(r"\S*[_*\[`]\S*")


def for_chat(text: str) -> str:
    """The text as every channel of freqtrade delivers it.

    freqtrade sends to Telegram as Markdown, and Telegram drops a message with an odd underscore,
    star, bracket or backtick. Words with one are set as code, which other channels show as it is.

    Examples
    --------
    >>> for_chat("ETH/USDT buy_strong at 1689.94")
    'ETH/USDT `buy_strong` at 1689.94'
    """
    shown = text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 4]} ..."
    return _MARKED_WORD.sub(lambda word: f"`{word[0].replace('`', chr(39))}`", shown)


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
