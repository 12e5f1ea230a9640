"""Weights by hand, against their definitions, and bad ones."""

import time

import numpy as np
import pytest

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.dataset.weights import (
    average_uniqueness,
    class_balance,
    effective_rows,
    of_mean_one,
    product,
    recency,
    training_weights,
)
from freqai_signals.settings import SignalSettings, WeightSettings

ALL = {"uniqueness": True, "recency_half_life_days": 30.0, "class_balance": True}


def make_rows(count: int = 400, pairs: int = 2, step: int = 1, seed: int = 0) -> TrainingRows:
    """Rows of some pairs at every ``step``-th candle with events of up to 24 candles."""
    rng = np.random.default_rng(seed)
    start = np.repeat(1000 + step * np.arange(count // pairs), pairs)
    return TrainingRows(
        features=rng.normal(size=(len(start), 3)).astype(np.float32),
        names=("%-a", "%-b", "%-c"),
        label=rng.choice(3, len(start), p=[0.2, 0.5, 0.3]).astype(np.int8),
        start=start,
        event_end=start + rng.integers(1, 25, len(start)),
        realised_return=np.zeros(len(start)),
        pair=np.tile(np.arange(pairs, dtype=np.int16), count // pairs),
        pairs=tuple(f"P{i}/USDT" for i in range(pairs)),
    )


def settings(**weights: object) -> SignalSettings:
    return SignalSettings(weights=WeightSettings.model_validate(weights))


# Uniqueness


def test_uniqueness_by_hand() -> None:
    """Events over candles 1-3, 2-4 and 9: candles 2 and 3 are shared by two."""
    unique = average_uniqueness(
        np.array([0, 1, 8]), np.array([3, 4, 9]), np.zeros(3, dtype=np.int16)
    )
    np.testing.assert_allclose(unique, [(1 + 0.5 + 0.5) / 3, (0.5 + 0.5 + 1) / 3, 1.0])


def test_events_that_only_touch_share_no_candle() -> None:
    """The first is decided by candles 1-5, the second by 6-10."""
    unique = average_uniqueness(np.array([0, 5]), np.array([5, 10]), np.zeros(2, dtype=np.int16))
    np.testing.assert_array_equal(unique, [1.0, 1.0])


def test_an_event_of_no_length_is_decided_at_its_candle() -> None:
    unique = average_uniqueness(np.array([5, 5]), np.array([5, 5]), np.zeros(2, dtype=np.int16))
    np.testing.assert_array_equal(unique, [0.5, 0.5])


def test_events_of_other_pairs_do_not_count() -> None:
    start, end = np.array([0, 0]), np.array([10, 10])
    np.testing.assert_array_equal(average_uniqueness(start, end, np.array([0, 1])), [1.0, 1.0])
    np.testing.assert_array_equal(average_uniqueness(start, end, np.array([0, 0])), [0.5, 0.5])


def test_uniqueness_equals_its_definition() -> None:
    rows = make_rows(300, pairs=3, seed=5)
    expected = []
    for i in range(len(rows)):
        candles = np.arange(rows.start[i] + 1, rows.event_end[i] + 1)
        mine = rows.pair == rows.pair[i]
        spans = (rows.start[mine, None] < candles) & (candles <= rows.event_end[mine, None])
        expected.append(np.mean(1.0 / spans.sum(axis=0)))
    np.testing.assert_allclose(
        average_uniqueness(rows.start, rows.event_end, rows.pair), expected, rtol=1e-12
    )


def test_rows_left_out_by_the_row_step_share_nothing() -> None:
    """Events of twelve candles, of which twelve, two or one run at a time."""
    for step, expected in ((1, 1 / 12), (6, 1 / 2), (12, 1.0)):
        start = np.arange(0, 1200, step)
        unique = average_uniqueness(start, start + 12, np.zeros(len(start), dtype=np.int16))
        np.testing.assert_allclose(unique[len(start) // 2], expected)


def test_uniqueness_of_a_year_of_five_pairs_takes_a_moment() -> None:
    """An n by n comparison of these rows would take hours."""
    start = np.repeat(np.arange(0, 103_680, 1), 5)
    pair = np.tile(np.arange(5, dtype=np.int16), 103_680)
    begin = time.process_time()
    average_uniqueness(start, start + 24, pair)
    assert time.process_time() - begin < 3.0


# Recency and classes


def test_recency_halves_with_every_half_life_and_never_becomes_zero() -> None:
    weights = recency(np.array([0, 100, 200]), 100.0)
    np.testing.assert_allclose(weights, [0.25, 0.5, 1.0])
    assert (recency(np.array([0, 10**9]), 1.0) > 0).all()


def test_half_life_is_counted_in_days_of_the_timeframe() -> None:
    rows = make_rows(pairs=1, count=600)
    for timeframe, per_day in (("5m", 288), ("1h", 24)):
        chosen = settings(recency_half_life_days=2.0).model_copy(update={"timeframe": timeframe})
        weights = training_weights(rows, chosen)
        assert weights is not None
        apart = np.searchsorted(rows.start, rows.start[0] + 2 * per_day)
        assert weights[apart] / weights[0] == pytest.approx(2.0)


def test_classes_have_equal_total_weight_and_a_missing_class_none() -> None:
    label = np.array([0, 1, 1, 1, 1, 2, 2], dtype=np.int8)
    weights = class_balance(label)
    sums = [weights[label == kind].sum() for kind in range(3)]
    np.testing.assert_allclose(sums, 7 / 3)
    np.testing.assert_allclose(class_balance(np.array([1, 1, 2], dtype=np.int8)), [0.75, 0.75, 1.5])


# Together


def test_without_a_setting_there_are_no_weights() -> None:
    assert training_weights(make_rows(), settings()) is None


def test_weights_multiply_and_have_mean_one() -> None:
    rows = make_rows()
    weights = training_weights(rows, settings(**ALL))
    assert weights is not None
    alone = [training_weights(rows, settings(**{key: value})) for key, value in ALL.items()]
    for part in alone:
        assert part is not None
        assert part.mean() == pytest.approx(1.0)
        assert not np.allclose(part, 1.0)
    np.testing.assert_allclose(weights, of_mean_one(np.prod(alone, axis=0)))
    assert weights.mean() == pytest.approx(1.0)


def test_no_rows_have_no_weights() -> None:
    rows = make_rows()
    assert training_weights(rows.take(np.zeros(len(rows), bool)), settings(**ALL)) is None


# Bad weights


def test_weights_that_are_all_zero_are_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"all 4 weights are zero.*recency_half_life_days"):
        of_mean_one(np.zeros(4))
    with pytest.raises(ValueError, match="all 2 weights are zero"):
        product([np.array([0.0, 1.0]), np.array([1.0, 0.0])])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_invalid_weights_are_refused_with_their_row(bad: float) -> None:
    with pytest.raises(ValueError, match=rf"1 of 3 are not, the first is {bad} in row 1"):
        of_mean_one(np.array([1.0, bad, 2.0]))


def test_effective_rows_are_the_effective_sample_size() -> None:
    assert effective_rows(np.full(10, 3.0)) == pytest.approx(10)
    assert effective_rows(np.array([1.0, 1.0, 0.0, 0.0])) == pytest.approx(2)
