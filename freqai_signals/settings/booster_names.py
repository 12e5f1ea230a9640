"""Names under which LightGBM and FreqAI configs give our booster settings."""

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

from freqai_signals.settings.training import BoosterSettings

BOOSTER_ALIASES: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "n_estimators", "num_iterations", "num_iteration", "n_iter", "num_tree", "num_trees",
            "num_round", "num_rounds", "nrounds", "num_boost_round", "max_iter", "iterations",
        ),
        "rounds",
    ),
    **dict.fromkeys(("random_state", "random_seed"), "seed"),
    **dict.fromkeys(("n_jobs", "num_threads", "num_thread", "nthread", "nthreads"), "threads"),
    **dict.fromkeys(("shrinkage_rate", "eta"), "learning_rate"),
    **dict.fromkeys(("num_leaf", "max_leaves", "max_leaf_nodes"), "num_leaves"),
    **dict.fromkeys(("min_data_in_leaf", "min_data", "min_samples_leaf"), "min_child_samples"),
    **dict.fromkeys(("colsample_bytree", "sub_feature"), "feature_fraction"),
    **dict.fromkeys(("subsample", "sub_row", "bagging"), "bagging_fraction"),
    "subsample_freq": "bagging_freq",
    **dict.fromkeys(("reg_alpha", "l1_regularization"), "lambda_l1"),
    **dict.fromkeys(("reg_lambda", "lambda", "l2_regularization"), "lambda_l2"),
    **dict.fromkeys(("min_split_gain",), "min_gain_to_split"),
    "max_bins": "max_bin",
}  # fmt: skip
"""Other names under which LightGBM and FreqAI configs give our booster settings."""


def booster_values(parameters: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Given name, our name and value of every booster parameter that is set.

    ``n_jobs`` below 1 means all processors, as everywhere; null leaves a default.
    """
    for given, value in parameters.items():
        name = BOOSTER_ALIASES.get(str(given), str(given))
        if name not in BoosterSettings.model_fields or value is None:
            continue
        all_processors = name == "threads" and isinstance(value, int) and value < 1
        yield str(given), name, (os.cpu_count() or 1) if all_processors else value
