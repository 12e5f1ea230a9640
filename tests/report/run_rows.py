"""Rows of a backtest as the report reads them, written as letters."""

from typing import Any

import numpy as np
import pandas as pd

from freqai_signals.report.data.backtest_record import FORMAT, Run
from freqai_signals.schema import (
    CONFIDENCE_COLUMN,
    EVENT_END_COLUMN,
    EXPECTED_RETURN_COLUMN,
    LABEL_COLUMN,
    MODEL_ID_COLUMN,
    OUTCOME_COLUMN,
    PRIOR_COLUMNS,
    PROBA_COLUMNS,
    REALISED_RETURN_COLUMN,
    REASON_COLUMN,
    STRENGTH_COLUMN,
    TRUST_COLUMN,
)
from freqai_signals.settings import SignalSettings

_CLASS = {"S": 0.0, "h": 1.0, "B": 2.0, "?": np.nan}
_PROBABILITIES = {"S": (0.6, 0.3, 0.1), "h": (0.2, 0.6, 0.2), "B": (0.1, 0.3, 0.6)}
PRIOR = (0.25, 0.5, 0.25)
COST = 0.002


def rows_of(predicted: str, happened: str, **columns: Any) -> pd.DataFrame:
    """One row per letter: S sell, h hold, B buy, ? not known yet; a move returns 1 %."""
    outcome = np.array([_CLASS[letter] for letter in happened], dtype=np.float64)
    count = len(predicted)
    probabilities = np.array([_PROBABILITIES[letter] for letter in predicted]).reshape(count, 3)
    frame = pd.DataFrame(
        {
            "date": pd.date_range("2024-01-01", periods=count, freq="5min", tz="UTC"),
            LABEL_COLUMN: np.array([_CLASS[letter] for letter in predicted], dtype=np.float64),
            **dict(zip(PROBA_COLUMNS, probabilities.T, strict=True)),
            CONFIDENCE_COLUMN: 0.95,
            EXPECTED_RETURN_COLUMN: 0.01,
            TRUST_COLUMN: 1,
            **dict(zip(PRIOR_COLUMNS, PRIOR, strict=True)),
            MODEL_ID_COLUMN: 7.0,
            "signal": -1,
            STRENGTH_COLUMN: 0,
            REASON_COLUMN: "",
            OUTCOME_COLUMN: outcome,
            EVENT_END_COLUMN: np.arange(count) + 1.0,
            REALISED_RETURN_COLUMN: (outcome - 1.0) * 0.01,
        }
    )
    return frame.assign(**columns)


def run_of(**frames: pd.DataFrame) -> Run:
    """A run with shipped settings whose round trip costs 0.2 %; pairs are named by keyword."""
    facts = {
        "format": FORMAT,
        "timerange": "20240101-20240201",
        "datadir": "",
        "round_trip_cost": COST,
        "settings": SignalSettings().model_dump(mode="json"),
        "at": "2024-02-01T00:00:00+00:00",
    }
    return Run(facts, {f"{name}/USDT": frame for name, frame in frames.items()})
