"""When price or time ends a trade, and why: each rule is one function.

No prediction hinders them. Where the model itself says to leave is a column, see
:func:`~freqai_signals.trading.columns.exit_columns`.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from freqai_signals.settings import ExitSettings


class ExitReason(StrEnum):
    """Code shown as freqtrade's exit reason."""

    STOP_BARRIER = "stop_barrier"
    PROFIT_BARRIER = "profit_barrier"
    HORIZON = "horizon"
    OPPOSITE_SIGNAL = "opposite_signal"
    NEGATIVE_EXPECTED_VALUE = "negative_expected_value"


@dataclass(frozen=True)
class Barriers:
    """Prices at which a trade ends; None where that barrier is off or cannot be placed."""

    profit: float | None = None
    stop: float | None = None


@dataclass(frozen=True)
class OpenTrade:
    """What the rules need to know of a trade.

    Attributes
    ----------
    is_short
        Whether it gains when the price falls.
    candles_held
        Candles closed since the trade was opened.
    horizon
        ``label_horizon_candles`` of the model that it was opened on.
    barriers
        From :func:`barrier_prices`, fixed at entry.
    """

    is_short: bool
    candles_held: int
    horizon: int
    barriers: Barriers = Barriers()


def barrier_prices(
    entry_price: float, width: float, is_short: bool, settings: ExitSettings
) -> Barriers:
    """Prices of the barriers around an entry.

    Parameters
    ----------
    entry_price
        What was paid.
    width
        The label's barrier width at the close of the signal's candle, a fraction. A stop is placed
        ``stop_multiple`` widths away, a profit barrier ``profit_multiple`` widths.
    is_short
        Puts profit below and stop above.
    settings
        The two multiples.

    Returns
    -------
    Barriers
        Both None if a number is not finite and positive; a price that would lie at or below zero
        is None, since it cannot be reached.

    Examples
    --------
    >>> settings = ExitSettings(stop_multiple=3.0, profit_multiple=1.0)
    >>> barrier_prices(100.0, 0.01, is_short=False, settings=settings)
    Barriers(profit=101.0, stop=97.0)
    >>> barrier_prices(100.0, 0.01, is_short=True, settings=settings)
    Barriers(profit=99.0, stop=103.0)
    """
    if not (0 < entry_price < math.inf and 0 < width < math.inf):
        return Barriers()
    up = -width if is_short else width
    return Barriers(
        profit=_price(entry_price, up, settings.profit_multiple),
        stop=_price(entry_price, -up, settings.stop_multiple),
    )


def _price(entry_price: float, width: float, multiple: float | None) -> float | None:
    if multiple is None or 1.0 + multiple * width <= 0:
        return None
    return entry_price * (1.0 + multiple * width)


def barrier_touched(trade: OpenTrade, rate: float) -> ExitReason | None:
    """Whether the price lies at or beyond a barrier; a stop comes before a profit."""
    sign = -1.0 if trade.is_short else 1.0
    stop, profit = trade.barriers.stop, trade.barriers.profit
    if stop is not None and sign * (rate - stop) <= 0:
        return ExitReason.STOP_BARRIER
    if profit is not None and sign * (rate - profit) >= 0:
        return ExitReason.PROFIT_BARRIER
    return None


def horizon_reached(trade: OpenTrade) -> ExitReason | None:
    """Whether as many candles have passed as the label looked ahead."""
    return ExitReason.HORIZON if trade.candles_held >= trade.horizon else None


def exit_reason(trade: OpenTrade, rate: float, settings: ExitSettings) -> ExitReason | None:
    """First rule that ends the trade at this price: barriers, then horizon.

    Examples
    --------
    >>> trade = OpenTrade(is_short=False, candles_held=24, horizon=24)
    >>> str(exit_reason(trade, 100.0, ExitSettings()))
    'horizon'
    """
    return barrier_touched(trade, rate) or (horizon_reached(trade) if settings.horizon else None)
