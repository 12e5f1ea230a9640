"""Validated settings, built once from freqtrade's config; every problem is reported at once.

Our own keys live under ``freqai.signals``. FreqAI's keys keep their meaning and are read here
too, so that no other module looks into a config dictionary.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
    model_validator,
)

LabelKind = Literal["fixed", "volatility", "triple_barrier"]
ModelKind = Literal["multiclass", "two_stage"]
CalibrationMethod = Literal["auto", "none", "temperature", "vector", "isotonic", "direction_shrink"]
FeatureGroup = Literal[
    "momentum",
    "mean_reversion",
    "volatility",
    "volume",
    "candle_shape",
    "calendar",
    "higher_timeframes",
    "cross_asset",
]
FEATURE_GROUPS: Final[tuple[FeatureGroup, ...]] = FeatureGroup.__args__  # type: ignore[attr-defined]

Fraction = Annotated[float, Field(ge=0, le=1)]
Names = Annotated[tuple[str, ...], Strict(False)]

_TIMEFRAME_SECONDS: Final = {"m": 60, "h": 3600, "d": 86400}


class SettingsError(ValueError):
    """The config holds settings that cannot work; the message lists all of them."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class LabelSettings(_Section):
    """What is to be predicted.

    ``kind`` chooses the rule, the other keys belong to one rule each. ``threshold`` is a fraction
    of the close (0.002 = 0.2 %); ``k`` multiplies sigma * sqrt(horizon); ``floor`` is the smallest
    barrier or threshold, a fraction, and never below the round-trip cost of a trade.
    """

    kind: LabelKind = "triple_barrier"
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.002
    k: Annotated[float, Field(gt=0)] = 1.0
    volatility_span_days: Annotated[float, Field(gt=0, le=30)] = 1.0
    floor: Annotated[float, Field(ge=0, lt=1)] = 0.004
    both_touched: Literal["hold", "lower_first"] = "hold"


class FeatureSettings(_Section):
    """Which columns are computed; FreqAI's ``indicator_periods_candles`` gives their spans."""

    groups: Annotated[tuple[FeatureGroup, ...], Strict(False), Field(min_length=1)] = FEATURE_GROUPS
    higher_timeframes: Names = ("1h", "4h")
    lead_pair: str = "BTC"


class ValidationSettings(_Section):
    """How rows are held out inside a training window."""

    embargo_candles: Annotated[int, Field(ge=0)] = 0
    min_rows: Annotated[int, Field(ge=50)] = 500
    min_class_rows: Annotated[int, Field(ge=1)] = 20
    accuracy_warning: Fraction = 0.55


class ModelSettings(_Section):
    """How a model is fitted.

    ``row_step`` trains on every n-th candle; ``refit`` trains once more on all rows with
    ``refit_factor`` times the best number of rounds; ``seeds`` averages that many boosters.
    """

    kind: ModelKind = "two_stage"
    pool: Literal["pair", "whitelist"] = "whitelist"
    pool_pairs: Names = ()
    row_step: Annotated[int, Field(ge=1)] = 3
    refit: bool = True
    refit_factor: Annotated[float, Field(ge=0.5, le=3)] = 1.1
    early_stopping_rounds: Annotated[int, Field(ge=1)] = 30
    seeds: Annotated[int, Field(ge=1, le=20)] = 1


class CalibrationSettings(_Section):
    """How raw probabilities are made honest, on purged rows that trained no tree."""

    method: CalibrationMethod = "direction_shrink"
    min_rows: Annotated[int, Field(ge=50)] = 1000
    initial_slope: Fraction = 0.45


class CostSettings(_Section):
    """What a trade costs. ``fee`` is one side as a fraction; null takes the exchange's."""

    fee: Annotated[float, Field(ge=0, lt=0.1)] | None = None
    liquidity: Literal["taker", "maker"] = "taker"
    slippage: Annotated[float, Field(ge=0, lt=0.1)] = 0.0


class DecisionSettings(_Section):
    """When a prediction becomes a signal; the values are fractions or counts of candles.

    A signal needs ``minimum_confidence`` and at least the ``weak`` tier. From
    ``reference_confidence`` up, repeats and the share are counted exactly; keep it fixed while
    comparing thresholds, then raising one never adds a signal (see ``signals.emission``). Memory
    of emitted signals restarts every ``resync_candles``, counted from 1970.
    """

    weak: Fraction = 0.90
    medium: Fraction = 0.97
    strong: Fraction = 0.99
    minimum_confidence: Fraction = 0.90
    reference_confidence: Fraction = 0.90
    hold_confidence: Fraction = 0.85
    expected_value_rule: bool = True
    expected_value_margin: Annotated[float, Field(ge=-1, le=1)] = 0.0
    repeat_window_candles: Annotated[int, Field(ge=0)] = 6
    repeat_confidence_step: Fraction = 0.10
    cooldown_candles: Annotated[int, Field(ge=0)] = 0
    maximum_share: Annotated[float, Field(gt=0, le=1)] = 0.10
    maximum_share_window_candles: Annotated[int, Field(ge=1)] = 288
    resync_candles: Annotated[int, Field(ge=1)] = 288

    @property
    def lowest_confidence(self) -> float:
        """Confidence that a signal needs: the higher of the minimum and the weak tier."""
        return max(self.minimum_confidence, self.weak)

    @property
    def most_signals(self) -> int:
        """Signals that the share allows within its window."""
        return int(self.maximum_share * self.maximum_share_window_candles + 1e-9)

    @model_validator(mode="after")
    def _tiers_are_ordered(self) -> "DecisionSettings":
        if not self.weak <= self.medium <= self.strong:
            raise ValueError(
                f"tiers must satisfy weak <= medium <= strong, got weak={self.weak}, "
                f"medium={self.medium}, strong={self.strong}"
            )
        if self.most_signals < 1:
            raise ValueError(
                f"maximum_share={self.maximum_share} of maximum_share_window_candles="
                f"{self.maximum_share_window_candles} is less than one signal; raise either"
            )
        return self


class SizingSettings(_Section):
    """How much is staked. ``fixed`` leaves freqtrade's stake; ``kelly`` scales it by the edge.

    ``kelly_fraction`` of the full Kelly share of the wallet, never above ``maximum_stake_share``.
    """

    method: Literal["fixed", "kelly"] = "fixed"
    kelly_fraction: Annotated[float, Field(gt=0, le=1)] = 0.25
    maximum_stake_share: Annotated[float, Field(gt=0, le=1)] = 0.20


class ExitSettings(_Section):
    """When a trade ends. Multiples count label barrier widths (1 = the label's own barrier).

    A wide stop and an exit at the label's horizon measured best: stops at 1 / 2 / 3 widths cost
    15 / 9 / 4 bp a trade, and time exits grossed more than a profit barrier. Null switches a
    barrier off; 1.0 for both trades exactly what a triple-barrier label describes.
    """

    horizon: bool = True
    opposite_signal: bool = True
    negative_expected_value: bool = False
    stop_multiple: Annotated[float, Field(gt=0)] | None = 3.0
    profit_multiple: Annotated[float, Field(gt=0)] | None = None


class BoosterSettings(_Section):
    """LightGBM's parameters (FreqAI's ``model_training_parameters``); the usual aliases work."""

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.05
    num_leaves: Annotated[int, Field(ge=2, le=4096)] = 15
    max_depth: int = -1
    min_child_samples: Annotated[int, Field(ge=1)] = 200
    feature_fraction: Annotated[float, Field(gt=0, le=1)] = 0.4
    bagging_fraction: Annotated[float, Field(gt=0, le=1)] = 0.7
    bagging_freq: Annotated[int, Field(ge=0)] = 1
    lambda_l1: Annotated[float, Field(ge=0)] = 0.0
    lambda_l2: Annotated[float, Field(ge=0)] = 5.0
    min_gain_to_split: Annotated[float, Field(ge=0)] = 0.0
    max_bin: Annotated[int, Field(ge=2, le=65535)] = 63
    rounds: Annotated[int, Field(ge=1, le=100_000)] = 600
    seed: Annotated[int, Field(ge=0)] = 42
    threads: Annotated[int, Field(ge=1, le=256)] = 2


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


class SignalSettings(_Section):
    """Everything the package needs to know; immutable and hashable by its JSON."""

    labels: LabelSettings = LabelSettings()
    features: FeatureSettings = FeatureSettings()
    validation: ValidationSettings = ValidationSettings()
    model: ModelSettings = ModelSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    costs: CostSettings = CostSettings()
    decision: DecisionSettings = DecisionSettings()
    sizing: SizingSettings = SizingSettings()
    exits: ExitSettings = ExitSettings()

    # FreqAI's and freqtrade's own keys.
    booster: BoosterSettings = BoosterSettings()
    timeframe: str = "5m"
    label_horizon_candles: Annotated[int, Field(ge=1, le=2000)] = 24
    indicator_periods_candles: Annotated[tuple[int, ...], Strict(False), Field(min_length=1)] = (
        6,
        12,
        36,
        144,
    )
    train_period_days: Annotated[int, Field(ge=1)] = 360
    validation_fraction: Annotated[float, Field(gt=0, lt=0.5)] = 0.15

    @property
    def candle_seconds(self) -> int:
        """Length of a base candle in seconds."""
        return timeframe_seconds(self.timeframe)

    @property
    def candles_per_day(self) -> int:
        """Base candles in 24 hours."""
        return 86400 // self.candle_seconds


def timeframe_seconds(timeframe: str) -> int:
    """Seconds of a timeframe such as ``5m``, ``1h`` or ``1d``.

    Examples
    --------
    >>> timeframe_seconds("5m"), timeframe_seconds("1h")
    (300, 3600)
    """
    match = re.fullmatch(r"(\d+)([mhd])", timeframe)
    if match is None:
        raise ValueError(f"timeframe {timeframe!r} is not a number followed by m, h or d")
    return int(match[1]) * _TIMEFRAME_SECONDS[match[2]]


FOUNDING_PRESET: Final[Mapping[str, Any]] = {
    "labels": {"kind": "fixed", "threshold": 0.002},
    "model": {"kind": "multiclass", "pool": "pair", "row_step": 1, "refit": False,
              "early_stopping_rounds": 50},
    "decision": {"weak": 0.65, "medium": 0.70, "strong": 0.80, "minimum_confidence": 0.65,
                 "reference_confidence": 0.65},
    "booster": {"learning_rate": 0.1, "num_leaves": 31, "min_child_samples": 20,
                "feature_fraction": 0.8, "bagging_fraction": 0.8, "bagging_freq": 5,
                "lambda_l1": 0.1, "lambda_l2": 0.1, "max_bin": 255, "rounds": 1000},
    "label_horizon_candles": 5,
    "train_period_days": 7,
}  # fmt: skip
"""Defaults of the founding design, chosen by ``freqai.signals.preset``; given keys still win."""

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
    freqai_signals.settings.SettingsError: 2 problems in the settings:
    - freqai.signals.colour: unknown key, got 1
    - freqai.signals.labels.k: Input should be greater than 0, got -1
    """
    freqai = config.get("freqai") or {}
    parameters = freqai.get("feature_parameters") or {}
    split = freqai.get("data_split_parameters") or {}
    given = dict(freqai.get("signals") or {})
    preset = given.pop("preset", "shipped")
    problems = _unsupported(freqai, parameters, split)
    if preset not in ("shipped", "founding"):
        problems.append(f"freqai.signals.preset: must be 'shipped' or 'founding', got {preset!r}")

    own_sections = {name for name, path in _PATHS.items() if path == f"freqai.signals.{name}"}
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key in own_sections:
            values[key] = value
        else:
            problems.append(f"freqai.signals.{key}: unknown key, got {value!r}")
    booster = freqai.get("model_training_parameters") or {}
    foreign = {
        "booster": {BOOSTER_ALIASES.get(key, key): value for key, value in booster.items()},
        "timeframe": config.get("timeframe"),
        "label_horizon_candles": parameters.get("label_period_candles"),
        "indicator_periods_candles": parameters.get("indicator_periods_candles"),
        "train_period_days": freqai.get("train_period_days"),
        "validation_fraction": split.get("test_size"),
    }
    values |= {key: value for key, value in foreign.items() if value is not None}
    if preset == "founding":
        values = _merge(FOUNDING_PRESET, values)
    try:
        settings = SignalSettings.model_validate(values)
    except ValidationError as error:
        problems += [_problem(item) for item in error.errors()]
        raise _error(problems) from None
    problems += _impossible(settings, parameters)
    if problems:
        raise _error(problems)
    return settings


_PATHS: Final = {
    **{
        name: f"freqai.signals.{name}"
        for name in (
            "labels", "features", "validation", "model", "calibration", "costs", "decision",
            "sizing", "exits",
        )
    },
    "booster": "freqai.model_training_parameters",
    "label_horizon_candles": "freqai.feature_parameters.label_period_candles",
    "indicator_periods_candles": "freqai.feature_parameters.indicator_periods_candles",
    "train_period_days": "freqai.train_period_days",
    "validation_fraction": "freqai.data_split_parameters.test_size",
}  # fmt: skip


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
        problems.append("freqai.continual_learning: every window is trained anew; set it to false")
    if freqai.get("conv_width", 1) != 1:
        problems.append(f"freqai.conv_width: must be 1, got {freqai['conv_width']!r}")
    return problems


def _impossible(settings: SignalSettings, parameters: Mapping[str, Any]) -> list[str]:
    problems = []
    try:
        base = settings.candle_seconds
    except ValueError as error:
        return [f"timeframe: {error}"]
    if 86400 % base:
        problems.append(f"timeframe: a day must be a whole number of candles, got {base} s")
    for name in settings.features.higher_timeframes:
        try:
            seconds = timeframe_seconds(name)
        except ValueError as error:
            problems.append(f"freqai.signals.features.higher_timeframes: {error}")
            continue
        if seconds <= base or seconds % base or 86400 % seconds:
            problems.append(
                f"freqai.signals.features.higher_timeframes: {name} must be longer than "
                f"{settings.timeframe}, a multiple of it and a divisor of a day"
            )
    for name in parameters.get("include_timeframes") or ():
        if name != settings.timeframe:
            problems.append(
                f"freqai.feature_parameters.include_timeframes: {name!r} is not the base "
                f"timeframe {settings.timeframe!r}; list it in "
                "freqai.signals.features.higher_timeframes, which derives it from base candles "
                "so that live and backtest see the same values"
            )
    if parameters.get("include_corr_pairlist"):
        problems.append(
            "freqai.feature_parameters.include_corr_pairlist: must be [], cross-asset features "
            "use the pool (freqai.signals.model.pool_pairs, by default the whitelist)"
        )
    if any(period < 2 for period in settings.indicator_periods_candles):
        problems.append(
            "freqai.feature_parameters.indicator_periods_candles: every period must be >= 2, "
            f"got {list(settings.indicator_periods_candles)}"
        )
    window = settings.train_period_days * settings.candles_per_day
    if settings.label_horizon_candles * 10 > window:
        problems.append(
            f"freqai.train_period_days: {settings.train_period_days} days are {window} candles, "
            f"fewer than ten label horizons of {settings.label_horizon_candles}"
        )
    return problems


def _problem(item: Any) -> str:
    location = [str(part) for part in item["loc"]]
    path = ".".join([_PATHS.get(location[0], location[0]), *location[1:]])
    if item["type"] == "extra_forbidden":
        return f"{path}: unknown key, got {item['input']!r}"
    message = item["msg"].removeprefix("Value error, ")
    return f"{path}: {message}" if item["type"] == "value_error" else (
        f"{path}: {message}, got {item['input']!r}"
    )


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(below, value) if both else value
    return merged


def _error(problems: list[str]) -> SettingsError:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return SettingsError("\n- ".join([f"{count} in the settings:", *problems]))
