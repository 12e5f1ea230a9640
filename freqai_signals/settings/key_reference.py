"""Every settings key with description, unit, default and range, read from the settings classes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, Final

from freqai_signals.config import key_path
from freqai_signals.settings import SignalSettings

_NAMES: Final = {
    "number": "number", "integer": "whole number", "boolean": "true or false", "null": "null",
}  # fmt: skip
_LIMITS: Final = {
    "minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<",
}  # fmt: skip
_AFFECTS: Final = {
    "model": "models: after a change they are trained again",
    "predictions": "predictions: after a change they are made again",
    "nothing": "neither models nor predictions, only what is made of them",
}
FREQTRADE: Final = "freqai"
"""Section of the keys that freqtrade and FreqAI define and that are read here."""


@dataclass(frozen=True)
class Key:
    """A settings key.

    Attributes
    ----------
    section, name
        Under which :class:`SignalSettings` holds it; the section of FreqAI's own keys is
        ``freqai``.
    path
        Where a config holds it.
    description
        What it does.
    unit
        Of its value; empty where it has none.
    default
        As a config would say it.
    allowed
        Its range or values, in words.
    affects
        What has to be made again after a change.
    """

    section: str
    name: str
    path: str
    description: str
    unit: str
    default: str
    allowed: str
    affects: str


@cache
def all_keys() -> tuple[Key, ...]:
    """Every key, section by section, FreqAI's own at the end."""
    shipped, sections = SignalSettings(), SignalSettings.sections()
    found = [
        _key(section, kind.affects, name, schema, getattr(getattr(shipped, section), name))
        for section, kind in sections.items()
        for name, schema in kind.model_json_schema()["properties"].items()
    ]
    own = SignalSettings.model_json_schema()["properties"]
    found += [
        _key(FREQTRADE, "model", name, schema, getattr(shipped, name))
        for name, schema in own.items()
        if name not in sections
    ]
    return tuple(found)


def find_keys(name: str) -> list[Key]:
    """The keys of a section, or those with a name or path.

    Parameters
    ----------
    name
        ``labels``, ``labels.k``, ``k`` or ``freqai.signals.labels.k``.

    Raises
    ------
    ValueError
        With the nearest names, if there is none.

    Examples
    --------
    >>> [key.path for key in find_keys("embargo_candles")]
    ['freqai.signals.validation.embargo_candles']
    """
    name = name.strip(".")
    found = [
        key
        for key in all_keys()
        if name in (key.section, key_path(key.section), key.name, key.path, _short(key))
    ]
    if found:
        return found
    names = {key.section: key.section for key in all_keys()}
    names |= {word: _short(key) for key in all_keys() for word in (key.name, _short(key), key.path)}
    near = get_close_matches(name, names, n=3, cutoff=0.5)
    meant = ", ".join(dict.fromkeys(names[word] for word in near))
    hint = f"did you mean {meant}?" if meant else "freqai-signals settings lists all"
    raise ValueError(f"no section or key {name!r}; {hint}")


def allowed(schema: Mapping[str, Any]) -> str:
    """Allowed values of a key, in words.

    Parameters
    ----------
    schema
        The key's part of its section's JSON schema.

    Examples
    --------
    >>> from freqai_signals.settings import LabelSettings
    >>> keys = LabelSettings.model_json_schema()["properties"]
    >>> allowed(keys["k"]), allowed(keys["kind"])
    ('number > 0, <= 100', 'fixed, volatility or triple_barrier')
    """
    if "anyOf" in schema:
        return " or ".join(allowed(option) for option in schema["anyOf"])
    if "enum" in schema:
        *first, last = map(str, schema["enum"])
        return f"{', '.join(first)} or {last}"
    if schema.get("type") == "array":
        return f"list of: {allowed(schema.get('items', {}))}"
    limits = [f"{sign} {schema[key]:g}" for key, sign in _LIMITS.items() if key in schema]
    return " ".join([_NAMES.get(str(schema.get("type")), "text"), ", ".join(limits)]).strip()


def shown(value: Any) -> str:
    """A value as a config says it, without quotes."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "[]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return str(value) if value != "" else '""'


def _key(section: str, affects: str, name: str, schema: Mapping[str, Any], default: Any) -> Key:
    text = " ".join(str(schema.get("description", "")).split())
    found = re.fullmatch(r"(.*) \[([\w ]+)\]\.", text)
    description, unit = (f"{found[1]}.", found[2]) if found else (text, "")
    path = key_path(name) if section == FREQTRADE else f"{key_path(section)}.{name}"
    return Key(
        section, name, path, description, unit, shown(default), allowed(schema), _AFFECTS[affects]
    )


def _short(key: Key) -> str:
    return f"{key.section}.{key.name}"
