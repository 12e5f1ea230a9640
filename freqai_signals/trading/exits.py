"""Exit rules by price and time, one function each, and their reasons.

They do not depend on predictions. Exit signals of the model are columns, see
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


@dataclass(frozen=True)
class Barriers:
    """Prices at which a trade ends; None if that barrier is disabled or cannot be reached."""

    profit: float | None = None
    stop: float | None = None


@dataclass(frozen=True)
class OpenTrade:
    """State of a trade that the exit rules need.

    Attributes
    ----------
    is_short
        Whether it gains when the price falls.
    candles_held
        Candles closed since the trade was opened.
    horizon
        ``label_horizon_candles``.
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
        Rate at which the trade was opened.
    width
        The label's barrier width at the close of the signal's candle, a fraction. The stop is
        ``stop_multiple`` widths away, the profit barrier ``profit_multiple`` widths.
    is_short
        For shorts the profit barrier is below, the stop above.
    settings
        The two multiples.

    Returns
    -------
    Barriers
        Both None if price or width is not finite and positive; a price at or below zero is None,
        since it cannot be reached.

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
    # Only a long's stop or a short's profit barrier can lie at or below 0.
    if multiple is None or 1.0 + multiple * width <= 0:
        return None
    return entry_price * (1.0 + multiple * width)


def barrier_touched(trade: OpenTrade, rate: float) -> ExitReason | None:
    """Whether the price lies at or beyond a barrier; the stop is checked first."""
    sign = -1.0 if trade.is_short else 1.0
    stop, profit = trade.barriers.stop, trade.barriers.profit
    if stop is not None and sign * (rate - stop) <= 0:
        return ExitReason.STOP_BARRIER
    if profit is not None and sign * (rate - profit) >= 0:
        return ExitReason.PROFIT_BARRIER
    return None


def horizon_reached(trade: OpenTrade) -> ExitReason | None:
    """Whether the trade has been held for the label's horizon."""
    return ExitReason.HORIZON if trade.candles_held >= trade.horizon else None


def exit_reason(trade: OpenTrade, rate: float, settings: ExitSettings) -> ExitReason | None:
    """First rule that exits the trade at this price: barriers, then horizon.

    Examples
    --------
    >>> trade = OpenTrade(is_short=False, candles_held=24, horizon=24)
    >>> str(exit_reason(trade, 100.0, ExitSettings()))
    'horizon'
    """
    return barrier_touched(trade, rate) or (horizon_reached(trade) if settings.horizon else None)
