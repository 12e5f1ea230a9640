"""Trading mode and pairs of a bot, read from the configs that its command names."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from freqai_signals.files import merged, merged_config

_USUAL: Final = (Path("user_data/config.json"), Path("config.json"))


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
    named = _configs(command) or [next((path for path in _USUAL if path.is_file()), _USUAL[-1])]
    config: dict[str, Any] = {}
    for path in named:
        with suppress(OSError, ValueError):
            config = merged(config, merged_config([path]))
    if pairs:
        config = merged(config, {"exchange": {"pair_whitelist": list(pairs)}})
    return bot_config_in(config)


def _configs(command: Sequence[str]) -> list[Path]:
    """Files behind ``-c`` and ``--config``, in order."""
    found = []
    for word, following in zip(command, (*command[1:], ""), strict=True):
        name, equals, value = word.partition("=")
        if name in ("-c", "--config"):
            found.append(Path(value if equals else following))
    return found
