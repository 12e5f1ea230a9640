"""What freqtrade has at its start: the situation that the preflight checks look at."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freqtrade.configuration import TimeRange
from freqtrade.enums import RunMode

from freqai_signals.dataset.pair_tables import row_memory
from freqai_signals.plugin.candle_files import stored_span
from freqai_signals.plugin.exchange_facts import exchange_facts
from freqai_signals.preflight.check_lists import refuse_or_warn
from freqai_signals.preflight.situation import Purpose, Situation, SpanReader, read_settings
from freqai_signals.report.data.looks import Look, add_look
from freqai_signals.settings import SignalSettings

_TRADING = (RunMode.DRY_RUN, RunMode.LIVE)
_BACKTESTING = (RunMode.BACKTEST, RunMode.HYPEROPT)


def checked_settings(
    config: Mapping[str, Any], read_span: SpanReader | None = None, own_exits: bool = True
) -> SignalSettings:
    """Read the settings and hold them against all that is known before the first model.

    Parameters
    ----------
    config
        freqtrade's merged config.
    read_span
        Reads the span of one pair's candles; by default from the config's data folder.
    own_exits
        Whether trades end by this package's exits.

    Raises
    ------
    SettingsError
        Listing every problem with settings and candles.
    """
    situation = situation_of(config, read_span, own_exits)
    refuse_or_warn(situation)
    return situation.settings


def situation_of(
    config: Mapping[str, Any], read_span: SpanReader | None = None, own_exits: bool = True
) -> Situation:
    """What the config and its data folder say, without a network."""
    settings, problems = read_settings(config)
    purpose = _purpose(config)
    return Situation(
        config=config,
        settings=settings,
        settings_problems=problems,
        purpose=purpose,
        backtest=timerange_of(config) if purpose == "backtest" else None,
        startup_candles=row_memory(settings),
        own_exits=own_exits,
        read_span=read_span or stored_span(config),
        exchange=None if purpose == "look" else exchange_facts(config),
    )


def timerange_of(config: Mapping[str, Any]) -> tuple[int, int] | None:
    """Start and end of the config's timerange, 0 where it leaves one open; None without one."""
    given = config.get("timerange")
    if not given:
        return None
    timerange = TimeRange.parse_timerange(str(given))
    return int(timerange.startts), int(timerange.stopts)


def _purpose(config: Mapping[str, Any]) -> Purpose:
    """What runs; commands that vary the start-up length only look."""
    runmode = config.get("runmode")
    if runmode in _TRADING:
        return "trade"
    return "backtest" if runmode in _BACKTESTING else "look"


def count_hyperopt(config: Mapping[str, Any]) -> bool:
    """Write down that a hyperopt looked at its span, once for each epoch asked for.

    Returns whether there was a hyperopt to write down.
    """
    if config.get("runmode") != RunMode.HYPEROPT:
        return False
    first, last = timerange_of(config) or (0, 0)
    look = Look("hyperopt", first, last or int(time.time()), int(config.get("epochs") or 1))
    add_look(Path(config["user_data_dir"]), look)
    return True
