"""The sequential test of live quality: stated false alarms, detection, parts by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from freqai_signals.drift.quality_reference import (
    FALSE_ALARMS_A_YEAR,
    MIN_DAYS,
    SKILL_ALLOWANCE,
    QualityReference,
    candle_values,
    quality_reference,
    why_not_tested,
)
from freqai_signals.drift.sequential import (
    LARGEST_SHARE,
    QualityDay,
    quality_day,
    states_after,
)

REFERENCE = QualityReference(
    days=54, pairs=2.0, skill_mean=0.08, skill_spread=0.05, skill_limit=4.0,
    market_share=0.5, relative_share=0.0, market_spread=0.02, relative_spread=0.01,
    direction_mean=0.6, direction_spread=1.5, direction_limit=5.0,
)  # fmt: skip
DAY = 4


def days_of(rng: np.random.Generator, days: int, skill: float, lean: float) -> pd.DataFrame:
    """Daily values, one candle a day, with the ratios that real candles have.

    Most of what the two parts of direction vary by is what prices did, whatever the lean.
    """
    moved, other = rng.normal(size=(2, days, 2))
    parts = np.array([0.3, 0.35]) * lean + 0.8 * moved + 0.6 * other
    return pd.DataFrame(
        {
            "pairs": 5.0,
            "skill": rng.normal(skill, 0.06, days),
            "market": parts[:, 0] * 0.02,
            "relative": parts[:, 1] * 0.01,
            "market_moved": moved[:, 0] * 0.03,
            "relative_moved": moved[:, 1] * 0.02,
        }
    )


def increments(values: pd.DataFrame, r: QualityReference) -> list[QualityDay]:
    skill = (r.skill_mean * SKILL_ALLOWANCE - values["skill"]) / r.skill_spread
    turned = -r.directions(values) / r.direction_spread / r.direction_limit
    shares = zip(
        (skill / r.skill_limit).clip(-LARGEST_SHARE, LARGEST_SHARE),
        turned.clip(-LARGEST_SHARE, LARGEST_SHARE),
        strict=True,
    )
    return [QualityDay(day, "v", *pair) for day, pair in enumerate(shares)]


def alarms(days: list[QualityDay], name: str) -> list[int]:
    """Days on which an alarm begins; another model, as good as this one, serves after it."""
    found: list[int] = []
    level = 0.0
    for day in days:
        level = max(level + getattr(day, name), 0.0)
        if level >= 1.0:
            found.append(day.day)
            level = 0.0
    return found


def test_the_first_alarm_is_that_of_the_states() -> None:
    (days,) = simulated(1, 60, 0.0, -1.0)
    for name in ("skill", "direction"):
        first = alarms(days, name)[0]
        assert states_after(days[: first + 1])[name].alarm
        assert not states_after(days[:first])[name].alarm


def simulated(
    pools: int, days: int, skill: float, lean: float, holdout: int = 54
) -> list[list[QualityDay]]:
    found = []
    for seed in range(pools):
        rng = np.random.default_rng(seed)
        reference = quality_reference(days_of(rng, holdout, 0.08, 1.0), 1)
        assert reference is not None
        found.append(increments(days_of(rng, days, skill, lean), reference))
    return found


@pytest.mark.parametrize("holdout", [MIN_DAYS, 54])
def test_false_alarms_are_as_rare_as_stated(holdout: int) -> None:
    years = simulated(300, 365, 0.08, 1.0, holdout)
    for name in ("skill", "direction"):
        rate = sum(len(alarms(one, name)) for one in years) / len(years)
        # Each year follows a hold-out of its own, and unlucky ones alarm many times.
        assert FALSE_ALARMS_A_YEAR / 5 < rate < 1.1 * FALSE_ALARMS_A_YEAR, name


@pytest.mark.parametrize(
    ("name", "skill", "lean", "median"),
    [("skill", 0.0, 0.0, 8), ("direction", 0.08, -1.0, 7)],
)
def test_a_loss_is_found(name: str, skill: float, lean: float, median: float) -> None:
    found = [alarms(one, name) for one in simulated(30, 120, skill, lean)]
    assert np.median([days[0] + 1 if days else np.inf for days in found]) <= median


def test_a_longer_holdout_gives_a_lower_limit() -> None:
    values = days_of(np.random.default_rng(1), 400, 0.08, 1.0)
    short, long = (quality_reference(part, 1) for part in (values[:40], values))
    assert short is not None
    assert long is not None
    assert long.skill_limit <= short.skill_limit
    assert quality_reference(values, 1) == long


def test_only_whole_days_make_a_reference() -> None:
    candles = days_of(np.random.default_rng(1), 60 * DAY, 0.08, 1.0)
    found = quality_reference(candles[:-2], DAY)
    assert found is not None
    assert found.days == 59


def test_the_false_alarms_that_are_promised() -> None:
    assert FALSE_ALARMS_A_YEAR == 0.5


def test_candle_values_by_hand() -> None:
    proba = np.array([[0.2, 0.4, 0.4], [0.4, 0.4, 0.2], [0.1, 0.8, 0.1]])
    prior = np.tile([0.25, 0.5, 0.25], (3, 1))
    moved = np.array([1.0, 3.0, -9.0])
    found = candle_values(np.array([7, 7, 8]), np.array([2, 2, 1], np.int8), moved, proba, prior)
    lean = np.sqrt(np.log(2))
    assert found["pairs"].tolist() == [2, 1]
    assert found["skill"].tolist() == pytest.approx(
        [np.log(0.4 / 0.25) / 2 + np.log(0.2 / 0.25) / 2, np.log(0.8 / 0.5)]
    )
    # Both went up, one against its own lean: the market has none, nor has a pair a way of its own.
    assert found["market"].tolist() == pytest.approx([0, 0])
    assert found["relative"].tolist() == pytest.approx([0, 0])
    # The mean return of 2 has no mean lean to go with; each pair's return lies 1 from it.
    assert found["market_moved"].tolist() == pytest.approx([0, 0])
    assert found["relative_moved"].tolist() == pytest.approx([-lean, 0])
    turned = candle_values(
        np.array([7, 7]), np.array([2, 0], np.int8), moved[:2], proba[:2], prior[:2]
    )
    assert turned["relative"].tolist() == pytest.approx([lean])


def test_a_jump_counts_like_three_scales() -> None:
    proba, prior = np.array([[0.2, 0.4, 0.4]]), np.array([[0.25, 0.5, 0.25]])
    found = [
        candle_values(np.array([1]), np.array([2], np.int8), np.array([moved]), proba, prior)
        for moved in (3.0, 50.0)
    ]
    pd.testing.assert_frame_equal(*found)


def test_what_prices_did_is_taken_out_of_direction() -> None:
    values = days_of(np.random.default_rng(0), 2000, 0.08, 1.0)
    found = quality_reference(values, 1)
    assert found is not None
    # Of 0.8 * 0.02 a spread of prices, which is 0.03: two thirds of that, as much as one moves.
    assert found.market_share == pytest.approx(0.8 * 0.02 / 0.03, rel=0.1)
    assert found.relative_share == pytest.approx(0.8 * 0.01 / 0.02, rel=0.1)
    # Of independent parts: 0.3 and 0.35 over 0.6, without it over 1.
    stands_out = found.direction_mean / found.direction_spread
    assert stands_out == pytest.approx((0.3 + 0.35) / 0.6 / np.sqrt(2), rel=0.1)


def test_returns_that_follow_the_lean_add_to_direction() -> None:
    values = days_of(np.random.default_rng(0), 2000, 0.08, 1.0)
    values["market_moved"] += 0.06
    found = quality_reference(values, 1)
    assert found is not None
    assert found.market_share == -1


def test_a_lean_that_points_nowhere_is_not_mended_by_returns() -> None:
    values = days_of(np.random.default_rng(0), 200, 0.08, -1.0)
    found = quality_reference(values, 1)
    assert found is not None
    assert found.market_share == 0
    assert np.isinf(found.direction_limit)


def test_a_probability_of_zero_is_finite() -> None:
    proba = np.array([[0.0, 0.0, 1.0]])
    prior = np.full((1, 3), 1 / 3)
    found = candle_values(np.array([1]), np.array([0], np.int8), np.zeros(1), proba, prior)
    assert np.isfinite(found.to_numpy()).all()


def frame(skill: float, candles: int = DAY, pairs: int = 2, first: int = 0) -> pd.DataFrame:
    values = {"pairs": pairs, "skill": skill, "market": 0.04, "relative": 0.0}
    values |= {"market_moved": 0.04, "relative_moved": 0.0}
    return pd.DataFrame(values, index=np.arange(first, first + candles))


def test_a_day_by_hand() -> None:
    day = quality_day(0, {"v": frame(0.02)}, {"v": REFERENCE}, DAY)
    assert day is not None
    # (0.04 - 0.02) / 0.05 spreads, of a limit of 4; minus one spread of the market, which is 0.04
    # without half of the 0.04 that prices moved, of 1.5 and 5.
    assert (day.skill, day.direction) == pytest.approx((0.4 / 4, -1 / 1.5 / 5))
    awful = quality_day(0, {"v": frame(-9.0)}, {"v": REFERENCE}, DAY)
    assert awful is not None
    assert awful.skill == LARGEST_SHARE


def test_a_change_of_the_model_within_a_day() -> None:
    other = replace(REFERENCE, skill_mean=0.04, skill_limit=8.0)
    values = {"w": frame(0.02, 2, first=2), "v": frame(0.02, 2)}
    day = quality_day(0, values, {"v": REFERENCE, "w": other}, DAY)
    assert day is not None
    assert day.version == "w"
    assert day.skill == pytest.approx((0.4 + 0.0) / 2 / 6)
    # Rows of a model that this bot never had say nothing about its own.
    alone = quality_day(0, values, {"v": REFERENCE}, DAY)
    assert alone is not None
    assert alone.version == "v"


@pytest.mark.parametrize(
    "values", [{}, {"v": frame(0.0, candles=1)}, {"v": frame(0.0, pairs=0)}, {"x": frame(0.0)}]
)
def test_part_of_a_day_is_not_judged(values: dict[str, pd.DataFrame]) -> None:
    assert quality_day(0, values, {"v": REFERENCE}, DAY) is None


def bad(day: int, version: str = "v", skill: float = 0.4, trained: int = 0) -> QualityDay:
    return QualityDay(day, version, skill, 0.0, trained)


def test_an_alarm_ends_with_half_of_its_sum_or_with_a_model_trained_beyond_it() -> None:
    days = [bad(0), bad(1), bad(2)]
    assert states_after(days)["skill"].alarm
    assert states_after(days)["skill"].since == 2
    assert not states_after(days)["direction"].alarm
    assert states_after([*days, bad(3, skill=-0.4)])["skill"].alarm
    assert not states_after([*days, bad(3, skill=-0.6)])["skill"].alarm
    assert states_after([*days, bad(4, "w", trained=4)])["skill"].level == pytest.approx(0.4)
    # Without a whole day after the alarm's, as every next day's last model where one is trained
    # daily.
    assert states_after([*days, bad(3, "w", trained=3)])["skill"].alarm
    # Without an alarm the sum goes on: a bot that trains every week must not forget.
    assert states_after([bad(0), bad(1, "w"), bad(2, "x")])["skill"].alarm


def test_later_days_change_nothing_before() -> None:
    days = [bad(day, skill=np.sin(day) / 3) for day in range(50)]
    before = [states_after(days[:count]) for count in range(50)]
    changed = [*days[:30], *(bad(day, skill=0.4) for day in range(30, 50))]
    assert [states_after(changed[:count]) for count in range(31)] == before[:31]


def test_what_cannot_be_tested_says_why() -> None:
    rng = np.random.default_rng(0)
    few = quality_reference(days_of(rng, MIN_DAYS - 1, 0.08, 1.0), 1)
    assert few is None
    (line,) = why_not_tested(few, np.arange(0, 12 * DAY), DAY)
    assert "about 12 days, the test needs 8 more" in line
    assert "train_period_days" in line
    (line,) = why_not_tested(None, np.arange(0, 54 * DAY), DAY)
    assert "fewer than 20 of the hold-out's 54 days are whole, or an earlier version" in line
    no_skill = quality_reference(days_of(rng, 54, -0.01, -0.3), 1)
    assert no_skill is not None
    lines = why_not_tested(no_skill, np.arange(54), 1)
    assert [line.split()[0] for line in lines] == ["skill", "direction"]
    day = quality_day(0, {"v": frame(-9.0, pairs=5)}, {"v": no_skill}, DAY)
    assert day is not None
    assert (day.skill, day.direction) == (0, 0)
    assert why_not_tested(REFERENCE, np.arange(54), 1) == []


def test_a_single_pair_has_no_relative_part() -> None:
    values = days_of(np.random.default_rng(0), 54, 0.08, 2.0).assign(
        pairs=1.0, relative=0.0, relative_moved=0.0
    )
    found = quality_reference(values, 1)
    assert found is not None
    assert np.isinf(found.relative_spread)
    assert np.isfinite(found.direction_limit)
