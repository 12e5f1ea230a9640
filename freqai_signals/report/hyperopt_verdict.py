"""What a finished hyperopt is worth: deflated Sharpe ratio, probability of overfitting."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from freqai_signals.report.sharpe import (
    Floats,
    Overfitting,
    backtest_overfitting,
    deflated_sharpe,
    moments,
)

_MOST_BLOCKS: Final = 16
_DAYS_A_BLOCK: Final = 3


class HyperoptMissing(ValueError):
    """No hyperopt results, or they cannot be read; the message says what to do."""


@dataclass(frozen=True)
class Verdict:
    """How credible the best trial of a hyperopt is.

    Attributes
    ----------
    trials, days, trades
        Trials that traded, days of the span, trades of the best trial.
    sharpe
        Of the best trial's daily returns after fees, a year of 365 days.
    deflated
        Probability that it has any skill, given what the best of so many trials without skill and
        with the spread of these trials would have reached.
    overfitting
        None where the days are too few or fewer than two trials traded.
    """

    trials: int
    days: int
    trades: int
    sharpe: float
    deflated: float
    overfitting: Overfitting | None

    def __str__(self) -> str:
        """Sentences for a terminal."""
        lines = [
            f"{self.trials} trials over {self.days} days; the best made {self.trades} trades, "
            f"Sharpe ratio {self.sharpe:.2f} a year after fees.",
            f"Probability that it is more than the luck of {self.trials} trials (deflated Sharpe "
            f"ratio): {self.deflated:.3f}.",
        ]
        found = self.overfitting
        if found is None:
            lines.append("Too few days or trials for a probability of overfitting.")
        else:
            lines.append(
                f"Probability of overfitting: {found.probability:.2f} (0.5 = picked by chance); in "
                f"{found.losing:.0%} of {found.splits} splits the pick lost money in the other "
                "half of the days."
            )
        return "\n".join(lines)


def judge(epochs: list[dict[str, Any]]) -> Verdict:
    """Judge the epochs of one hyperopt.

    Parameters
    ----------
    epochs
        freqtrade's records, one per trial, with ``loss`` and ``results_metrics``.

    Raises
    ------
    HyperoptMissing
        If no trial traded.
    """
    traded = [epoch for epoch in epochs if epoch["results_metrics"]["total_trades"] > 0]
    if not traded:
        raise HyperoptMissing(f"none of the {len(epochs)} trials traded; there is nothing to judge")
    table = np.column_stack([_returns(epoch["results_metrics"]) for epoch in traded])
    ratios = np.array([moments(column).sharpe for column in table.T])
    place = int(np.argmin([epoch["loss"] for epoch in traded]))
    best = moments(table[:, place])
    variance = float(ratios.var(ddof=1)) if len(ratios) > 1 else 0.0
    blocks = min(_MOST_BLOCKS, len(table) // _DAYS_A_BLOCK // 2 * 2)
    enough = blocks >= 4 and len(traded) > 1
    return Verdict(
        trials=len(traded),
        days=len(table),
        trades=int(traded[place]["results_metrics"]["total_trades"]),
        sharpe=best.sharpe * 365**0.5,
        deflated=deflated_sharpe(best, len(traded), variance),
        overfitting=backtest_overfitting(table, blocks) if enough else None,
    )


def _returns(metrics: dict[str, Any]) -> Floats:
    """Daily returns of the wallet, shape ``(days,)``, over all days of the span."""
    span = pd.date_range(metrics["backtest_start"][:10], metrics["backtest_end"][:10], freq="D")
    daily = {pd.Timestamp(day): float(profit) for day, profit in metrics["daily_profit"]}
    paid = pd.Series(daily, dtype=np.float64).reindex(span, fill_value=0.0).to_numpy(np.float64)
    wallet = metrics["starting_balance"] + np.concatenate([[0.0], np.cumsum(paid)[:-1]])
    return np.asarray(np.where(wallet > 0, paid / np.maximum(wallet, 1e-9), 0.0))


def read_epochs(file: Path) -> list[dict[str, Any]]:
    """Epochs of a ``.fthypt`` file, one JSON object a line.

    Raises
    ------
    HyperoptMissing
        If it cannot be read; the message names it.
    """
    try:
        return [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise HyperoptMissing(f"{file} cannot be read: {error}; run hyperopt again") from error
