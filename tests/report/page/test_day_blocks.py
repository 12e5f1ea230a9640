"""Intervals that know that rows of a day are not independent."""

import numpy as np
import pandas as pd
import pytest

from freqai_signals.report.page.day_blocks import FEWEST_BLOCKS, DayBlocks


def hours(count: int) -> pd.DatetimeIndex:
    return pd.date_range("2024-01-01", periods=count, freq="1h", tz="UTC")


def test_a_ratio_is_sum_over_sum() -> None:
    found = DayBlocks(hours(4)).ratio([1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 2.0, 2.0])
    assert found.value.tolist() == [1.25]


def test_sums_are_by_block_and_bin() -> None:
    blocks = DayBlocks(hours(48))
    place = np.arange(48) % 2
    assert blocks.sums(np.ones(48), place, 2).tolist() == [[12.0, 12.0], [12.0, 12.0]]


def test_blocks_of_several_days_begin_at_the_same_moment_for_all_pairs() -> None:
    dates = hours(24 * 6).append(hours(24 * 6))
    assert DayBlocks(dates, block_days=2).count == len({d.value // (2 * 86400 * 10**9)
        for d in dates.as_unit("ns")})  # fmt: skip


def test_rows_of_a_day_that_are_all_the_same_count_once() -> None:
    """The error of 100 days' means, not of 2,400 rows: 24 equal rows tell what one does."""
    level = np.repeat(np.random.default_rng(1).normal(size=100), 24)
    found = DayBlocks(hours(2400)).ratio(level, np.ones(2400))
    expected = level.std() / np.sqrt(100)
    assert found.error[0] == pytest.approx(expected, rel=0.15)
    assert found.low[0] < level.mean() < found.high[0]
    assert found.high[0] - found.low[0] == pytest.approx(2 * 1.96 * expected, rel=0.2)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(200):
        values = np.repeat(rng.normal(size=60), 24) + rng.normal(size=60 * 24)
        found = DayBlocks(hours(60 * 24)).ratio(values, np.ones(60 * 24))
        covered += int(found.low[0] <= 0.0 <= found.high[0])
    assert 180 <= covered <= 199


def test_too_few_days_give_no_interval() -> None:
    count = (FEWEST_BLOCKS - 1) * 24
    found = DayBlocks(hours(count)).ratio(np.ones(count), np.ones(count))
    assert found.value.tolist() == [1.0]
    assert np.isnan([found.error[0], found.low[0], found.high[0]]).all()


def test_a_bin_without_rows_is_unknown_and_nothing_at_all_is_no_error() -> None:
    blocks = DayBlocks(hours(240))
    empty = np.zeros((blocks.count, 2))
    assert np.isnan(blocks.ratio_of_sums(empty, empty).value).all()
    nothing = DayBlocks(hours(0))
    assert nothing.count == 0
    assert np.isnan(nothing.ratio([], []).value).all()
