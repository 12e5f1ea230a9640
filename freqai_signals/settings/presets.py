"""Sets of defaults that the config can choose by name."""

from collections.abc import Mapping
from typing import Any, Final, Literal

ProfileName = Literal["", "futures-1h"]

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

FUTURES_1H_PRESET: Final[Mapping[str, Any]] = {
    "profile": "futures-1h",
    "timeframe": "1h",
    "labels": {"kind": "triple_barrier", "ensemble_kinds": ("volatility", "triple_barrier"),
               "ensemble_horizons_candles": (2, 4, 8)},
    "features": {"higher_timeframes": ("4h", "1d")},
    "model": {"row_step": 5, "refit": False},
    "booster": {"min_child_samples": 100},
    "decision": {"weak": 0.0, "medium": 0.97, "strong": 0.99, "minimum_confidence": 0.0,
                 "reference_confidence": 0.0, "expected_value_rule": False,
                 "repeat_window_candles": 0, "maximum_share": 1.0, "score_share": 0.03,
                 "score_window_days": 60, "lively_window_days": 60},
    "exits": {"opposite_signal": False, "stop_multiple": 4.0},
    "label_horizon_candles": 4,
    "train_period_days": 720,
}  # fmt: skip
"""Experimental: a label ensemble on 1h candles; see ``profiles.EXPECTATIONS`` before any use."""

PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "shipped": {},
    "founding": FOUNDING_PRESET,
    "futures-1h": FUTURES_1H_PRESET,
}
