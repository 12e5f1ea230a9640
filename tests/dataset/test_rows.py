"""Training rows: what a window holds, in which order, and how it is identified."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from freqai_signals.dataset.rows import (
    TrainingRows,
    Window,
    candle_numbers,
    feature_matrix,
    pair_rows,
    pool_rows,
    spread_rows,
)
from freqai_signals.schema import (
    EVENT_END_COLUMN,
    LABEL_COLUMN,
    REALISED_RETURN_COLUMN,
    RETURN_SCALE_COLUMN,
)

FIRST = 1000


def hand_made(
    lengths: list[float], features: list[float] | None = None, first: int = FIRST
) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Features, labels and numbers; row i's outcome comes ``lengths[i]`` rows later, or never."""
    n = len(lengths)
    ends = np.arange(n) + np.array(lengths, dtype=float)
    ends = np.where(ends < n, ends, np.nan)
    known = np.isfinite(ends)
    labels = pd.DataFrame(
        {
            LABEL_COLUMN: np.where(known, np.arange(n) % 3, np.nan),
            EVENT_END_COLUMN: ends,
            REALISED_RETURN_COLUMN: np.where(known, np.arange(n) / 100, np.nan),
            RETURN_SCALE_COLUMN: np.full(n, 0.5),
        }
    )
    values = np.arange(n, dtype=float) if features is None else np.array(features)
    return pd.DataFrame({"%-x": values, "%-y": -values}), labels, first + np.arange(n)


def rows_of(
    lengths: list[float], window: Window, features: list[float] | None = None, pair: str = "A/USDT"
) -> TrainingRows:
    return pair_rows(pair, *hand_made(lengths, features), window)


def test_by_hand() -> None:
    """Ten candles, outcomes two candles later, window over all of them."""
    rows = rows_of([2] * 10, Window(FIRST, FIRST + 10, horizon=2))
    np.testing.assert_array_equal(rows.start, FIRST + np.arange(8))
    np.testing.assert_array_equal(rows.event_end, FIRST + np.arange(2, 10))
    np.testing.assert_array_equal(rows.label, [0, 1, 2, 0, 1, 2, 0, 1])
    np.testing.assert_array_equal(rows.features[:, 1], -np.arange(8.0))
    np.testing.assert_allclose(rows.realised_return, np.arange(8) / 50)
    assert rows.names == ("%-x", "%-y")
    assert rows.features.dtype == np.float32


@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=60),
    first=st.integers(-5, 60),
    length=st.integers(0, 70),
    horizon=st.integers(0, 12),
    step=st.integers(1, 7),
)
def test_no_row_is_known_after_the_window_stops(
    lengths: list[float], first: int, length: int, horizon: int, step: int
) -> None:
    window = Window(FIRST + first, FIRST + first + length, horizon, step)
    rows = rows_of(lengths, window)
    assert (rows.event_end < window.stop).all()
    assert (rows.start >= window.first).all()
    assert (rows.start < window.stop - horizon).all()
    assert (rows.start % step == 0).all()
    assert (rows.event_end >= rows.start).all()
    # Nothing that qualifies is lost either.
    expected = [
        FIRST + i
        for i, span in enumerate(lengths)
        if window.first <= FIRST + i < window.stop - horizon
        and (FIRST + i) % step == 0
        and i + span < len(lengths)
        and FIRST + i + span < window.stop
    ]
    np.testing.assert_array_equal(rows.start, expected)


def test_the_last_horizon_rows_start_no_row_even_if_their_outcome_is_known() -> None:
    """Barrier touches are known early, holds never are: keeping these rows is biased.

    The naive rule (outcome known before the end) would take rows 0 to 8.
    """
    rows = rows_of([1] * 10, Window(FIRST, FIRST + 10, horizon=4))
    np.testing.assert_array_equal(rows.start, FIRST + np.arange(6))
    naive = rows_of([1] * 10, Window(FIRST, FIRST + 10, horizon=0))
    assert len(naive) == 9


def test_a_row_whose_outcome_comes_at_the_stop_is_left_out() -> None:
    rows = rows_of([3] * 10, Window(FIRST, FIRST + 5))
    np.testing.assert_array_equal(rows.start, FIRST + np.arange(2))


@given(cut=st.integers(0, 20), step=st.integers(1, 6))
def test_every_nth_row_is_chosen_by_candle_number_wherever_the_frame_begins(
    cut: int, step: int
) -> None:
    """``iloc[::n]`` would choose other rows as soon as a frame begins one candle later."""
    features, labels, numbers = hand_made([2] * 40)
    window = Window(FIRST + 20, FIRST + 40, 2, step)
    full = pair_rows("A/USDT", features, labels, numbers, window)
    labels = labels.assign(**{EVENT_END_COLUMN: labels[EVENT_END_COLUMN] - cut}).iloc[cut:]
    shifted = pair_rows("A/USDT", features.iloc[cut:], labels, numbers[cut:], window)
    assert shifted.digest() == full.digest()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_rows_with_an_unknown_or_infinite_feature_are_left_out(bad: float) -> None:
    values = [0.0, 1.0, bad, 3.0, 4.0, 5.0]
    rows = rows_of([1] * 6, Window(FIRST, FIRST + 6), values)
    np.testing.assert_array_equal(rows.start - FIRST, [0, 1, 3, 4])
    assert np.isfinite(rows.features).all()
    np.testing.assert_array_equal(rows.label, [0, 1, 0, 1])


def test_gaps_in_the_candles_keep_event_ends_in_candle_numbers() -> None:
    features, labels, numbers = hand_made([2] * 6)
    numbers = numbers + np.array([0, 0, 0, 100, 100, 100])
    rows = pair_rows("A/USDT", features, labels, numbers, Window(0, 10_000))
    np.testing.assert_array_equal(rows.event_end - rows.start, [2, 102, 102, 2])


def test_all_columns_lose_rows_together() -> None:
    rows = rows_of([2] * 12, Window(FIRST, FIRST + 12))
    kept = rows.take(rows.label == 1)
    assert len(kept) == 3
    np.testing.assert_array_equal(kept.features[:, 0], [1.0, 4.0, 7.0])
    np.testing.assert_array_equal(kept.start - FIRST, [1, 4, 7])
    np.testing.assert_array_equal(kept.event_end - FIRST, [3, 6, 9])


# Pooling


def test_pooled_rows_are_sorted_by_candle_then_pair() -> None:
    a = rows_of([1] * 4, Window(FIRST, FIRST + 4), pair="A/USDT")
    b = rows_of([1] * 6, Window(FIRST + 1, FIRST + 6), pair="B/USDT")
    pooled = pool_rows([a, b])
    np.testing.assert_array_equal(pooled.start - FIRST, [0, 1, 1, 2, 2, 3, 4])
    np.testing.assert_array_equal(pooled.pair, [0, 0, 1, 0, 1, 1, 1])
    np.testing.assert_array_equal(pooled.features[:, 0], [0, 1, 1, 2, 2, 3, 4])
    assert pooled.pairs == ("A/USDT", "B/USDT")


def test_pooling_one_pair_changes_nothing() -> None:
    rows = rows_of([1] * 9, Window(FIRST, FIRST + 9))
    assert pool_rows([rows]).digest() == rows.digest()


def test_pairs_with_other_features_cannot_be_pooled() -> None:
    rows = rows_of([1] * 4, Window(FIRST, FIRST + 4))
    swapped = dataclasses.replace(rows, names=("%-y", "%-x"))
    with pytest.raises(ValueError, match="same features in the same order"):
        pool_rows([rows, swapped])


# Digests


BASE = rows_of([2] * 12, Window(FIRST, FIRST + 12))


def test_the_digest_is_stable() -> None:
    assert BASE.digest() == rows_of([2] * 12, Window(FIRST, FIRST + 12)).digest()
    fortran = dataclasses.replace(BASE, features=np.asfortranarray(BASE.features))
    assert fortran.digest() == BASE.digest()


@hypothesis_settings(max_examples=60)
@given(
    column=st.sampled_from(["features", "label", "start", "event_end", "realised_return", "pair"]),
    position=st.integers(0, 1000),
)
def test_the_digest_changes_with_any_value(column: str, position: int) -> None:
    values = getattr(BASE, column).copy()
    flat = values.reshape(-1)
    index = position % len(flat)
    if values.dtype.kind == "f":
        flat[index] = np.nextafter(flat[index], np.inf)
    else:
        flat[index] += 1
    assert dataclasses.replace(BASE, **{column: values}).digest() != BASE.digest()


def test_the_digest_changes_with_names_pairs_and_order() -> None:
    for change in (
        {"names": ("%-x", "%-z")},
        {"names": ("%-y", "%-x")},
        {"pairs": ("A/USDC",)},
    ):
        assert dataclasses.replace(BASE, **change).digest() != BASE.digest()
    assert BASE.take(np.arange(len(BASE))[::-1]).digest() != BASE.digest()
    assert BASE.take(np.arange(len(BASE)) > 0).digest() != BASE.digest()


# Small parts


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_candle_numbers_do_not_depend_on_the_date_unit(unit: str) -> None:
    dates = pd.Series(pd.date_range("1970-01-02", periods=3, freq="5min", tz="UTC", unit=unit))
    np.testing.assert_array_equal(candle_numbers(dates, 300), [288, 289, 290])


def test_the_feature_matrix_reorders_by_name_and_marks_what_is_absent() -> None:
    frame = pd.DataFrame({"b": [1.0, np.inf], "extra": [0.0, 0.0], "a": [2.0, 1e300]})
    matrix = feature_matrix(frame, ["a", "missing", "b"])
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(
        matrix, np.array([[2.0, np.nan, 1.0], [np.nan, np.nan, np.nan]], np.float32)
    )


@pytest.mark.parametrize("pairs", [2, 3, 4, 6, 8, 12, 20])
def test_spread_rows_are_of_all_pairs(pairs: int) -> None:
    count = 24_000
    for wanted in range(count // 13, count, 500):
        positions = spread_rows(count, wanted)
        assert wanted <= len(positions) < 2 * wanted
        assert (np.diff(positions) > 0).all()
        assert positions[-1] < count
        shares = np.bincount(positions % pairs, minlength=pairs) / len(positions)
        assert shares == pytest.approx(1 / pairs, rel=0.25)
