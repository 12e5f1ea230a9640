"""A candle that is dated ahead of the clock costs nothing but a warning."""

from types import SimpleNamespace

import pandas as pd

from freqai_signals.dataset.candles import closed
from freqai_signals.plugin.freqai.future_candles import drop_future_candles

NOW = pd.Timestamp("2024-06-03 12:00:07", tz="UTC")
KEY = ("BTC/USDT", "5m", "spot")


def frame(last: str, ahead: str = "") -> pd.DataFrame:
    """Real candles up to ``last``; with ``ahead``, one of that date behind flat ones, as filled."""
    dates = pd.date_range(end=pd.Timestamp(last, tz="UTC"), periods=50, freq="5min")
    made = pd.DataFrame({"date": dates, "close": 1.0, "volume": 1.0})
    if ahead:
        more = pd.date_range(dates[-1], pd.Timestamp(ahead, tz="UTC"), freq="5min")[1:]
        filled = pd.DataFrame({"date": more, "close": 1.0, "volume": 0.0})
        filled.loc[len(filled) - 1, "volume"] = 1.0
        made = pd.concat([made, filled], ignore_index=True)
    return made


def exchange(candles: pd.DataFrame) -> SimpleNamespace:
    return SimpleNamespace(_klines={KEY: candles}, _pairs_last_refresh_time={KEY: 1})


def test_a_candle_a_day_ahead_goes_with_the_flat_ones_and_is_asked_for_again() -> None:
    found = exchange(frame("2024-06-03 11:50", ahead="2024-06-04 11:55"))
    assert drop_future_candles(found, NOW) == ("BTC/USDT",)
    pd.testing.assert_frame_equal(found._klines[KEY], frame("2024-06-03 11:50"))
    assert KEY not in found._pairs_last_refresh_time


def test_whole_frames_are_left_alone() -> None:
    whole = frame("2024-06-03 11:55")
    found = exchange(whole)
    assert drop_future_candles(found, NOW) == ()
    assert found._klines[KEY] is whole
    assert found._pairs_last_refresh_time == {KEY: 1}


def test_a_pair_of_which_nothing_is_left_is_fetched_again() -> None:
    found = exchange(frame("2024-06-10 00:00"))
    assert drop_future_candles(found, NOW) == ("BTC/USDT",)
    assert found._klines == {}


def test_a_clock_a_little_behind_the_exchange_drops_nothing() -> None:
    """The newest closed candle opened a candle's length ago, by any clock that is nearly right."""
    late = pd.Timestamp("2024-06-03 11:55:01", tz="UTC")
    assert drop_future_candles(exchange(frame("2024-06-03 11:55")), late) == ()
    assert len(closed(frame("2024-06-03 11:55"), late, 300)) == 50
