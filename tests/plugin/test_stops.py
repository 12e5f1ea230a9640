"""How a running bot leaves at a stop, and how long the pair then rests, by freqtrade's objects."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from freqtrade.enums import ExitType, RunMode
from freqtrade.persistence import LocalTrade, Trade
from freqtrade.persistence.custom_data import CustomDataWrapper
from freqtrade.persistence.pairlock_middleware import PairLocks
from freqtrade.persistence.usedb_context import FtNoDBContext
from freqtrade.plugins.protectionmanager import ProtectionManager
from freqtrade.resolvers import StrategyResolver
from freqtrade.strategy import IStrategy

from freqai_signals.schema import BARRIER_COLUMN
from freqai_signals.signals.filters import Cooldown
from freqai_signals.signals.predictions import read_predictions
from tests.plugin.conftest import Bench, small_config

PAIR = "BTC/USDT"
CANDLE = timedelta(minutes=15)
NOON = pd.Timestamp("2024-03-01 12:00", tz="UTC").to_pydatetime()
WIDTH = 0.01
STOP = {False: 97.0, True: 103.0}
"""Three widths from an entry at 100, of a long and of a short."""

BEYOND = [0.0, 0.01, 5.0]
"""How far the price is beyond the stop."""


@pytest.fixture(autouse=True)
def no_database() -> Iterator[None]:
    """Trades, their data and locks in memory, as in a backtest."""
    with FtNoDBContext("15m"):
        yield
        Trade.reset_trades()
        PairLocks.reset_locks()
        CustomDataWrapper.reset_custom_data()


@pytest.fixture
def bot(bench: Bench, tmp_path: Path) -> IStrategy:
    return running(bench, tmp_path)


def running(bench: Bench, folder: Path, name: str = "LightGBMSignalStrategy") -> IStrategy:
    """The strategy of a dry run that has decided on the candle before noon."""
    config = bench.config(folder / "user", RunMode.DRY_RUN, small_config())
    strategy = StrategyResolver.load_strategy(config | {"strategy": name})
    frame = pd.DataFrame({"date": [NOON - CANDLE], BARRIER_COLUMN: WIDTH, "do_predict": 1})
    strategy._positions.decided(PAIR, frame)
    return strategy


def opened(bot: IStrategy, is_short: bool = False) -> Trade:
    """A trade opened at noon, its entry filled."""
    trade = Trade(
        id=1, pair=PAIR, base_currency="BTC", stake_currency="USDT", stake_amount=100.0,
        open_rate=100.0, amount=1.0, fee_open=0.001, fee_close=0.001, is_short=is_short,
        leverage=1.0, open_date=NOON, is_open=True, exchange="binance",
        price_precision=2, amount_precision=4, precision_mode=2, precision_mode_price=2,
    )  # fmt: skip
    trade.adjust_stop_loss(trade.open_rate, bot.stoploss, initial=True)
    bot.order_filled(pair=PAIR, trade=trade, order=None, current_time=NOON)
    bot.ft_stoploss_adjust(100.0, trade, NOON, 0.0, 0, after_fill=True)
    return trade


def said(bot: IStrategy, trade: Trade, rate: float, now: datetime = NOON + CANDLE) -> list[str]:
    """What freqtrade would do at this price; it takes the first."""
    exits = bot.should_exit(trade, rate, now, enter=False, exit_=False)
    return [found.exit_reason for found in exits]


def beyond(is_short: bool, distance: float) -> float:
    return STOP[is_short] + (distance if is_short else -distance)


@pytest.mark.parametrize("distance", BEYOND)
@pytest.mark.parametrize("is_short", [False, True])
def test_running_bot_leaves_at_its_stop_by_freqtrades_own_stop(
    bot: IStrategy, is_short: bool, distance: float
) -> None:
    """So ``order_types["stoploss"]`` is used, and StoplossGuard counts it."""
    trade = opened(bot, is_short)
    assert trade.stop_loss == pytest.approx(STOP[is_short])
    assert said(bot, trade, beyond(is_short, -0.02)) == []
    exits = bot.should_exit(trade, beyond(is_short, distance), NOON, enter=False, exit_=False)
    assert [found.exit_type for found in exits] == [ExitType.STOP_LOSS]


def test_stop_goes_on_being_freqtrades_while_it_is_asked_for_in_every_loop(bot: IStrategy) -> None:
    trade = opened(bot)
    for rate in (100.0, 103.33, 98.7, 99.99):
        assert said(bot, trade, rate) == []
    assert said(bot, trade, 96.5)[0] in {"stop_loss", "trailing_stop_loss"}


def test_consumer_leaves_at_its_stop_by_freqtrades_own_stop(bench: Bench, tmp_path: Path) -> None:
    bot = running(bench, tmp_path, "SignalConsumerStrategy")
    trade = opened(bot)
    assert said(bot, trade, 100.0) == []
    assert said(bot, trade, 96.5)[0] in {"stop_loss", "trailing_stop_loss"}


def test_without_a_stop_of_freqtrades_the_barrier_still_ends_a_trade(bot: IStrategy) -> None:
    bot.use_custom_stoploss = False
    trade = opened(bot)
    assert trade.stop_loss == 70.0
    assert said(bot, trade, 96.9) == ["stop_barrier"]


def test_stop_on_the_exchange_is_left_there_and_hinders_no_horizon(bot: IStrategy) -> None:
    trade = opened(bot)
    bot.order_types["stoploss_on_exchange"] = True
    bot.config["dry_run"] = False
    horizon = bot.signal_settings.label_horizon_candles * CANDLE
    assert said(bot, trade, 96.0, NOON + horizon - timedelta(seconds=1)) == []
    assert said(bot, trade, 96.0, NOON + horizon) == ["horizon"]


def stopped(bot: IStrategy, at: datetime, reason: str | None = None) -> None:
    """A trade of the pair that left at its stop, or for another reason."""
    trade = opened(bot)
    trade.exit_reason = reason or said(bot, trade, 96.0)[0]
    trade.close_rate, trade.close_date, trade.close_profit = 96.0, at, -0.042
    trade.is_open = False
    LocalTrade.bt_trades.append(trade)


@pytest.mark.parametrize("reason", list(ExitType))
def test_stop_of_our_cooldown_is_a_stop_of_freqtrades_guard(
    bot: IStrategy, reason: ExitType
) -> None:
    stopped(bot, NOON, str(reason) or "none")
    guarded = ProtectionManager(bot.config, bot.protections).stop_per_pair(PAIR, NOON) is not None
    assert bool(bot._stop_candles(PAIR, NOON - CANDLE)) == guarded


@pytest.mark.parametrize("pause", [1, 3])
def test_live_decisions_entries_and_freqtrades_lock_pause_equally_long(
    bot: IStrategy, pause: int
) -> None:
    """First candle in which a trade may open after a stop in candle 5, by each of the three."""
    bot.cooldown_candles.value = pause
    at = NOON + 5 * CANDLE + timedelta(minutes=3)
    stopped(bot, at)
    seconds = int(CANDLE.total_seconds())
    first = 5 + pause + 1

    dates = pd.date_range(NOON, periods=12, freq="15min")
    proba = {"proba_sell": 0.0, "proba_hold": 0.0, "proba_buy": 1.0}
    said = {"&-signal": 2, "confidence": 1.0, "expected_return": 0.01, "do_predict": 1}
    rows = read_predictions(pd.DataFrame({"date": dates} | proba | said), seconds)
    allowed = Cooldown(pause, tuple(bot._stop_candles(PAIR, NOON))).allows(rows)
    assert np.flatnonzero(~allowed).tolist() == list(range(5, first - 1))

    def confirmed(candle: int) -> bool:
        now = NOON + candle * CANDLE
        frame = pd.DataFrame({"date": [now - CANDLE], BARRIER_COLUMN: WIDTH, "do_predict": 1})
        bot._positions.decided(PAIR, frame)
        return bot.confirm_trade_entry(pair=PAIR, current_time=now)

    assert [candle for candle in range(6, 12) if confirmed(candle)] == list(range(first, 12))

    lock = ProtectionManager(bot.config, bot.protections).stop_per_pair(PAIR, at)
    assert lock is not None
    assert lock.lock_end_time == NOON + first * CANDLE


def test_pair_rests_for_a_candle_after_a_stop_of_a_running_bot(bot: IStrategy) -> None:
    """With the shipped ``cooldown_candles`` of 0 nothing but freqtrade's guard sees to it."""
    assert bot.signal_settings.decision.cooldown_candles == 0
    at = NOON + 5 * CANDLE + timedelta(minutes=3)
    stopped(bot, at)
    guard = ProtectionManager(bot.config, bot.protections)
    lock = guard.stop_per_pair(PAIR, at)
    assert lock is not None
    assert lock.lock_end_time == NOON + 7 * CANDLE
