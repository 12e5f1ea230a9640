"""Settings from freqtrade's config, checked at once and in one message.

Our own keys live under ``freqai.signals``. FreqAI's keys keep their meaning and are read here too,
so that no other module reads a config dictionary.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from freqai_signals.files import merged
from freqai_signals.settings import SignalSettings
from freqai_signals.settings.combinations import impossible
from freqai_signals.settings.presets import PRESETS
from freqai_signals.settings.removed import removed_preset, without_removed


class SettingsError(ValueError):
    """The config cannot work; the message lists every problem, and so does ``problems``."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n- ".join([f"{count} in the settings:", *problems]))


BOOSTER_ALIASES: Final[Mapping[str, str]] = {
    "n_estimators": "rounds",
    "num_iterations": "rounds",
    "num_boost_round": "rounds",
    "random_state": "seed",
    "n_jobs": "threads",
    "num_threads": "threads",
    "min_data_in_leaf": "min_child_samples",
    "colsample_bytree": "feature_fraction",
    "subsample": "bagging_fraction",
    "subsample_freq": "bagging_freq",
    "reg_alpha": "lambda_l1",
    "reg_lambda": "lambda_l2",
    "min_split_gain": "min_gain_to_split",
}
"""Other names under which LightGBM and FreqAI configs give our booster settings."""

# FreqAI switches that would act on a pipeline our model does not have: value that means "off".
_UNSUPPORTED_FEATURE_PARAMETERS: Final = {
    "include_shifted_candles": 0,
    "DI_threshold": 0,
    "weight_factor": 0,
    "principal_component_analysis": False,
    "use_SVM_to_remove_outliers": False,
    "use_DBSCAN_to_remove_outliers": False,
    "noise_standard_deviation": 0,
    "shuffle_after_split": False,
    "reverse_train_test_order": False,
    "plot_feature_importances": 0,
    "buffer_train_data_candles": 0,
}

_KNOWN_KEYS: Final[Mapping[str, frozenset[str]]] = {
    "freqai": frozenset({
        "enabled", "identifier", "write_metrics_to_disk", "purge_old_models", "conv_width",
        "train_period_days", "backtest_period_days", "live_retrain_hours", "expiration_hours",
        "save_backtest_models", "fit_live_predictions_candles", "data_kitchen_thread_count",
        "activate_tensorboard", "wait_for_training_iteration_on_reload", "continual_learning",
        "keras", "model_save_type", "override_exchange_check", "extra_returns_per_train",
        "feature_parameters", "data_split_parameters", "model_training_parameters", "signals",
    }),
    "freqai.feature_parameters": frozenset({
        "include_timeframes", "include_corr_pairlist", "label_period_candles",
        "indicator_periods_candles", *_UNSUPPORTED_FEATURE_PARAMETERS,
    }),
    "freqai.data_split_parameters": frozenset({"test_size", "shuffle"}),
}  # fmt: skip


def settings_from_config(config: Mapping[str, Any]) -> SignalSettings:
    """Read and check every key that concerns us in a freqtrade config.

    Parameters
    ----------
    config
        freqtrade's merged config; ``freqai`` must be present.

    Returns
    -------
    SignalSettings

    Raises
    ------
    SettingsError
        With one line for every unknown key, wrong type or impossible combination.

    Examples
    --------
    >>> config = {"timeframe": "5m", "freqai": {"signals": {"labels": {"k": -1}, "colour": 1}}}
    >>> settings_from_config(config)
    Traceback (most recent call last):
    freqai_signals.config.SettingsError: 2 problems in the settings:
    - freqai.signals.colour: unknown key, got 1
    - freqai.signals.labels.k: Input should be greater than 0, got -1
    """
    problems: list[str] = []
    freqai = _section(config, "freqai", problems)
    parameters = _section(freqai, "freqai.feature_parameters", problems)
    split = _section(freqai, "freqai.data_split_parameters", problems)
    given, removed = without_removed(_section(freqai, "freqai.signals", problems))
    preset = _preset(given.pop("preset", "shipped"), problems)
    problems += removed + _unsupported(freqai, parameters, split)

    own_sections = {name for name, path in _PATHS.items() if path == f"freqai.signals.{name}"}
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key in own_sections:
            values[key] = value
        else:
            problems.append(f"freqai.signals.{key}: unknown key, got {value!r}")
    foreign = {
        "booster": _canonical(freqai.get("model_training_parameters"), problems),
        "timeframe": config.get("timeframe"),
        "label_horizon_candles": parameters.get("label_period_candles"),
        "indicator_periods_candles": parameters.get("indicator_periods_candles"),
        "train_period_days": freqai.get("train_period_days"),
        "validation_fraction": split.get("test_size"),
    }
    values |= {key: value for key, value in foreign.items() if value is not None}
    values = merged(preset, values)
    settings = _validated(values, problems)
    problems += _trading_mode(config) + impossible(settings, parameters)
    if problems:
        raise SettingsError(problems)
    return settings


def _preset(name: Any, problems: list[str]) -> Mapping[str, Any]:
    if isinstance(name, str) and name in PRESETS:
        return PRESETS[name]
    names = ", ".join(map(repr, PRESETS))
    problems.append(
        removed_preset(str(name)) or f"freqai.signals.preset: must be one of {names}, got {name!r}"
    )
    return PRESETS["shipped"]


def _section(above: Mapping[str, Any], path: str, problems: list[str]) -> Mapping[str, Any]:
    section = above.get(path.rpartition(".")[2])
    if section is None:
        return {}
    if not isinstance(section, Mapping):
        problems.append(f"{path}: must be a section {{...}}, got {section!r}")
        return {}
    problems += [
        f"{path}.{key}: unknown key, got {value!r}"
        for key, value in section.items()
        if key not in _KNOWN_KEYS.get(path, section)
    ]
    return section


def _canonical(parameters: Any, problems: list[str]) -> Any:
    if not isinstance(parameters, Mapping):
        return parameters
    renamed: dict[str, Any] = {}
    for key, value in parameters.items():
        name = BOOSTER_ALIASES.get(str(key), str(key))
        if name in renamed:
            problems.append(
                f"freqai.model_training_parameters.{key}: {name} is given twice, under two names"
            )
        renamed[name] = value
    return renamed


def _validated(values: dict[str, Any], problems: list[str]) -> SignalSettings:
    """Settings of the valid values; what is wrong is added to the problems and left out."""
    try:
        return SignalSettings.model_validate(values)
    except ValidationError as error:
        problems += [_problem(item) for item in error.errors()]
        wrong = {item["loc"][0] for item in error.errors()}
    return SignalSettings.model_validate({k: v for k, v in values.items() if k not in wrong})


_PATHS: Final = {
    **{name: f"freqai.signals.{name}" for name in SignalSettings.sections()},
    "booster": "freqai.model_training_parameters",
    "label_horizon_candles": "freqai.feature_parameters.label_period_candles",
    "indicator_periods_candles": "freqai.feature_parameters.indicator_periods_candles",
    "train_period_days": "freqai.train_period_days",
    "validation_fraction": "freqai.data_split_parameters.test_size",
}


def key_path(name: str) -> str:
    """Where the config holds a section or key of :class:`SignalSettings`.

    Examples
    --------
    >>> key_path("labels"), key_path("booster")
    ('freqai.signals.labels', 'freqai.model_training_parameters')
    """
    return _PATHS.get(name, name)


def _unsupported(
    freqai: Mapping[str, Any], parameters: Mapping[str, Any], split: Mapping[str, Any]
) -> list[str]:
    problems = [
        f"freqai.feature_parameters.{key}: {parameters[key]!r} has no effect on this model, "
        f"whose preprocessing lives inside the model; remove it or set it to {off!r}"
        for key, off in _UNSUPPORTED_FEATURE_PARAMETERS.items()
        if parameters.get(key, off) != off
    ]
    if split.get("shuffle"):
        problems.append(
            "freqai.data_split_parameters.shuffle: validation is the purged end of the window; "
            "a shuffled split would leak the future, got True, set it to false"
        )
    if freqai.get("continual_learning"):
        problems.append(
            "freqai.continual_learning: every window is trained from scratch; set it to false"
        )
    if freqai.get("conv_width", 1) != 1:
        problems.append(f"freqai.conv_width: must be 1, got {freqai['conv_width']!r}")
    return problems


def _trading_mode(config: Mapping[str, Any]) -> list[str]:
    mode, margin = config.get("trading_mode", "spot"), config.get("margin_mode")
    if mode == "spot" or margin in ("isolated", "cross"):
        return []
    return [f"margin_mode: {mode} needs 'isolated' or 'cross', got {str(margin or '')!r}"]


def _problem(item: Any) -> str:
    location = [str(part) for part in item["loc"]]
    path = ".".join([key_path(location[0]), *location[1:]])
    if item["type"] == "extra_forbidden":
        return f"{path}: unknown key, got {item['input']!r}"
    message = item["msg"].removeprefix("Value error, ")
    return (
        f"{path}: {message}"
        if item["type"] == "value_error"
        else (f"{path}: {message}, got {item['input']!r}")
    )


def pool_pairs(settings: SignalSettings, config: Mapping[str, Any]) -> tuple[str, ...]:
    """The pairs whose rows train the pool and whose mean is the market, sorted.

    ``freqai.signals.model.pool_pairs`` if given, else the pairs that the command named. The latter
    stay in ``config["pairs"]`` when freqtrade's analysis commands narrow the whitelist to the pair
    of one trade; the model must not change with that.
    """
    given = settings.model.pool_pairs or config.get("pairs")
    return tuple(sorted(given or config["exchange"]["pair_whitelist"]))
