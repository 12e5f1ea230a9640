"""The benchmark's own arithmetic: changes, intervals, larger moves."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.bench_drift import _rate_interval, summary
from benchmarks.monitoring import replay
from benchmarks.monitoring.served import PairRows, Served, _scaled
from freqai_signals.drift.sequential import QualityDay
from freqai_signals.training.fit import Request, train
from tests.conftest import random_walk
from tests.registry.gate_rows import make_rows, small_settings

SETTINGS = small_settings()
TRAINED, DAYS = 200, 30


@pytest.fixture(scope="module")
def served() -> Served:
    model = train(Request(make_rows(days=TRAINED), SETTINGS))
    assert model.fit is not None
    live = make_rows(days=DAYS, first_day=TRAINED, seed=6)
    pairs = []
    for number, pair in enumerate(live.pairs):
        rows = live.take(live.pair == number)
        proba = model.fit.calibrated(rows.features)
        outcome = (rows.label, rows.realised_return)
        pairs.append(PairRows(pair, rows.start, rows.features, proba, *outcome))
    return Served(model, TRAINED * 24, (TRAINED + DAYS) * 24, pairs)


@pytest.mark.parametrize(
    ("change", "name"), [(replay.prior_only, "skill"), (replay.swapped, "direction")]
)
def test_a_change_is_found_and_its_absence_is_not(served, change, name) -> None:  # type: ignore[no-untyped-def]
    healthy = replay.quality_days(served, replay.unchanged, SETTINGS)
    broken = replay.quality_days(served, change, SETTINGS)
    assert len(healthy) == DAYS
    # Half a false alarm a year is stated for each test: these days are some without any.
    assert replay.alarm_days(healthy, name) == []
    assert replay.days_until_alarm(healthy, healthy, 10, name) == np.inf
    assert 1 <= replay.days_until_alarm(healthy, broken, 10, name) <= 15


def test_changes_leave_what_they_do_not_change(served: Served) -> None:
    rows = served.pairs[0]
    assert (replay.swapped(served, rows).proba[:, 1] == rows.proba[:, 1]).all()
    lost = replay.no_direction(served, rows).proba
    assert lost[:, 1] == pytest.approx(rows.proba[:, 1])
    assert lost.sum(axis=1) == pytest.approx(1)
    assert np.ptp(lost[:, 2] / lost[:, 0]) == pytest.approx(0, abs=1e-9)
    mixed = replay.shuffled(served, rows).proba
    assert sorted(mixed[:, 0]) == sorted(rows.proba[:, 0])


def test_an_alarm_before_a_change_does_not_count() -> None:
    calm = [QualityDay(day, "v", -0.5, 0.0) for day in range(20)]
    alarmed = [replace(day, skill=0.6 if day.day < 3 else -0.5) for day in calm]
    bad = [replace(day, skill=0.4) for day in calm]
    assert replay.alarm_days(alarmed, "skill") == [1]
    assert replay.days_until_alarm(calm, bad, 10, "skill") == 3
    assert replay.days_until_alarm(alarmed, bad, 2, "skill") == 3


def test_intervals() -> None:
    low, high = _rate_interval(0, 5.0)
    assert (low, high) == (0.0, pytest.approx(3.689 / 5, abs=1e-3))
    found = summary([[7.0, 8.0], [9.0, np.inf], []])
    assert (found["changes"], found["median_days"], found["within_target"]) == (4, 8.5, 0.75)
    assert found["longest_days"] == np.inf
    assert found["median_interval"][0] == 7.5


def test_larger_moves_begin_at_the_change() -> None:
    candles = random_walk(100)
    times = np.where(np.arange(100) >= 50, 5.0, 1.0)
    found = _scaled(candles, times)
    assert np.allclose(found["close"][:50], candles["close"][:50])
    before, after = (np.diff(np.log(frame["close"])) for frame in (candles, found))
    assert after[49:] == pytest.approx(5 * before[49:])
    assert (found["high"] >= found[["open", "close"]].max(axis=1) - 1e-9).all()
    assert (found["low"] <= found[["open", "close"]].min(axis=1) + 1e-9).all()
