"""FreqAI's keys that are not ours: what of them does nothing here, and what takes their place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from freqai_signals.settings import timeframe_seconds
from freqai_signals.settings.booster_names import BOOSTER_ALIASES
from freqai_signals.settings.training import BoosterSettings

_OUTLIERS: Final = (
    "rows far from the training rows are not predicted anyway, and freqai.signals.drift watches "
    "the features"
)
_PURGED: Final = "validation is the purged end of the window, because a shuffled one would leak"
_TRAINED_ANEW: Final = "every window is trained from its own rows"
_CLASSIFIER: Final = "the model is a LightGBM classifier of this package"
_DEPENDENT: Final = frozenset({
    "svm_params", "outlier_protection_percentage", "DBSCAN_outlier_pct", "inlier_metric_window",
})  # fmt: skip
"""Parameters of FreqAI's outlier switches: reported with the switch, not by themselves."""

_WITHOUT_EFFECT: Final[Mapping[str, Mapping[str, str]]] = {
    "freqai.feature_parameters": {
        "include_shifted_candles": "features look back over indicator_periods_candles",
        "DI_threshold": _OUTLIERS,
        "use_SVM_to_remove_outliers": _OUTLIERS,
        "use_DBSCAN_to_remove_outliers": _OUTLIERS,
        "weight_factor": "all rows count alike",
        "principal_component_analysis": "freqai.signals.selection leaves redundant features out",
        "noise_standard_deviation": "bagging_fraction and feature_fraction of the booster",
        "shuffle_after_split": _PURGED,
        "reverse_train_test_order": _PURGED,
        "stratify_training_data": _PURGED,
        "indicator_max_period_candles": "the strategy knows how far its features look back",
        "buffer_train_data_candles": "rows whose outcome is unknown are left out anyway",
    },
    "freqai.data_split_parameters": {
        "shuffle": _PURGED,
        "stratify": _PURGED,
    },
    "freqai": {
        "continual_learning": _TRAINED_ANEW,
        "conv_width": _CLASSIFIER,
        "keras": _CLASSIFIER,
        "model_save_type": _CLASSIFIER,
        "rl_config": _CLASSIFIER,
        "feature_pipeline": "the model's own preprocessing",
        "fit_live_predictions_candles": "the columns are calibrated probabilities",
    },
    "freqai.model_training_parameters": {
        "early_stopping_rounds": "freqai.signals.model.early_stopping_rounds",
        "objective": "freqai.signals.model.kind",
        "num_class": "freqai.signals.model.kind",
        "class_weight": "all rows count alike, and probabilities are calibrated",
        "is_unbalance": "all rows count alike, and probabilities are calibrated",
        "boosting_type": "gradient boosted trees (gbdt)",
        "metric": "log loss",
        "eval_metric": "log loss",
        "device": "the booster runs on the processor",
        "device_type": "the booster runs on the processor",
        "importance_type": "gain",
    },
}
"""Keys that FreqAI or LightGBM know, and what takes their place here."""

# The first value is also what FreqAI is given in place of the user's.
_OFF: Final[Mapping[str, tuple[Any, ...]]] = {
    "conv_width": (1,),
    "noise_standard_deviation": (0,),
    "fit_live_predictions_candles": (0,),
    "model_save_type": ("joblib",),
    "device": ("cpu",),
    "device_type": ("cpu",),
    "boosting_type": ("gbdt",),
    "objective": ("multiclass", "binary"),
    "metric": ("multi_logloss", "binary_logloss"),
    "eval_metric": ("multi_logloss", "binary_logloss", "logloss"),
    "importance_type": ("gain",),
}
"""Values that say what is done here anyway; null, false, 0 and the empty ones always do."""

_SILENT: Final[Mapping[str, frozenset[str]]] = {
    "freqai": frozenset({
        "enabled", "identifier", "write_metrics_to_disk", "purge_old_models", "train_period_days",
        "backtest_period_days", "live_retrain_hours", "expiration_hours", "save_backtest_models",
        "data_kitchen_thread_count", "activate_tensorboard", "extra_returns_per_train",
        "wait_for_training_iteration_on_reload", "override_exchange_check",
        "override_exchange_checks", "feature_parameters", "data_split_parameters",
        "model_training_parameters", "signals",
    }),
    "freqai.feature_parameters": frozenset({
        "include_timeframes", "include_corr_pairlist", "label_period_candles",
        "indicator_periods_candles", "plot_feature_importances", *_DEPENDENT,
    }),
    # FreqAI's seed of a split by chance; this one is by time.
    "freqai.data_split_parameters": frozenset({"test_size", "random_state"}),
    "freqai.model_training_parameters": frozenset({
        *BoosterSettings.model_fields, *BOOSTER_ALIASES, "verbosity", "verbose", "silent",
    }),
}  # fmt: skip
"""Keys that work here, or whose work FreqAI does."""


@dataclass(frozen=True)
class Ignored:
    """A key that does nothing here.

    Attributes
    ----------
    path
        Where it stands in the config.
    value
        What it was set to.
    instead
        What takes its place.
    """

    path: str
    value: Any
    instead: str

    def __str__(self) -> str:
        return f"{self.path} = {self.value!r}: {self.instead}"


def is_comment(key: object) -> bool:
    """Whether a key is a remark, for example ``_comment`` or ``//``.

    Examples
    --------
    >>> is_comment("_comment"), is_comment("comments"), is_comment("conv_width")
    (True, True, False)
    """
    name = str(key)
    return name.startswith(("_", "//", "#", "$")) or name.lower() in ("comment", "comments", "note")


def without_comments(value: Any) -> Any:
    """The value with every remark left out, however deep it stands."""
    if isinstance(value, Mapping):
        return {k: without_comments(v) for k, v in value.items() if not is_comment(k)}
    return value


def plain_freqai(freqai: Mapping[str, Any]) -> dict[str, Any]:
    """FreqAI's section with every switch off that does nothing here, for FreqAI itself.

    Parameters
    ----------
    freqai
        As the config gives it; it stays as it is.

    Examples
    --------
    >>> plain_freqai({"conv_width": 2, "feature_parameters": {"DI_threshold": 0.9}})
    {'conv_width': 1, 'feature_parameters': {'DI_threshold': 0.0}}
    """
    plain = _switched_off("freqai", freqai)
    for name in ("feature_parameters", "data_split_parameters"):
        if isinstance(plain.get(name), Mapping):
            plain[name] = _switched_off(f"freqai.{name}", plain[name])
    return plain


def _switched_off(path: str, section: Mapping[str, Any]) -> dict[str, Any]:
    off = {
        # Empty, but of the same type: freqtrade checks types against its schema.
        key: _OFF[key][0] if key in _OFF else type(section[key])()
        for key in section.keys() & _WITHOUT_EFFECT[path].keys()
    }
    return {**section, **off}


def look_through(
    path: str, section: Mapping[str, Any]
) -> tuple[list[Ignored], list[tuple[str, Any, str]]]:
    """What of one of FreqAI's sections does nothing here, and what looks like a slip of the pen.

    Parameters
    ----------
    path
        For example ``freqai.feature_parameters``.
    section
        Without remarks.

    Returns
    -------
    ignored, slips
        Keys without effect that are switched on; and key, value and the key that was meant, of
        those that nobody knows but that come close to one that is known.
    """
    ignored, slips = [], []
    without_effect, silent = _WITHOUT_EFFECT[path], _SILENT[path]
    for key, value in section.items():
        name = str(key)
        if name in silent:
            continue
        if name in without_effect:
            if value and value not in _OFF.get(name, ()):
                ignored.append(Ignored(f"{path}.{name}", value, without_effect[name]))
            continue
        if meant := _meant(name, [*silent, *without_effect]):
            slips.append((name, value, meant))
        else:
            ignored.append(Ignored(f"{path}.{name}", value, "no key of FreqAI's or of this model"))
    return ignored, slips


def _meant(name: str, known: Sequence[str]) -> str | None:
    """The known key that a name is misspelt from, None if it is another word."""
    close = get_close_matches(name, known, 1, 0.8)
    # LightGBM has feature_fraction_bynode beside feature_fraction.
    other = close and (name.startswith(f"{close[0]}_") or name.endswith(f"_{close[0]}"))
    return close[0] if close and not other else None


def higher_timeframes(
    timeframe: Any, included: Any
) -> tuple[tuple[str, ...] | None, tuple[Ignored, ...]]:
    """What FreqAI's ``include_timeframes`` mean here: longer ones, derived from base candles.

    Without longer ones the defaults hold that are longer than a base candle, from 1h on also 1d.

    Parameters
    ----------
    timeframe
        Base timeframe as the config gives it.
    included
        ``include_timeframes`` as the config gives them.

    Returns
    -------
    higher, ignored
        The timeframes, None where the settings' own defaults hold; those that base candles cannot
        give, because they are no multiple of them or do not divide a day.

    Examples
    --------
    >>> higher_timeframes("5m", ["5m", "15m", "4h"])
    (('15m', '4h'), ())
    >>> higher_timeframes("1h", ["1h"])
    (('4h', '1d'), ())
    """
    if not isinstance(timeframe, str) or not isinstance(included, list | tuple):
        included = ()
    try:
        base = timeframe_seconds(str(timeframe))
    except ValueError:
        return None, ()
    longer: list[str] = []
    ignored = []
    for name in dict.fromkeys(map(str, included)):
        try:
            seconds = timeframe_seconds(name)
        except ValueError:
            seconds = 0
        # Others have no whole number of base candles, or begin at other times each day.
        if seconds > base and not (seconds % base or 86400 % seconds):
            longer.append(name)
        elif seconds != base:
            ignored.append(Ignored(
                "freqai.feature_parameters.include_timeframes", name,
                f"only multiples of {timeframe} that divide a day can be derived from its candles",
            ))  # fmt: skip
    if longer or base < timeframe_seconds("1h"):
        return tuple(longer) or None, tuple(ignored)
    defaults = (name for name in ("4h", "1d") if timeframe_seconds(name) > base)
    return tuple(defaults), tuple(ignored)
