"""One bot's hard life: killed, cut off, away, on jumping clocks, with another whitelist."""

import json
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from freqai_signals.config import settings_from_config
from freqai_signals.live.decision_log import LiveRow
from freqai_signals.rehearsal.bot import RehearsedBot, write_config
from freqai_signals.rehearsal.execution import bot_options
from freqai_signals.rehearsal.fast_clock import FastClock
from freqai_signals.rehearsal.incidents import Incidents
from freqai_signals.rehearsal.outcome import outcome
from freqai_signals.rehearsal.run_record import RunRecord
from freqai_signals.rehearsal.scenario import load_candles
from freqai_signals.sandbox.exchange.app import create_exchange
from freqai_signals.sandbox.exchange.clock import Clock
from freqai_signals.sandbox.exchange.faults import Faults
from freqai_signals.sandbox.exchange.request_log import RequestLog
from freqai_signals.sandbox.exchange.server import serving
from freqai_signals.sandbox.market.market_files import Market
from tests.rehearsal.conftest import CODE, PAIRS, our_errors, small_config

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is not installed"),
]

SPEED = 60.0
START = pd.Timestamp("2023-02-12 00:03", tz="UTC")


@dataclass
class Life:
    bot: RehearsedBot
    faults: Faults
    candles: dict[str, pd.DataFrame]
    config: dict[str, object]

    def rows(self) -> list[LiveRow]:
        return list(self.bot.record.rows())

    def predicted(self) -> int:
        return sum(row.trust == 1 for row in self.rows())

    def wait(self, condition: Callable[[], bool], seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.bot.is_running(), self.bot.log[-3000:]
            assert time.monotonic() < deadline, self.bot.log[-3000:]
            time.sleep(0.1)

    def pass_time(self, minutes: int) -> None:
        """Let the market go on, unless the bot ends."""
        until = self.bot.clock() + 60_000 * minutes
        while self.bot.clock() < until and self.bot.is_running():
            time.sleep(0.2)

    def wait_for_predictions(self, more: int) -> None:
        wanted = self.predicted() + more
        self.wait(lambda: self.predicted() >= wanted)


@pytest.fixture
def life(market: Market, tmp_path: Path) -> Iterator[Life]:
    config, faults = small_config(), Faults()
    config["freqai"]["expiration_hours"] = 2
    clock = FastClock(int(START.timestamp() * 1000), 0, SPEED)
    settings = settings_from_config(config)
    candles = load_candles(market.folder, PAIRS, settings)
    folder = tmp_path / "stage"
    folder.mkdir()
    log = RequestLog(folder / "requests.log")
    app = create_exchange(market.folder, Clock(now_ms=clock), log, faults)
    with closing(log), serving(app) as url:
        path = write_config(folder / "config.json", config)
        bot = RehearsedBot(folder, market.folder, url, clock, bot_options(path, CODE))
        for pair, frame in candles.items():
            bot.seed(pair, frame, "5m")
        clock.begin()
        try:
            yield Life(bot, faults, candles, config)
        finally:
            if bot.is_running():
                bot.kill()


def test_the_bot_survives(life: Life) -> None:
    bot = life.bot
    bot.start()
    life.wait_for_predictions(12)

    # Killed: it goes on with the model it had, without training anew.
    bot.kill()
    models = list((bot.folder / "user_data" / "signals" / "models").glob("*.model"))
    bot.start()
    life.wait_for_predictions(6)
    assert "is not used" not in bot.log
    assert len(models) >= 1

    # The exchange is away for an hour: nothing is predicted, the bot does not end, and it goes on
    # afterwards.
    life.faults.down = True
    before = life.predicted()
    life.pass_time(60)
    assert life.predicted() <= before + 2
    assert bot.is_running()
    life.faults.down = False
    life.wait_for_predictions(6)

    # Away for five hours: no row of that time, an expired model says nothing, the next one does.
    assert bot.end(signal.SIGTERM) in (0, 130)
    last = pd.Timestamp(life.rows()[-1].date)
    opened = [trade["id"] for trade in bot.trades() if trade["is_open"]]
    bot.clock.jump(5)
    bot.start()
    life.wait_for_predictions(6)
    assert next(row for row in life.rows() if pd.Timestamp(row.date) > last).trust != 1
    dates = pd.DatetimeIndex([row.date for row in life.rows()])
    away = (dates > last + pd.Timedelta("10min")) & (dates < last + pd.Timedelta("5h"))
    assert not away.any()
    # Whatever was open had outlived its horizon: it could leave.
    life.wait(lambda: not any(t["is_open"] and t["id"] in opened for t in bot.trades()))

    run = RunRecord("", 0, bot.clock.start_ms, bot.clock(), SPEED, Incidents(), {}, 0, ())
    found = outcome(bot.folder, run, life.candles, settings_from_config(life.config))
    assert found.parity.mismatches == (), found.parity.mismatches[:5]
    trades = [(trade["pair"], trade["open_date"]) for trade in bot.trades()]
    assert len(trades) == len(set(trades))
    keys = [(row.pair, row.date) for row in life.rows() if row.trust == 1]
    assert len(keys) > 0

    # Another whitelist under the same identifier is another pool: a new model, no crash.
    bot.end()
    path = bot.folder / "config.json"
    config = json.loads(path.read_text())
    config["exchange"]["pair_whitelist"] = ["BTC/USDT"]
    path.write_text(json.dumps(config))
    bot.start()
    life.wait_for_predictions(3)
    assert re.search(r"stored model of BTC/USDT is not used, changed since: .*pool", bot.log)
    assert {row.pair for row in life.rows()[-3:]} == {"BTC/USDT"}
    assert our_errors(bot.log) == []
    assert bot.end(signal.SIGINT) in (0, 130)


def test_clocks_jump(life: Life) -> None:
    bot = life.bot
    bot.start()
    life.wait_for_predictions(8)

    # The machine slept for three hours: the model has expired, the next one goes on, and nothing
    # is said about the candles in between.
    last = pd.Timestamp(life.rows()[-1].date)
    bot.clock.jump(3)
    bot.jump(0)
    life.wait_for_predictions(6)
    dates = pd.DatetimeIndex([row.date for row in life.rows()])
    slept = (dates > last + pd.Timedelta("10min")) & (dates < last + pd.Timedelta("2h50min"))
    assert not slept.any()

    # The bot's clock alone is an hour ahead: all that the exchange shows is old, so no trade is
    # opened. Put right again, the bot trades again.
    before = {trade["id"] for trade in bot.trades()}
    ahead = bot.clock() + 3_600_000
    bot.jump(1)
    life.pass_time(30)
    opened = [trade for trade in bot.trades() if trade["id"] not in before]
    dates = [pd.Timestamp(trade["open_date"], tz="UTC").timestamp() * 1000 for trade in opened]
    assert [date for date in dates if date > ahead] == []
    bot.jump(-1)
    life.wait_for_predictions(6)
    assert our_errors(bot.log) == []
    assert bot.end() in (0, 130)
    keys = [(row.pair, row.date) for row in life.rows()]
    assert len(keys) == len(set(keys))
