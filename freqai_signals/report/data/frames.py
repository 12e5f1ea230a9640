"""What was predicted, emitted, traded and came true, as tidy frames for notebooks and the page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd

from freqai_signals.schema import PRIOR_COLUMNS, PROBA_COLUMNS

PREDICTION_COLUMNS: Final = (
    *("pair", "date", "model_version", "kind", "trusted", "predicted"),
    *PROBA_COLUMNS,
    *PRIOR_COLUMNS,
    *("confidence", "expected_return", "cost", "signal", "strength", "reason"),
)
OUTCOME_COLUMNS: Final = (
    *("pair", "date", "model_version", "outcome", "known_at", "gross_return", "net_return"),
)
TRADE_COLUMNS: Final = (
    *("pair", "open_date", "close_date", "is_short", "enter_tag", "exit_reason", "stake"),
    *("profit", "net_return", "cost"),
)
MODEL_COLUMNS: Final = (
    *("model_version", "trained_from", "trained_until", "rows", "skill", "verdict", "reason"),
    *("first_used", "last_used"),
)
EVENT_COLUMNS: Final = ("date", "what", "subject", "detail")


def empty(columns: tuple[str, ...]) -> pd.DataFrame:
    """No rows of these columns; columns of times are times."""
    frame = pd.DataFrame({name: pd.Series(dtype=object) for name in columns})
    for name in columns:
        if name in ("date", "known_at") or name.endswith("_date"):
            frame[name] = pd.to_datetime(frame[name], utc=True)
    return frame


@dataclass(frozen=True)
class SignalFrames:
    """One backtest, or one live ledger, in frames with one observation a row.

    All times are UTC; a candle is named by its opening. Classes are 0 sell, 1 hold, 2 buy; returns
    and costs are fractions (0.01 = 1 %). Everything but ``predictions`` is hindsight.

    Attributes
    ----------
    facts
        ``source`` (``backtest`` or ``ledger``), ``settings``, ``round_trip_cost``, ``at`` and what
        else is known of the run.
    predictions
        A row per pair, candle and model: ``trusted`` (False where it abstained), ``kind`` (only
        rows of one kind were acted on as they came: ``backtest`` or ``live``), the predicted class,
        three calibrated probabilities, the class shares of the model's training rows
        (``prior_*``) and, of a backtest, what volatility and time alone state
        (``climatology_*``), ``confidence``, ``expected_return`` after costs and that ``cost``, the
        emitted ``signal`` (``sell``, ``hold``, ``buy`` or empty), its ``strength`` 0 to 3 and the
        ``reason`` why there was none. Known at the candle's close.
    outcomes
        The same keys and index where the outcome is known: the class, when it was ``known_at`` (NaT
        in records of versions that did not keep it), ``gross_return`` of the price over the label's
        event, and ``net_return`` after costs of the trade on the predicted action (0 for a hold).
    signals
        Emitted predictions with what came of them; NaN where that is not known yet.
    trades
        freqtrade's closed trades: ``profit`` in stake currency, ``net_return`` of the stake after
        fees, ``cost``, the fees of both sides. Empty where freqtrade's result is not at hand.
    models
        A row per model version: training span, rows, ``skill`` on purged validation rows, the
        gate's ``verdict``, and when it predicted first and last.
    feature_groups
        A row per model and group: its share of ``gain`` of the trees, and of ``shap``, mean
        absolute contribution to the direction of a sample of predicted rows.
    events
        What happened to models and detectors: ``date``, ``what``, ``subject``, ``detail``.
    drift
        A row per day and feature: ``shift``, how far the three days up to its end lie from the
        training window of the model that served that day, mean over pairs: 1 is what 5 % of that
        window's own three-day stretches exceed. Empty in records before format 3.
    market
        ``date`` (days) and ``buy_and_hold``, mean return of all pairs since the start.
    """

    facts: Mapping[str, Any]
    predictions: pd.DataFrame
    outcomes: pd.DataFrame
    signals: pd.DataFrame
    trades: pd.DataFrame = field(default_factory=lambda: empty(TRADE_COLUMNS))
    models: pd.DataFrame = field(default_factory=lambda: empty(MODEL_COLUMNS))
    feature_groups: pd.DataFrame = field(
        default_factory=lambda: empty(("model_version", "group", "gain", "shap"))
    )
    events: pd.DataFrame = field(default_factory=lambda: empty(EVENT_COLUMNS))
    drift: pd.DataFrame = field(default_factory=lambda: empty(("date", "feature", "shift")))
    market: pd.DataFrame = field(default_factory=lambda: empty(("date", "buy_and_hold")))

    def scored(self) -> pd.DataFrame:
        """Trusted predictions joined with their outcomes, a row each.

        These are the rows that any statement about quality may use.
        """
        trusted = self.predictions["trusted"].to_numpy(np.bool_)
        return with_outcomes(self.predictions[trusted], self.outcomes).dropna(subset="outcome")


def with_outcomes(predictions: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Predictions with what came of them, NaN where it is not known.

    Rows of outcomes carry the index of the prediction that they are about.
    """
    news = [name for name in outcomes.columns if name not in predictions.columns]
    return predictions.join(outcomes[news])
