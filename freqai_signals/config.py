"""Settings from freqtrade's config, checked at once and in one message.

Our own keys live under ``freqai.signals``. FreqAI's keys keep their meaning and are read here too,
so that no other module looks into a config dictionary.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from freqai_signals.files import merged
from freqai_signals.settings import SignalSettings
from freqai_signals.settings.booster_names import booster_values
from freqai_signals.settings.combinations import invalid_combinations
from freqai_signals.settings.freqai_keys import (
    Ignored,
    higher_timeframes,
    look_through,
    without_comments,
)
from freqai_signals.settings.presets import PRESETS
from freqai_signals.settings.removed import removed_preset, without_removed


class SettingsError(ValueError):
    """The config cannot work; the message lists every problem, and so does ``problems``."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n- ".join([f"{count} in the settings:", *problems]))


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
        With one line for every unknown key, wrong type or invalid combination.

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
    foreign = _FreqaiSections.of(config, problems)
    given, removed = without_removed(foreign.signals)
    preset = _preset(given.pop("preset", "shipped"), problems)
    problems += removed
    problems += _refused(foreign, given.pop("strict", False), config.get("timeframe"))

    own_sections = {name for name, path in _PATHS.items() if path == f"freqai.signals.{name}"}
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key in own_sections:
            values[key] = value
        else:
            problems.append(f"freqai.signals.{key}: unknown key, got {value!r}")
    values = merged(preset, values | _foreign_values(config, foreign, problems))
    _derive_timeframes(values, config, foreign)
    settings = _validated(values, problems)
    problems += _trading_mode(config) + invalid_combinations(settings)
    if problems:
        raise SettingsError(problems)
    return settings


def ignored_keys(config: Mapping[str, Any]) -> tuple[str, ...]:
    """What of the config does nothing here, one line a key with what takes its place.

    Parameters
    ----------
    config
        freqtrade's merged config.

    Examples
    --------
    >>> ignored_keys({"freqai": {"conv_width": 2}})
    ('freqai.conv_width = 2: the model is a LightGBM classifier of this package',)
    """
    return tuple(map(str, _FreqaiSections.of(config, []).ignored(config.get("timeframe"))))


@dataclass(frozen=True)
class _FreqaiSections:
    """FreqAI's sections of a config, without remarks."""

    freqai: Mapping[str, Any]
    parameters: Mapping[str, Any]
    split: Mapping[str, Any]
    booster: Mapping[str, Any]
    signals: Mapping[str, Any]

    @classmethod
    def of(cls, config: Mapping[str, Any], problems: list[str]) -> "_FreqaiSections":
        """Read them; one that is none becomes a problem and counts as empty."""
        freqai = _section(config, "freqai", problems)
        names = ("feature_parameters", "data_split_parameters", "model_training_parameters",
                 "signals")  # fmt: skip
        return cls(freqai, *(_section(freqai, f"freqai.{name}", problems) for name in names))

    def looked_through(self) -> Iterator[tuple[str, list[Ignored], list[tuple[str, Any, str]]]]:
        """Path of each section, its keys without effect, and its misspelt ones."""
        for path, section in (
            ("freqai", self.freqai),
            ("freqai.feature_parameters", self.parameters),
            ("freqai.data_split_parameters", self.split),
            ("freqai.model_training_parameters", self.booster),
        ):
            yield path, *look_through(path, section)

    def ignored(self, timeframe: Any) -> list[Ignored]:
        """Everything that is switched on and does nothing here."""
        found = [item for _, ignored, _ in self.looked_through() for item in ignored]
        included = self.parameters.get("include_timeframes")
        return [*found, *higher_timeframes(timeframe, included)[1]]


def _preset(name: Any, problems: list[str]) -> Mapping[str, Any]:
    if isinstance(name, str) and name in PRESETS:
        return PRESETS[name]
    names = ", ".join(map(repr, PRESETS))
    problems.append(
        removed_preset(str(name)) or f"freqai.signals.preset: must be one of {names}, got {name!r}"
    )
    return PRESETS["shipped"]


def _refused(foreign: _FreqaiSections, strict: Any, timeframe: Any) -> list[str]:
    """Misspelt keys of FreqAI's, and, if the config is strict, those without effect."""
    problems = [
        f"{path}.{name}: unknown key, got {value!r}; did you mean {meant}?"
        for path, _, slips in foreign.looked_through()
        for name, value, meant in slips
    ]
    if not isinstance(strict, bool):
        problems.append(f"freqai.signals.strict: must be true or false, got {strict!r}")
    elif strict:
        problems += [
            f"{item.path}: {item.value!r} does nothing here ({item.instead}); remove it, or set "
            "freqai.signals.strict to false to be warned only"
            for item in foreign.ignored(timeframe)
        ]
    return problems


def _foreign_values(
    config: Mapping[str, Any], foreign: _FreqaiSections, problems: list[str]
) -> dict[str, Any]:
    """Values of FreqAI's and freqtrade's keys under our names; null leaves a default."""
    booster: dict[str, Any] = {}
    for given, name, value in booster_values(foreign.booster):
        if name in booster:
            problems.append(
                f"freqai.model_training_parameters.{given}: {name} is given twice, under two names"
            )
        booster[name] = value
    values = {
        "booster": booster,
        "timeframe": config.get("timeframe"),
        "label_horizon_candles": foreign.parameters.get("label_period_candles"),
        "indicator_periods_candles": foreign.parameters.get("indicator_periods_candles"),
        "train_period_days": foreign.freqai.get("train_period_days"),
        "validation_fraction": foreign.split.get("test_size"),
    }
    return {key: value for key, value in values.items() if value is not None}


def _derive_timeframes(
    values: dict[str, Any], config: Mapping[str, Any], foreign: _FreqaiSections
) -> None:
    """Take FreqAI's longer timeframes where none of ours are given."""
    features = values.setdefault("features", {})
    if isinstance(features, Mapping) and "higher_timeframes" not in features:
        included = foreign.parameters.get("include_timeframes")
        timeframe = values.get("timeframe", config.get("timeframe", SignalSettings().timeframe))
        higher, _ = higher_timeframes(timeframe, included)
        if higher is not None:
            values["features"] = {**features, "higher_timeframes": higher}


def _section(above: Mapping[str, Any], path: str, problems: list[str]) -> Mapping[str, Any]:
    section = above.get(path.rpartition(".")[2])
    if section is None:
        return {}
    if not isinstance(section, Mapping):
        problems.append(f"{path}: must be a section {{...}}, got {section!r}")
        return {}
    cleaned: Mapping[str, Any] = without_comments(section)
    return cleaned


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
    "workers": "freqai.signals.workers",
    "booster": "freqai.model_training_parameters",
    "label_horizon_candles": "freqai.feature_parameters.label_period_candles",
    "indicator_periods_candles": "freqai.feature_parameters.indicator_periods_candles",
    "train_period_days": "freqai.train_period_days",
    "validation_fraction": "freqai.data_split_parameters.test_size",
}  # fmt: skip


def key_path(name: str) -> str:
    """Where the config holds a section or key of :class:`SignalSettings`.

    Examples
    --------
    >>> key_path("labels"), key_path("booster")
    ('freqai.signals.labels', 'freqai.model_training_parameters')
    """
    return _PATHS.get(name, name)


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


POOL_FILE: Final = "pool.json"
"""In the identifier's folder: a resolved pool, so that a restart does not change it."""


POOL_KEY: Final = "signals_pool"
"""Top-level key under which the config that FreqAI sees holds the pool, once it is settled."""


def pool_pairs(settings: SignalSettings, config: Mapping[str, Any]) -> tuple[str, ...]:
    """The pairs whose rows train the pool and whose mean is the market, sorted.

    ``freqai.signals.model.pool_pairs`` if given, else the pairs that the command named. The latter
    stay in ``config["pairs"]`` when freqtrade's analysis commands narrow the whitelist to the pair
    of one trade; the model must not change with that. FreqAI's ``include_corr_pairlist`` join it.
    Patterns are not resolved here; where that has been done, the result stands in the config.
    """
    if POOL_KEY in config:
        return tuple(config[POOL_KEY])
    given = settings.model.pool_pairs or config.get("pairs")
    chosen = given or config["exchange"].get("pair_whitelist") or ()
    parameters = _section(_section(config, "freqai", []), "freqai.feature_parameters", [])
    return tuple(sorted({*chosen, *(parameters.get("include_corr_pairlist") or ())}))
