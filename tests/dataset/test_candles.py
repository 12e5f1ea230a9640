"""Availability of candles: joining frames, missing history, late pairs."""

from collections.abc import Callable
from datetime import UTC, datetime

import pandas as pd
import pytest

from freqai_signals.dataset.candles import (
    PATIENCE_CANDLES,
    Openings,
    Span,
    coverage_problems,
    extended,
    late_pairs,
    needed_span,
)
from freqai_signals.settings import ModelSettings, SignalSettings

Candles = Callable[..., pd.DataFrame]


def test_newer_candles_are_appended(candles: Candles) -> None:
    frame = candles(rows=10)
    joined = extended(frame.iloc[:6], frame.iloc[3:].reset_index(drop=True), 300)
    pd.testing.assert_frame_equal(joined, frame)


def test_without_new_candles_the_same_frame_is_returned(candles: Candles) -> None:
    frame = candles(rows=10)
    assert extended(frame, frame.iloc[2:8], 300) is frame
    assert extended(frame, frame.iloc[:0], 300) is frame


def test_a_pair_without_candles_begins_with_the_recent_ones(candles: Candles) -> None:
    frame = candles(rows=10)
    assert extended(None, frame, 300) is frame
    assert extended(frame.iloc[:0], frame, 300) is frame


def test_an_outage_becomes_flat_candles_without_volume(candles: Candles) -> None:
    frame = candles(rows=10)
    joined = extended(frame.iloc[:3], frame.iloc[7:], 300)
    pd.testing.assert_series_equal(joined["date"], frame["date"])
    gap = joined.iloc[3:7]
    assert (gap["volume"] == 0).all()
    assert (gap[["open", "high", "low", "close"]] == frame["close"].iloc[2]).all().all()
    pd.testing.assert_frame_equal(joined.iloc[7:], frame.iloc[7:])


def test_dates_of_another_unit_take_that_of_the_kept_candles(candles: Candles) -> None:
    frame = candles(rows=10)
    other = frame.assign(date=frame["date"].dt.as_unit("us"))
    pd.testing.assert_frame_equal(extended(frame.iloc[:6], other.iloc[3:], 300), frame)


def test_openings_are_those_of_the_frame_at_hand(candles: Candles) -> None:
    frame, openings = candles(rows=10), Openings()
    dates = frame["date"]
    for shown in (frame, frame.iloc[2:7], frame):
        first, last = shown["date"].iloc[0], shown["date"].iloc[-1]
        for unit in ("s", "ms", "ns"):
            day = first.as_unit(unit) - pd.Timedelta("1D")
            assert openings.reach("A", shown, day)
            assert not openings.reach("A", shown, day - pd.Timedelta("1s"))
        assert openings.last("A", shown) == last
    assert openings.last("B", frame.iloc[:1]) == dates.iloc[0]
    for nothing in (frame.iloc[:0], pd.DataFrame()):
        assert openings.last("A", nothing) is None
        assert not openings.reach("A", nothing, dates.iloc[0])


NOON = pd.Timestamp("2024-01-01 12:00", tz="UTC")


@pytest.mark.parametrize(
    ("behind", "late"),
    [(-1, False), (0, False), (1, True), (PATIENCE_CANDLES, True), (PATIENCE_CANDLES + 1, False)],
)
def test_a_pair_is_late_until_it_counts_as_halted(behind: int, late: bool) -> None:
    newest = {"ETH/USDT": NOON - behind * pd.Timedelta("5min"), "BTC/USDT": NOON}
    assert late_pairs(newest, NOON, 300) == (("ETH/USDT",) if late else ())


def test_a_pair_that_never_had_candles_is_not_late() -> None:
    assert late_pairs({"ETH/USDT": None}, NOON, 300) == ()


SETTINGS = SignalSettings(train_period_days=30)
ALONE = SETTINGS.model_copy(update={"model": ModelSettings(pool="pair")})
START, STOP = datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC)
NEEDED = needed_span(START, STOP, SETTINGS, startup_candles=288)
ENOUGH = Span(datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC))


def span(first: tuple[int, int, int], last: tuple[int, int, int] = (2024, 7, 1)) -> Span:
    return Span(datetime(*first, tzinfo=UTC), datetime(*last, tzinfo=UTC))


def test_training_and_start_up_are_needed_before_the_backtest() -> None:
    """30 days and one day of candles before 1 March 2024; the last candle opens at 23:55."""
    assert (
        Span(datetime(2024, 1, 30, tzinfo=UTC), datetime(2024, 5, 31, 23, 55, tzinfo=UTC)) == NEEDED
    )


@pytest.mark.parametrize("settings", [SETTINGS, ALONE], ids=["pool", "pair"])
def test_sufficient_candles_are_no_problem(settings: SignalSettings) -> None:
    exact = Span(NEEDED.first, NEEDED.last)
    assert coverage_problems({"A/USDT": ENOUGH, "B/USDT": exact}, NEEDED, settings) == []


def test_a_late_start_is_reported_with_needed_and_available_dates() -> None:
    (line,) = coverage_problems({"A/USDT": span((2024, 2, 15))}, NEEDED, SETTINGS)
    assert line.startswith(
        "A/USDT: 5m candles are needed from 2024-01-30 00:00 to 2024-05-31 23:55"
    )
    assert "available from 2024-02-15 00:00 to 2024-07-01 00:00" in line
    assert "train_period_days" in line


def test_every_pair_that_begins_late_is_listed_at_once() -> None:
    present = {"A/USDT": span((2024, 2, 15)), "B/USDT": span((2024, 2, 20)), "C/USDT": None}
    problems = coverage_problems(present, NEEDED, SETTINGS)
    assert [line.split(":")[0] for line in problems] == ["C/USDT", "A/USDT", "B/USDT"]


def test_a_late_start_is_a_problem_only_without_a_pool() -> None:
    """A pool's model serves a pair that was listed later."""
    present = {"A/USDT": ENOUGH, "NEW/USDT": span((2024, 1, 30))}
    assert coverage_problems(present, NEEDED, ALONE) == []
    present["NEW/USDT"] = Span(datetime(2024, 1, 30, 0, 5, tzinfo=UTC), ENOUGH.last)
    assert coverage_problems(present, NEEDED, SETTINGS) == []
    (line,) = coverage_problems(present, NEEDED, ALONE)
    assert line.startswith("NEW/USDT")


def test_missing_candles_are_reported_with_the_timeframe() -> None:
    (line,) = coverage_problems({"A/USDT": ENOUGH, "B/USDT": None}, NEEDED, SETTINGS)
    assert line == (
        "B/USDT: no 5m candles; download them, set the data folder (make: DATADIR=) or remove the "
        "pair"
    )


def test_an_early_end_is_accepted_unless_it_precedes_the_backtest() -> None:
    short = span((2023, 1, 1), (2024, 4, 1))
    assert coverage_problems({"A/USDT": short}, NEEDED, SETTINGS) == []
    over = span((2023, 1, 1), (2024, 2, 1))
    (line,) = coverage_problems({"A/USDT": over}, NEEDED, SETTINGS)
    assert "end at 2024-02-01 00:00" in line
    assert "2024-05-31 23:55" in line
