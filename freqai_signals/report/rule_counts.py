"""What the rules did over a whole backtest: how many signals each one removed."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from freqai_signals.schema import (
    CONFIDENCE_COLUMN,
    EXPECTED_RETURN_COLUMN,
    REASON_COLUMN,
    STRENGTH_COLUMN,
    Reason,
)
from freqai_signals.settings import DecisionSettings
from freqai_signals.signals.predictions import Floats


def removed_by_rule(decisions: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Count refused rows by the rule that was first to refuse.

    Parameters
    ----------
    decisions
        One frame of :func:`~freqai_signals.signals.decide.decide` for each pair.

    Returns
    -------
    pandas.DataFrame
        Indexed by reason, in the order in which rules are asked; ``rows`` refused, and ``share``
        of all rows that were refused or emitted. The last line, ``emitted``, is what was left.
        Untrusted rows contain those before a backtest's first prediction.
    """
    shown = [code for code in Reason if code not in (Reason.NONE, Reason.UNSURE_HOLD)]
    counts = {str(code): 0 for code in shown} | {"emitted": 0}
    for table in decisions:
        for code in shown:
            counts[code] += int((table[REASON_COLUMN] == code).sum())
        counts["emitted"] += int((table[STRENGTH_COLUMN] > 0).sum())
    rows = np.array(list(counts.values()), dtype=np.int64)
    columns = {"rows": rows, "share": rows / max(rows.sum(), 1)}
    return pd.DataFrame(columns, index=pd.Index(list(counts), name="rule"))


@dataclass(frozen=True)
class PassingCost:
    """Round-trip costs, as fractions, at which signals without edge would have passed.

    ``median``: half of them would have; ``best``: the first one would have. NaN without signals;
    a negative cost means that no fee would have been low enough.
    """

    signals: int
    cost: float
    median: float
    best: float

    def __str__(self) -> str:
        """One line for a log."""
        if not self.signals:
            return "the expected-value rule removed no signal"
        return (
            f"the expected-value rule removed {self.signals} signals at a round-trip cost of "
            f"{self.cost:.3%}; the best would have passed below {self.best:.4%}, "
            f"half of them below {self.median:.4%}"
        )


def passing_cost(
    pairs: Iterable[tuple[pd.DataFrame, pd.DataFrame]], cost: float, settings: DecisionSettings
) -> PassingCost:
    """At which round-trip cost predictions without edge would have passed the rule.

    Only those count that are confident enough; the others would have been refused anyway.

    Parameters
    ----------
    pairs
        A frame with the columns of the model and its decisions, for each pair.
    cost
        Round-trip cost that ``expected_return`` contains, a fraction.
    settings
        Gives the margin and the lowest confidence of a signal.
    """
    expected = np.concatenate([np.empty(0), *(_without_edge(*pair, settings) for pair in pairs)])
    if not len(expected):
        return PassingCost(0, cost, float("nan"), float("nan"))
    allowed = cost + expected - settings.expected_value_margin
    return PassingCost(len(expected), cost, float(np.median(allowed)), float(allowed.max()))


def _without_edge(frame: pd.DataFrame, table: pd.DataFrame, settings: DecisionSettings) -> Floats:
    removed = (table[REASON_COLUMN] == Reason.NO_EDGE).to_numpy()
    if not removed.any():
        return np.empty(0)
    rows = frame.loc[removed, [CONFIDENCE_COLUMN, EXPECTED_RETURN_COLUMN]].to_numpy(np.float64)
    return np.asarray(rows[rows[:, 0] >= settings.lowest_confidence, 1])
