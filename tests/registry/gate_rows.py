"""Rows of two pairs with a known edge, and small models trained from them."""

from dataclasses import replace
from functools import cache

import numpy as np

from freqai_signals.dataset.rows import TrainingRows, unknown_trades
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.settings import SignalSettings
from freqai_signals.training.fit import Request, train

CANDLES_PER_DAY = 24


def make_rows(
    days: int = 60, first_day: int = 0, edge: float = 2.0, pairs: int = 2, seed: int = 0
) -> TrainingRows:
    """Hourly rows whose class leans on the first feature; ``edge`` 0 leaves nothing to learn."""
    rng = np.random.default_rng([seed, first_day, days])
    candles = np.arange(first_day * CANDLES_PER_DAY, (first_day + days) * CANDLES_PER_DAY)
    start = np.repeat(candles, pairs)
    features = rng.normal(size=(len(start), 4)).astype(np.float32)
    score = np.column_stack([-edge * features[:, 0], np.zeros(len(start)), edge * features[:, 0]])
    label = (score + rng.gumbel(size=score.shape)).argmax(axis=1).astype(np.int8)
    return TrainingRows(
        features=features,
        names=("%-a", "%-b", "%-c", "%-d"),
        label=label,
        start=start,
        event_end=start + 2,
        realised_return=(label - 1) * 0.01,
        trade=unknown_trades(len(start)),
        pair=np.tile(np.arange(pairs, dtype=np.int16), len(candles)),
        pairs=tuple(f"P{i}/USDT" for i in range(pairs)),
    )


def shuffled(rows: TrainingRows, seed: int = 1) -> TrainingRows:
    """The same rows with their labels shuffled."""
    order = np.random.default_rng(seed).permutation(len(rows))
    return replace(rows, label=rows.label[order])


def small_settings() -> SignalSettings:
    """Hourly candles, few and small trees, one thread; patient with a busy machine's disk."""
    return SignalSettings.model_validate(
        {
            "timeframe": "1h",
            "label_horizon_candles": 2,
            "train_period_days": 60,
            "model": {"row_step": 1, "kind": "multiclass", "early_stopping_rounds": 5},
            "validation": {"min_rows": 100, "min_class_rows": 5},
            "booster": {"rounds": 60, "learning_rate": 0.2, "num_leaves": 4,
                        "min_child_samples": 20, "threads": 1},
            "ledger": {"wait_seconds": 30},
        }
    )  # fmt: skip


def window(first_day: int, edge: float = 1.0, seed: int = 0) -> TrainingRows:
    """Sixty of the seventy days of one market, so that two windows share most of their rows."""
    rows = make_rows(70, 0, edge, seed=seed)
    first = first_day * CANDLES_PER_DAY
    return rows.take((rows.start >= first) & (rows.start < first + 60 * CANDLES_PER_DAY))


@cache
def model_of(first_day: int, edge: float = 1.0, seed: int = 0) -> SignalModel:
    """Trained on :func:`window`."""
    return train(Request(window(first_day, edge, seed), small_settings()))
