"""Trading mode and pairs of a bot, read from the configs that its command names."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from freqai_signals.files import merged, merged_config


@dataclass(frozen=True)
class BotConfig:
    """Trading mode and whitelist; a regular expression in it matches no pair of a folder."""

    futures: bool = False
    pairs: tuple[str, ...] = ()


ANY_SPOT: Final = BotConfig()
"""For a bot whose config is unknown."""


def bot_config_in(config: Mapping[str, Any]) -> BotConfig:
    """Trading mode and pairs of a merged config.

    Examples
    --------
    >>> bot_config_in({"trading_mode": "futures"})
    BotConfig(futures=True, pairs=())
    """
    whitelist = (config.get("exchange") or {}).get("pair_whitelist", ())
    return BotConfig(config.get("trading_mode") == "futures", tuple(whitelist))


def bot_config_of(command: Sequence[str], pairs: Sequence[str] = ()) -> BotConfig:
    """Trading mode and pairs of the bot that COMMAND starts.

    Parameters
    ----------
    command
        freqtrade and its arguments. A config that cannot be read is left for freqtrade to refuse.
    pairs
        Whitelist; empty takes that of the config.
    """
    config = read_configs(command)
    if pairs:
        config = merged(config, {"exchange": {"pair_whitelist": list(pairs)}})
    return bot_config_in(config)


def read_configs(command: Sequence[str]) -> dict[str, Any]:
    """What the configs of COMMAND say together, as far as they can be read."""
    config: dict[str, Any] = {}
    for path in configs_of(command):
        with suppress(OSError, ValueError):
            config = merged(config, merged_config([path]))
    return config


def configs_of(command: Sequence[str]) -> list[Path]:
    """Config files that COMMAND names, else the one that freqtrade reads without any."""
    folder = Path(next(iter(_values(command, "--userdir", "--user-data-dir")), "user_data"))
    usual = folder / "config.json"
    named = [Path(value) for value in _values(command, "-c", "--config")]
    return named or [usual if usual.is_file() else Path("config.json")]


def _values(command: Sequence[str], *names: str) -> list[str]:
    """What follows an option of these names, in order."""
    found = []
    for word, following in zip(command, (*command[1:], ""), strict=True):
        name, equals, value = word.partition("=")
        if name in names:
            found.append(value if equals else following)
    return found
