"""A rehearsal from its request to its outcome."""

import datetime as dt
import json
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from freqai_signals.config import settings_from_config
from freqai_signals.evaluation.backtest_record import OUTCOME_COLUMN
from freqai_signals.evaluation.live_record import LiveRow
from freqai_signals.models import artefact
from freqai_signals.models.signal_model import SignalModel
from freqai_signals.rehearsal.acceleration import FastClock
from freqai_signals.rehearsal.parity import History, Parity, compare, without_holes
from freqai_signals.rehearsal.progress import Progress
from freqai_signals.rehearsal.stage import Stage, write_config
from freqai_signals.sandbox.book import CandleBook, CandleSeries
from freqai_signals.sandbox.clock import WEEK_MS, Clock, wall_clock_ms, weeks_onto_clock
from freqai_signals.sandbox.exchange import contracts_of, create_exchange
from freqai_signals.sandbox.faults import Faults
from freqai_signals.sandbox.live import last_opening
from freqai_signals.sandbox.request_log import RequestLog
from freqai_signals.sandbox.runner import served_folder
from freqai_signals.sandbox.server import serving
from freqai_signals.sandbox.spec import MarketSpec
from freqai_signals.schema import LABEL_COLUMN, OHLCV, REALISED_RETURN_COLUMN
from freqai_signals.settings import SignalSettings
from freqai_signals.training.panel import add_labels

STOPPED: Final = ("stop_loss", "trailing_stop_loss", "stoploss_on_exchange", "stop_barrier")
"""Exit reasons after which a pair cools down."""

_DAY_MS: Final = 86_400_000


@dataclass(frozen=True)
class Rehearsal:
    """What is to be rehearsed.

    Attributes
    ----------
    config
        freqtrade's config file, plain JSON.
    folder
        Where everything of this rehearsal is kept.
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
    code
        Folders of strategy and model.
    """

    config: Path
    folder: Path
    days: float = 1.0
    speed: float = 60.0
    datadir: Path | None = None
    market: MarketSpec = field(default_factory=MarketSpec)
    pairs: tuple[str, ...] = ()
    start: dt.datetime | None = None
    faults: float = 0.0
    code: tuple[Path, Path] = (Path("strategies"), Path("freqai_models"))


@dataclass(frozen=True)
class Outcome:
    """What a rehearsal showed.

    Attributes
    ----------
    parity
        Live against history.
    frames
        Pair to what the history says, with outcomes where they are known by now.
    trades
        Rows of the bot's database.
    delays
        Shape ``(n,)``, seconds of the wall clock from a candle's close to its decision.
    memory
        Samples of market hours since the start and the bot's resident megabytes, shape ``(n, 2)``.
    faults
        Faults met, by kind.
    exit_status
        Of the bot, -1 if it had to be killed.
    folder
        Of the rehearsal.
    """

    parity: Parity
    frames: Mapping[str, pd.DataFrame]
    trades: list[dict[str, Any]]
    delays: np.ndarray
    memory: np.ndarray
    faults: Mapping[str, int]
    exit_status: int
    folder: Path


def rehearse(request: Rehearsal, notify: Callable[[str], None]) -> Outcome:
    """Run the bot for the requested time and compare what it said with the history.

    Raises
    ------
    ValueError
        If config, candles or speed cannot work; the message says why.
    """
    config = _config(request)
    pairs = tuple(config["exchange"]["pair_whitelist"])
    settings = settings_from_config(config)
    candles = served_folder(request.datadir, request.market, pairs, notify).resolve()
    clock, shift_ms = _time(request, candles)
    history = load_candles(candles, pairs, settings, shift_ms)
    request.folder.mkdir(parents=True, exist_ok=True)
    faults = Faults(
        share=request.faults,
        slow_seconds=1.0 / request.speed,
        timeout_seconds=30.0 / request.speed,
    )
    with closing(RequestLog(request.folder / "requests.log")) as log:
        app = create_exchange(candles, Clock(now_ms=clock, shift_ms=shift_ms), log, faults)
        with serving(app) as url:
            path = write_config(request.folder / "config.json", config)
            stage = Stage(request.folder, candles, url, clock, bot_options(path, request.code))
            for pair, frame in history.items():
                stage.seed(pair, frame, settings.timeframe)
            notify(_told(request, clock))
            # The bot's time begins when it starts; the seconds of loading are not part of it.
            clock.begin()
            status, memory = _play(stage, request)
    return outcome(stage, history, settings, status, memory, faults)


def bot_options(config: Path, code: tuple[Path, Path]) -> tuple[str, ...]:
    """Freqtrade's options for a config, our strategy and our model."""
    return (
        *("--config", str(config.resolve())),
        *("--strategy", "LightGBMSignalStrategy", "--strategy-path", str(code[0].resolve())),
        *("--freqaimodel", "LightGBMSignalClassifier"),
        *("--freqaimodel-path", str(code[1].resolve())),
    )


def load_candles(
    folder: Path, pairs: tuple[str, ...], settings: SignalSettings, shift_ms: int = 0
) -> dict[str, pd.DataFrame]:
    """Base candles of each pair on the clock of the rehearsal, without holes."""
    futures = any(":" in pair for pair in pairs)
    book = contracts_of(folder).candles if futures else CandleBook(folder)
    missing = [pair for pair in pairs if pair not in book.pairs]
    if missing:
        held = ", ".join(book.pairs)
        raise ValueError(f"{folder} has no candles of {', '.join(missing)}; it holds {held}")
    return {
        pair: without_holes(
            _frame(book.series(pair, settings.timeframe), shift_ms), settings.candle_seconds
        )
        for pair in pairs
    }


def outcome(
    stage: Stage,
    candles: Mapping[str, pd.DataFrame],
    settings: SignalSettings,
    status: int,
    memory: np.ndarray,
    faults: Faults,
) -> Outcome:
    """Compare and score what a stage has recorded."""
    rows = list(stage.record.rows())
    trades = stage.trades()
    store = stage.folder / "user_data" / "signals" / "models"
    models = _Models(store)
    parity = compare(rows, History(candles, settings, _stops(trades, settings), models))
    costs = {row.pair: row.cost for row in rows}
    frames = {
        pair: _with_outcomes(frame, candles[pair], settings, costs[pair])
        for pair, frame in parity.expected.items()
    }
    found = Outcome(
        parity=parity,
        frames=frames,
        trades=trades,
        delays=_delays(rows, settings) / stage.clock.speed,
        memory=memory,
        faults=dict(faults.counts),
        exit_status=status,
        folder=stage.folder,
    )
    text = json.dumps(parity.as_dict(), indent=1, default=str)
    (stage.folder / "parity.json").write_text(text)
    return found


class _Models:
    """Models of a store by the first 48 bits of their key, each read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[int, SignalModel | None] = {}

    def __call__(self, number: int) -> SignalModel | None:
        if number not in self._read:
            found = sorted(self._folder.glob(f"{number:012x}*.model"))
            self._read[number] = artefact.read(found[0]) if found else None
        return self._read[number]


def _play(stage: Stage, request: Rehearsal) -> tuple[int, np.ndarray]:
    """Run the bot to the end of the rehearsal; its exit status and memory samples."""
    stop = stage.clock.start_ms + int(request.days * _DAY_MS)
    samples = []
    stage.start()
    try:
        with Progress(stage.clock.start_ms, stop) as progress:
            while stage.clock() < stop and stage.is_running():
                hours = (stage.clock() - stage.clock.start_ms) / 3_600_000
                samples.append((hours, stage.memory() / 1e6))
                progress.show(stage, samples[-1][1])
                time.sleep(0.5)
        return stage.end(), np.array(samples)
    finally:
        if stage.is_running():
            stage.kill()


def _config(request: Rehearsal) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads(request.config.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{request.config} is not plain JSON: {error}") from error
    if request.pairs:
        config["exchange"]["pair_whitelist"] = list(request.pairs)
    # Two bots must not fight for a port or a chat.
    for section in ("api_server", "telegram", "webhook", "discord"):
        config.pop(section, None)
    return config | {"dry_run": True, "cancel_open_orders_on_exit": False}


def _time(request: Rehearsal, candles: Path) -> tuple[FastClock, int]:
    """The rehearsal's clock, and what is added to the dates of stored candles."""
    now, last = wall_clock_ms(), last_opening(candles)
    if request.speed == 1:
        if request.start is not None:
            raise ValueError("--start needs a speed above 1: in real time it is now")
        return FastClock(now, now), weeks_onto_clock(last, now, request.days) * WEEK_MS
    start = last - int(request.days * _DAY_MS)
    if request.start is not None:
        start = int(request.start.timestamp() * 1000)
    return FastClock(start - start % 300_000, now, request.speed), 0


def _told(request: Rehearsal, clock: FastClock) -> str:
    start = dt.datetime.fromtimestamp(clock.start_ms / 1000, dt.UTC)
    hours = request.days * 24 / request.speed
    pace = "in real time" if request.speed == 1 else f"at {request.speed:g} times the clock"
    return f"Rehearsing {request.days:g} days from {start:%Y-%m-%d %H:%M} on {pace}: {hours:.2f} h"


def _frame(series: CandleSeries, shift_ms: int) -> pd.DataFrame:
    dates = pd.to_datetime(series.time + shift_ms, unit="ms", utc=True).as_unit("ms")
    return pd.DataFrame(
        {"date": dates, **{name: series.values[:, i] for i, name in enumerate(OHLCV)}}
    )


def _stops(trades: list[dict[str, Any]], settings: SignalSettings) -> dict[str, list[int]]:
    stops: dict[str, list[int]] = {}
    for trade in trades:
        if trade["close_date"] and trade["exit_reason"] in STOPPED:
            closed = pd.Timestamp(trade["close_date"], tz="UTC").timestamp()
            stops.setdefault(trade["pair"], []).append(int(closed) // settings.candle_seconds)
    return stops


def _delays(rows: list[LiveRow], settings: SignalSettings) -> np.ndarray:
    """Market seconds from a candle's close to its decision."""
    return np.array(
        [row.written - pd.Timestamp(row.date).timestamp() - settings.candle_seconds for row in rows]
    )


def _with_outcomes(
    frame: pd.DataFrame, candles: pd.DataFrame, settings: SignalSettings, cost: float
) -> pd.DataFrame:
    labelled = add_labels(candles, settings, cost).set_index("date")
    labelled = labelled.reindex(pd.DatetimeIndex(frame["date"]))
    return frame.assign(
        **{
            OUTCOME_COLUMN: labelled[LABEL_COLUMN].to_numpy(),
            REALISED_RETURN_COLUMN: labelled[REALISED_RETURN_COLUMN].to_numpy(),
        }
    )
