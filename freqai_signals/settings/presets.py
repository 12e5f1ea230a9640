"""Sets of defaults that the config can choose by name."""

from collections.abc import Mapping
from typing import Any, Final

FOUNDING_PRESET: Final[Mapping[str, Any]] = {
    "labels": {"kind": "fixed", "threshold": 0.002},
    "model": {"kind": "multiclass", "pool": "pair", "row_step": 1, "refit": False,
              "early_stopping_rounds": 50},
    "decision": {"weak": 0.65, "medium": 0.70, "strong": 0.80, "minimum_confidence": 0.65,
                 "reference_confidence": 0.65},
    "booster": {"learning_rate": 0.1, "num_leaves": 31, "min_child_samples": 20,
                "feature_fraction": 0.8, "bagging_fraction": 0.8, "bagging_freq": 5,
                "lambda_l1": 0.1, "lambda_l2": 0.1, "max_bin": 255, "rounds": 1000},
    # A hold-out of one day can prove nothing, and the founding design had no gate.
    "gate": {"where": "never"},
    "label_horizon_candles": 5,
    "train_period_days": 7,
}  # fmt: skip
"""Defaults of the founding design, chosen by ``freqai.signals.preset``; given keys still win."""

PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "shipped": {},
    "founding": FOUNDING_PRESET,
}
