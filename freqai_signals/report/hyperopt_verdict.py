"""Credibility of a finished hyperopt: deflated Sharpe ratio, probability of overfitting."""

import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
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

_MAX_BLOCKS: Final = 16
_DAYS_A_BLOCK: Final = 3


class HyperoptMissing(ValueError):
    """No hyperopt results, or they cannot be read; the message has the remedy."""


@dataclass(frozen=True)
class Verdict:
    """How credible the best trial of a hyperopt is.

    Attributes
    ----------
    trials, traded
        Trials, and those of them that made a trade: one that did not was a try too.
    days, trades
        Days of the span, trades of the best trial.
    sharpe
        Sharpe ratio of the best trial's daily returns after fees, annualised with 365 days.
    deflated
        Deflated Sharpe ratio: probability that the best trial's true Sharpe ratio exceeds the
        expected maximum of as many trials without skill and with the same variance.
    overfitting
        None with too few days or fewer than two trials.
    profit
        Of the best trial over the span, a fraction of the wallet.
    thresholds
        Its parameters by name.
    """

    trials: int
    traded: int
    days: int
    trades: int
    sharpe: float
    deflated: float
    overfitting: Overfitting | None
    profit: float = 0.0
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        """Text for a terminal."""
        lines = [
            f"{self.trials} trials over {self.days} days, {self.traded} of which traded; the best "
            f"made {self.trades} trades, {self.profit:+.1%}, Sharpe ratio {self.sharpe:.2f} a year "
            "after fees.",
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


def evaluate(epochs: list[dict[str, Any]]) -> Verdict:
    """Evaluate the epochs of one hyperopt.

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
        raise HyperoptMissing(
            f"none of the {len(epochs)} trials traded; there is nothing to evaluate"
        )
    table = np.column_stack([_returns(epoch["results_metrics"]) for epoch in epochs])
    ratios = np.array([moments(column).sharpe for column in table.T])
    best_trial = int(np.argmin([_loss(epoch) for epoch in epochs]))
    best = moments(table[:, best_trial])
    variance = float(ratios.var(ddof=1)) if len(ratios) > 1 else 0.0
    # An even number, half of which is the test set, and at least three days a block.
    blocks = min(_MAX_BLOCKS, len(table) // _DAYS_A_BLOCK // 2 * 2)
    enough = blocks >= 4 and len(epochs) > 1
    chosen = epochs[best_trial]
    return Verdict(
        trials=len(epochs),
        traded=len(traded),
        days=len(table),
        trades=int(chosen["results_metrics"]["total_trades"]),
        sharpe=best.sharpe * 365**0.5,
        deflated=deflated_sharpe(best, len(epochs), variance),
        overfitting=backtest_overfitting(table, blocks) if enough else None,
        profit=float(chosen["results_metrics"].get("profit_total", 0.0)),
        thresholds=dict(chosen.get("params_dict", {})),
    )


def _loss(epoch: dict[str, Any]) -> float:
    """Loss of a trial; one without trades is never the best, whatever its loss is."""
    return float(epoch["loss"]) if epoch["results_metrics"]["total_trades"] else math.inf


def profit_before(folder: Path, epochs: list[dict[str, Any]], until: float) -> float | None:
    """Profit of the thresholds in force before a hyperopt, over its span; None if not stored.

    Parameters
    ----------
    folder
        Of freqtrade's backtest results.
    epochs
        Of the hyperopt.
    until
        When its file was written, seconds since 1970: a later backtest may have used what it found.

    Returns
    -------
    float or None
        Of the newest backtest before that of the same strategy over the same span, a fraction.
    """
    names = ("strategy_name", "backtest_start", "backtest_end")
    wanted = [epochs[0]["results_metrics"].get(name) for name in names]
    files = [file for file in folder.glob("*.zip") if file.stat().st_mtime <= until]
    for file in sorted(files, key=lambda file: file.stat().st_mtime, reverse=True):
        try:
            with zipfile.ZipFile(file) as archive:
                stored = json.loads(archive.read(f"{file.stem}.json"))["strategy"]
            for found in stored.values():
                if [found.get(name) for name in names] == wanted:
                    return float(found["profit_total"])
        # One damaged result must not hide an older one.
        except (OSError, ValueError, KeyError, AttributeError, TypeError, zipfile.BadZipFile):
            continue
    return None


def _returns(metrics: dict[str, Any]) -> Floats:
    """Daily returns of the wallet, shape ``(days,)``, over all days of the span."""
    span = pd.date_range(metrics["backtest_start"][:10], metrics["backtest_end"][:10], freq="D")
    daily = {pd.Timestamp(day): float(profit) for day, profit in metrics.get("daily_profit", ())}
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
