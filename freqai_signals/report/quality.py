"""How good the signals of a backtest were, on rows that no model had been trained on."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

import numpy as np
import pandas as pd

from freqai_signals import metrics
from freqai_signals.report.data.backtest_record import Run
from freqai_signals.report.rule_counts import PassingCost, passing_cost, removed_by_rule
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
from freqai_signals.signals.expected_value import realised_return, return_reliability
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


def known_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows that a model was willing to predict and whose outcome is known by now.

    Every row of a backtest lies after the training window of the model that predicted it, and that
    window ended before the row began, so none was trained on.
    """
    return frame[(frame[TRUST_COLUMN] == 1) & frame[OUTCOME_COLUMN].notna()]


def still_pairs(frames: Mapping[str, pd.DataFrame]) -> list[str]:
    """Pairs whose price never moved within a horizon: calling them held is no achievement."""
    known = {pair: known_rows(frame)[REALISED_RETURN_COLUMN] for pair, frame in frames.items()}
    return [pair for pair, returns in known.items() if len(returns) and (returns == 0).all()]


def known_together(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Known rows of all pairs but the still ones, no rows where there are none."""
    still = still_pairs(frames)
    parts = [known_rows(frame) for pair, frame in frames.items() if pair not in still]
    if parts:
        return pd.concat(parts, ignore_index=True)
    columns = (*PROBA_COLUMNS, *_MEASURED)
    return pd.DataFrame(columns=columns, dtype=np.float64)


def quality_table(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Quality of the probabilities, a row per pair and one for all that moved.

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
        where there is nothing to score.
    """
    together, still = dict(frames), still_pairs(frames)
    moving = [frame for pair, frame in frames.items() if pair not in still]
    if moving:
        together[TOTAL] = pd.concat(moving, ignore_index=True)
    rows = {pair: _quality(frame) for pair, frame in together.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def _quality(frame: pd.DataFrame) -> dict[str, float]:
    trusted = frame[frame[TRUST_COLUMN] == 1]
    known = known_rows(frame)
    row: dict[str, float] = {
        "predicted": len(trusted),
        "abstained": len(frame) - len(trusted),
        "scored": len(known),
    }
    names = ("skill", "ece", "brier", "direction_auc", "move_auc")
    row |= dict.fromkeys(names, float("nan"))
    if len(known):
        labels = known[OUTCOME_COLUMN].to_numpy(np.int8)
        probabilities = known[list(PROBA_COLUMNS)].to_numpy(np.float64)
        priors = known[list(PRIOR_COLUMNS)].to_numpy(np.float64)
        measured = metrics.summary(labels, probabilities, priors)
        row |= {name: measured[name] for name in names}
    counts = trusted[LABEL_COLUMN].value_counts()
    return row | {kind.name.lower(): int(counts.get(float(kind), 0)) for kind in SignalClass}


def tier_table(frames: Mapping[str, pd.DataFrame], settings: SignalSettings) -> pd.DataFrame:
    """Precision by confidence tier, next to the probability that was claimed.

    All trusted rows with known outcome take part, whatever other rules said of them, but for pairs
    that stand still: the direction is the more probable of buy and sell.

    Returns
    -------
    pandas.DataFrame
        Indexed by tier from ``none`` to ``strong``: ``rows``; ``right``, the share in which that
        direction's barrier or threshold came true, next to ``stated``, its mean probability;
        ``moved``, rows that were no hold; ``direction_right`` among those, next to
        ``direction_stated``; ``signals`` emitted by the rules.
    """
    known = known_together(frames)
    probabilities = known[list(PROBA_COLUMNS)].to_numpy(np.float64)
    sell, buy = probabilities[:, SignalClass.SELL], probabilities[:, SignalClass.BUY]
    outcome = known[OUTCOME_COLUMN].to_numpy(np.float64)
    direction = np.where(buy >= sell, SignalClass.BUY, SignalClass.SELL)
    moved = outcome != SignalClass.HOLD
    tier = strengths(known[CONFIDENCE_COLUMN].to_numpy(np.float64), settings.decision)
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
            "signals": int((known[STRENGTH_COLUMN].to_numpy()[rows] == level).sum())
            if level
            else 0,
        }
    return pd.DataFrame.from_dict(table, orient="index")


def reliability(run: Run, bins: int = 10) -> pd.DataFrame:
    """Predicted against realised return after costs of every trusted buy and sell prediction.

    Pairs that stand still have no say. No rows where nothing was predicted.
    """
    known = known_together(run.frames)
    acted = known[known[LABEL_COLUMN] != SignalClass.HOLD]
    cost = float(run.facts["round_trip_cost"])
    realised = realised_return(acted[LABEL_COLUMN], acted[REALISED_RETURN_COLUMN], cost)
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
        ``generated``, of which ``weak``, ``medium``, ``strong`` (a sure hold has no strength); then
        ``last_time``, ``last_signal`` and ``last_confidence``.
    """
    counts = {
        pair: SignalCount.of(frame[frame[DECISION_SIGNAL_COLUMN] >= 0])
        for pair, frame in frames.items()
    }
    counts[TOTAL] = sum(counts.values(), SignalCount())
    rows = {pair: asdict(count) for pair, count in counts.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def rule_table(run: Run) -> pd.DataFrame:
    """How many rows each rule was first to refuse; see ``removed_by_rule``."""
    return removed_by_rule(run.frames.values())


def break_even(run: Run) -> PassingCost:
    """At which round-trip cost the signals without edge would have been kept."""
    settings = SignalSettings.model_validate(run.facts["settings"])
    pairs = [(frame, frame) for frame in run.frames.values()]
    return passing_cost(pairs, float(run.facts["round_trip_cost"]), settings.decision)


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
