r"""Expected return of a trade: probabilities times mean returns by class, minus costs.

With calibrated probabilities :math:`p_c` and class-conditional mean returns :math:`m_c` of the
training window, a long earns :math:`\sum_c p_c m_c - \mathrm{cost}` and a short
:math:`-\sum_c p_c m_c - \mathrm{cost}`.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from freqai_signals.schema import CLASS_COUNT, SignalClass
from freqai_signals.settings import CostSettings
from freqai_signals.signals.predictions import Floats

PRIOR_ROWS: Final = 500.0
"""Weight of the symmetric prior in rows: at horizon 24, about 20 non-overlapping outcomes."""

_DIRECTION: Final = np.array([-1.0, 0.0, 1.0])
"""Position taken on sell, hold and buy."""


def round_trip_cost(costs: CostSettings, taker_fee: float, maker_fee: float) -> float:
    """Cost of entry and exit of a position, a fraction of the stake.

    Parameters
    ----------
    costs
        Its ``fee``, if set, replaces the exchange's; ``slippage`` is added on each side.
    taker_fee, maker_fee
        The exchange's fees for one side, fractions.

    Examples
    --------
    >>> round_trip_cost(CostSettings(), taker_fee=0.001, maker_fee=0.0002)
    0.002
    """
    fee = taker_fee if costs.liquidity == "taker" else maker_fee
    if costs.fee is not None:
        fee = costs.fee
    return 2.0 * (fee + costs.slippage)


def shrunk_class_returns(
    mean: ArrayLike, count: ArrayLike, prior_rows: float = PRIOR_ROWS
) -> Floats:
    r"""Class-conditional mean returns, shrunk towards a market without trend.

    .. math:: m_c = \frac{n_c \bar r_c + k\, d_c s}{n_c + k},\qquad
              s = \frac{\max(n_b \bar r_b - n_s \bar r_s, 0)}{n_b + n_s + k},\qquad
              d = (-1, 0, 1)

    The prior is symmetric: the mean return of sell is minus that of buy, that of hold is zero. Its
    size *s* is itself shrunk to zero. A class without rows gets the prior, a window without rows
    zeros.

    Parameters
    ----------
    mean
        Shape ``(3,)``, mean gross returns of sell, hold and buy rows, fractions; ignored (and
        allowed to be NaN) where there are no rows.
    count
        Shape ``(3,)``, rows.
    prior_rows
        *k*, above zero.

    Examples
    --------
    >>> shrunk_class_returns([-0.005, 0.001, 0.007], [1000, 8000, 1000], prior_rows=1000)
    array([-0.0045    ,  0.00088889,  0.0055    ])
    """
    rows = np.asarray(count, dtype=np.float64)
    known = np.where(rows > 0, np.asarray(mean, dtype=np.float64), 0.0)
    if rows.shape != (CLASS_COUNT,) or known.shape != (CLASS_COUNT,):
        raise ValueError(f"mean and count must have shape (3,), got {known.shape}, {rows.shape}")
    if not prior_rows > 0:
        raise ValueError(f"prior_rows must be above 0, got {prior_rows}")
    moved = rows * np.abs(_DIRECTION)
    size = max(float((_DIRECTION * moved * known).sum()), 0.0) / float(moved.sum() + prior_rows)
    return np.asarray((rows * known + prior_rows * _DIRECTION * size) / (rows + prior_rows))


def expected_move(probabilities: Floats, class_returns: Floats) -> Floats:
    """Expected gross return of a long, shape ``(n,)``, a fraction.

    Parameters
    ----------
    probabilities
        Shape ``(n, 3)``, calibrated, columns sell, hold, buy; a NaN makes the row NaN.
    class_returns
        Shape ``(3,)``, from :func:`shrunk_class_returns`.
    """
    return np.asarray(probabilities @ class_returns, dtype=np.float64)


def expected_return(
    probabilities: Floats,
    class_returns: Floats,
    cost: float,
    scale: Floats | float = 1.0,
) -> Floats:
    """Expected return of the predicted action after costs, shape ``(n,)``, a fraction.

    The action follows the most probable class: a long for buy, a short for sell; a hold earns 0.
    Class returns in units of each row's return scale need that ``scale``, shape ``(n,)``.

    Examples
    --------
    >>> probabilities = np.array([[0.1, 0.3, 0.6], [0.2, 0.6, 0.2], [0.7, 0.2, 0.1]])
    >>> expected_return(probabilities, np.array([-0.01, 0.0, 0.01]), cost=0.002)
    array([0.003, 0.   , 0.004])
    """
    direction = _DIRECTION[probabilities.argmax(axis=1)]
    gain = direction * expected_move(probabilities, class_returns) * scale - cost
    return np.where(direction == 0, 0.0, gain)


def implied_move(signal: ArrayLike, expected: ArrayLike, cost: float) -> Floats:
    """Expected gross return of a long, computed from the return of the predicted action.

    Parameters
    ----------
    signal
        Shape ``(n,)``, predicted classes.
    expected
        Shape ``(n,)``, from :func:`expected_return` with ``cost``.
    cost
        Round trip, a fraction.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, fractions; NaN for holds, whose return of 0 is independent of the price.
    """
    kind = np.asarray(signal)
    direction = np.where(
        kind == SignalClass.BUY, 1.0, np.where(kind == SignalClass.SELL, -1.0, np.nan)
    )
    return direction * (np.asarray(expected, dtype=np.float64) + cost)


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
