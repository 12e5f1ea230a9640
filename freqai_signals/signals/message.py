"""Texts of messages: plain, for every channel; and those about emitted signals."""

import math
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
from freqai_signals.signals.record import rank_text
from freqai_signals.terminal import time_text, utc_text

_MAX_CHARACTERS: Final = 1_000
_PLAIN: Final = str.maketrans({"_": "-", "*": "x", "[": "(", "]": ")", "`": "'"})


def for_chat(text: str) -> str:
    """Format a text so that all of freqtrade's channels deliver it and it reads the same in each.

    freqtrade sends Markdown to Telegram, which drops a message with an unpaired underscore, star,
    bracket or backtick; Discord formats what is between two of them; webhooks and the log show
    every escape. So none of these characters is sent.

    Examples
    --------
    >>> for_chat("freqai_signals/pool: refused [v2]")
    'freqai-signals/pool: refused (v2)'
    """
    shown = text if len(text) <= _MAX_CHARACTERS else f"{text[: _MAX_CHARACTERS - 4]} ..."
    return shown.translate(_PLAIN)


def stamped(name: str, now: float, text: str) -> str:
    """A text with the bot's name and the time, by which one tells several bots apart.

    Examples
    --------
    >>> stamped("my bot", 86_400, "ledger: ok")
    'my bot at 1970-01-02 00:00 UTC: ledger: ok'
    """
    return f"{name} at {time_text(now)}: {text}"


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
    ...                  "signal_tag": "buy_strong", "confidence": 0.993, "proba_sell": 0.3,
    ...                  "proba_buy": 0.42, "direction_error": 0.25,
    ...                  "expected_return": 0.0031, "close": 1689.94})
    >>> print(signal_message("ETH/USDT", row).replace(": ", ":" + chr(10)))
    ETH/USDT buy strong at 1689.94, candle 2024-01-20 00:10 UTC:
    P(buy) 42.0 %, this side in 58 ± 2 % of moves, expected +0.31 % after costs, confidence rank \
99.3 of 100
    """
    kind = int(row[DECISION_SIGNAL_COLUMN])
    if kind not in (SignalClass.BUY, SignalClass.SELL):
        return None
    name = SignalClass(kind).name.lower()
    return (
        f"{pair} {row[TAG_COLUMN].replace('_', ' ')} at {row['close']:g}, "
        f"candle {utc_text(row['date'])}: P({name}) {100 * row[PROBA_COLUMNS[kind]]:.1f} %, "
        f"{_stated_direction(row)}"
        f"expected {100 * row[EXPECTED_RETURN_COLUMN]:+.2f} % after costs, "
        f"confidence rank {rank_text(row[CONFIDENCE_COLUMN])}"
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
