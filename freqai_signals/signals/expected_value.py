r"""What a trade can be expected to earn: probabilities times usual outcomes, minus costs.

With calibrated probabilities :math:`p_c` and class-conditional mean returns :math:`m_c` of the
training window, a long earns :math:`\sum_c p_c m_c - \mathrm{cost}` and a short
:math:`-\sum_c p_c m_c - \mathrm{cost}`.
"""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from freqai_signals.schema import CLASS_COUNT, SignalClass
from freqai_signals.settings import CostSettings
from freqai_signals.signals.predictions import Floats

PRIOR_ROWS: Final = 500.0
"""Rows that the symmetric prior weighs: at horizon 24, some twenty outcomes without overlap."""

_MIRROR: Final = np.array([-1.0, 0.0, 1.0])


def round_trip_cost(costs: CostSettings, taker_fee: float, maker_fee: float) -> float:
    """Cost of entering and leaving a position, a fraction of the stake.

    Parameters
    ----------
    costs
        A ``fee`` given there wins over the exchange's; ``slippage`` is added on each side.
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
    r"""Class-conditional mean returns, pulled towards a market without drift.

    .. math:: m_c = \frac{n_c \bar r_c + k\, d_c s}{n_c + k},\qquad
              s = \frac{\max(n_b \bar r_b - n_s \bar r_s, 0)}{n_b + n_s + k},\qquad
              d = (-1, 0, 1)

    The prior is symmetric: a sell loses what a buy gains, a hold earns nothing. Its size *s* is
    itself pulled to zero. A class without rows gets the prior, a window without rows zeros.

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
    moved = rows * np.abs(_MIRROR)
    size = max(float((_MIRROR * moved * known).sum()), 0.0) / float(moved.sum() + prior_rows)
    return np.asarray((rows * known + prior_rows * _MIRROR * size) / (rows + prior_rows))


def expected_move(probabilities: Floats, class_returns: Floats) -> Floats:
    """Expected gross return of holding a long, shape ``(n,)``, a fraction.

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

    The action is the most probable class: a long for buy, a short for sell; a hold earns 0. Class
    returns in units of each row's return scale are given with that ``scale``, shape ``(n,)``.

    Examples
    --------
    >>> probabilities = np.array([[0.1, 0.3, 0.6], [0.2, 0.6, 0.2], [0.7, 0.2, 0.1]])
    >>> expected_return(probabilities, np.array([-0.01, 0.0, 0.01]), cost=0.002)
    array([0.003, 0.   , 0.004])
    """
    direction = _MIRROR[probabilities.argmax(axis=1)]
    gain = direction * expected_move(probabilities, class_returns) * scale - cost
    return np.where(direction == 0, 0.0, gain)


def move_behind(signal: ArrayLike, expected: ArrayLike, cost: float) -> Floats:
    """Expected gross return of a long, recovered from the return of the predicted action.

    Parameters
    ----------
    signal
        Shape ``(n,)``, predicted classes.
    expected
        Shape ``(n,)``, what :func:`expected_return` gave with ``cost``.
    cost
        Round trip, a fraction.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, fractions; NaN for holds, whose return of 0 says nothing of the price.
    """
    kind = np.asarray(signal)
    direction = np.where(
        kind == SignalClass.BUY, 1.0, np.where(kind == SignalClass.SELL, -1.0, np.nan)
    )
    return direction * (np.asarray(expected, dtype=np.float64) + cost)


def realised_return(signal: ArrayLike, gross: ArrayLike, cost: float) -> Floats:
    """What the predicted actions earned after costs, shape ``(n,)``; NaN where not yet known.

    ``gross`` is the price's return over the label's event, the same for longs and shorts.
    """
    kind = np.asarray(signal)
    direction = np.where(
        kind == SignalClass.BUY, 1.0, np.where(kind == SignalClass.SELL, -1.0, 0.0)
    )
    gain = direction * np.asarray(gross, dtype=np.float64) - cost
    return np.where(direction == 0, 0.0, gain)


def return_reliability(
    predicted: Floats, realised: Floats, bins: int = 10, overlap: int = 1
) -> pd.DataFrame:
    """Predicted against realised return, by quantiles of the prediction.

    Parameters
    ----------
    predicted, realised
        Shape ``(n,)``, fractions; rows with a NaN in either are left out.
    bins
        Quantile bins; equal predictions share a bin, so there may be fewer.
    overlap
        Candles an outcome lasts. Outcomes of neighbouring candles overlap, so a bin of *n* rows is
        worth about *n / overlap* of them; the standard error says so. 1 if none overlap.

    Returns
    -------
    pandas.DataFrame
        Lowest predictions first: ``predicted`` and ``realised`` mean, ``standard_error`` of the
        latter (NaN in a bin of one row), ``count``.

    Examples
    --------
    >>> table = return_reliability(np.array([1., 1., 2., 2.]), np.array([0., 2., 1., 3.]), bins=2)
    >>> table.round(3).to_dict("list")
    {'predicted': [1.0, 2.0], 'realised': [1.0, 2.0], 'standard_error': [1.0, 1.0], 'count': [2, 2]}
    """
    if bins < 1 or overlap < 1:
        raise ValueError(f"bins and overlap must be at least 1, got bins={bins}, overlap={overlap}")
    known = np.isfinite(predicted) & np.isfinite(realised)
    rows = pd.DataFrame({"predicted": predicted[known], "realised": realised[known]})
    ranks = rows["predicted"].rank(method="average", pct=True)
    place = np.ceil((ranks.to_numpy() * bins).round(9))
    grouped = rows.groupby(place)
    table = grouped.mean()
    count = grouped["realised"].count()
    worth = (count / overlap).clip(lower=1.0)
    table["standard_error"] = grouped["realised"].std() / np.sqrt(worth)
    table["count"] = count
    return table.reset_index(drop=True)
