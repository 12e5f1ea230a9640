"""Decided candles: the width at a trade's entry, and whether the last one may open a trade."""

import math

import pandas as pd
import pytest

from freqai_signals.schema import BARRIER_COLUMN
from freqai_signals.trading.entries import DecidedCandles, freshness

SECONDS = 300
NOON = pd.Timestamp("2024-03-01 12:00", tz="UTC")
CANDLE = pd.Timedelta(seconds=SECONDS)


def candles(*trust: float) -> DecidedCandles:
    dates = pd.date_range(NOON, periods=len(trust), freq="5min")
    return DecidedCandles.of(
        pd.DataFrame({"date": dates, BARRIER_COLUMN: 0.01, "do_predict": trust})
    )


def test_width_is_that_of_the_candle_before_the_entry() -> None:
    frame = pd.DataFrame(
        {"date": pd.date_range(NOON, periods=3, freq="5min"), BARRIER_COLUMN: [0.01, 0.02, 0.03]}
    )
    candles = DecidedCandles.of(frame)
    opened = int(NOON.timestamp()) + 600
    assert candles.width_at_entry(opened, SECONDS) == 0.02
    assert candles.width_at_entry(opened + 299, SECONDS) == 0.02
    assert candles.width_at_entry(opened + 300, SECONDS) == 0.03
    assert math.isnan(candles.width_at_entry(opened + 600, SECONDS))
    assert math.isnan(candles.width_at_entry(opened - 600, SECONDS))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_width_does_not_depend_on_the_unit_of_dates(unit: str) -> None:
    dates = pd.Series(pd.date_range(NOON, periods=2, freq="5min")).dt.as_unit(unit)
    candles = DecidedCandles.of(pd.DataFrame({"date": dates, BARRIER_COLUMN: [0.01, 0.02]}))
    assert candles.width_at_entry(int(NOON.timestamp()) + 300, SECONDS) == 0.01


@pytest.mark.parametrize(
    ("seconds", "fresh"), [(0, True), (299, True), (300, False), (3600, False)]
)
def test_prediction_is_fresh_for_one_candle(seconds: int, fresh: bool) -> None:
    now = NOON + CANDLE + pd.Timedelta(seconds=seconds)
    verdict = freshness(candles(1), now, SECONDS)
    assert verdict.fresh is fresh
    assert bool(verdict.reason) is not fresh


def test_stale_prediction_is_reported_with_its_age() -> None:
    verdict = freshness(candles(1), NOON + 3 * CANDLE, SECONDS)
    assert verdict.reason == "the last prediction is 600 s old, candle 2024-03-01 12:00"


@pytest.mark.parametrize("trust", [0, 2, math.nan])
def test_untrusted_prediction_is_not_fresh(trust: float) -> None:
    verdict = freshness(candles(trust), NOON + CANDLE, SECONDS)
    assert not verdict.fresh
    assert "not trusted" in verdict.reason


def test_without_do_predict_nothing_is_trusted() -> None:
    frame = pd.DataFrame({"date": [NOON], BARRIER_COLUMN: [0.01]})
    assert not freshness(DecidedCandles.of(frame), NOON + CANDLE, SECONDS).fresh


@pytest.mark.parametrize("decided", [None, candles(), candles(1)])
def test_no_candle_that_has_closed_is_not_fresh(decided: DecidedCandles | None) -> None:
    verdict = freshness(decided, NOON + CANDLE / 2, SECONDS)
    assert verdict.reason == "there is no analysed candle"


@pytest.mark.parametrize("later", [0, 1])
def test_candles_that_close_later_are_ignored(later: int) -> None:
    for now in (NOON + CANDLE, NOON + 2 * CANDLE):
        expected = freshness(candles(0, 1), now, SECONDS)
        assert freshness(candles(0, 1, later), now, SECONDS) == expected
