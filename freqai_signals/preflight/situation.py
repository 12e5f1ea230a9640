"""What the checks look at: the config, what was read from it, and whatever else is at hand."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd

from freqai_signals.config import SettingsError, pool_pairs, settings_from_config
from freqai_signals.dataset.candles import Span
from freqai_signals.settings import SignalSettings

SpanReader = Callable[[str, str], Span | None]
"""Span of the candles of a pair and timeframe, None if there are none; ValueError if unreadable."""

FrameReader = Callable[[str], pd.DataFrame | None]
"""Stored base candles of a pair, None if there are none; ValueError if unreadable."""

_STATIC: Final = "StaticPairList"
_NAME: Final = re.compile(r"[\w-]+/[\w-]+(:[\w-]+)?")

Purpose = Literal["trade", "backtest", "look"]
"""What is about to run; ``look`` for commands that vary the start-up length, plots and doctor."""


@dataclass(frozen=True)
class ExchangeFacts:
    """What freqtrade's class of an exchange says without a network.

    Attributes
    ----------
    name
        As in the config.
    candles_a_call
        Candles that one request gives.
    has_history
        Whether older candles can be asked for at all.
    taker_fee
        Usual fee of one side as a fraction, None if unknown.
    """

    name: str
    candles_a_call: int
    has_history: bool
    taker_fee: float | None = None

    @property
    def most_candles(self) -> int:
        """Longest start-up that freqtrade accepts: 5 calls, less the candle that is still open."""
        return self.candles_a_call * (5 if self.has_history else 1) - 1


@dataclass(frozen=True)
class Situation:
    """Everything that checks may look at; None where it is not known.

    Attributes
    ----------
    config
        freqtrade's merged config.
    settings
        What was read from it; defaults for what could not be read.
    settings_problems
        One line for each key that is wrong.
    purpose
        What is about to run.
    backtest
        Start and end of it, seconds since 1970; 0 where the timerange leaves one open.
    startup_candles
        Candles before the first one that is decided on.
    own_exits
        Whether trades end by this package's exits, and not by those of a user's own strategy.
    read_span, read_candles
        Read stored candles.
    exchange
        Its limits.
    """

    config: Mapping[str, Any]
    settings: SignalSettings
    settings_problems: tuple[str, ...] = ()
    purpose: Purpose = "look"
    backtest: tuple[int, int] | None = None
    startup_candles: int = 0
    own_exits: bool = True
    read_span: SpanReader | None = None
    read_candles: FrameReader | None = None
    exchange: ExchangeFacts | None = None

    @property
    def freqai(self) -> Mapping[str, Any]:
        """FreqAI's section."""
        return mapping(self.config.get("freqai"))

    @property
    def signals(self) -> Mapping[str, Any]:
        """The section of this package."""
        return mapping(self.freqai.get("signals"))

    @property
    def pool(self) -> tuple[str, ...]:
        """The pool as the config names it, patterns included."""
        # The doctor also looks at configs that lack an exchange.
        return pool_pairs(self.settings, {"exchange": {}, **self.config})

    @property
    def named_pool(self) -> tuple[str, ...]:
        """The pool where the config names it, else nothing: pairlists will find it."""
        return self.pool if pool_is_named(self.settings, self.config) else ()

    @property
    def pairs(self) -> tuple[str, ...]:
        """Pairs that the config trades or learns from, sorted; patterns included."""
        exchange = mapping(self.config.get("exchange"))
        return tuple(sorted({*(exchange.get("pair_whitelist") or ()), *self.pool}))

    @property
    def user_data(self) -> Path | None:
        """The user's data folder."""
        folder = self.config.get("user_data_dir")
        return None if folder is None else Path(folder)


def read_settings(config: Mapping[str, Any]) -> tuple[SignalSettings, tuple[str, ...]]:
    """Settings and what is wrong with them; what cannot be read keeps its default."""
    try:
        return settings_from_config(config), ()
    except SettingsError as error:
        return _readable(config), error.problems


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is a section of a config, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def is_named(pairs: Sequence[str]) -> bool:
    """Whether these are names of pairs, and not patterns or nothing.

    Examples
    --------
    >>> is_named(["BTC/USDT", "ETH/USDT:USDT"]), is_named([".*/USDT"]), is_named([])
    (True, False, False)
    """
    return bool(pairs) and all(_NAME.fullmatch(pair) for pair in pairs)


def pool_is_named(settings: SignalSettings, config: Mapping[str, Any]) -> bool:
    """Whether the config names the pool; else it is what the pairlists resolve.

    A pairlist that finds its pairs itself, such as VolumePairList, looks at no whitelist, so one
    that was left in the config names nothing.
    """
    if settings.model.pool_pairs:
        return is_named(pool_pairs(settings, config))
    first = next(iter(config.get("pairlists") or ()), None)
    is_static = first is None or mapping(first).get("method") == _STATIC
    return is_static and is_named(pool_pairs(settings, {"exchange": {}, **config}))


def _readable(config: Mapping[str, Any]) -> SignalSettings:
    """Defaults with what can be read of a config that has problems, to look at its candles."""
    freqai = mapping(config.get("freqai"))
    signals = mapping(freqai.get("signals"))
    # The default ones do not fit every timeframe.
    readable: dict[str, Any] = {"features": {"higher_timeframes": ()}}
    for name, value in {
        "timeframe": config.get("timeframe"),
        "train_period_days": freqai.get("train_period_days"),
        "model": signals.get("model"),
        "features": signals.get("features"),
    }.items():
        # One by one: a value that is wrong, or suits another section only, must not hide the rest.
        one = readable | {name: value}
        try:
            settings_from_config(_config_of(one))
        except SettingsError:
            continue
        readable = one
    return settings_from_config(_config_of(readable))


def _config_of(readable: Mapping[str, Any]) -> dict[str, Any]:
    signals = {name: readable[name] for name in ("model", "features") if readable.get(name)}
    freqai = {"signals": signals, "train_period_days": readable.get("train_period_days")}
    return {"timeframe": readable.get("timeframe"), "freqai": freqai}
