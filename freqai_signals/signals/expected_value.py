"""Costs of a trade, expected return of the predicted action, and how well it has been predicted.

The expected gross return comes from :class:`~freqai_signals.model.trade_value.TradeValue`: what
trades of this strategy returned on past predictions, shrunk by how uncertain that is.
"""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from freqai_signals.schema import (
    LABEL_COLUMN,
    REALISED_RETURN_COLUMN,
    TRADE_COST_COLUMN,
    TRADE_RETURN_COLUMN,
    SignalClass,
)
from freqai_signals.settings import CostSettings, SignalSettings
from freqai_signals.signals.predictions import Floats

UNKNOWN_FEE: Final = 0.002
"""Fee of one side where the exchange names none: twice what large exchanges charge takers."""

_FUNDING_HOURS: Final = 8.0

_DIRECTION: Final = np.array([-1.0, 0.0, 1.0])
"""Position taken on sell, hold and buy."""


def round_trip_cost(
    costs: CostSettings, taker_fee: float, maker_fee: float, held_hours: float = 0.0
) -> float:
    """Cost of entry and exit of a position but for the spread, a fraction of the stake.

    Parameters
    ----------
    costs
        Its ``fee``, if set, replaces the exchange's; ``slippage`` is added on each side, and
        ``funding`` for every eight hours, to longs and shorts alike: who receives it is not known.
    taker_fee, maker_fee
        The exchange's fees for one side, fractions.
    held_hours
        Longest that a position is held which pays funding; 0 on spot.

    Examples
    --------
    >>> round_trip_cost(CostSettings(), taker_fee=0.001, maker_fee=0.0002)
    0.002
    >>> round_trip_cost(CostSettings(fee=0.0, funding=0.0001), 0.0, 0.0, held_hours=4)
    5e-05
    """
    fee = taker_fee if costs.liquidity == "taker" else maker_fee
    if costs.fee is not None:
        fee = costs.fee
    return 2.0 * (fee + costs.slippage) + costs.funding * held_hours / _FUNDING_HOURS


def held_hours(settings: SignalSettings, trading_mode: str) -> float:
    """Hours for which a position pays funding at most: the horizon on futures, 0 on spot."""
    if trading_mode != "futures":
        return 0.0
    return settings.label_horizon_candles * settings.candle_seconds / 3600.0


def expected_return(probabilities: Floats, long: Floats, cost: float) -> Floats:
    """Expected return of the predicted action after costs, shape ``(n,)``, a fraction.

    The action follows the most probable class: a long for buy, a short for sell; a hold earns 0.

    Parameters
    ----------
    probabilities
        Shape ``(n, 3)``, calibrated, columns sell, hold, buy.
    long
        Shape ``(n,)``, expected gross return of a long.
    cost
        Round trip, spread included.

    Examples
    --------
    >>> probabilities = np.array([[0.1, 0.3, 0.6], [0.2, 0.6, 0.2], [0.7, 0.2, 0.1]])
    >>> expected_return(probabilities, np.array([0.005, 0.0, -0.006]), cost=0.002)
    array([0.003, 0.   , 0.004])
    """
    direction = _DIRECTION[probabilities.argmax(axis=1)]
    return np.where(direction == 0, 0.0, direction * long - cost)


def realised_return(signal: ArrayLike, gross: ArrayLike, cost: float) -> Floats:
    """Realised return of the predicted actions after costs, shape ``(n,)``; NaN if not yet known.

    ``gross`` is the price's return over the label's event, independent of the direction.
    """
    kind = np.asarray(signal)
    direction = np.where(
        kind == SignalClass.BUY, 1.0, np.where(kind == SignalClass.SELL, -1.0, 0.0)
    )
    gain = direction * np.asarray(gross, dtype=np.float64) - cost
    return np.where(direction == 0, 0.0, gain)


def net_returns(rows: pd.DataFrame, cost: float) -> Floats:
    """Realised returns after costs of trades on the predicted classes, shape ``(n,)``.

    Parameters
    ----------
    rows
        Predicted ``&-signal``, ``trade_return`` and ``trade_cost``. A record of an earlier version
        has neither: then the return of the label's event counts, which ends elsewhere.
    cost
        Round trip of such a record, a fraction.
    """
    if TRADE_RETURN_COLUMN not in rows:
        return realised_return(rows[LABEL_COLUMN], rows[REALISED_RETURN_COLUMN], cost)
    gain = rows[TRADE_RETURN_COLUMN].to_numpy(np.float64)
    paid = rows[TRADE_COST_COLUMN].to_numpy(np.float64)
    return np.where(rows[LABEL_COLUMN] == SignalClass.HOLD, 0.0, gain - paid)
