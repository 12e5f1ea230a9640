"""freqtrade's config files as freqtrade reads them: comments, several files, files they name."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import rapidjson

_PARSE_MODE: Final = rapidjson.PM_COMMENTS | rapidjson.PM_TRAILING_COMMAS
_DEEPEST: Final = 5


class ConfigFileError(ValueError):
    """A config file is missing or cannot be read; the message names it and says what to do."""


def read_config_files(files: Sequence[Path]) -> dict[str, Any]:
    """Several config files as one.

    Parameters
    ----------
    files
        Later ones win, key by key; a file wins over those it names in ``add_config_files``, whose
        paths are relative to it. Comments and trailing commas are allowed.

    Raises
    ------
    ConfigFileError
        If a file is missing, is no JSON object, or files name each other in a circle.
    """
    config: dict[str, Any] = {}
    for file in files:
        config = merge_configs(config, _read(Path(file), depth=0))
    return config


def merge_configs(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """One config over another: sections key by key, lists and values replaced.

    Examples
    --------
    >>> merge_configs({"a": {"x": 1, "y": [2]}}, {"a": {"y": [3]}, "b": None})
    {'a': {'x': 1, 'y': [3]}, 'b': None}
    """
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[key] = merge_configs(old, value)
        else:
            merged[key] = value
    return merged


def _read(file: Path, depth: int) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise ConfigFileError(f"{file}: add_config_files leads in a circle, or too deep")
    try:
        own = rapidjson.loads(file.read_text(encoding="utf-8"), parse_mode=_PARSE_MODE)
    except FileNotFoundError:
        raise ConfigFileError(f"{file}: there is no such config file") from None
    except (OSError, ValueError) as error:
        raise ConfigFileError(f"{file} cannot be read: {error}") from error
    if not isinstance(own, dict):
        raise ConfigFileError(f"{file}: a config is one JSON object {{...}}, got {own!r:.40}")
    named: dict[str, Any] = {}
    for name in own.get("add_config_files") or ():
        named = merge_configs(named, _read(file.resolve().parent / name, depth + 1))
    return merge_configs(named, own)
