"""No open candle counts as closed: behind a candle of tomorrow, or by a clock that is ahead."""

import logging
import threading
import time
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from freqtrade.exchange import Exchange

from freqai_signals.live.alerts import Ahead
from freqai_signals.plugin.freqai.broken_candles import mark_broken_candles
from freqai_signals.plugin.freqai.exchange_clock import ExchangeClock, clock_of
from tests.plugin.freqai.test_broken_candles import KEY, MINUTE, Offline, tick

DAY = 24 * 60
AHEAD = 20 * MINUTE
NOON = 28_401_840
"""Number of the candle that is open."""


@pytest.fixture
def exchange() -> Offline:
    made = Offline()
    mark_broken_candles(made, 60)
    return made


def arrives(exchange: Offline, ticks: list[list[Any]], machine: int) -> list[int]:
    """Numbers of the candles that freqtrade keeps, asked by this machine's clock."""
    frame = exchange._process_ohlcv_df(*KEY, ticks, True, True, machine)
    pd.testing.assert_frame_equal(frame, exchange._klines[KEY])
    return [int(date.timestamp()) // 60 - NOON for date in frame["date"]]


def ticks(*numbers: int) -> list[list[Any]]:
    return [tick(NOON + number) for number in numbers]


def refreshed(exchange: Offline) -> int:
    return exchange._pairs_last_refresh_time[KEY] // MINUTE - NOON


MACHINE = NOON * MINUTE + 40_000


@pytest.mark.parametrize("tomorrow", [[], [DAY], [1, DAY], [DAY, 2 * DAY]])
def test_no_open_candle_is_kept_before_one_of_tomorrow(
    exchange: Offline, tomorrow: list[int]
) -> None:
    assert arrives(exchange, ticks(-3, -2, -1, 0, *tomorrow), MACHINE) == [-3, -2, -1]
    assert refreshed(exchange) == -1
    assert clock_of(exchange, 60).ahead == Ahead(frozenset({"BTC/USDT"} if tomorrow else ()))
    # The open candle closes; nothing of tomorrow is left.
    assert arrives(exchange, ticks(-1, 0, 1), MACHINE + MINUTE) == [-3, -2, -1, 0]
    assert refreshed(exchange) == 0
    assert clock_of(exchange, 60).ahead == Ahead()


def test_freqtrade_alone_keeps_it() -> None:
    """The reason for all this; a version that does not may do without."""
    alone = Offline()
    assert arrives(alone, ticks(-3, -2, -1, 0, DAY), MACHINE) == [-3, -2, -1, 0]
    assert refreshed(alone) == 0


def test_an_answer_of_nothing_but_tomorrow_is_asked_for_again(exchange: Offline) -> None:
    assert arrives(exchange, ticks(DAY), MACHINE) == []
    assert KEY not in exchange._pairs_last_refresh_time
    assert arrives(exchange, ticks(-2, -1, 0), MACHINE + 5000) == [-2, -1]


def test_a_candle_that_opens_while_the_answer_comes_is_no_fault(exchange: Offline) -> None:
    arrives(exchange, ticks(-2, -1, 0, 1), NOON * MINUTE + 59_900)
    assert clock_of(exchange, 60).ahead == Ahead()


class Api:
    """ccxt's exchange, whose clock is right."""

    def __init__(self) -> None:
        self.asked = 0

    def fetch_time(self) -> int:
        self.asked += 1
        return int(time.time() * 1000) - AHEAD


def test_a_clock_ahead_takes_no_open_candle_for_a_closed_one() -> None:
    exchange, api = Offline(), Api()
    exchange._api = api
    mark_broken_candles(exchange, 60)
    machine = MACHINE + AHEAD
    assert arrives(exchange, ticks(-3, -2, -1, 0), machine) == [-3, -2, -1]
    assert refreshed(exchange) == -1
    assert clock_of(exchange, 60).ahead.seconds == pytest.approx(AHEAD / 1000, abs=1.0)
    assert not clock_of(exchange, 60).ahead.pairs
    arrives(exchange, ticks(-3, -2, -1, 0, DAY), machine + 5000)
    assert arrives(exchange, ticks(-1, 0), machine + 10_000) == [-3, -2, -1]
    assert api.asked == 1, "once a candle"
    assert arrives(exchange, ticks(-1, 0, 1), machine + MINUTE) == [-3, -2, -1, 0]
    assert api.asked == 2


def test_by_name_as_by_place(exchange: Offline) -> None:
    frame = exchange._process_ohlcv_df(
        *KEY, ticks=ticks(-1, 0, DAY), cache=False, drop_incomplete=True, fetch_start_ms=MACHINE
    )
    assert len(frame) == 1


def test_another_version_of_freqtrade_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    other = SimpleNamespace(_process_ohlcv_df=lambda pair, rows: (pair, rows))
    with caplog.at_level(logging.WARNING):
        mark_broken_candles(other, 60)
    assert other._process_ohlcv_df("BTC/USDT", [1]) == ("BTC/USDT", [1])
    assert caplog.text.count("not found in this version") == 1


def test_no_open_candle_is_downloaded_to_train_on() -> None:
    exchange, now = Offline(), int(time.time()) // 60
    exchange._api = Api()
    mark_broken_candles(exchange, 60)
    exchange.loaded = [tick(number) for number in range(now - 40, now + 1)]
    frame = exchange.get_historic_ohlcv("BTC/USDT", timeframe="1m")
    last = int(frame["date"].iloc[-1].timestamp()) // 60
    # A minute may have gone by meanwhile.
    assert last - (now - 20) in (-1, 0)


def clock(machine: list[float], offset: list[float | Exception]) -> ExchangeClock:
    def fetch_time() -> float:
        if isinstance(offset[0], Exception):
            raise offset[0]
        return (machine[0] - offset[0]) * 1000

    return ExchangeClock(SimpleNamespace(fetch_time=fetch_time), 60, lambda: machine[0])


def test_a_clock_that_is_right_or_behind_corrects_nothing() -> None:
    for offset in (0.9, 0.0, -1200.0):
        assert clock([6000.0], [offset]).time_ms() == 6_000_000


@pytest.mark.parametrize("read_after", [0.0, 4.0, 18.0])
def test_a_slow_answer_closes_no_candle_early(read_after: float) -> None:
    """The exchange reads its time somewhere in the 18 s that its answer takes."""
    ahead, machine = 846.0, [10_000.0]

    def fetch_time() -> float:
        told = machine[0] + read_after - ahead
        machine[0] += 18.0
        return told * 1000

    watched = ExchangeClock(SimpleNamespace(fetch_time=fetch_time), 60, lambda: machine[0])
    said = watched.time_ms() / 1000
    exchange = machine[0] - ahead
    # The time asked for was this machine's before the answer.
    assert said <= exchange - 18.0
    later = watched.time_ms(machine[0] * 1000) / 1000
    assert exchange - 18.0 <= later <= exchange


def test_a_slow_answer_makes_no_right_clock_one_ahead() -> None:
    machine = [10_000.0]

    def fetch_time() -> float:
        machine[0] += 5.0
        return machine[0] * 1000

    watched = ExchangeClock(SimpleNamespace(fetch_time=fetch_time), 60, lambda: machine[0])
    assert watched.time_ms(machine[0] * 1000) == 10_000_000


def test_an_exchange_that_does_not_answer_leaves_what_was_known() -> None:
    machine, offset = [6000.0], [OSError("away")]  # type: ignore[var-annotated]
    watched = clock(machine, offset)
    assert watched.time_ms() == 6_000_000
    machine[0], offset[0] = 6060.0, 90.0
    assert watched.time_ms() == 5_970_000
    machine[0], offset[0] = 6120.0, ValueError("no number")
    assert watched.time_ms() == 6_030_000
    machine[0], offset[0] = 6180.0, 0.0
    assert watched.time_ms() == 6_180_000


def test_an_exchange_that_did_not_answer_is_asked_again_in_the_same_candle() -> None:
    """Else a clock that was put ahead a moment ago would show an open candle as closed."""
    answers: list[int | Exception] = [OSError("busy"), 6_000_000]

    def fetch_time() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    watched = ExchangeClock(SimpleNamespace(fetch_time=fetch_time), 60, lambda: 9600.0)
    assert watched.time_ms() == 6_000_000, "at once"
    assert watched.time_ms() == 6_000_000
    answers += [OSError("busy"), OSError("busy"), 6_060_000]
    watched._now = lambda: 13_260.0
    assert watched.time_ms() == 9_660_000, "what was known"
    assert watched.time_ms() == 6_060_000, "at the next pair"
    answers += [OSError("busy")] * 9
    watched._now = lambda: 16_860.0
    assert {watched.time_ms() for _ in range(5)} == {9_660_000}
    assert len(answers) == 3, "six times a candle at most"


def test_no_other_thread_asks() -> None:
    watched = clock([6000.0], [90.0])
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(watched.time_ms()))
    thread.start()
    thread.join()
    assert found == [6_000_000]
    assert watched.time_ms() == 5_910_000


def test_freqtrade_has_what_is_replaced() -> None:
    assert callable(Exchange._process_ohlcv_df)
    assert callable(Exchange.get_historic_ohlcv)
