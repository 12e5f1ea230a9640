"""The bot's folder for candles and trades of the sandbox, and how far history is moved for it."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from freqai_signals.sandbox.exchange.app import contracts_of
from freqai_signals.sandbox.exchange.candle_store import SPOT, CandleStore
from freqai_signals.sandbox.exchange.clock import WEEK_MS, wall_clock_ms, weeks_onto_clock
from freqai_signals.sandbox.market.market_files import DEFAULT_ROOT
from freqai_signals.sandbox.runner.bot_config import ANY_SPOT, BotConfig

AHEAD_DAYS: Final = 28
"""Days of candles ahead of a bot that starts for the first time."""

_LEAST_AHEAD_MS: Final = 86_400_000


@dataclass(frozen=True)
class LivePlace:
    """A folder for candles and trades of the bot, and the weeks that its history is moved by."""

    folder: Path
    weeks: int


def live_place(
    candles: Path,
    weeks: int | None = None,
    root: Path = DEFAULT_ROOT / "live",
    bot_config: BotConfig = ANY_SPOT,
) -> LivePlace:
    """Place of the bot over a folder of candles.

    A restarted bot gets the same weeks and folder as long as a day of candles lies ahead; otherwise
    other weeks and a new folder.

    Parameters
    ----------
    candles
        Folder that the exchange serves.
    weeks
        Weeks to move by; None chooses them.
    root
        Parent of such folders.
    bot_config
        What the bot trades: other candles of the folder may end later. A futures bot has its own
        folders.
    """
    # By full path: folders of several exchanges may share a name.
    name = f"{candles.name}-{hashlib.sha256(str(candles.resolve()).encode()).hexdigest()[:8]}"
    name += "-futures" if bot_config.futures else ""
    if weeks is None:
        last, now = last_opening(candles, bot_config), wall_clock_ms()
        earlier = [int(match[1]) for match in _matches(root, rf"{re.escape(name)}-weeks(-?\d+)")]
        # Candles of other weeks in a bot's folder would join two histories into one.
        usable = [w for w in earlier if last - (now - w * WEEK_MS) > _LEAST_AHEAD_MS]
        weeks = min(usable, default=weeks_onto_clock(last, now, AHEAD_DAYS))
    return LivePlace((root / f"{name}-weeks{weeks}").resolve(), weeks)


def last_opening(candles: Path, bot_config: BotConfig = ANY_SPOT) -> int:
    """Opening (ms since 1970) of the last candle that a bot can still trade on.

    Of the whitelisted pairs the one that ends first counts, so that all have candles until then;
    where the folder holds none of them, the one of the mode's pairs that ends last. A spot bot over
    a folder of futures only gets the time of these.
    """
    store = CandleStore(candles, SPOT)
    if bot_config.futures or not store.pairs:
        store = contracts_of(candles).candles
    named = [pair for pair in store.pairs if pair in bot_config.pairs]
    ends = [
        int(store.series(pair, store.timeframes(pair)[0]).time[-1]) for pair in named or store.pairs
    ]
    return min(ends) if named else max(ends)


def _matches(root: Path, pattern: str) -> list["re.Match[str]"]:
    names = [path.name for path in root.glob("*")]
    return [match for name in names if (match := re.fullmatch(pattern, name))]
