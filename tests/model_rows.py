"""Rows with a known edge and models small enough to train in a moment."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqai_signals.dataset.rows import TRADE_FACTS, TrainingRows
from freqai_signals.schema import RETURN_SCALE_COLUMN, SPREAD_COLUMN, TRADE_COLUMNS
from freqai_signals.settings import SignalSettings

HORIZON = 5
FIRST_CANDLE = 10_000


def make_rows(count: int = 1500, seed: int = 0, strength: float = 2.0) -> TrainingRows:
    """Rows of one pair: feature 0 tells move from hold, feature 1 buy from sell."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 6)).astype(np.float32)
    move = rng.random(count) < 1 / (1 + np.exp(-strength * (features[:, 0] + 0.5)))
    buy = rng.random(count) < 1 / (1 + np.exp(-strength * features[:, 1]))
    label = np.where(move, np.where(buy, 2, 0), 1).astype(np.int8)
    start = np.arange(FIRST_CANDLE, FIRST_CANDLE + count)
    returned = (label - 1) * 0.01 + rng.normal(0, 0.001, count)
    return TrainingRows(
        features=features,
        names=tuple(f"%-f{i}" for i in range(features.shape[1])),
        label=label,
        start=start,
        event_end=start + HORIZON,
        realised_return=returned,
        trade=trades_of(returned),
        pair=np.zeros(count, dtype=np.int16),
        pairs=("BTC/USDT",),
    )


def trades_of(returned: NDArray[np.float64]) -> NDArray[np.float64]:
    """Trades held to the horizon, on scales of 1 % and with a spread of 0.01 %."""
    parts = {
        **dict(zip(TRADE_COLUMNS, (100.0, returned, -returned, HORIZON, HORIZON), strict=True)),
        RETURN_SCALE_COLUMN: 0.01,
        SPREAD_COLUMN: 1e-8,
    }
    return np.column_stack([np.broadcast_to(parts[name], len(returned)) for name in TRADE_FACTS])


def small(
    model: dict[str, Any] | None = None,
    booster: dict[str, Any] | None = None,
    calibration: dict[str, Any] | None = None,
    **others: Any,
) -> SignalSettings:
    """Settings for a thousand rows and one thread."""
    return SignalSettings.model_validate(
        {
            "model": {"kind": "two_stage", "row_step": 1, "early_stopping_rounds": 5}
            | (model or {}),
            "booster": {
                "rounds": 40,
                "learning_rate": 0.1,
                "num_leaves": 7,
                "min_child_samples": 20,
                "threads": 1,
            }
            | (booster or {}),
            "calibration": {"min_rows": 100} | (calibration or {}),
            "validation": {"min_rows": 100},
            "validation_fraction": 0.2,
            "label_horizon_candles": HORIZON,
        }
        | others
    )
