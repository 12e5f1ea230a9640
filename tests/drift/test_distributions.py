"""Binned comparison by hand, and limits that allow for autocorrelation."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter

from freqai_signals.dataset.features import feature_groups
from freqai_signals.drift.distributions import (
    DistributionReference,
    distribution_reference,
    kolmogorov_smirnov,
    population_stability,
)
from freqai_signals.drift.training_reference import from_arrays, to_arrays
from freqai_signals.model.artefact import from_bytes, to_bytes
from freqai_signals.training.fit import Request, train
from tests.registry.gate_rows import make_rows, small_settings


def test_psi_by_hand() -> None:
    p, q = np.array([30.5, 70.5]) / 101, np.array([50.5, 50.5]) / 101
    expected = ((p - q) * np.log(p / q)).sum()
    found = population_stability(np.array([30.0, 70.0]), np.array([50.0, 50.0]))
    assert found == pytest.approx(expected)


def test_psi_of_an_empty_bin_is_finite() -> None:
    assert population_stability(np.array([0.0, 100.0]), np.array([50.0, 50.0])) < 3


def test_ks_by_hand() -> None:
    found = kolmogorov_smirnov(np.array([1.0, 0.0, 3.0]), np.array([2.0, 2.0, 0.0]))
    assert found == pytest.approx(0.75)


def test_a_value_on_an_edge_is_in_the_upper_bin_and_nan_in_the_last() -> None:
    values = np.array([[-1, 0], [0, 1], [0.5, 2], [2, 3], [np.nan, np.inf]], np.float32)
    edges = np.array([[0, 0, 2], [1, 2, 3]], np.float32)
    made = distribution_reference(
        ("x", "y"), np.tile(values[:4], (500, 1)), (np.arange(2000), np.zeros(2000, np.int16)),
        (100, 1), edges,
    )  # fmt: skip
    assert made is not None
    assert made.codes(values).tolist() == [[0, 0], [2, 1], [2, 2], [3, 3], [3, 3]]
    assert made.codes(values).dtype == np.uint8
    for column, edge in enumerate(edges):
        by_search = np.searchsorted(edge, values[:, column], side="right")
        np.testing.assert_array_equal(made.codes(values)[:, column], by_search)


def series(seed: int, rows: int, memory: float) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=rows + 500)
    return lfilter([1.0], [1.0, -memory], noise)[500:, None].astype(np.float32)


def reference(memory: float) -> DistributionReference:
    values = series(0, 20_000, memory)
    start, pair = np.arange(20_000), np.zeros(20_000, np.int16)
    found = distribution_reference(("x",), values, (start, pair), (100, 1))
    assert found is not None
    return found


def test_the_reference_counts_every_row_once() -> None:
    """Those too of windows that are not full, which set no limit."""
    rows = 2 * 2_037
    values = np.random.default_rng(0).normal(size=(rows, 2)).astype(np.float32)
    start, pair = np.tile(np.arange(37, 2_074), 2), np.repeat([0, 1], rows // 2).astype(np.int16)
    made = distribution_reference(("x", "y"), values, (start, pair), (100, 1))
    assert made is not None
    for column, codes in enumerate(made.codes(values).T):
        np.testing.assert_array_equal(made.counts[column], np.bincount(codes, minlength=10))
    assert made.counts.sum(axis=1).tolist() == [rows, rows]


@pytest.mark.parametrize("memory", [0.0, 0.9, 0.98])
def test_limits_hold_for_any_autocorrelation(memory: float) -> None:
    ref = reference(memory)
    live = series(1, 50_000, memory)
    found = statistics(ref, live)
    assert (found > ref.limits[:, 1]).mean() < 0.005


def statistics(ref: DistributionReference, live: np.ndarray) -> np.ndarray:
    """Of each window of a hundred rows."""
    codes = ref.codes(live)[:, 0].reshape(-1, 100)
    counts = np.stack([np.bincount(row, minlength=10) for row in codes]).astype(float)
    means = live[:, 0].reshape(-1, 100).mean(axis=1).astype(float)
    return np.array(
        [ref.statistics(c[None, :], np.array([m]))[0] for c, m in zip(counts, means, strict=True)]
    )


def test_a_slow_column_that_leaves_its_range_is_found_by_its_level_alone() -> None:
    """Volatility: a calm week fills few bins as well, so shares of bins cannot show it."""
    ref = reference(0.995)
    far = 5 * float(ref.edges[0, -1]) + series(1, 5_000, 0.995)
    found = statistics(ref, far) > ref.limits[:, 1]
    assert not found[:, :2].any()
    assert found[:, 2].mean() > 0.9
    assert not (statistics(ref.without_level(), far) > ref.without_level().limits[:, 1]).any()


def test_a_reference_of_an_earlier_version_is_not_used() -> None:
    model = train(Request(make_rows(days=200), small_settings()))
    arrays = {k: v for k, v in to_arrays(model.drift).items() if not k.endswith("_level_scale")}
    found = from_arrays(arrays)
    assert found is not None
    assert found.unmonitored == ("features", "labels")


def test_limits_are_wider_for_autocorrelated_series() -> None:
    assert reference(0.98).ks_scale[0] > 2 * reference(0.0).ks_scale[0]


def test_too_few_windows_give_no_reference() -> None:
    values = series(0, 500, 0.5)
    rows = (np.arange(500), np.zeros(500, np.int16))
    assert distribution_reference(("x",), values, rows, (100, 1)) is None


def test_windows_with_gaps_are_left_out() -> None:
    values = series(0, 20_000, 0.5)
    start = np.arange(20_000)
    start[10_000:] += 5_050
    assert distribution_reference(("x",), values, (start, np.zeros(20_000, np.int16)), (100, 1))


def test_reference_is_stored_with_the_model() -> None:
    model = train(Request(make_rows(days=200), small_settings()))
    assert model.drift is not None
    assert set(model.drift.features.names) == set(model.names)
    loaded = from_bytes(to_bytes(model)).drift
    assert loaded is not None
    assert loaded.quality == model.drift.quality is not None
    assert loaded.features.names == model.drift.features.names
    np.testing.assert_array_equal(loaded.features.limits, model.drift.features.limits)
    assert isinstance(loaded.features.window_rows, int)
    assert from_arrays(to_arrays(None)) is None


def test_a_short_training_window_is_monitored_in_part() -> None:
    """Sixty days are enough for references of features and labels, the hold-out for no test."""
    model = train(Request(make_rows(days=60), small_settings()))
    assert model.drift is not None
    assert model.drift.features is not None
    assert model.drift.quality is None
    assert model.drift.unmonitored == ()
    loaded = from_bytes(to_bytes(model)).drift
    assert loaded is not None
    assert loaded.unmonitored == model.drift.unmonitored
    few = train(Request(make_rows(days=9), small_settings()))
    assert few.drift is not None
    assert few.drift.unmonitored == ("features", "labels")


def test_calendar_features_are_not_monitored() -> None:
    """Their distribution in a whole window is always the same; only a hole can change it."""
    settings = small_settings()
    calendar = [name for name, group in feature_groups(settings).items() if group == "calendar"]
    rows = make_rows(days=200)
    names = (*rows.names[:-1], calendar[0])
    model = train(Request(replace(rows, names=names), settings))
    assert model.drift is not None
    assert model.drift.features is not None
    assert set(model.drift.features.names) == set(rows.names[:-1])


def test_missing_candles_are_no_drift_of_the_calendar() -> None:
    """Full days are all equal: only missing candles make one differ."""
    hour = np.tile(np.arange(24.0), 400)[:, None].astype(np.float32)
    rows = (np.arange(len(hour)), np.zeros(len(hour), np.int16))
    ref = distribution_reference(("hour",), hour, rows, (72, 1))
    assert ref is not None
    kept = np.delete(hour[:74], [30, 31], axis=0)
    counts = np.bincount(ref.codes(kept)[:, 0], minlength=10).astype(float)[None, :]
    found, _ = ref.statistics(counts, np.array([float(kept.mean())]))
    assert (found < 2).all(), found
