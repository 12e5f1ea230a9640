"""Settings: what is accepted, what is refused, and that all problems come in one message."""

import contextlib
import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from freqtrade.configuration.load_config import load_from_files
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from freqai_signals.config import (
    SettingsError,
    ignored_keys,
    pool_pairs,
    settings_from_config,
)
from freqai_signals.files import merged_config
from freqai_signals.settings import LabelSettings, SignalSettings, timeframe_seconds
from freqai_signals.settings.freqai_keys import _WITHOUT_EFFECT
from freqai_signals.settings.presets import FOUNDING_PRESET
from freqai_signals.settings.removed import REMOVED, REPLACED


def build(signals: Any = None, /, timeframe: Any = "5m", **freqai: Any) -> SignalSettings:
    if signals is not None:
        freqai["signals"] = signals
    return settings_from_config({"timeframe": timeframe, "freqai": freqai})


def problems(signals: Any = None, /, **freqai: Any) -> list[str]:
    with pytest.raises(SettingsError) as error:
        build(signals, **freqai)
    head, *lines = str(error.value).splitlines()
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    assert head == f"{count} in the settings:"
    assert all(line.startswith("- ") for line in lines)
    return [line.removeprefix("- ") for line in lines]


def paths(signals: Any = None, /, **freqai: Any) -> list[str]:
    return [line.split(": ")[0] for line in problems(signals, **freqai)]


# What is accepted


def test_empty_config_gives_the_shipped_defaults() -> None:
    assert build() == SignalSettings()
    assert build({"preset": "shipped"}) == SignalSettings()


def test_shipped_config_file_says_the_shipped_defaults(repo: Path) -> None:
    config = json.loads((repo / "config.json").read_text())
    assert settings_from_config(config) == SignalSettings()


def test_reading_leaves_the_config_untouched() -> None:
    config = {"freqai": {"signals": {"preset": "shipped", "labels": {"k": 2.0}}}}
    before = copy.deepcopy(config)
    settings_from_config(config)
    assert config == before


def test_own_sections_are_read() -> None:
    settings = build(
        {
            "labels": {"kind": "fixed", "threshold": 0.01},
            "features": {"groups": ["momentum", "volume"], "higher_timeframes": ["15m"]},
            "model": {"pool_pairs": ["BTC/USDT"]},
            "costs": {"fee": None, "slippage": 0.001},
        }
    )
    assert settings.labels.kind == "fixed"
    assert settings.labels.threshold == 0.01
    assert settings.features.groups == ("momentum", "volume")
    assert settings.features.higher_timeframes == ("15m",)
    assert settings.model.pool_pairs == ("BTC/USDT",)
    assert settings.costs.fee is None


def test_freqai_keys_keep_their_meaning() -> None:
    settings = build(
        timeframe="15m",
        train_period_days=30,
        feature_parameters={"label_period_candles": 8, "indicator_periods_candles": [5, 10]},
        data_split_parameters={"test_size": 0.25, "shuffle": False},
        model_training_parameters={"num_leaves": 7},
    )
    assert settings.timeframe == "15m"
    assert settings.train_period_days == 30
    assert settings.label_horizon_candles == 8
    assert settings.indicator_periods_candles == (5, 10)
    assert settings.validation_fraction == 0.25
    assert settings.booster.num_leaves == 7


@pytest.mark.parametrize(
    ("alias", "name", "value"),
    [
        ("min_data_in_leaf", "min_child_samples", 50),
        ("colsample_bytree", "feature_fraction", 0.5),
        ("subsample", "bagging_fraction", 0.5),
        ("subsample_freq", "bagging_freq", 3),
        ("reg_alpha", "lambda_l1", 0.5),
        ("reg_lambda", "lambda_l2", 0.5),
        ("min_split_gain", "min_gain_to_split", 0.5),
        ("n_estimators", "rounds", 77),
        ("num_iterations", "rounds", 77),
        ("num_boost_round", "rounds", 77),
        ("random_state", "seed", 7),
        ("n_jobs", "threads", 1),
        ("num_threads", "threads", 1),
    ],
)
def test_usual_lightgbm_names_mean_the_same(alias: str, name: str, value: float) -> None:
    booster = build(model_training_parameters={alias: value}).booster
    assert getattr(booster, name) == value


def test_whole_number_is_accepted_where_a_fraction_is_meant() -> None:
    assert build({"labels": {"k": 2}}).labels.k == 2.0


def test_switches_without_effect_may_stand_in_the_config_when_off() -> None:
    off = {"DI_threshold": 0, "include_shifted_candles": 0, "principal_component_analysis": False}
    assert build(feature_parameters=off) == SignalSettings()


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        build().labels.k = 3.0  # type: ignore[misc]


def test_derived_numbers_follow_the_timeframe() -> None:
    settings = build(timeframe="15m")
    assert (settings.candle_seconds, settings.candles_per_day) == (900, 96)


# The founding preset


def test_founding_preset_gives_the_founding_numbers() -> None:
    settings = build({"preset": "founding"})
    assert settings.labels == LabelSettings(kind="fixed", threshold=0.002)
    assert settings.label_horizon_candles == 5
    assert settings.train_period_days == 7
    assert settings.model.kind == "multiclass"
    assert settings.model.early_stopping_rounds == 50
    assert settings.decision.minimum_confidence == 0.65
    assert (settings.decision.medium, settings.decision.strong) == (0.70, 0.80)
    booster = settings.booster
    assert (booster.num_leaves, booster.learning_rate, booster.rounds) == (31, 0.1, 1000)
    assert (booster.feature_fraction, booster.bagging_fraction) == (0.8, 0.8)
    assert (booster.bagging_freq, booster.min_child_samples) == (5, 20)
    assert (booster.lambda_l1, booster.lambda_l2, booster.seed) == (0.1, 0.1, 42)
    assert settings.gate.where == "never", "a week of training holds out too little to prove"


def test_given_keys_win_over_the_preset() -> None:
    settings = build(
        {"preset": "founding", "labels": {"threshold": 0.01}},
        train_period_days=14,
        model_training_parameters={"num_leaves": 63},
    )
    assert settings.labels == LabelSettings(kind="fixed", threshold=0.01)
    assert settings.train_period_days == 14
    assert (settings.booster.num_leaves, settings.booster.learning_rate) == (63, 0.1)


@pytest.mark.parametrize(
    ("alias", "name"), [("reg_alpha", "lambda_l1"), ("n_estimators", "rounds")]
)
def test_given_alias_wins_over_the_preset(alias: str, name: str) -> None:
    settings = build({"preset": "founding"}, model_training_parameters={alias: 3})
    assert getattr(settings.booster, name) == 3


def test_preset_itself_stays_unchanged() -> None:
    before = copy.deepcopy(dict(FOUNDING_PRESET))
    build({"preset": "founding", "labels": {"threshold": 0.01}})
    assert dict(FOUNDING_PRESET) == before


def test_unknown_preset_is_refused() -> None:
    (line,) = problems({"preset": "fastest"})
    assert line == ("freqai.signals.preset: must be one of 'shipped', 'founding', got 'fastest'")


# Single problems: each names the full path in config.json, the value and what is allowed


@pytest.mark.parametrize(
    ("signals", "path"),
    [
        ({"colour": 1}, "freqai.signals.colour"),
        ({"labels": {"horizon": 3}}, "freqai.signals.labels.horizon"),
        ({"booster": {}}, "freqai.signals.booster"),
        ({"timeframe": "5m"}, "freqai.signals.timeframe"),
        ({"decision": {"": 1}}, "freqai.signals.decision."),
    ],
)
def test_unknown_key_is_refused(signals: dict[str, Any], path: str) -> None:
    (line,) = problems(signals)
    assert line.startswith(f"{path}: unknown key")


@pytest.mark.parametrize(
    ("signals", "path"),
    [
        ({"labels": {"k": "1"}}, "freqai.signals.labels.k"),
        ({"labels": {"k": True}}, "freqai.signals.labels.k"),
        ({"labels": {"k": None}}, "freqai.signals.labels.k"),
        ({"labels": {"k": float("nan")}}, "freqai.signals.labels.k"),
        ({"labels": {"k": float("inf")}}, "freqai.signals.labels.k"),
        ({"labels": {"kind": "lucky"}}, "freqai.signals.labels.kind"),
        ({"labels": None}, "freqai.signals.labels"),
        ({"labels": []}, "freqai.signals.labels"),
        ({"features": {"groups": []}}, "freqai.signals.features.groups"),
        ({"features": {"groups": "momentum"}}, "freqai.signals.features.groups"),
        ({"features": {"groups": ["momentum", "astrology"]}}, "freqai.signals.features.groups.1"),
        ({"model": {"row_step": 0}}, "freqai.signals.model.row_step"),
        ({"model": {"row_step": 2.0}}, "freqai.signals.model.row_step"),
        ({"model": {"row_step": True}}, "freqai.signals.model.row_step"),
        ({"model": {"refit": 1}}, "freqai.signals.model.refit"),
        ({"model": {"pool_pairs": "BTC/USDT"}}, "freqai.signals.model.pool_pairs"),
        ({"calibration": {"method": "magic"}}, "freqai.signals.calibration.method"),
        ({"costs": {"fee": "taker"}}, "freqai.signals.costs.fee"),
        ({"costs": {"fee": -0.001}}, "freqai.signals.costs.fee"),
        ({"validation": {"min_rows": 3}}, "freqai.signals.validation.min_rows"),
        ({"decision": {"weak": 1.5, "medium": 0.9}}, "freqai.signals.decision.weak"),
    ],
)
def test_wrong_type_or_range_is_refused(signals: dict[str, Any], path: str) -> None:
    (line,) = problems(signals)
    assert line.startswith(f"{path}: ")
    assert ", got " in line


@pytest.mark.parametrize(
    ("freqai", "path"),
    [
        ({"model_training_parameters": {"num_leafs": 3}}, "freqai.model_training_parameters"),
        ({"model_training_parameters": {"num_leaves": 1}}, "freqai.model_training_parameters"),
        ({"model_training_parameters": ["num_leaves"]}, "freqai.model_training_parameters"),
        ({"train_period_days": 0}, "freqai.train_period_days"),
        ({"train_period_days": 1.5}, "freqai.train_period_days"),
        ({"data_split_parameters": {"test_size": 0}}, "freqai.data_split_parameters.test_size"),
        ({"data_split_parameters": {"test_size": 0.5}}, "freqai.data_split_parameters.test_size"),
        ({"feature_parameters": {"label_period_candles": 0}}, "freqai.feature_parameters.label"),
        (
            {"feature_parameters": {"indicator_periods_candles": []}},
            "freqai.feature_parameters.indicator_periods_candles",
        ),
    ],
)
def test_freqai_keys_are_checked_under_their_own_path(freqai: dict[str, Any], path: str) -> None:
    (line,) = problems(**freqai)
    assert line.startswith(path)


def test_one_parameter_under_two_names_is_refused() -> None:
    both = {"feature_fraction": 0.5, "colsample_bytree": 0.6}
    (line,) = problems(model_training_parameters=both)
    assert "colsample_bytree" in line


SWITCHES: dict[str, dict[str, Any]] = {
    "feature_parameters": {
        "include_shifted_candles": 2,
        "DI_threshold": 0.9,
        "weight_factor": 0.9,
        "principal_component_analysis": True,
        "use_SVM_to_remove_outliers": True,
        "use_DBSCAN_to_remove_outliers": True,
        "noise_standard_deviation": 0.05,
        "shuffle_after_split": True,
        "reverse_train_test_order": True,
        "buffer_train_data_candles": 10,
    },
    "data_split_parameters": {"shuffle": True},
    "model_training_parameters": {"device": "gpu", "early_stopping_rounds": 50, "n_steps": 2},
}
"""FreqAI's and LightGBM's switches that do nothing here, each switched on."""


@pytest.mark.parametrize(
    ("section", "key"), [(section, key) for section in SWITCHES for key in SWITCHES[section]]
)
def test_switch_without_effect_is_ignored_and_told_with_what_takes_its_place(
    section: str, key: str
) -> None:
    value = SWITCHES[section][key]
    assert build(**{section: {key: value}}) == SignalSettings()
    (line,) = ignored_keys({"freqai": {section: {key: value}}})
    head, _, instead = line.partition(": ")
    assert head == f"freqai.{section}.{key} = {value!r}"
    assert len(instead) > 3


@pytest.mark.parametrize(("key", "value"), [("continual_learning", True), ("conv_width", 2)])
def test_freqai_mode_without_effect_is_told(key: str, value: Any) -> None:
    assert build(**{key: value}) == SignalSettings()
    (line,) = ignored_keys({"freqai": {key: value}})
    assert line.startswith(f"freqai.{key} = {value!r}: ")


def test_strict_refuses_what_has_no_effect() -> None:
    found = paths({"strict": True}, **SWITCHES, conv_width=2)
    keys = {f"freqai.{section}.{key}" for section in SWITCHES for key in SWITCHES[section]}
    assert set(found) == keys | {"freqai.conv_width"}
    assert build({"strict": True}) == build({"strict": False}) == SignalSettings()
    assert paths({"strict": 1}) == ["freqai.signals.strict"]


def test_what_is_off_or_belongs_to_what_is_off_is_not_told() -> None:
    quiet = {
        "_comment": "ours",
        "conv_width": 1,
        "continual_learning": False,
        "feature_parameters": {
            "DI_threshold": 0.0,
            "use_SVM_to_remove_outliers": False,
            "svm_params": {"shuffle": False, "nu": 0.1},
            "outlier_protection_percentage": 30,
            "plot_feature_importances": 5,
        },
        "data_split_parameters": {"random_state": 1, "shuffle": False},
        "model_training_parameters": {"verbosity": -1, "device": "cpu", "boosting_type": "gbdt"},
        "signals": {"_comment": 1, "labels": {"//": "k of the paper", "k": 1.0}},
    }
    assert ignored_keys({"freqai": quiet}) == ()
    assert build(**quiet) == SignalSettings()


def test_jobs_below_one_mean_every_processor() -> None:
    jobs = build(model_training_parameters={"n_jobs": -1}).booster.threads
    assert jobs == (os.cpu_count() or 1)


def test_a_config_as_published_starts() -> None:
    """As FreqAI's documentation and public repositories have them; values are our own."""
    config = {
        "timeframe": "3m",
        "freqai": {
            "enabled": True, "purge_old_models": 3, "train_period_days": 14,
            "backtest_period_days": 3.5, "live_retrain_hours": 0, "identifier": "mine",
            "data_kitchen_thread_count": 2, "rl_config": {"model_type": "PPO"},
            "feature_parameters": {
                "include_timeframes": ["3m", "15m", "1h"],
                "include_corr_pairlist": ["XRP/USDT:USDT"], "label_period_candles": 18,
                "include_shifted_candles": 3, "DI_threshold": 0.8, "weight_factor": 0.7,
                "principal_component_analysis": False, "use_SVM_to_remove_outliers": True,
                "svm_params": {"nu": 0.05}, "indicator_periods_candles": [8, 30],
                "plot_feature_importances": 0, "stratify_training_data": 0,
            },
            "data_split_parameters": {"test_size": 0.3, "random_state": 7, "shuffle": True},
            "model_training_parameters": {
                "n_estimators": 300, "task_type": "CPU", "verbose": 0, "trainer_kwargs": {"a": 1},
            },
        },
    }  # fmt: skip
    settings = settings_from_config(config)
    assert settings.features.higher_timeframes == ("15m", "1h")
    assert settings.booster.rounds == 300
    assert [line.split(" = ")[0].removeprefix("freqai.") for line in ignored_keys(config)] == [
        "rl_config",
        "feature_parameters.include_shifted_candles",
        "feature_parameters.DI_threshold",
        "feature_parameters.weight_factor",
        "feature_parameters.use_SVM_to_remove_outliers",
        "data_split_parameters.shuffle",
        "model_training_parameters.task_type",
        "model_training_parameters.trainer_kwargs",
    ]


# Impossible combinations


def test_tiers_out_of_order_are_refused() -> None:
    (line,) = problems({"decision": {"weak": 0.99, "medium": 0.5}})
    assert line.startswith("freqai.signals.decision: tiers must satisfy weak <= medium <= strong")
    assert "weak=0.99, medium=0.5" in line


@pytest.mark.parametrize("name", ["5m", "1m", "7m", "2d", "0h", "hourly"])
def test_higher_timeframe_that_base_candles_cannot_give_is_refused(name: str) -> None:
    (line,) = problems({"features": {"higher_timeframes": [name]}})
    assert line.startswith("freqai.signals.features.higher_timeframes: ")
    assert name in line


@pytest.mark.parametrize("timeframe", ["5", "m5", "five", "", "1w"])
def test_unreadable_timeframe_is_refused(timeframe: str) -> None:
    (line,) = problems(timeframe=timeframe)
    assert line.startswith("timeframe: ")
    assert repr(timeframe) in line


def test_timeframe_that_does_not_divide_a_day_is_refused() -> None:
    (line,) = problems({"features": {"higher_timeframes": []}}, timeframe="7m")
    assert line.startswith("timeframe: must divide a day")


def test_timeframe_of_no_length_is_refused() -> None:
    assert problems(timeframe="0m")[0].startswith("timeframe: ")


@pytest.mark.parametrize(
    ("timeframe", "included", "higher"),
    [
        ("5m", ["5m", "1h"], ("1h",)),
        ("5m", ["15m", "4h", "4h"], ("15m", "4h")),
        ("5m", ["5m"], ("1h", "4h")),
        ("1h", ["1h"], ("4h", "1d")),
        ("4h", [], ("1d",)),
        ("1d", ["1d"], ()),
        ("15m", ["1w"], ("1h", "4h")),
    ],
)
def test_longer_freqai_timeframes_become_higher_timeframes(
    timeframe: str, included: list[str], higher: tuple[str, ...]
) -> None:
    settings = build(timeframe=timeframe, feature_parameters={"include_timeframes": included})
    assert settings.features.higher_timeframes == higher


def test_our_own_higher_timeframes_win() -> None:
    own = {"features": {"higher_timeframes": ["2h"]}}
    settings = build(own, feature_parameters={"include_timeframes": ["5m", "1h"]})
    assert settings.features.higher_timeframes == ("2h",)


@pytest.mark.parametrize("name", ["3d", "1w", "7m", "4H"])
def test_a_timeframe_that_base_candles_cannot_give_is_told(name: str) -> None:
    config = {"timeframe": "5m", "freqai": {"feature_parameters": {"include_timeframes": [name]}}}
    (line,) = ignored_keys(config)
    assert line.startswith(f"freqai.feature_parameters.include_timeframes = {name!r}: ")


def test_freqais_correlated_pairs_join_the_pool() -> None:
    config = {
        "exchange": {"pair_whitelist": ["B/USDT", "A/USDT"]},
        "freqai": {"feature_parameters": {"include_corr_pairlist": ["C/USDT", "B/USDT"]}},
    }
    pool = pool_pairs(settings_from_config(config), config)
    assert pool == ("A/USDT", "B/USDT", "C/USDT")


def numbers(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Path and schema of every number, however deep."""
    if isinstance(schema, list):
        for item in schema:
            yield from numbers(item, path)
    elif isinstance(schema, dict):
        if schema.get("type") in ("number", "integer"):
            yield path, schema
        for key, value in schema.items():
            if key != "default":
                yield from numbers(value, f"{path}.{key}")


def test_every_number_has_limits_on_both_sides() -> None:
    found = dict(numbers(SignalSettings.model_json_schema()))
    assert len(found) > 80
    unlimited = [
        path
        for path, schema in found.items()
        if not {"minimum", "exclusiveMinimum"} & {*schema}
        or not {"maximum", "exclusiveMaximum"} & {*schema}
    ]
    assert unlimited == []


def test_indicator_period_below_two_is_refused() -> None:
    assert paths(feature_parameters={"indicator_periods_candles": [1, 6]}) == [
        "freqai.feature_parameters.indicator_periods_candles.0"
    ]


def test_window_shorter_than_ten_horizons_is_refused() -> None:
    exactly = {"label_period_candles": 28}  # 280 of a day's 288 candles
    assert build(train_period_days=1, feature_parameters=exactly).label_horizon_candles == 28
    (line,) = problems(train_period_days=1, feature_parameters={"label_period_candles": 29})
    assert line.startswith("freqai.train_period_days: 1 days are 288 candles")


@pytest.mark.parametrize(("pool", "lines"), [("whitelist", 1), ("pair", 2)])
def test_a_horizon_that_leaves_a_window_few_rows_is_refused(pool: str, lines: int) -> None:
    """Seven days are 2016 candles, of which 16 have their outcome within the window."""
    found = problems(
        {"model": {"pool": pool, "row_step": 1}},
        train_period_days=7,
        feature_parameters={"label_period_candles": 2000},
    )
    assert len(found) == lines
    assert found[0].endswith("2016 candles, fewer than ten label horizons of 2000")
    assert all("7 days give 16 rows a pair" in line for line in found[1:])


# Settings of earlier versions

OLD_DEFAULTS = {
    "ensemble": {"snapshots": 0, "decay": 0.5, "linear_weight": 0.0},
    "labels": {
        "ensemble_kinds": [],
        "ensemble_horizons_candles": [],
        "both_touched": "hold",
    },
    "drift": {"confidence_step": 0.02},
    "alerts": {"summarise_from": 3},
    "decision": {
        "score_share": None,
        "score_window_days": 60,
        "lively_window_days": None,
        "maximum_share": 0.1,
        "maximum_share_window_candles": 288,
    },
    "selection": {"methods": ["duplicates", "clusters"], "correlation": 0.8},
    "tuning": {"coarse_step": 4},
    "exits": {"negative_expected_value": False},
    "weights": {"uniqueness": False, "recency_half_life_days": None, "class_balance": False},
}
SWITCHED_ON = {
    "ensemble": {"snapshots": 2, "decay": 0.9, "linear_weight": 0.2},
    "labels": {
        "ensemble_kinds": ["fixed"],
        "ensemble_horizons_candles": [4],
        "both_touched": "lower_first",
    },
    "drift": {"confidence_step": 0.1},
    "alerts": {"summarise_from": 5},
    "decision": {
        "score_share": 0.03,
        "score_window_days": 30,
        "lively_window_days": 60,
        "maximum_share": 0.01,
        "maximum_share_window_candles": 1000,
    },
    "selection": {"methods": ["groups"], "correlation": 0.9},
    "tuning": {"coarse_step": 2},
    "exits": {"negative_expected_value": True},
    "weights": {"uniqueness": True, "recency_half_life_days": 90, "class_balance": True},
}


@pytest.mark.parametrize("given", [OLD_DEFAULTS, SWITCHED_ON], ids=["defaults", "switched on"])
def test_every_removed_key_is_named_with_what_it_was(given: dict[str, dict[str, Any]]) -> None:
    lines = {line.split(": ")[0]: line for line in problems(given)}
    keys = [f"{section}.{key}" for section, inside in given.items() for key in inside]
    assert sorted([*keys, "ensemble", "weights"]) == sorted(REMOVED)
    assert set(lines) == {f"freqai.signals.{key}" for key in keys}
    for key in keys:
        assert lines[f"freqai.signals.{key}"] == (
            f"freqai.signals.{key}: removed in 0.2: {REMOVED[key]} brought no gain "
            "(docs/measurements.md); remove the key"
        )


@pytest.mark.parametrize("section", [{}, None, 3, {"seeds": 2}])
def test_a_removed_section_is_named_whatever_it_holds(section: Any) -> None:
    (line,) = problems({"ensemble": section})
    assert line.startswith("freqai.signals.ensemble: removed in 0.2: mixing in")
    assert line.endswith("brought no gain (docs/measurements.md); remove the section")


def test_what_is_left_beside_a_removed_key_is_still_checked() -> None:
    given = {"ensemble": {"decay": 0.5, "colour": 1}, "labels": {"ensemble_kinds": [], "k": -1}}
    assert sorted(paths(given)) == [
        "freqai.signals.ensemble",
        "freqai.signals.ensemble.decay",
        "freqai.signals.labels.ensemble_kinds",
        "freqai.signals.labels.k",
    ]


def test_a_replaced_key_is_named_with_what_decides_now() -> None:
    (line,) = problems({"drift": {"live_skill_floor": -0.1, "resume_candles": 5}})
    assert line == (
        "freqai.signals.drift.live_skill_floor: removed in 0.2: the daily test of live quality "
        "decides, with a stated rate of false alarms (docs/operation.md); remove the key"
    )


def test_no_setting_of_today_is_named_as_removed() -> None:
    today = SignalSettings().model_dump()
    for path in (*REMOVED, *REPLACED):
        section, _, key = path.partition(".")
        assert key not in today.get(section, {}) if key else section not in today


def test_the_removed_profile_is_named_with_what_it_earned() -> None:
    (line,) = problems({"preset": "futures-1h"})
    assert line == (
        "freqai.signals.preset: 'futures-1h' was removed in 0.2: after fees its trades lost "
        "0.9 ± 4.9 bp each (docs/measurements.md); remove the key"
    )


# All at once


def test_all_problems_come_in_one_message() -> None:
    found = paths(
        {
            "preset": "fastest",
            "colour": 1,
            "labels": {"k": -1, "kind": "lucky"},
            "decision": {"strong": 0.1},
        },
        model_training_parameters={"num_leafs": 3},
        data_split_parameters={"test_size": 3},
    )
    assert sorted(found) == [
        "freqai.data_split_parameters.test_size",
        "freqai.model_training_parameters.num_leafs",
        "freqai.signals.colour",
        "freqai.signals.decision",
        "freqai.signals.labels.k",
        "freqai.signals.labels.kind",
        "freqai.signals.preset",
    ]


def test_impossible_combinations_are_listed_beside_wrong_values() -> None:
    found = paths(
        {"labels": {"k": -1}, "features": {"higher_timeframes": ["7m"]}},
        train_period_days=1,
        feature_parameters={"label_period_candles": 100},
    )
    assert sorted(found) == [
        "freqai.signals.features.higher_timeframes",
        "freqai.signals.labels.k",
        "freqai.train_period_days",
    ]


@pytest.mark.parametrize(
    ("freqai", "path"),
    [
        ({"signals": ["labels"]}, "freqai.signals"),
        ({"signals": "labels"}, "freqai.signals"),
        ({"feature_parameters": ["x"]}, "freqai.feature_parameters"),
        ({"data_split_parameters": "x"}, "freqai.data_split_parameters"),
    ],
)
def test_section_of_a_wrong_shape_is_a_settings_error(freqai: dict[str, Any], path: str) -> None:
    assert paths(**freqai) == [path]


@pytest.mark.parametrize(
    ("freqai", "path"),
    [
        (
            {"feature_parameters": {"label_period_candels": 3}},
            "freqai.feature_parameters.label_period_candels",
        ),
        ({"data_split_parameters": {"test_sise": 3}}, "freqai.data_split_parameters.test_sise"),
        ({"train_period_day": 30}, "freqai.train_period_day"),
    ],
)
def test_misspelt_freqai_key_is_refused(freqai: dict[str, Any], path: str) -> None:
    assert paths(**freqai) == [path]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
sections = st.sampled_from([*SignalSettings.model_fields, "preset", "unknown"])


@given(st.dictionaries(sections, json_values, max_size=4))
def test_any_json_gives_settings_or_a_settings_error(signals: dict[str, Any]) -> None:
    with contextlib.suppress(SettingsError):  # any other exception fails the test
        assert isinstance(build(signals), SignalSettings)


# Timeframes


@pytest.mark.parametrize(
    ("timeframe", "seconds"), [("1m", 60), ("5m", 300), ("4h", 14400), ("1d", 86400)]
)
def test_timeframe_seconds(timeframe: str, seconds: int) -> None:
    assert timeframe_seconds(timeframe) == seconds


def test_timeframe_seconds_says_what_is_allowed() -> None:
    with pytest.raises(ValueError, match="a number followed by m, h or d"):
        timeframe_seconds("1w")


# Trading


FUTURES = {"trading_mode": "futures", "freqai": {}}


@pytest.mark.parametrize("margin", [{}, {"margin_mode": ""}, {"margin_mode": "none"}])
def test_futures_without_margin_mode_are_refused_beside_everything_else(
    margin: dict[str, str],
) -> None:
    signals = {
        "costs": {"fee": -0.001, "slippage": -0.1},
        "sizing": {"method": "kelly", "kelly_fraction": 1.5, "leverage": 0.5},
        "decision": {"weak": 0.9, "medium": 0.8, "strong": 0.7, "minimum_confidence": 0.8},
        "exits": {"stop_multiple": -1.0, "opposite_confidence": 1.2},
    }
    with pytest.raises(SettingsError) as error:
        settings_from_config(FUTURES | margin | {"freqai": {"signals": signals}})
    found = {line.removeprefix("- ").split(": ")[0] for line in str(error.value).splitlines()[1:]}
    assert found == {
        "margin_mode",
        "freqai.signals.costs.fee",
        "freqai.signals.costs.slippage",
        "freqai.signals.sizing.kelly_fraction",
        "freqai.signals.sizing.leverage",
        "freqai.signals.decision",
        "freqai.signals.exits.stop_multiple",
        "freqai.signals.exits.opposite_confidence",
    }


@pytest.mark.parametrize("margin", ["isolated", "cross"])
def test_futures_with_margin_mode_are_accepted(margin: str) -> None:
    from freqtrade.enums import MarginMode

    for value in (margin, MarginMode(margin)):
        assert settings_from_config(FUTURES | {"margin_mode": value}) == SignalSettings()


def test_futures_config_only_changes_the_market(repo: Path) -> None:
    given = json.loads((repo / "config.futures.json").read_text())
    assert set(given) == {"trading_mode", "margin_mode", "exchange"}
    assert set(given["exchange"]) == {"pair_whitelist"}
    assert all(pair.endswith(":USDT") for pair in given["exchange"]["pair_whitelist"])


def test_configs_are_merged_as_freqtrade_does(tmp_path: Path) -> None:
    (tmp_path / "below.json").write_text(
        '{"timeframe": "1h", "stake_currency": "EUR", "exchange": {"name": "kraken"}}'
    )
    first = tmp_path / "first.json"
    first.write_text(
        '{"add_config_files": ["below.json"], "stake_currency": "USDT", // a comment\n'
        ' "exchange": {"pair_whitelist": ["BTC/USDT", "ETH/USDT",]},}'
    )
    second = tmp_path / "second.json"
    second.write_text('{"exchange": {"pair_whitelist": ["SOL/USDT"]}}')

    ours = merged_config([first, second])

    theirs = load_from_files([str(first), str(second)])
    theirs.pop("config_files")
    assert ours == theirs
    assert ours["exchange"] == {"name": "kraken", "pair_whitelist": ["SOL/USDT"]}
    assert (ours["timeframe"], ours["stake_currency"]) == ("1h", "USDT")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": }', "not JSON"),
        ("[1]", "must hold a JSON object"),
        ('{"add_config_files": ["c.json"]}', "nested more than 5"),
    ],
)
def test_a_file_that_is_no_config_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"c\.json:? .*{message}"):
        merged_config([path])


def test_combinatorial_tuning_needs_three_folds() -> None:
    tuning = {"scheme": "combinatorial", "folds": 2}
    with pytest.raises(SettingsError, match=r"tuning\.folds: .* at least 3, got 2"):
        settings_from_config({"freqai": {"signals": {"tuning": tuning}}})


def test_no_advice_names_a_setting_that_has_left() -> None:
    advice = [text for section in _WITHOUT_EFFECT.values() for text in section.values()]
    for path in (*REMOVED, *REPLACED):
        assert not [text for text in advice if f"freqai.signals.{path}" in text], path
