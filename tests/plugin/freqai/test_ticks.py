"""freqtrade looks for the size of ticks where it trades, and finds what it found before."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from freqtrade.data.btanalysis import get_tick_size_over_time
from freqtrade.optimize import backtesting

from freqai_signals.plugin.freqai import small_frames
from freqai_signals.plugin.freqai.small_frames import look_for_ticks_where_traded, ticks

START = datetime(2024, 3, 15, 4, tzinfo=UTC)


def candles(digits: dict[int, int], first: str = "2024-01-05") -> pd.DataFrame:
    """Prices with a number of digits each month, hourly."""
    dates = pd.date_range(first, "2024-05-20", freq="1h", tz="UTC", unit="ms")
    rng = np.random.default_rng(1)
    prices = [
        round(100 + number, digits.get(month, 2))
        for number, month in zip(rng.random(len(dates)), dates.month, strict=True)
    ]
    columns = dict.fromkeys(("open", "high", "low", "close"), prices)
    return pd.DataFrame({"date": dates, **columns})


@pytest.mark.parametrize(
    "frame",
    [
        candles({1: 5, 2: 4, 3: 3, 4: 2, 5: 1}),
        candles({2: 4, 3: 0, 4: 2}),
        candles({3: 3, 4: 0}),
        candles({}, first="2024-04-03"),
        candles({1: 3})[lambda frame: frame["date"] < "2024-02-10"],
        candles({2: 1})[lambda frame: frame["date"].dt.month != 4],
    ],
    ids=["all months", "whole numbers at first", "later", "begins late", "ended", "a hole"],
)
def test_ticks_of_the_simulated_time_are_freqtrades(frame: pd.DataFrame) -> None:
    dates = pd.date_range(START, periods=180, freq="12h")
    found, whole = (
        [series.asof(date) for date in dates]
        for series in (ticks(frame.copy(), START), get_tick_size_over_time(frame.copy()))
    )
    np.testing.assert_array_equal(found, whole)


def test_all_is_looked_at_where_all_is_simulated() -> None:
    frame = candles({1: 5})
    pd.testing.assert_series_equal(ticks(frame.copy(), None), get_tick_size_over_time(frame))


def test_months_before_are_not_written_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def looked(frame: pd.DataFrame) -> Any:
        seen.append(frame["date"].iloc[0])
        return get_tick_size_over_time(frame)

    monkeypatch.setattr(small_frames, "get_tick_size_over_time", looked)
    ticks(candles({}), START)
    assert seen == [pd.Timestamp("2024-03-01", tz="UTC")]


def test_only_loading_a_backtest_is_changed_and_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []

    class Loads:
        timerange = type("Range", (), {"startdt": START})

        def load_bt_data(self) -> None:
            used.append(backtesting.get_tick_size_over_time)
            raise OSError("no candles")

    monkeypatch.setattr(backtesting, "Backtesting", Loads)
    before = backtesting.get_tick_size_over_time
    look_for_ticks_where_traded()
    changed = Loads.load_bt_data
    look_for_ticks_where_traded()
    assert Loads.load_bt_data is changed
    with pytest.raises(OSError, match="no candles"):
        Loads().load_bt_data()
    assert len(used) == 1
    assert used[0] is not before
    assert backtesting.get_tick_size_over_time is before
