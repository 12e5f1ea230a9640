"""What a bot trades, read from the config that its command names: trading mode and pairs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import rapidjson

_USUAL: Final = (Path("user_data/config.json"), Path("config.json"))
_DEEPEST: Final = 5
"""freqtrade's own limit of configs that name further ones."""


@dataclass(frozen=True)
class BotConfig:
    """Kind of market, and the whitelist; expressions in it name no pair of a folder."""

    futures: bool = False
    pairs: tuple[str, ...] = ()


ANY_SPOT: Final = BotConfig()
"""What is known of a bot whose config is not."""


def bot_config_in(config: Mapping[str, Any]) -> BotConfig:
    """What a merged config says.

    Examples
    --------
    >>> traded_in({"trading_mode": "futures"})
    Traded(futures=True, pairs=())
    """
    whitelist = config.get("exchange", {}).get("pair_whitelist", ())
    return BotConfig(config.get("trading_mode") == "futures", tuple(whitelist))


def bot_config_of(command: Sequence[str], pairs: Sequence[str] = ()) -> BotConfig:
    """What the bot that COMMAND starts trades.

    Parameters
    ----------
    command
        freqtrade and its arguments. A config that cannot be read is left for freqtrade to refuse.
    pairs
        Given whitelist; empty takes that of the config.
    """
    named = _configs(command) or [next((path for path in _USUAL if path.is_file()), _USUAL[-1])]
    config: dict[str, Any] = {"exchange": {}}
    for content in _contents(named):
        config["exchange"] |= content.get("exchange") or {}
        config["trading_mode"] = content.get("trading_mode", config.get("trading_mode"))
    if pairs:
        config["exchange"]["pair_whitelist"] = list(pairs)
    return bot_config_in(config)


def _configs(command: Sequence[str]) -> list[Path]:
    """Files behind ``-c`` and ``--config``, in order."""
    found = []
    for word, following in zip(command, (*command[1:], ""), strict=True):
        name, equals, value = word.partition("=")
        if name in ("-c", "--config"):
            found.append(Path(value if equals else following))
    return found


def _contents(paths: Sequence[Path], depth: int = 0) -> Iterator[dict[str, Any]]:
    """Contents of configs and of those they name, as freqtrade ranks them: later ones win."""
    for path in paths if depth <= _DEEPEST else ():
        try:
            mode = rapidjson.PM_COMMENTS | rapidjson.PM_TRAILING_COMMAS
            content = rapidjson.loads(path.read_text(), parse_mode=mode)
        except (OSError, ValueError):
            continue
        if not isinstance(content, dict):
            continue
        below = [path.resolve().parent / name for name in content.get("add_config_files", ())]
        yield from _contents(below, depth + 1)
        yield content
