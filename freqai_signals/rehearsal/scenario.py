"""Scenario of a rehearsal: config, candles, time."""

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from freqai_signals.files import merged_config
from freqai_signals.rehearsal.bot import STRATEGY
from freqai_signals.rehearsal.fast_clock import FastClock
from freqai_signals.rehearsal.incidents import Incidents
from freqai_signals.rehearsal.rotation import rotating_pairlist
from freqai_signals.sandbox.exchange.app import contracts_of
from freqai_signals.sandbox.exchange.candle_store import CandleSeries, CandleStore
from freqai_signals.sandbox.exchange.clock import WEEK_MS, wall_clock_ms, weeks_onto_clock
from freqai_signals.sandbox.exchange.faults import spoiled
from freqai_signals.sandbox.market.spec import MarketSpec
from freqai_signals.sandbox.runner.bot_config import bot_config_in
from freqai_signals.sandbox.runner.live_folder import last_opening
from freqai_signals.schema import OHLCV
from freqai_signals.settings import SignalSettings

DAY_MS: Final = 86_400_000
NO_INCIDENTS: Final = Incidents()


@dataclass(frozen=True)
class Rehearsal:
    """Request of a rehearsal.

    Attributes
    ----------
    config
        freqtrade's config files; later ones win.
    folder
        Folder of this rehearsal.
    days
        Market days.
    speed
        Times the clock; 1 needs no faketime.
    datadir, market
        Candles; without a folder the simulated market.
    pairs
        Whitelist; empty takes that of the config.
    start
        Market date to begin at; None takes the last ``days`` of the candles. At speed 1 the
        candles are moved onto the clock instead.
    faults
        Share of requests that fail.
    incidents
        Whether candles are missing and late, and the exchange is down for a while.
    rotate
        Pairs that the bot trades at a time, every hour others of the whitelist; 0 trades all.
    code
        Folders of strategy and model.
    strategy
        Class to run.
    """

    config: tuple[Path, ...]
    folder: Path
    days: float = 1.0
    speed: float = 60.0
    datadir: Path | None = None
    market: MarketSpec = field(default_factory=MarketSpec)
    pairs: tuple[str, ...] = ()
    start: dt.datetime | None = None
    faults: float = 0.0
    incidents: bool = False
    rotate: int = 0
    code: tuple[Path, Path] = (Path("strategies"), Path("freqai_models"))
    strategy: str = STRATEGY


def rehearsed_config(request: Rehearsal) -> dict[str, Any]:
    """The bot's config, without what two bots cannot share: ports and chats.

    Raises
    ------
    ValueError
        If a file is not JSON; the message names it. If there are too few pairs to rotate.
    """
    config = merged_config(request.config)
    if request.pairs:
        config["exchange"]["pair_whitelist"] = list(request.pairs)
    if request.rotate:
        pairs = config["exchange"]["pair_whitelist"]
        if not request.rotate < len(pairs):
            raise ValueError(
                f"--rotate {request.rotate} needs more pairs than that, got {len(pairs)}"
            )
        config["pairlists"] = [rotating_pairlist(request.folder, request.rotate)]
    for section in ("api_server", "telegram", "webhook", "discord"):
        config.pop(section, None)
    return config | {"dry_run": True, "cancel_open_orders_on_exit": False}


def rehearsed_time(request: Rehearsal, candles: Path) -> tuple[FastClock, int]:
    """The rehearsal's clock, and the ms to add to the dates of stored candles.

    Raises
    ------
    ValueError
        If a date to start at is given in real time.
    """
    now, last = wall_clock_ms(), last_opening(candles, bot_config_in(rehearsed_config(request)))
    if request.speed == 1:
        if request.start is not None:
            raise ValueError("--start needs --speed above 1: in real time a rehearsal starts now")
        return FastClock(now, now), weeks_onto_clock(last, now, request.days) * WEEK_MS
    start = last - int(request.days * DAY_MS)
    if request.start is not None:
        start = int(request.start.timestamp() * 1000)
    return FastClock(start - start % 300_000, now, request.speed), 0


def announcement(request: Rehearsal, clock: FastClock) -> str:
    """What is rehearsed, and how long it takes."""
    start = dt.datetime.fromtimestamp(clock.start_ms / 1000, dt.UTC)
    hours = request.days * 24 / request.speed
    pace = "in real time" if request.speed == 1 else f"at {request.speed:g} times the clock"
    return f"Rehearsing {request.days:g} days from {start:%Y-%m-%d %H:%M} on {pace}: {hours:.2f} h"


def load_candles(
    folder: Path,
    pairs: tuple[str, ...],
    settings: SignalSettings,
    shift_ms: int = 0,
    incidents: Incidents = NO_INCIDENTS,
) -> dict[str, pd.DataFrame]:
    """Base candles of each pair on the clock of the rehearsal, without holes.

    Parameters
    ----------
    folder
        Served by the exchange.
    pairs
        Full names.
    settings
        Timeframe.
    shift_ms
        Added to the dates of stored candles.
    incidents
        Candles that the exchange never serves, or without a price, are filled like any hole; other
        spoiled ones are as it serves them.

    Raises
    ------
    ValueError
        If the folder lacks a pair.
    """
    futures = any(":" in pair for pair in pairs)
    store = contracts_of(folder).candles if futures else CandleStore(folder)
    absent = [pair for pair in pairs if pair not in store.pairs]
    if absent:
        held = ", ".join(store.pairs)
        raise ValueError(f"{folder} has no candles of {', '.join(absent)}; it holds {held}")
    return {
        pair: without_holes(
            _frame(store.series(pair, settings.timeframe), shift_ms, pair, incidents),
            settings.candle_seconds,
        )
        for pair in pairs
    }


def without_holes(candles: pd.DataFrame, candle_seconds: int) -> pd.DataFrame:
    """Candles with missing ones filled flat at the close before, volume 0, as freqtrade does."""
    frame = candles.set_index("date").asfreq(f"{candle_seconds}s")
    frame["close"] = frame["close"].ffill()
    for name in ("open", "high", "low"):
        frame[name] = frame[name].fillna(frame["close"])
    frame = frame.fillna({"volume": 0.0}).reset_index()
    return frame.assign(date=frame["date"].dt.as_unit("ms"))


def _frame(series: CandleSeries, shift_ms: int, pair: str, incidents: Incidents) -> pd.DataFrame:
    opened, values = series.time + shift_ms, series.values
    wrong = [(at, kind) for name, at, kind in incidents.spoiled if name == pair]
    if wrong:
        values = values.copy()
    for at, kind in wrong:
        values[opened == at, :4] = [spoiled(kind, row) for row in values[opened == at, :4]]
    kept = ~np.isin(opened, incidents.unserved(pair))
    dates = pd.to_datetime(opened[kept], unit="ms", utc=True).as_unit("ms")
    return pd.DataFrame({"date": dates, **{name: values[kept, i] for i, name in enumerate(OHLCV)}})
