"""What is said when candles do not reach over training and backtest."""

from datetime import UTC, datetime

import pytest

from freqai_signals.dataset.coverage import Span, coverage_problems, needed_span
from freqai_signals.settings import ModelSettings, SignalSettings

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
def test_candles_that_reach_are_no_problem(settings: SignalSettings) -> None:
    exact = Span(NEEDED.first, NEEDED.last)
    assert coverage_problems({"A/USDT": ENOUGH, "B/USDT": exact}, NEEDED, settings) == []


def test_a_late_start_is_told_with_what_is_needed_and_what_is_there() -> None:
    (line,) = coverage_problems({"A/USDT": span((2024, 2, 15))}, NEEDED, SETTINGS)
    assert line.startswith(
        "A/USDT: 5m candles are needed from 2024-01-30 00:00 to 2024-05-31 23:55"
    )
    assert "present from 2024-02-15 00:00 to 2024-07-01 00:00" in line
    assert "train_period_days" in line


def test_every_pair_that_begins_late_is_listed_at_once() -> None:
    present = {"A/USDT": span((2024, 2, 15)), "B/USDT": span((2024, 2, 20)), "C/USDT": None}
    problems = coverage_problems(present, NEEDED, SETTINGS)
    assert [line.split(":")[0] for line in problems] == ["C/USDT", "A/USDT", "B/USDT"]


def test_one_late_candle_is_a_problem_only_without_a_pool() -> None:
    """A pool's model serves a pair that was listed later."""
    present = {"A/USDT": ENOUGH, "NEW/USDT": span((2024, 1, 30))}
    assert coverage_problems(present, NEEDED, ALONE) == []
    present["NEW/USDT"] = Span(datetime(2024, 1, 30, 0, 5, tzinfo=UTC), ENOUGH.last)
    assert coverage_problems(present, NEEDED, SETTINGS) == []
    (line,) = coverage_problems(present, NEEDED, ALONE)
    assert line.startswith("NEW/USDT")


def test_no_candles_at_all_is_told_with_the_timeframe() -> None:
    (line,) = coverage_problems({"A/USDT": ENOUGH, "B/USDT": None}, NEEDED, SETTINGS)
    assert line == (
        "B/USDT: no 5m candles; download them, name their folder (make: DATADIR=) or take the "
        "pair out"
    )


def test_an_early_end_is_freqtrades_business_unless_the_backtest_has_not_begun() -> None:
    short = span((2023, 1, 1), (2024, 4, 1))
    assert coverage_problems({"A/USDT": short}, NEEDED, SETTINGS) == []
    over = span((2023, 1, 1), (2024, 2, 1))
    (line,) = coverage_problems({"A/USDT": over}, NEEDED, SETTINGS)
    assert "end at 2024-02-01 00:00" in line
    assert "2024-05-31 23:55" in line
