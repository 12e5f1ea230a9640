"""Small frames of predictions."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from freqai_signals.schema import (
    CONFIDENCE_COLUMN,
    EXPECTED_RETURN_COLUMN,
    LABEL_COLUMN,
    PROBA_COLUMNS,
    TRUST_COLUMN,
)

BUY, HOLD, SELL, SURE = "B", "h", "S", "H"
_PROBABILITIES = {
    BUY: (0.1, 0.3, 0.6),
    SELL: (0.6, 0.3, 0.1),
    HOLD: (0.2, 0.6, 0.2),
    SURE: (0.05, 0.9, 0.05),
}
_CLASS = {SELL: 0.0, HOLD: 1.0, SURE: 1.0, BUY: 2.0}
FIRST_CANDLE = 288 * 20_000
"""Start of a block with shipped settings."""


def frame_of(
    what: str, confidence: Sequence[float] | float = 0.95, expected: Sequence[float] | float = 0.01
) -> pd.DataFrame:
    """One row per letter: B buy, S sell, h hold, H very sure hold; 5m candles."""
    seconds = (FIRST_CANDLE + np.arange(len(what))) * 300
    columns = {
        "date": pd.to_datetime(seconds, unit="s", utc=True),
        LABEL_COLUMN: [_CLASS[letter] for letter in what],
        CONFIDENCE_COLUMN: np.broadcast_to(confidence, len(what)),
        EXPECTED_RETURN_COLUMN: np.broadcast_to(expected, len(what)),
        TRUST_COLUMN: 1.0,
    }
    for place, name in enumerate(PROBA_COLUMNS):
        columns[name] = [_PROBABILITIES[letter][place] for letter in what]
    return pd.DataFrame(columns)


def random_frame(rows: int, seed: int, start: int = FIRST_CANDLE) -> pd.DataFrame:
    """Predictions with long runs of one class, coarse confidence and some missing candles."""
    rng = np.random.default_rng(seed)
    letters = np.repeat(rng.choice([*"BBSHh"], rows), rng.integers(1, 12, rows))[:rows]
    confidence = np.clip(rng.beta(4, 1, rows) + rng.normal(0, 0.05, rows), 0, 1).round(2)
    expected = rng.choice([-0.01, -0.001, 0.0, 0.001, 0.01, 0.02], rows)
    frame = frame_of("".join(letters), confidence, expected)
    steps = rng.choice([1, 1, 1, 1, 1, 1, 1, 1, 1, 40], rows)
    frame["date"] = pd.to_datetime((start + np.cumsum(steps)) * 300, unit="s", utc=True)
    bad = rng.random(rows) < 0.02
    frame.loc[bad, "proba_buy"] = np.nan
    hold = frame["proba_hold"].to_numpy().copy()
    sure = letters == SURE
    hold[sure] = rng.choice([0.8, 0.85, 0.9, 0.99], int(sure.sum()))
    frame["proba_hold"] = hold
    frame["proba_sell"] = np.where(sure, (1 - hold) / 2, frame["proba_sell"])
    frame["proba_buy"] = np.where(sure, (1 - hold) / 2, frame["proba_buy"])
    return frame
