"""Open trades: barriers of the entry's candle, kept with the trade or for the run."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freqai_signals.schema import BARRIER_COLUMN
from freqai_signals.settings import ExitSettings, SignalSettings
from freqai_signals.trading.exits import Barriers, OpenTrade, exit_reason
from freqai_signals.trading.positions import Positions

CANDLE = timedelta(minutes=5)
OPENED = datetime(2024, 3, 1, 12, tzinfo=UTC)
SETTINGS = SignalSettings(exits=ExitSettings(stop_multiple=3.0, profit_multiple=2.0))
HORIZON = SETTINGS.label_horizon_candles * CANDLE


@dataclass
class Held:
    """Stub of freqtrade's trade."""

    pair: str = "BTC/USDT"
    open_date: datetime = OPENED
    open_rate: float = 100.0
    is_short: bool = False
    stop_loss: float = 70.0
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def open_date_utc(self) -> datetime:
        return self.open_date.replace(tzinfo=UTC)

    def get_custom_data(self, key: str) -> Any:
        return self.data.get(key)

    def set_custom_data(self, key: str, value: Any) -> None:
        self.data[key] = value


def frame(width: float = 0.01) -> pd.DataFrame:
    dates = pd.date_range(OPENED - 2 * CANDLE, periods=3, freq="5min")
    widths = [0.5, width, 0.5]  # the trade was decided on the second candle
    return pd.DataFrame({"date": dates, BARRIER_COLUMN: widths, "do_predict": 1})


def positions(is_live: bool = False, settings: SignalSettings = SETTINGS) -> Positions:
    made = Positions(lambda: settings, is_live)
    made.decided("BTC/USDT", frame())
    return made


def test_barriers_are_those_of_the_candle_before_the_entry() -> None:
    assert positions().barriers(Held()) == Barriers(profit=102.0, stop=97.0)
    assert positions().barriers(Held(is_short=True)) == Barriers(profit=98.0, stop=103.0)


def test_unknown_entry_has_no_barriers_and_still_ends_at_the_horizon() -> None:
    for trade in (Held(pair="ETH/USDT"), Held(open_date=OPENED + 90 * CANDLE)):
        made = positions()
        assert made.barriers(trade) == Barriers()
        assert made.exit(trade, trade.open_date + HORIZON, 1.0) == "horizon"


def test_entry_that_is_unknown_now_is_looked_up_again_later() -> None:
    made, trade = positions(), Held(pair="ETH/USDT")
    assert made.barriers(trade) == Barriers()
    made.decided("ETH/USDT", frame())
    assert made.barriers(trade).stop == 97.0


def test_width_kept_with_the_trade_survives_a_restart_without_its_candle() -> None:
    trade = Held()
    positions(is_live=True).barriers(trade)
    assert trade.data == {BARRIER_COLUMN: 0.01}
    after = Positions(lambda: SETTINGS, is_live=True)
    assert after.barriers(trade) == Barriers(profit=102.0, stop=97.0)


def test_backtest_stores_nothing_with_its_trades_and_forgets_them_each_epoch() -> None:
    made, trade = positions(), Held()
    made.barriers(trade)
    assert trade.data == {}
    made.decided("BTC/USDT", frame(0.02))
    assert made.barriers(trade).stop == 94.0


def test_running_bot_does_not_move_the_barriers_of_an_open_trade() -> None:
    made, trade = positions(is_live=True), Held()
    made.barriers(trade)
    made.decided("BTC/USDT", frame(0.02))
    assert made.barriers(trade).stop == 97.0


@pytest.mark.parametrize("is_short", [False, True])
@given(
    rate=st.sampled_from([90.0, 96.99, 97.0, 98.0, 98.01, 100.0, 101.99, 102.0, 103.0, 110.0]),
    seconds=st.sampled_from([0, 299, HORIZON.seconds - 1, HORIZON.seconds, 10**6]),
    stop=st.sampled_from([None, 3.0]),
    profit=st.sampled_from([None, 2.0]),
    horizon=st.booleans(),
)
def test_exit_follows_the_rules(
    is_short: bool, rate: float, seconds: int, stop: float | None, profit: float | None,
    horizon: bool,
) -> None:  # fmt: skip
    exits = ExitSettings(stop_multiple=stop, profit_multiple=profit, horizon=horizon)
    settings = SignalSettings(exits=exits)
    made, trade = positions(settings=settings), Held(is_short=is_short)
    state = OpenTrade(
        is_short, seconds // 300, settings.label_horizon_candles, made.barriers(trade)
    )
    expected = exit_reason(state, rate, exits)
    found = made.exit(trade, OPENED + timedelta(seconds=seconds), rate)
    assert found == (None if expected is None else str(expected))


@pytest.mark.parametrize(
    ("is_short", "stop_loss", "expected"),
    [
        (False, 97.0 * (1 + 1e-14), None),  # at the barrier, but for the last digit
        (False, 97.01, None),
        (False, 96.99, "stop_barrier"),
        (False, 0.0, "stop_barrier"),
        (True, 103.0 * (1 - 1e-14), None),
        (True, 102.99, None),
        (True, 103.01, "stop_barrier"),
        (True, 0.0, "stop_barrier"),
    ],
)
def test_running_bot_leaves_a_stop_that_is_in_place_to_freqtrade(
    is_short: bool, stop_loss: float, expected: str | None
) -> None:
    trade, beyond = Held(is_short=is_short, stop_loss=stop_loss), 110.0 if is_short else 90.0
    running = positions(is_live=True)
    assert running.exit(trade, OPENED, beyond) == expected
    assert running.exit(trade, OPENED + HORIZON, beyond) == (expected or "horizon")
    assert positions().exit(trade, OPENED, beyond) == "stop_barrier"


def test_freshness_is_that_of_the_pair() -> None:
    made = positions()
    assert made.freshness("BTC/USDT", OPENED + CANDLE).fresh
    assert not made.freshness("BTC/USDT", OPENED + 2 * CANDLE).fresh
    assert not made.freshness("ETH/USDT", OPENED + CANDLE).fresh
