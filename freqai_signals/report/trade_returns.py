"""Daily returns of closed trades, and the loss that hyperopt minimises."""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from freqai_signals.report.sharpe import (
    Floats,
    expected_maximum_sharpe,
    moments,
    sharpe_score,
)

FEW_TRADES: Final = 50
"""Below this many trades a result is penalised; with 50, a hit rate is known to 14 points."""

NO_RESULT: Final = 20.0
"""Loss without enough trades or variation, and the upper limit of all losses."""

_SECONDS_A_DAY: Final = 86400


@dataclass(frozen=True)
class Search:
    """The search that a result was selected from.

    Attributes
    ----------
    trials
        Number of parameter sets that the search evaluates.
    start, end
        Period of the backtest, UTC.
    balance
        Wallet at its start, in stake currency.
    """

    trials: int
    start: pd.Timestamp
    end: pd.Timestamp
    balance: float


def daily_returns(
    close_dates: "pd.Series[pd.Timestamp]", profits: "pd.Series[float]", search: Search
) -> Floats:
    """Return of the wallet on every UTC day, a fraction of its value at the day's start.

    Parameters
    ----------
    close_dates
        Close of each trade, UTC; a trade counts on that day.
    profits
        Profit of each trade after fees and funding, in stake currency.
    search
        Period and starting balance.

    Returns
    -------
    numpy.ndarray
        Shape ``(days,)``; 0 on days without a close, and once the wallet is empty.

    Examples
    --------
    >>> days = pd.to_datetime(["2024-01-01 10:00", "2024-01-03 10:00"], utc=True)
    >>> month = Search(10, pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-03 20:00"), 100.0)
    >>> daily_returns(pd.Series(days), pd.Series([10.0, -11.0]), month)
    array([ 0.1,  0. , -0.1])
    """
    first, last = _day(search.start), _day(search.end)
    days = max(last - first + 1, 0)
    closed = pd.to_datetime(close_dates, utc=True).to_numpy(dtype="datetime64[s]")
    day = closed.astype(np.int64) // _SECONDS_A_DAY - first
    inside = (day >= 0) & (day < days)
    paid = np.bincount(day[inside], weights=profits.to_numpy(np.float64)[inside], minlength=days)
    wallet = search.balance + np.concatenate([[0.0], np.cumsum(paid)[:-1]]) if days else paid
    return np.asarray(np.where(wallet > 0, paid / np.maximum(wallet, 1e-9), 0.0))


def search_loss(returns: Floats, trades: int, search: Search) -> float:
    """Loss for a search: minus the standard errors of the deflated Sharpe ratio.

    The deflated Sharpe ratio compares the Sharpe ratio with the expected maximum of ``trials``
    strategies without skill. While a search runs, the variance of its Sharpe ratios is unknown;
    that of pure chance, ``1 / (days - 1)``, is used. Trials of one search are correlated, so
    counting each as independent is conservative. Standard errors order results like the probability
    but do not saturate at 1.

    Parameters
    ----------
    returns
        From :func:`daily_returns`.
    trades
        Number of closed trades. The effective sample size is at most this, and below
        :data:`FEW_TRADES` the loss grows by one standard error for every ten missing trades.
    search
        The number of trials.

    Examples
    --------
    >>> week = Search(100, pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-07"), 1000.0)
    >>> steady = np.array([0.01, 0.02, 0.0, 0.01, 0.02, 0.01, 0.03])
    >>> losses = search_loss(steady, 60, week), search_loss(steady, 40, week)
    >>> losses[0] < losses[1] < search_loss(-steady, 60, week)
    True
    """
    found = moments(returns)
    found = replace(found, observations=min(found.observations, trades))
    if found.observations < 3 or found.sharpe == 0.0:
        return NO_RESULT
    benchmark = expected_maximum_sharpe(max(search.trials, 1), 1.0 / (found.observations - 1))
    penalty = max(FEW_TRADES - trades, 0) / 10.0
    loss = penalty - sharpe_score(found, benchmark)
    return loss if math.isfinite(loss) and loss < NO_RESULT else NO_RESULT


def _day(moment: pd.Timestamp) -> int:
    return int(pd.Timestamp(moment).timestamp()) // _SECONDS_A_DAY
