"""What a user's folder ought to hold, from what is asked for and what is there."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import rapidjson

from freqai_signals.files import merged, merged_config
from freqai_signals.plugin.installation.adapters import adapter_files
from freqai_signals.plugin.installation.resolved import most_startup_candles
from freqai_signals.plugin.installation.signal_config import SignalRequest, as_text, signal_config
from freqai_signals.settings import DEFAULT_TIMEFRAME

SIGNALS_FILE: Final = "config-signals.json"
BASE_FILE: Final = "config.json"
EXAMPLES: Final = ("LikelyMoveBreakout", "CalmMeanReversion")


@dataclass(frozen=True)
class SetupOptions:
    """What the command line asks for.

    Attributes
    ----------
    timeframe
        Of the base candles; None keeps that of the last time, else the config's, else 5m.
    pairs
        Whitelist; empty keeps that of the last time, else the config's.
    futures
        Whether to trade perpetual contracts although the config does not.
    examples
        Whether the example strategies are wanted too.
    """

    timeframe: str | None = None
    pairs: tuple[str, ...] = ()
    futures: bool = False
    examples: bool = False


@dataclass(frozen=True)
class Setup:
    """What ought to be there.

    Attributes
    ----------
    contents
        Path in the user's folder to content.
    configs
        Config files for freqtrade's commands, ours last.
    """

    contents: dict[str, str]
    configs: tuple[Path, ...]


def base_config() -> str:
    """A dry run on Binance spot, for who has no config yet."""
    return (files("freqai_signals.plugin.installation") / "config.example.json").read_text()


def example_strategies() -> dict[str, str]:
    """Path in the user's folder to content, for the examples of one's own strategy."""
    folder = files("freqai_signals.plugin") / "examples"
    return {f"strategies/{name}.py": (folder / f"{name}.py").read_text() for name in EXAMPLES}


def planned_setup(folder: Path, configs: tuple[Path, ...], options: SetupOptions) -> Setup:
    """Every file that ought to be in a user's folder.

    Parameters
    ----------
    folder
        freqtrade's ``user_data``.
    configs
        The user's own config files; without one a ``config.json`` is part of the plan.
    options
        What is asked for.

    Raises
    ------
    ValueError
        If config, exchange and timeframe cannot work together.
    """
    ours, own_base = folder / SIGNALS_FILE, folder / BASE_FILE
    contents = adapter_files() | (example_strategies() if options.examples else {})
    # Given again by who repeats the printed lines: it is what is about to be written.
    configs = tuple(path for path in configs if path.resolve() != ours.resolve()) or (own_base,)
    if configs == (own_base,) and (not own_base.exists() or own_base.read_text() == base_config()):
        contents[BASE_FILE] = base_config()
        base: dict[str, Any] = rapidjson.loads(base_config())
    else:
        base = merged_config(configs)
    contents[SIGNALS_FILE] = as_text(signal_config(_request(options, base, _last_time(ours)), base))
    return Setup(contents, (*configs, ours))


def _last_time(ours: Path) -> Mapping[str, Any]:
    """Our config as it was written before; nothing where it cannot be read."""
    try:
        return merged_config([ours])
    except ValueError:
        return {}


def _request(
    options: SetupOptions, base: Mapping[str, Any], last: Mapping[str, Any]
) -> SignalRequest:
    """The options, with what was asked for last time in the place of what is left open."""
    futures = options.futures or last.get("trading_mode") == "futures"
    timeframe = (
        options.timeframe or last.get("timeframe") or base.get("timeframe") or DEFAULT_TIMEFRAME
    )
    pairs = options.pairs or tuple((last.get("exchange") or {}).get("pair_whitelist") or ())
    market = {"trading_mode": "futures", "margin_mode": "isolated"} if futures else {}
    limit = most_startup_candles(merged(base, market), timeframe)
    return SignalRequest(timeframe, limit, pairs, futures)
