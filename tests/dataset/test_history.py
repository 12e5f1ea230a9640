from collections.abc import Callable

import pandas as pd

from freqai_signals.dataset.history import extended

Candles = Callable[..., pd.DataFrame]


def test_newer_candles_are_appended(candles: Candles) -> None:
    frame = candles(rows=10)
    whole = extended(frame.iloc[:6], frame.iloc[3:].reset_index(drop=True), 300)
    pd.testing.assert_frame_equal(whole, frame)


def test_without_news_the_frame_is_the_same_one(candles: Candles) -> None:
    frame = candles(rows=10)
    assert extended(frame, frame.iloc[2:8], 300) is frame
    assert extended(frame, frame.iloc[:0], 300) is frame


def test_a_pair_without_candles_begins_with_the_recent_ones(candles: Candles) -> None:
    frame = candles(rows=10)
    assert extended(None, frame, 300) is frame
    assert extended(frame.iloc[:0], frame, 300) is frame


def test_an_outage_becomes_flat_candles_without_volume(candles: Candles) -> None:
    frame = candles(rows=10)
    whole = extended(frame.iloc[:3], frame.iloc[7:], 300)
    pd.testing.assert_series_equal(whole["date"], frame["date"])
    hole = whole.iloc[3:7]
    assert (hole["volume"] == 0).all()
    assert (hole[["open", "high", "low", "close"]] == frame["close"].iloc[2]).all().all()
    pd.testing.assert_frame_equal(whole.iloc[7:], frame.iloc[7:])


def test_dates_of_another_unit_take_that_of_the_kept_candles(candles: Candles) -> None:
    frame = candles(rows=10)
    other = frame.assign(date=frame["date"].dt.as_unit("us"))
    pd.testing.assert_frame_equal(extended(frame.iloc[:6], other.iloc[3:], 300), frame)
