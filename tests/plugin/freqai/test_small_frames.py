"""Ticks are found without text and frames cut without copies, as freqtrade would."""

import numpy as np
import pandas as pd
import pytest
from freqtrade.configuration import TimeRange
from freqtrade.data.btanalysis import get_tick_size_over_time
from freqtrade.data.converter import converter, trim_dataframe
from freqtrade.optimize import backtesting

from freqai_signals.plugin.freqai import small_frames
from freqai_signals.plugin.freqai.small_frames import spare_the_simulation, ticks, trimmed


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


def with_price(value: float) -> pd.DataFrame:
    frame = candles({})
    frame.loc[5, "high"] = value
    return frame


FRAMES = {
    "all months": candles({1: 5, 2: 4, 3: 3, 4: 2, 5: 1}),
    "whole numbers at first": candles({1: 0, 2: 4, 3: 0, 4: 2}),
    "whole numbers": candles(dict.fromkeys(range(1, 6), 0)),
    "ended": candles({1: 3})[lambda frame: frame["date"] < "2024-02-10"],
    "a hole": candles({2: 1})[lambda frame: frame["date"].dt.month != 4],
    "unknown": with_price(np.nan),
    "infinite": with_price(np.inf),
    "zero": with_price(0.0),
    "small": with_price(1.2e-7),
    "large": with_price(123_456_789_012.25),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_ticks_are_freqtrades_and_no_price_is_written_as_text(
    frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(small_frames, "get_tick_size_over_time")
    found, before = ticks(frame), frame.copy()
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_series_equal(found, get_tick_size_over_time(frame.copy()))


@pytest.mark.parametrize("value", [100 / 3, 0.1 + 0.2, 1234567.123456789, 1e-15])
def test_of_prices_that_are_no_decimal_numbers_freqtrade_reads_the_text(value: float) -> None:
    frame = with_price(value)
    found = ticks(frame)
    assert not any(name.endswith("_count") for name in frame)
    pd.testing.assert_series_equal(found, get_tick_size_over_time(frame))


def test_every_number_of_digits_at_every_size() -> None:
    rng = np.random.default_rng(2)
    for digits in range(10):
        prices = rng.integers(1, 10 ** rng.integers(1, 13, 4000)) / 10**digits
        frame = candles({}).iloc[:1000].copy()
        frame[["open", "high", "low", "close"]] = prices.reshape(1000, 4)
        pd.testing.assert_series_equal(ticks(frame), get_tick_size_over_time(frame.copy()))


def test_a_backtest_uses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtesting, "get_tick_size_over_time", get_tick_size_over_time)
    monkeypatch.setattr(backtesting, "trim_dataframe", trim_dataframe)
    monkeypatch.setattr(converter, "trim_dataframe", trim_dataframe)
    spare_the_simulation()
    assert backtesting.get_tick_size_over_time is ticks
    assert backtesting.trim_dataframe is trimmed
    frame = candles({})
    made = backtesting.trim_dataframes({"A": frame, "B": frame[:3]}, TimeRange(), 3)
    assert list(made) == ["A"]
    assert np.shares_memory(made["A"]["close"], frame["close"])


@pytest.mark.parametrize("startup", [0, 7, 10_000])
@pytest.mark.parametrize(
    "words", ["20240110-20240201", "20240110-", "-20240201", "20200101-20200102", ""]
)
def test_a_trimmed_frame_is_freqtrades_without_a_copy(words: str, startup: int) -> None:
    frame, timerange = candles({}), TimeRange.parse_timerange(words)
    frame.index += 5
    found = trimmed(frame, timerange, startup_candles=startup)
    expected = trim_dataframe(frame, timerange, startup_candles=startup)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert found.empty or np.shares_memory(found["close"], frame["close"])
    found.loc[found.index[:1], "close"] = -1.0
    assert frame["close"].min() > 0


def test_rows_that_do_not_adjoin_are_trimmed_by_freqtrade() -> None:
    frame = candles({}).sample(frac=1, random_state=1).rename(columns={"date": "open_date"})
    timerange = TimeRange.parse_timerange("20240110-20240201")
    found = trimmed(frame, timerange, df_date_col="open_date")
    expected = trim_dataframe(frame, timerange, df_date_col="open_date")
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert len(found)
