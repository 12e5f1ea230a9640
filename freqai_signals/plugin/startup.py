"""Everything that can be known to be wrong before the first model is trained, in one message."""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from freqtrade.configuration import TimeRange
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType, RunMode

from freqai_signals.config import SettingsError, pool_pairs, settings_from_config
from freqai_signals.dataset.candles import Span, coverage_problems, needed_span
from freqai_signals.dataset.features.inputs import lead_among
from freqai_signals.dataset.pair_tables import row_memory
from freqai_signals.ledger.sql_tables import LONGEST_NAME
from freqai_signals.settings import FeatureSettings, SignalSettings

logger = logging.getLogger(__name__)

SpanReader = Callable[[str, str], Span | None]
"""Span of the candles of a pair and timeframe, None if there are none; ValueError if unreadable."""


def checked_settings(
    config: Mapping[str, Any], backtest: tuple[int, int] | None, read_span: SpanReader
) -> SignalSettings:
    """Read the settings and hold them against the candles on disk.

    Parameters
    ----------
    config
        freqtrade's merged config.
    backtest
        Start and end of the backtest, seconds since 1970; None where candles are not on disk yet
        (live) or the command looks at the start-up length itself.
    read_span
        Reads the span of one pair's candles.

    Raises
    ------
    SettingsError
        Listing every problem with settings and candles.
    """
    problems: list[str] = []
    try:
        settings = settings_from_config(config)
    except SettingsError as error:
        problems += error.problems
        settings = _readable(config)
    problems += _lead_problems(config, settings) + _pool_problems(config, settings)
    problems += _ledger_problems(config, settings)
    if backtest is not None:
        problems += _candle_problems(config, settings, backtest, read_span)
    if problems:
        raise SettingsError(problems)
    return settings


def backtest_span(config: Mapping[str, Any]) -> tuple[int, int] | None:
    """Start and end of what is to be backtested; None where nothing is, or start-up is varied."""
    if config.get("runmode") not in (RunMode.BACKTEST, RunMode.HYPEROPT):
        return None
    timerange = TimeRange.parse_timerange(config.get("timerange"))
    return (timerange.startts, timerange.stopts) if timerange.stopts else None


def stored_spans(config: Mapping[str, Any]) -> SpanReader:
    """Reads the span of a pair's stored candles."""

    def read(pair: str, timeframe: str) -> Span | None:
        folder, kind = config["datadir"], CandleType.get_default(config.get("trading_mode", "spot"))
        handler = get_datahandler(folder, config.get("dataformat_ohlcv", "feather"))
        first, last, count = handler.ohlcv_data_min_max(pair, timeframe, kind)
        file = handler._pair_data_filename(folder, pair, timeframe, kind)
        if not count and file.exists():
            raise ValueError(f"candle file {file} is damaged or empty; delete it, download anew")
        return Span(first, last) if count else None

    return read


def _lead_problems(config: Mapping[str, Any], settings: SignalSettings) -> list[str]:
    """A lead pair that was named but is not there; the default one may be missing."""
    pool = pool_pairs(settings, config)
    lead = settings.features.lead_pair
    unused = not pool or "cross_asset" not in settings.features.groups
    if unused or lead_among(pool, lead):
        return []
    signals = _mapping(_mapping(config.get("freqai")).get("signals"))
    if "lead_pair" not in _mapping(signals.get("features")):
        logger.info("%s is none of the pool's pairs; their mean leads in its place", lead)
        return []
    return [
        f"freqai.signals.features.lead_pair: {lead!r} is none of the pool's pairs "
        f"({', '.join(pool)}); name one of them or its coin, or leave the key out, then their mean "
        f"leads where {FeatureSettings().lead_pair} is missing"
    ]


def _pool_problems(config: Mapping[str, Any], settings: SignalSettings) -> list[str]:
    """Pairs of the pool that a running bot would train without, though backtests have them.

    Live, FreqAI loads the candles of the config's own whitelist, whatever pairlists make of it.
    """
    if config.get("runmode") not in ("dry_run", "live"):
        return []
    whitelist = config["exchange"].get("pair_whitelist") or []
    missing = [pair for pair in settings.model.pool_pairs if pair not in whitelist]
    if not missing:
        return []
    return [
        f"freqai.signals.model.pool_pairs: {', '.join(missing)} are not in "
        f"exchange.pair_whitelist ({', '.join(whitelist)}), and a running bot has candles of those "
        "pairs only; add them there, where they are traded too, or take them out of pool_pairs"
    ]


def _ledger_problems(config: Mapping[str, Any], settings: SignalSettings) -> list[str]:
    """Names of a running bot that PostgreSQL would refuse, row by row; SQLite takes any."""
    live = config.get("runmode") in ("dry_run", "live") and settings.ledger.enabled
    if not live or not settings.ledger.url.startswith("postgresql"):
        return []
    identifier = str(_mapping(config.get("freqai")).get("identifier", ""))
    named = [("freqai.identifier", identifier)]
    named += [("exchange.pair_whitelist", pair) for pair in config["exchange"]["pair_whitelist"]]
    return [
        f"{where}: {name!r} has {len(name)} characters, the ledger in PostgreSQL keeps "
        f"{LONGEST_NAME}; shorten it, or keep the ledger in SQLite"
        for where, name in named
        if len(name) > LONGEST_NAME
    ]


def _candle_problems(
    config: Mapping[str, Any],
    settings: SignalSettings,
    backtest: tuple[int, int],
    read_span: SpanReader,
) -> list[str]:
    pairs = sorted({*config["exchange"]["pair_whitelist"], *pool_pairs(settings, config)})
    spans: dict[str, Span | None] = {}
    problems = []
    for pair in pairs:
        try:
            spans[pair] = read_span(pair, settings.timeframe)
        except ValueError as error:
            problems.append(f"{pair}: {error}")
    start, stop = (datetime.fromtimestamp(seconds, UTC) for seconds in backtest)
    needed = needed_span(start, stop, settings, row_memory(settings))
    problems += coverage_problems(spans, needed, settings)
    if not problems:
        _tell_late_pairs(spans, needed, start)
    return problems


def _tell_late_pairs(spans: Mapping[str, Span | None], needed: Span, start: datetime) -> None:
    """The pool predicts a pair that begins late; freqtrade trades it only later still."""
    for pair, span in spans.items():
        if span is not None and span.first > needed.first:
            logger.warning(
                "%s: its first candle is of %s; the pool's model predicts it from the start, but "
                "freqtrade trades it only from %s on, train period and start-up after that candle",
                pair,
                f"{span.first:%Y-%m-%d %H:%M}",
                f"{span.first + (start - needed.first):%Y-%m-%d %H:%M}",
            )


def _readable(config: Mapping[str, Any]) -> SignalSettings:
    """Defaults with what can be read of a config that has problems, to look at its candles."""
    freqai = _mapping(config.get("freqai"))
    given = {
        "timeframe": config.get("timeframe"),
        "train_period_days": freqai.get("train_period_days"),
        "model": _mapping(freqai.get("signals")).get("model"),
        "features": _mapping(freqai.get("signals")).get("features"),
    }
    readable = {}
    for name, value in given.items():
        # One by one: a value that is wrong, or suits another section only, must not hide the rest.
        try:
            whole_day = 86400 % SignalSettings.model_validate({name: value}).candle_seconds == 0
        except ValueError:
            continue
        if whole_day:
            readable[name] = value
    return SignalSettings.model_validate(readable)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
