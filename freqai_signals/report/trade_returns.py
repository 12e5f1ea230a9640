"""Daily returns of closed trades, and what they are worth when they were searched for."""

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
"""Loss of a result that says nothing: worse than any that lost money in earnest."""

_SECONDS_A_DAY: Final = 86400


@dataclass(frozen=True)
class Search:
    """What a result was picked from.

    Attributes
    ----------
    trials
        Parameter sets that the search will have tried.
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
    """Return of the wallet on every UTC day, a fraction of what it held at the day's start.

    Parameters
    ----------
    close_dates
        When each trade was closed, UTC; a trade counts on that day.
    profits
        What it paid after fees and funding, in stake currency.
    search
        Period and starting balance.

    Returns
    -------
    Shape ``(days,)``; 0 on days without a close, and from the day on that the wallet is empty.

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
    place = closed.astype(np.int64) // _SECONDS_A_DAY - first
    inside = (place >= 0) & (place < days)
    paid = np.bincount(place[inside], weights=profits.to_numpy(np.float64)[inside], minlength=days)
    wallet = search.balance + np.concatenate([[0.0], np.cumsum(paid)[:-1]]) if days else paid
    return np.asarray(np.where(wallet > 0, paid / np.maximum(wallet, 1e-9), 0.0))


def search_loss(returns: Floats, trades: int, search: Search) -> float:
    """What a search should minimise: minus the standard errors by which a result beats luck.

    The deflated Sharpe ratio asks how far the Sharpe ratio lies above the best that ``trials``
    strategies without skill would have reached. While a search runs, the spread of its Sharpe
    ratios is not known yet; sheer luck gives ``1 / (days - 1)``, and that is used. Trials of one
    search resemble each other, so counting each as independent is strict rather than lenient.
    Standard errors order results as the probability does but do not saturate at 1.

    Parameters
    ----------
    returns
        From :func:`daily_returns`.
    trades
        Closed trades behind them. No more than that many days count as observations, and below
        :data:`FEW_TRADES` the loss grows by one standard error for each that is missing in ten.
    search
        How many trials.

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
    luck = expected_maximum_sharpe(max(search.trials, 1), 1.0 / (found.observations - 1))
    missing = max(FEW_TRADES - trades, 0) / 10.0
    loss = missing - sharpe_score(found, luck)
    return loss if math.isfinite(loss) and loss < NO_RESULT else NO_RESULT


def _day(moment: pd.Timestamp) -> int:
    return int(pd.Timestamp(moment).timestamp()) // _SECONDS_A_DAY
