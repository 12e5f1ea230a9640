"""Out-of-sample quality of a backtest's predictions and signals."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

import numpy as np
import pandas as pd

from freqai_signals import metrics
from freqai_signals.report.data.backtest_record import Run
from freqai_signals.report.rule_counts import PassingCost, passing_cost
from freqai_signals.schema import (
    CONFIDENCE_COLUMN,
    DECISION_SIGNAL_COLUMN,
    EXPECTED_RETURN_COLUMN,
    LABEL_COLUMN,
    OUTCOME_COLUMN,
    PRIOR_COLUMNS,
    PROBA_COLUMNS,
    REALISED_RETURN_COLUMN,
    STRENGTH_COLUMN,
    TRUST_COLUMN,
    SignalClass,
)
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.counters import SignalCount
from freqai_signals.signals.expected_value import net_returns, return_reliability
from freqai_signals.signals.strength import Strength, strengths

TOTAL: Final = "all pairs"

_MEASURED: Final = (
    OUTCOME_COLUMN,
    LABEL_COLUMN,
    CONFIDENCE_COLUMN,
    EXPECTED_RETURN_COLUMN,
    REALISED_RETURN_COLUMN,
    STRENGTH_COLUMN,
)


def scored_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Trusted rows whose outcome is known.

    All are out of sample: each lies after the training window of the model that predicted it.
    """
    return frame[(frame[TRUST_COLUMN] == 1) & frame[OUTCOME_COLUMN].notna()]


def flat_pairs(frames: Mapping[str, pd.DataFrame]) -> list[str]:
    """Pairs whose price never moved within a horizon, for which hold is trivially right."""
    scored = {pair: scored_rows(frame)[REALISED_RETURN_COLUMN] for pair, frame in frames.items()}
    return [pair for pair, returns in scored.items() if len(returns) and (returns == 0).all()]


def pooled_rows(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Scored rows of all pairs but the flat ones; may be empty."""
    flat = flat_pairs(frames)
    parts = [scored_rows(frame) for pair, frame in frames.items() if pair not in flat]
    if parts:
        return pd.concat(parts, ignore_index=True)
    columns = (*PROBA_COLUMNS, *_MEASURED)
    return pd.DataFrame(columns=columns, dtype=np.float64)


def quality_table(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Quality of the probabilities, a row per pair and one for all pairs but the flat ones.

    Parameters
    ----------
    frames
        As in :class:`~freqai_signals.report.data.backtest_record.Run`.

    Returns
    -------
    pandas.DataFrame
        ``predicted`` rows (trusted), ``abstained`` rows, ``scored`` rows (outcome known), then on
        the scored ones ``skill`` against the class prior of each row's training window, ``ece``,
        ``brier``, ``direction_auc``, ``move_auc``; and how often each class was predicted. NaN
        without scored rows.
    """
    parts, flat = dict(frames), flat_pairs(frames)
    moving = [frame for pair, frame in frames.items() if pair not in flat]
    if moving:
        parts[TOTAL] = pd.concat(moving, ignore_index=True)
    rows = {pair: _quality(frame) for pair, frame in parts.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def _quality(frame: pd.DataFrame) -> dict[str, float]:
    trusted = frame[frame[TRUST_COLUMN] == 1]
    scored = scored_rows(frame)
    row: dict[str, float] = {
        "predicted": len(trusted),
        "abstained": len(frame) - len(trusted),
        "scored": len(scored),
    }
    names = ("skill", "ece", "brier", "direction_auc", "move_auc")
    row |= dict.fromkeys(names, float("nan"))
    if len(scored):
        labels = scored[OUTCOME_COLUMN].to_numpy(np.int8)
        probabilities = scored[list(PROBA_COLUMNS)].to_numpy(np.float64)
        priors = scored[list(PRIOR_COLUMNS)].to_numpy(np.float64)
        summary = metrics.summary(labels, probabilities, priors)
        row |= {name: summary[name] for name in names}
    counts = trusted[LABEL_COLUMN].value_counts()
    return row | {kind.name.lower(): int(counts.get(float(kind), 0)) for kind in SignalClass}


def tier_table(frames: Mapping[str, pd.DataFrame], settings: SignalSettings) -> pd.DataFrame:
    """Precision by confidence tier, next to the predicted probability.

    All scored rows of pairs that are not flat take part, rejected ones too; the direction is the
    more probable of buy and sell.

    Returns
    -------
    pandas.DataFrame
        Indexed by tier from ``none`` to ``strong``: ``rows``; ``right``, the share in which that
        direction was the realised class, next to ``stated``, its mean probability; ``moved``, rows
        whose realised class is not hold; ``direction_right`` among those, next to
        ``direction_stated``; ``signals`` emitted.
    """
    scored = pooled_rows(frames)
    probabilities = scored[list(PROBA_COLUMNS)].to_numpy(np.float64)
    sell, buy = probabilities[:, SignalClass.SELL], probabilities[:, SignalClass.BUY]
    outcome = scored[OUTCOME_COLUMN].to_numpy(np.float64)
    direction = np.where(buy >= sell, SignalClass.BUY, SignalClass.SELL)
    moved = outcome != SignalClass.HOLD
    tier = strengths(scored[CONFIDENCE_COLUMN].to_numpy(np.float64), settings.decision)
    table = {}
    for level in Strength:
        rows = tier == level
        moves = rows & moved
        best = np.maximum(sell, buy)
        table[level.name.lower()] = {
            "rows": int(rows.sum()),
            "right": _mean((outcome == direction)[rows]),
            "stated": _mean(best[rows]),
            "moved": int(moves.sum()),
            "direction_right": _mean((outcome == direction)[moves]),
            "direction_stated": _mean((best / np.maximum(sell + buy, 1e-12))[moves]),
            "signals": int((scored[STRENGTH_COLUMN].to_numpy()[rows] == level).sum())
            if level
            else 0,
        }
    return pd.DataFrame.from_dict(table, orient="index")


def reliability(run: Run, bins: int = 10) -> pd.DataFrame:
    """Predicted against realised return of the trade, after costs, of every trusted buy and sell.

    Without flat pairs. Empty if there was no such prediction.
    """
    scored = pooled_rows(run.frames)
    acted = scored[scored[LABEL_COLUMN] != SignalClass.HOLD]
    cost = float(run.facts["round_trip_cost"])
    realised = net_returns(acted, cost)
    return return_reliability(
        acted[EXPECTED_RETURN_COLUMN].to_numpy(np.float64),
        realised,
        bins,
        overlap=int(run.facts["settings"]["label_horizon_candles"]),
    )


def signal_table(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Emitted signals, a row per pair and one for all.

    Returns
    -------
    pandas.DataFrame
        ``generated``, of which ``weak``, ``medium``, ``strong`` (a hold has no strength); then
        ``last_time``, ``last_signal`` and ``last_confidence``.
    """
    counts = {
        pair: SignalCount.of(frame[frame[DECISION_SIGNAL_COLUMN] >= 0])
        for pair, frame in frames.items()
    }
    counts[TOTAL] = sum(counts.values(), SignalCount())
    rows = {pair: asdict(count) for pair, count in counts.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def break_even(run: Run) -> PassingCost:
    """Round-trip cost at which the signals rejected without an edge would have passed."""
    settings = SignalSettings.model_validate(run.facts["settings"])
    pairs = [(frame, frame) for frame in run.frames.values()]
    return passing_cost(pairs, float(run.facts["round_trip_cost"]), settings.decision)


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
