"""freqtrade adapter of freqai_signals: the loss that ``make hyperopt`` minimises."""

from datetime import datetime
from typing import Any

import pandas as pd
from freqtrade.constants import Config
from freqtrade.optimize.hyperopt import IHyperOptLoss
from pandas import DataFrame

from freqai_signals.report.trade_returns import Search, daily_returns, search_loss


class DeflatedSharpeHyperOptLoss(IHyperOptLoss):
    """Minus the deflated Sharpe ratio of daily returns after fees, in standard errors.

    Deflated by all epochs of the run (``--epochs``): a longer search has to find more.
    """

    @staticmethod
    def hyperopt_loss_function(
        *,
        results: DataFrame,
        trade_count: int,
        min_date: datetime,
        max_date: datetime,
        config: Config,
        starting_balance: float,
        **kwargs: Any,
    ) -> float:
        """Smaller is better; below zero, luck alone would hardly have done it."""
        search = Search(
            trials=int(config.get("epochs", 1)),
            start=pd.Timestamp(min_date),
            end=pd.Timestamp(max_date),
            balance=starting_balance,
        )
        returns = daily_returns(results["close_date"], results["profit_abs"], search)
        return search_loss(returns, trade_count, search)
