"""Checks of the config alone: keys that are wrong, work against us, or do nothing."""

import math
import re
from collections.abc import Iterator
from typing import Any, Final, TypeGuard

from freqai_signals.config import ignored_keys
from freqai_signals.dataset.barriers import LabelRule
from freqai_signals.dataset.features import GROUPS
from freqai_signals.dataset.features.groups import HIGHER_LENGTH
from freqai_signals.dataset.features.inputs import Spans, lead_among
from freqai_signals.dataset.pair_tables import thinned, training_window
from freqai_signals.preflight.findings import Finding, error, ok, warning
from freqai_signals.preflight.situation import Situation, mapping
from freqai_signals.settings import FeatureSettings, SignalSettings

_IDENTIFIER: Final = re.compile(r"[\w.+-]{1,64}")

_NUMBERS: Final = {
    "live_retrain_hours": (0.0, 100_000.0),
    "expiration_hours": (0.0, 100_000.0),
    "backtest_period_days": (0.001, 10_000.0),
}
"""FreqAI's numbers, and what it can work with."""


def settings_are_valid(situation: Situation) -> Iterator[Finding]:
    """Every key of ours has a value that can work."""
    for problem in situation.settings_problems:
        yield error(problem)
    if not situation.settings_problems:
        yield ok("settings: every key has a value that can work")


def nothing_is_ignored(situation: Situation) -> Iterator[Finding]:
    """FreqAI's switches that do nothing here."""
    for line in ignored_keys(situation.config):
        yield warning(f"ignored: {line}")


def freqai_can_work(situation: Situation) -> Iterator[Finding]:
    """FreqAI's and freqtrade's numbers and names that would fail later, or in silence."""
    freqai = situation.freqai
    identifier = freqai.get("identifier")
    if identifier is not None and not (
        # Dots alone name the folder itself, or the one above.
        isinstance(identifier, str) and _IDENTIFIER.fullmatch(identifier) and identifier.strip(".")
    ):
        yield error(
            f"freqai.identifier: got {identifier!r}",
            "it names folders and rows of the ledger",
            "use up to 64 letters, digits and . _ + -",
        )
    for name, (low, high) in _NUMBERS.items():
        value = freqai.get(name)
        if value is not None and not (_is_number(value) and low <= value <= high):
            yield error(f"freqai.{name}: must be a number from {low:g} to {high:g}, got {value!r}")
    fee = situation.config.get("fee")
    if fee is not None and not (_is_number(fee) and 0 <= fee < 0.1):
        yield error(f"fee: must be a fraction from 0 to 0.1 (0.001 = 0.1 %), got {fee!r}")
    retrain, expires = (freqai.get(name) for name in ("live_retrain_hours", "expiration_hours"))
    if _is_number(retrain) and _is_number(expires) and 0 < expires < retrain:
        yield error(
            f"freqai.expiration_hours: {expires} is less than live_retrain_hours {retrain}",
            "each model would expire before its successor is trained",
            f"set it to {2 * retrain:g}, or to 0 for models that do not expire",
        )


def freqtrade_works_with_us(situation: Situation) -> Iterator[Finding]:
    """Keys of freqtrade's that would take away, in silence, what predictions or exits need."""
    config, needed = situation.config, situation.startup_candles
    given = config.get("startup_candle_count")
    if situation.purpose != "look" and _is_number(given) and given < needed:
        yield error(
            f"startup_candle_count: {given} in the config is less than the {needed} candles that "
            "features, labels and rules look back on",
            "every live row would be untrusted",
            "remove the key, the strategy sets it",
        )
    if config.get("process_only_new_candles") is False:
        yield error(
            "process_only_new_candles: must be true, got false",
            "a model predicts closed candles, and FreqAI refuses anything else",
            "remove the key",
        )
    if situation.own_exits and config.get("use_exit_signal") is False:
        yield error(
            "use_exit_signal: must be true, got false",
            "trades end at the label's horizon, by an opposite signal or at a barrier, and "
            "freqtrade would ask for none of these",
            "remove the key; freqai.signals.exits switches each exit",
        )


def timeframe_fits_exchange(situation: Situation) -> Iterator[Finding]:
    """The exchange gives as many candles at start as are looked back on."""
    exchange, needed = situation.exchange, situation.startup_candles
    if exchange is None or not needed:
        return
    settings = situation.settings
    # freqtrade's schema lists the first, its code reads the second.
    allowed = ("override_exchange_check", "override_exchange_checks")
    if not exchange.has_history and not any(situation.freqai.get(name) for name in allowed):
        yield error(
            f"exchange.name: {exchange.name} gives its newest {exchange.candles_a_call} candles "
            "only",
            "freqtrade refuses FreqAI there, which needs older ones to train from",
            "train on another exchange that lists the coins, or bring candles of your own and set "
            "freqai.override_exchange_checks to true",
        )
        return
    if needed <= exchange.most_candles:
        yield ok(
            f"start-up: {needed} of at most {exchange.most_candles} candles of "
            f"{settings.timeframe} on {exchange.name}"
        )
        return
    yield error(
        f"start-up: {needed} candles of {settings.timeframe} are needed, {exchange.name} gives "
        f"{exchange.most_candles}",
        "freqtrade refuses to start",
        "; ".join(shorter_memory(settings, exchange.most_candles)),
    )


def shorter_memory(settings: SignalSettings, most: int) -> list[str]:
    """What to change so that at most so many candles are looked back on; the last always helps."""
    spans = Spans.from_settings(settings)
    memory = {name: GROUPS[name].memory(spans) for name in settings.features.groups}
    long = {name: candles for name, candles in memory.items() if candles > most}
    changes = []
    longest = [name for name, candles in settings_timeframes(settings) if candles > most]
    if longest:
        changes.append(
            f"leave {', '.join(longest)} out of freqai.signals.features.higher_timeframes"
        )
    if long and len(long) < len(memory):
        names = ", ".join(f"{name} ({candles})" for name, candles in long.items())
        changes.append(f"leave {names} out of freqai.signals.features.groups")
    if LabelRule.of(settings, 0.0).memory > most:
        changes.append("shorten freqai.signals.labels.volatility_span_days")
    return [*changes, "or use a longer timeframe, which needs fewer candles"]


def settings_timeframes(settings: SignalSettings) -> list[tuple[str, int]]:
    """Each higher timeframe with the base candles that its features look back on."""
    spans = Spans.from_settings(settings)
    return [(name, HIGHER_LENGTH * candles + 1) for name, candles in spans.higher]


def windows_hold_rows(situation: Situation) -> Iterator[Finding]:
    """A training window gives enough rows, of a pool of named pairs too."""
    settings = thinned(situation.settings, len(situation.named_pool))
    window = training_window(0, settings.train_period_days * 86400, settings)
    each = max(0, (window.stop - window.first - window.horizon) // window.step)
    pooled = settings.model.pool == "whitelist" and bool(situation.named_pool)
    pairs = len(situation.named_pool) if pooled else 1
    rows = int(each * pairs * (1 - settings.validation_fraction))
    least = settings.validation.min_rows
    shown = f"{each} rows a pair" + (f" of {pairs}" if pooled else "")
    # Of a pair by itself the settings say so, and of pairs that are not known yet nobody can.
    if rows >= least or not pooled:
        yield ok(f"rows: a window of {settings.train_period_days} days gives {shown}")
        return
    yield error(
        f"freqai.train_period_days: {settings.train_period_days} days give {shown}, {rows} of them "
        f"to train on, fewer than freqai.signals.validation.min_rows {least}",
        "every window would abstain",
        "lengthen it, lower freqai.signals.model.row_step or min_rows, or add pairs",
    )


def lead_pair_is_there(situation: Situation) -> Iterator[Finding]:
    """A lead pair that was named is one of the pool; the default one may be missing."""
    settings, pool = situation.settings, situation.named_pool
    lead = settings.features.lead_pair
    unused = "cross_asset" not in settings.features.groups
    if unused or not pool or lead_among(pool, lead):
        return
    # A name that the user has written must not go unheeded; the default may.
    if "lead_pair" not in mapping(situation.signals.get("features")):
        yield ok(f"{lead} is none of the pool's pairs; their mean leads in its place")
        return
    yield error(
        f"freqai.signals.features.lead_pair: {lead!r} is none of the pool's pairs "
        f"({', '.join(pool)})",
        "",
        "name one of them or its coin, or leave the key out, then their mean leads where "
        f"{FeatureSettings().lead_pair} is missing",
    )


def _is_number(value: Any) -> TypeGuard[float]:
    # A bool is an int in Python.
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
