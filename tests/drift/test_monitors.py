"""Monitors: no alarm on undrifted data, drift on planted changes, same state after a restart."""

import numpy as np
import pytest

from freqai_signals.drift.distributions import DistributionReference, distribution_reference
from freqai_signals.drift.monitors import DistributionDrift, NoDrift, PairDrift


@pytest.fixture(scope="module")
def reference() -> DistributionReference:
    values = np.random.default_rng(0).normal(size=(20_000, 2)).astype(np.float32)
    rows = (np.arange(20_000), np.zeros(20_000, np.int16))
    found = distribution_reference(("a", "b"), values, rows, (100, 1))
    assert found is not None
    return found


def feed(watch: DistributionDrift, values: np.ndarray, first: int = 0) -> list[bool]:
    found = []
    for i, row in enumerate(values.astype(np.float32)):
        watch.update(first + i, row)
        found.append(watch.drift_detected)
    return found


def normal(rows: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 2))


def test_data_of_the_reference_distribution_is_no_drift(reference: DistributionReference) -> None:
    assert not any(feed(DistributionDrift(reference), normal(5000)))


@pytest.mark.parametrize("change", ["mean", "variance", "sign"])
def test_a_planted_change_is_detected_within_a_window(
    reference: DistributionReference, change: str
) -> None:
    watch = DistributionDrift(reference)
    feed(watch, normal(200))
    values = normal(100, seed=2)
    if change == "mean":
        values[:, 1] += 1.5
    elif change == "variance":
        values[:, 1] *= 3
    else:
        values[:, 1] = -np.abs(values[:, 1])
    assert feed(watch, values, 200)[-1]
    assert "most in b" in watch.detail


def test_drift_ends_with_its_cause(reference: DistributionReference) -> None:
    watch = DistributionDrift(reference)
    assert feed(watch, normal(100) + 3)[-1]
    assert not feed(watch, normal(100, 3), 100)[-1]


def test_nothing_is_detected_before_the_window_is_full(reference: DistributionReference) -> None:
    watch = DistributionDrift(reference)
    assert not any(feed(watch, normal(99) + 9))
    assert not watch.is_ready


def test_old_candles_and_nan_values_are_ignored(reference: DistributionReference) -> None:
    one, other = DistributionDrift(reference), DistributionDrift(reference)
    values = normal(150) + 3
    feed(one, values)
    for i, row in enumerate(values.astype(np.float32)):
        other.update(i, row)
        other.update(i, row + 99)
        other.update(10**6, np.array([np.nan, 1.0], np.float32))
    assert one.detail == other.detail


def test_replaying_the_last_window_after_a_restart_gives_the_same_state(
    reference: DistributionReference,
) -> None:
    values = normal(500) + 3
    one, other = DistributionDrift(reference), DistributionDrift(reference)
    feed(one, values)
    feed(other, values[-100:], 400)
    assert one.detail == other.detail
    assert one.drift_detected == other.drift_detected


def test_a_window_with_a_hole_is_not_compared(reference: DistributionReference) -> None:
    """Other hours than in a whole window: its calendar, and all that follows it, differ."""
    watch = DistributionDrift(reference)
    assert feed(watch, normal(100) + 3)[-1]
    far = normal(99) + 3
    assert not any(feed(watch, far, 200))
    assert not watch.is_ready
    assert feed(watch, normal(10) + 3, 299)[-1]


def test_candles_that_training_skips_are_skipped() -> None:
    values = normal(20_000)[::3].astype(np.float32)
    rows = (np.arange(0, 20_000, 3), np.zeros(len(values), np.int16))
    reference = distribution_reference(("a", "b"), values, rows, (300, 3))
    assert reference is not None
    watch = DistributionDrift(reference)
    for candle in range(299):
        watch.update(candle, values[candle])
    assert watch.is_ready
    assert reference.window_rows == 100


# Switched off


def test_without_a_reference_nothing_is_monitored() -> None:
    watch = PairDrift(None)
    watch.update_candle(1, np.empty(0, np.float32))
    watch.update_outcome(1, 2)
    assert not any(state.drift for state in watch.states)
    assert watch.feature_names == ()
    assert not NoDrift().drift_detected
