"""A mark for callbacks of a strategy that only look at their trade."""

from collections.abc import Callable
from typing import Any, TypeVar

Callback = TypeVar("Callback", bound=Callable[..., Any])


def reads_only(callback: Callback) -> Callback:
    """Mark a callback that leaves its trade alone, so that freqtrade does not copy the trade.

    freqtrade hands callbacks a deep copy of the trade, a millisecond for each candle of each open
    trade and nine tenths of a backtest's time, unless the callback's name says that it is
    ``IStrategy``'s own. Should that change, backtests get slower and nothing else.
    """
    callback.__qualname__ = f"IStrategy.{callback.__name__}"
    return callback
