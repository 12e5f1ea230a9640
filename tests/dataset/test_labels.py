from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freqai_signals.dataset import labels as labels_module
from freqai_signals.dataset.barriers import LabelRule, barrier_width
from freqai_signals.dataset.labels import make_labels
from freqai_signals.schema import (
    EVENT_END_COLUMN,
    LABEL_COLUMN,
    REALISED_RETURN_COLUMN,
    SignalClass,
)
from freqai_signals.settings import LabelSettings

SELL, HOLD, BUY, NAN = 0.0, 1.0, 2.0, float("nan")
DAY = 4
"""Candles per day of these tests, so that volatility is defined after twelve rows."""
KINDS = ("fixed", "volatility", "triple_barrier")


def frame(
    close: Sequence[float],
    high: Sequence[float] | None = None,
    low: Sequence[float] | None = None,
    volume: Sequence[float] | None = None,
) -> pd.DataFrame:
    close = np.array(close, dtype=float)
    return pd.DataFrame(
        {
            "open": close,
            "high": close if high is None else high,
            "low": close if low is None else low,
            "close": close,
            "volume": np.ones(len(close)) if volume is None else volume,
        }
    )


def random_candles(rows: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.standard_t(4, rows) * 0.003))
    high = close * (1 + np.abs(rng.normal(0, 0.003, rows)))
    low = close * (1 - np.abs(rng.normal(0, 0.003, rows)))
    return frame(close, high, low)


def wide_barriers(**settings: object) -> LabelSettings:
    """Triple barrier whose floor of 10 % is always the wider, so that widths are known by hand."""
    return LabelSettings(kind="triple_barrier", k=1e-9, floor=0.1, **settings)


def quiet_start(*later: float) -> list[float]:
    """Twelve rows at 100, after which volatility is defined, then the given prices."""
    return [100.0] * 12 + list(later)


def labels_from_row_12(candles: pd.DataFrame, settings: LabelSettings, horizon: int) -> list[list]:
    return make_labels(candles, LabelRule(settings, horizon, DAY))[12:].round(6).to_numpy().tolist()


def assert_same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    """Bit-identical, index included."""
    pd.testing.assert_frame_equal(left, right, check_exact=True)


# Fixed threshold


def test_fixed_labels_of_twelve_rows() -> None:
    close = [100, 101, 102, 100, 99, 100, 100.2, 100, 98, 98, 98.1, 98]
    settings = LabelSettings(kind="fixed", threshold=0.01)

    labels = make_labels(frame(close), LabelRule(settings, horizon=2, candles_per_day=288))

    assert labels.columns.tolist() == [LABEL_COLUMN, EVENT_END_COLUMN, REALISED_RETURN_COLUMN]
    np.testing.assert_allclose(
        labels.to_numpy(),
        [
            [BUY, 2, 0.02],
            [HOLD, 3, 100 / 101 - 1],  # -0.99 %
            [SELL, 4, 99 / 102 - 1],  # -2.94 %
            [HOLD, 5, 0.0],
            [BUY, 6, 100.2 / 99 - 1],  # 1.21 %
            [HOLD, 7, 0.0],
            [SELL, 8, 98 / 100.2 - 1],  # -2.20 %
            [SELL, 9, -0.02],
            [HOLD, 10, 98.1 / 98 - 1],  # 0.10 %
            [HOLD, 11, 0.0],
            [NAN, NAN, NAN],
            [NAN, NAN, NAN],
        ],
        atol=1e-12,
    )


def test_a_return_exactly_at_the_threshold_is_hold() -> None:
    labels = make_labels(
        frame([1, 1.5, 0.75]), LabelRule(LabelSettings(kind="fixed", threshold=0.5), 1, DAY)
    )

    assert labels[LABEL_COLUMN].tolist()[:2] == [HOLD, HOLD]


def test_fixed_threshold_is_not_widened_by_costs() -> None:
    settings = LabelSettings(kind="fixed", threshold=0.001)

    labels = make_labels(
        frame([100, 100.5, 100]), LabelRule(settings, 1, DAY, round_trip_cost=0.02)
    )

    assert labels[LABEL_COLUMN].tolist()[:2] == [BUY, SELL]


# Volatility threshold


def test_volatility_threshold_grows_with_sigma_and_horizon() -> None:
    close = 100 * np.exp(0.01 * (np.arange(20) % 2))  # every candle moves by 1 %
    settings = LabelSettings(kind="volatility", k=1.5, floor=0.0)

    width = barrier_width(close, LabelRule(settings, horizon=4, candles_per_day=DAY))

    assert np.isnan(width[:12]).all()
    np.testing.assert_allclose(width[12:], 1.5 * 0.01 * 2)


def test_volatility_labels_compare_with_their_own_threshold() -> None:
    close = 100 * np.exp(0.01 * (np.arange(17) % 2))
    settings = LabelSettings(kind="volatility", k=0.9, floor=0.0)

    labels = make_labels(frame(close), LabelRule(settings, horizon=1, candles_per_day=DAY))

    assert labels[LABEL_COLUMN].tolist()[12:] == [
        BUY,
        SELL,
        BUY,
        SELL,
        pytest.approx(NAN, nan_ok=True),
    ]


@pytest.mark.parametrize("kind", ["volatility", "triple_barrier"])
@pytest.mark.parametrize(("floor", "cost", "expected"), [(0.3, 0.1, 0.3), (0.1, 0.2, 0.2)])
def test_width_is_never_below_floor_or_cost(kind, floor, cost, expected) -> None:
    settings = LabelSettings(kind=kind, floor=floor)

    width = barrier_width(random_candles(50)["close"].to_numpy(), LabelRule(settings, 1, DAY, cost))

    np.testing.assert_array_equal(width[12:], expected)


# Triple barrier: prices 100, barriers at 110 and 90


def test_triple_barrier_labels_of_twelve_rows() -> None:
    close = quiet_start(100, 104, 104, 112, 100, 95, 96, 97, 96, 95, 80, 96)
    high = quiet_start(100, 109, 115, 113, 112, 100, 97, 98, 97, 96, 95, 97)
    low = quiet_start(100, 100, 103, 104, 95, 94, 95, 96, 95, 94, 79, 80)

    labels = labels_from_row_12(frame(close, high, low), wide_barriers(), horizon=3)

    expected = [
        [BUY, 14, 0.1],  # 110: high 109, then 115
        [BUY, 14, 0.1],  # 114.4: high 115
        [HOLD, 17, 95 / 104 - 1],  # 93.6 .. 114.4: neither within three candles
        [SELL, 16, -0.1],  # 100.8: low 95
        [HOLD, 19, -0.03],  # 90 .. 110
        [HOLD, 20, 96 / 95 - 1],  # 85.5 .. 104.5
        [HOLD, 21, 95 / 96 - 1],  # 86.4 .. 105.6
        [SELL, 22, -0.1],  # 87.3: low 79 in the third candle
        [SELL, 22, -0.1],  # 86.4: low 79
        [NAN, NAN, NAN],  # low 79 touches at once, but a barrier touched early
        [NAN, NAN, NAN],  # in the tail is no label
        [NAN, NAN, NAN],
    ]
    np.testing.assert_allclose(labels, np.array(expected), atol=1e-6)


def test_reaching_a_barrier_exactly_is_a_touch() -> None:
    settings = LabelSettings(kind="triple_barrier", k=1e-9, floor=0.5)
    up = frame(quiet_start(100, 100, 100), high=quiet_start(100, 150, 100))
    down = frame(quiet_start(100, 100, 100), low=quiet_start(100, 50, 100))

    assert labels_from_row_12(up, settings, 2)[0] == [BUY, 13, 0.5]
    assert labels_from_row_12(down, settings, 2)[0] == [SELL, 13, -0.5]


def test_the_rows_own_candle_touches_nothing() -> None:
    candles = frame(quiet_start(100, 101, 100), quiet_start(150, 101, 101), quiet_start(50, 99, 99))

    assert labels_from_row_12(candles, wide_barriers(), 2)[0] == [HOLD, 14, 0.0]


def test_a_touch_in_the_last_candle_counts_and_one_after_it_does_not() -> None:
    candles = frame(quiet_start(100, 100, 100, 100, 100), quiet_start(100, 100, 111, 100, 100))

    assert labels_from_row_12(candles, wide_barriers(), 2)[0] == [BUY, 14, 0.1]
    assert labels_from_row_12(candles, wide_barriers(), 1)[0] == [HOLD, 13, 0.0]


def test_both_touched_in_one_candle() -> None:
    candles = frame(
        quiet_start(100, 100, 102, 100),
        quiet_start(100, 101, 120, 150),
        quiet_start(100, 99, 80, 99),
    )

    # It ends there, at that candle's close.
    assert labels_from_row_12(candles, wide_barriers(), 3)[0] == [HOLD, 14, 0.02]


def test_both_touched_in_different_candles_is_no_tie() -> None:
    candles = frame(
        quiet_start(100, 100, 100), quiet_start(100, 120, 100), quiet_start(100, 99, 80)
    )

    assert labels_from_row_12(candles, wide_barriers(), 2)[0] == [BUY, 13, 0.1]


# Against the definition, row by row


def has_hole(traded: list[bool]) -> bool:
    shortest = max(len(traded) // 4, 1)
    runs = [traded[i : i + shortest] for i in range(len(traded) - shortest + 1)]
    return not traded[-1] or [False] * shortest in runs


def naive_label(candles: pd.DataFrame, row: int, width: float, horizon: int, settings) -> list:
    """The definition for one row, candle by candle."""
    traded = (candles["volume"][row : row + horizon + 1] > 0).tolist()
    if len(traded) <= horizon or np.isnan(width) or not traded[0] or has_hole(traded[1:]):
        return [NAN, NAN, NAN]
    prices = candles[["high", "low", "close"]].to_numpy()
    entry = prices[row, 2]
    for end in range(row, row + horizon + 1):
        high, low, close = prices[end]
        if not all(0 < price < np.inf for price in prices[end]):
            return [NAN, NAN, NAN]
        if end > row and settings.kind == "triple_barrier":
            up = high >= entry * (1 + width)
            down = low <= entry * (1 - width)
            if up and down:
                return [HOLD, end, close / entry - 1]
            if up or down:
                return [SELL, end, -width] if down else [BUY, end, width]
    realised = close / entry - 1
    if settings.kind == "triple_barrier" or abs(realised) <= width:
        return [HOLD, end, realised]
    return [BUY if realised > 0 else SELL, end, realised]


@st.composite
def dirty_candles(draw: st.DrawFn) -> pd.DataFrame:
    """Candles with halts and unusable prices in arbitrary rows."""
    rows = draw(st.integers(0, 70))
    candles = random_candles(rows, draw(st.integers(0, 10_000)))
    for _ in range(draw(st.integers(0, 3)) if rows else 0):
        row = draw(st.integers(0, rows - 1))
        column = draw(st.sampled_from(["high", "low", "close", "volume"]))
        bad = st.sampled_from([NAN, 0.0, -1.0, np.inf, -np.inf])
        candles.loc[row, column] = draw(bad)
    for _ in range(draw(st.integers(0, 2)) if rows else 0):
        row = draw(st.integers(0, rows - 1))
        candles.loc[row : row + draw(st.integers(0, 8)), "volume"] = 0.0
    return candles


@given(
    dirty_candles(),
    st.sampled_from(KINDS),
    st.sampled_from([0.001, 0.3, 1.0, 3.0]),
    st.integers(1, 20),
)
def test_labels_equal_the_definition(candles, kind, k, horizon) -> None:
    settings = LabelSettings(kind=kind, k=k, threshold=0.004, floor=0.001)
    width = barrier_width(candles["close"].to_numpy(), LabelRule(settings, horizon, DAY))

    labels = make_labels(candles, LabelRule(settings, horizon, DAY))

    expected = [
        naive_label(candles, row, width[row], horizon, settings) for row in range(len(candles))
    ]
    np.testing.assert_array_equal(labels.to_numpy(), np.array(expected).reshape(-1, 3))


@pytest.mark.parametrize("kind", KINDS)
def test_labels_do_not_depend_on_the_block_size(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    candles = random_candles(300)
    candles.loc[150, "high"] = NAN
    full = make_labels(candles, LabelRule(LabelSettings(kind=kind), 20, DAY))

    monkeypatch.setattr(labels_module, "_BLOCK_ROWS", 7)

    assert_same(make_labels(candles, LabelRule(LabelSettings(kind=kind), 20, DAY)), full)


# What is known when


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [1, 2, 13, 100, 257])
def test_cutting_the_future_off_changes_no_label_that_was_known(kind: str, cut: int) -> None:
    candles = random_candles(400)
    horizon = 12

    full = make_labels(candles, LabelRule(LabelSettings(kind=kind), horizon, DAY))
    short = make_labels(candles[:cut], LabelRule(LabelSettings(kind=kind), horizon, DAY))

    known = max(cut - horizon, 0)
    assert_same(short[:known], full[:known])
    assert short[known:].isna().all(axis=None)


@pytest.mark.parametrize("kind", KINDS)
def test_the_tail_is_unknown_and_never_a_class(kind: str) -> None:
    """A label such as ``where(close.shift(-n) > close, ...)`` calls the tail a class."""
    labels = make_labels(random_candles(100), LabelRule(LabelSettings(kind=kind), 24, DAY))

    assert labels[-24:].isna().all(axis=None)
    assert labels[12:-24].notna().all(axis=None)


def test_a_barrier_touched_early_in_the_tail_is_no_label_either() -> None:
    moves = frame(100.0 * 1.5 ** np.arange(40))  # every next candle touches the upper barrier

    labels = make_labels(moves, LabelRule(wide_barriers(), 10, DAY))

    assert labels[LABEL_COLUMN].notna().to_numpy().nonzero()[0].tolist() == list(range(12, 30))


@given(st.sampled_from(KINDS), st.integers(12, 80), st.integers(0, 1000))
def test_nothing_after_the_event_end_matters(kind: str, row: int, seed: int) -> None:
    candles, other = random_candles(100, seed), random_candles(100, seed + 1)
    settings = LabelSettings(kind=kind, k=0.5, floor=0.0)
    before = make_labels(candles, LabelRule(settings, 12, DAY)).loc[row]
    end = int(before[EVENT_END_COLUMN])
    candles.loc[end + 1 :] = other.loc[end + 1 :] * 3

    after = make_labels(candles, LabelRule(settings, 12, DAY)).loc[row]

    pd.testing.assert_series_equal(before, after, check_exact=True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_width_is_known_at_its_row(kind: str) -> None:
    close = random_candles(60)["close"].to_numpy()
    changed = close.copy()
    changed[41:] *= 2

    width, other = (
        barrier_width(prices, LabelRule(LabelSettings(kind=kind), 12, DAY))
        for prices in (close, changed)
    )

    np.testing.assert_array_equal(width[:41], other[:41])


# Input that is not clean


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [0, 1, 2, 5, 12, 13])
def test_short_frames_are_unknown(kind: str, rows: int) -> None:
    labels = make_labels(random_candles(rows), LabelRule(LabelSettings(kind=kind), 5, DAY))

    assert len(labels) == rows
    assert labels.dtypes.tolist() == [np.float64] * 3
    assert labels[max(rows - 5, 0) :].isna().all(axis=None)


def unlabelled(candles: pd.DataFrame, horizon: int) -> list[int]:
    labels = make_labels(candles, LabelRule(LabelSettings(kind="fixed"), horizon, DAY))
    return labels[LABEL_COLUMN].isna().to_numpy().nonzero()[0].tolist()


def test_a_candle_without_volume_gets_no_label_but_events_may_pass_it() -> None:
    volume = np.ones(30)
    volume[15] = 0
    # Those that end there are unknown too: no price was made.
    assert unlabelled(frame([100.0] * 30, volume=volume), 8) == [7, 15, *range(22, 30)]


@pytest.mark.parametrize("kind", KINDS)
def test_no_row_before_a_hole_is_labelled_by_what_fills_it(kind: str) -> None:
    """Filled candles are flat: whatever the market did there, the label would be hold."""
    horizon, first, long = 24, 100, 48
    candles = random_candles(250)
    hole = slice(first, first + long - 1)
    candles.loc[hole, ["open", "high", "low", "close"]] = candles["close"][first - 1]
    candles.loc[hole, "volume"] = 0.0
    labels = make_labels(candles, LabelRule(LabelSettings(kind=kind), horizon, DAY))
    known = labels[LABEL_COLUMN].notna().to_numpy()
    assert known[12 : first - horizon].all()
    assert not known[first - horizon : first + long].any()
    assert known[first + long : -horizon].all()


def test_a_short_pause_within_an_event_is_no_hole() -> None:
    volume = np.ones(60)
    volume[30:32] = 0
    gone = unlabelled(frame([100.0] * 60, volume=volume), 12)
    assert gone == [18, 19, 30, 31, *range(48, 60)]
    volume[30:33] = 0
    assert unlabelled(frame([100.0] * 60, volume=volume), 12) == [*range(18, 33), *range(48, 60)]


@pytest.mark.parametrize("bad", [NAN, 0.0, -5.0, np.inf])
@pytest.mark.parametrize("column", ["high", "low", "close"])
def test_events_that_hold_an_unusable_price_are_unknown(bad: float, column: str) -> None:
    candles = frame([100.0] * 12)
    candles.loc[5, column] = bad

    labels = make_labels(candles, LabelRule(LabelSettings(kind="fixed"), 3, DAY))

    assert labels[LABEL_COLUMN].isna().to_numpy().nonzero()[0].tolist() == [2, 3, 4, 5, 9, 10, 11]


def test_a_barrier_touched_before_an_unusable_price_is_known() -> None:
    high = quiet_start(100, 120, NAN, 100, 100)
    candles = frame(quiet_start(100, 100, 100, 100, 100), high)

    labels = labels_from_row_12(candles, wide_barriers(), 3)

    assert labels[0] == [BUY, 13, 0.1]
    assert np.isnan(labels[1]).all()


def test_the_index_is_kept_and_the_candles_are_not_changed() -> None:
    candles = random_candles(40).set_index(pd.RangeIndex(7, 47))
    copy = candles.copy()

    labels = make_labels(candles, LabelRule(LabelSettings(kind="fixed"), 5, DAY))

    assert_same(candles, copy)
    assert labels.index.equals(candles.index)
    assert labels[EVENT_END_COLUMN].max() == 39  # a position, not an index value


def test_memory_layout_of_the_candles_does_not_matter() -> None:
    candles = random_candles(300)
    by_rows = pd.DataFrame(np.ascontiguousarray(candles.to_numpy()), columns=candles.columns)

    for kind in KINDS:
        settings = LabelSettings(kind=kind)
        assert_same(
            make_labels(candles, LabelRule(settings, 9, DAY)),
            make_labels(by_rows, LabelRule(settings, 9, DAY)),
        )


def test_missing_columns_are_named() -> None:
    with pytest.raises(ValueError, match=r"lack the columns \['low', 'volume'\]"):
        make_labels(
            frame([1.0]).drop(columns=["low", "volume"]), LabelRule(LabelSettings(), 5, DAY)
        )


def test_impossible_numbers_are_refused() -> None:
    candles = frame([1.0, 2.0])
    with pytest.raises(ValueError, match="horizon must be at least 1 candle, got 0"):
        make_labels(candles, LabelRule(LabelSettings(), 0, DAY))
    with pytest.raises(ValueError, match="candles_per_day must be at least 1, got 0"):
        make_labels(candles, LabelRule(LabelSettings(), 5, 0))
    with pytest.raises(
        ValueError, match=r"round_trip_cost must be a fraction in \[0, 1\), got nan"
    ):
        make_labels(candles, LabelRule(LabelSettings(), 5, DAY, round_trip_cost=NAN))


def test_class_numbers_are_those_of_the_schema() -> None:
    assert (SignalClass.SELL, SignalClass.HOLD, SignalClass.BUY) == (SELL, HOLD, BUY)
