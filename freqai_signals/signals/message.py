"""Chat messages about emitted signals."""

import math
import re
from typing import Any, Final

import pandas as pd

from freqai_signals.schema import (
    CONFIDENCE_COLUMN,
    DECISION_SIGNAL_COLUMN,
    DIRECTION_ERROR_COLUMN,
    EXPECTED_RETURN_COLUMN,
    PROBA_COLUMNS,
    TAG_COLUMN,
    SignalClass,
)

_MAX_CHARACTERS: Final = 1_000
_MARKED_WORD: Final = re.compile(r"\S*[_*\[`]\S*")


def for_chat(text: str) -> str:
    """Format a text so that all of freqtrade's channels deliver it.

    freqtrade sends Markdown to Telegram, which drops a message with an unpaired underscore, star,
    bracket or backtick. Words with such a character are formatted as code; other channels show the
    backticks.

    Examples
    --------
    >>> for_chat("ETH/USDT buy_strong at 1689.94")
    'ETH/USDT `buy_strong` at 1689.94'
    """
    shown = text if len(text) <= _MAX_CHARACTERS else f"{text[: _MAX_CHARACTERS - 4]} ..."
    return _MARKED_WORD.sub(lambda word: f"`{word[0].replace('`', chr(39))}`", shown)


def signal_message(pair: str, row: "pd.Series[Any]") -> str | None:
    """Text of a buy or sell signal; None if the row has none.

    Parameters
    ----------
    pair
        Full name.
    row
        Newest row of a frame with the columns of model and decision.

    Examples
    --------
    >>> row = pd.Series({"date": pd.Timestamp("2024-01-20 00:10", tz="UTC"), "signal": 2,
    ...                  "signal_tag": "buy_strong", "confidence": 0.993,
    ...                  "expected_return": 0.0031, "close": 1689.94, "proba_sell": 0.3,
    ...                  "proba_buy": 0.42, "direction_error": 0.25})
    >>> signal_message("ETH/USDT", row)  # doctest: +NORMALIZE_WHITESPACE
    'ETH/USDT buy_strong at 1689.94, candle 2024-01-20 00:10: confidence 99.3 %, this side in 58 ± 2
    % of moves, expected +0.31 %'
    """
    if int(row[DECISION_SIGNAL_COLUMN]) not in (SignalClass.BUY, SignalClass.SELL):
        return None
    return (
        f"{pair} {row[TAG_COLUMN]} at {row['close']:g}, candle {row['date']:%Y-%m-%d %H:%M}: "
        f"confidence {100 * row[CONFIDENCE_COLUMN]:.1f} %, {_stated_direction(row)}"
        f"expected {100 * row[EXPECTED_RETURN_COLUMN]:+.2f} %"
    )


def _stated_direction(row: "pd.Series[Any]") -> str:
    """Probability of the likelier side given a move, with what the slope's error makes of it."""
    sell, _, buy = (float(row.get(name, 0.0)) for name in PROBA_COLUMNS)
    if not sell + buy > 0:
        return ""
    stated = max(sell, buy) / (sell + buy)
    odds = math.log(stated / (1.0 - stated)) if stated < 1.0 else 0.0
    error = stated * (1.0 - stated) * odds * float(row.get(DIRECTION_ERROR_COLUMN, 0.0))
    uncertain = f" ± {100 * error:.0f}" if error > 0 else ""
    return f"this side in {100 * stated:.0f}{uncertain} % of moves, "
