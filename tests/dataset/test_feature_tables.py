"""Features computed once per set of candles, tables and rows of many pairs."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from freqai_signals.dataset.features import Market, build_features, feature_memory
from freqai_signals.dataset.features.cache import FeatureCache, candle_digest, market_digest
from freqai_signals.dataset.pair_tables import Table, add_labels, training_rows
from freqai_signals.dataset.rows import Window
from freqai_signals.schema import (
    EVENT_END_COLUMN,
    LABEL_COLUMN,
    OHLCV,
    REALISED_RETURN_COLUMN,
    RETURN_SCALE_COLUMN,
    SPREAD_COLUMN,
    TRADE_COLUMNS,
)
from freqai_signals.settings import FeatureSettings, LabelSettings, SignalSettings
from tests.conftest import random_walk

SETTINGS = SignalSettings(
    timeframe="1h",
    features=FeatureSettings(groups=("momentum", "cross_asset"), higher_timeframes=("4h",)),
    indicator_periods_candles=(6, 12),
    label_horizon_candles=6,
    labels=LabelSettings(kind="fixed", threshold=0.002),
)
POOL = ("A/USDT", "B/USDT")


class Exchange:
    """Candles by pair, and how often features were computed."""

    def __init__(self) -> None:
        self.frames = {
            pair: random_walk(200, seed=i, timeframe="1h") for i, pair in enumerate(POOL)
        }

    def source(self, pair: str, first: pd.Timestamp) -> pd.DataFrame:
        return self.frames.get(pair, random_walk(2).iloc[:0])


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry per computation of features: the number of rows."""
    calls: list[int] = []

    def counted(candles: pd.DataFrame, *arguments: object) -> pd.DataFrame:
        calls.append(len(candles))
        return build_features(candles, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("freqai_signals.dataset.features.cache.build_features", counted)
    return calls


def test_the_same_candles_are_computed_once(exchange: Exchange, computed: list[int]) -> None:
    cache = FeatureCache(SETTINGS, POOL)
    frame = exchange.frames["A/USDT"]
    first = cache.features("A/USDT", frame, exchange.source)
    moved = cache.features("A/USDT", frame.set_index(frame.index + 7), exchange.source)
    assert computed == [200]
    assert moved.index[0] == 7
    np.testing.assert_array_equal(first, moved)


@pytest.mark.parametrize("column", OHLCV)
def test_one_changed_value_is_recomputed(
    column: str, exchange: Exchange, computed: list[int]
) -> None:
    cache = FeatureCache(SETTINGS, POOL)
    frame = exchange.frames["A/USDT"]
    cache.features("A/USDT", frame, exchange.source)
    changed = frame.copy()
    changed.loc[100, column] = np.nextafter(changed.loc[100, column], np.inf)
    fresh = cache.features("A/USDT", changed, exchange.source)
    assert computed == [200, 200]
    assert len(fresh) == 200


def test_a_changed_candle_of_another_pool_pair_is_recomputed(
    exchange: Exchange, computed: list[int]
) -> None:
    """A cache keyed by the pair's own candles alone would return the old market."""
    cache = FeatureCache(SETTINGS, POOL)
    frame = exchange.frames["A/USDT"]
    before = cache.features("A/USDT", frame, exchange.source)
    other = exchange.frames["B/USDT"] = exchange.frames["B/USDT"].copy()
    other.loc[150, "close"] *= 1.01
    after = cache.features("A/USDT", frame, exchange.source)
    assert computed == [200, 200]
    assert not np.array_equal(before["%-market_1"], after["%-market_1"], equal_nan=True)


def test_the_same_market_moves_at_other_dates_are_recomputed(computed: list[int]) -> None:
    """Equal values, shifted by an hour: a digest of the values alone would be the same."""
    frame = random_walk(200, timeframe="1h")
    other = random_walk(199, seed=1, timeframe="1h")
    later = other.assign(date=other["date"] + pd.Timedelta(hours=1))
    cache = FeatureCache(SETTINGS, ("B/USDT",))
    cache.features("A/USDT", frame, lambda pair, first: other)
    shifted = cache.features("A/USDT", frame, lambda pair, first: later)
    fresh = FeatureCache(SETTINGS, ("B/USDT",)).features("A/USDT", frame, lambda p, f: later)
    pd.testing.assert_frame_equal(shifted, fresh)


def test_candles_of_other_pairs_beyond_the_frame_do_not_count(
    exchange: Exchange, computed: list[int]
) -> None:
    cache = FeatureCache(SETTINGS, POOL)
    frame = exchange.frames["A/USDT"].iloc[20:150]
    cache.features("A/USDT", frame, exchange.source)
    other = exchange.frames["B/USDT"] = exchange.frames["B/USDT"].copy()
    other.loc[150:, "close"] *= 2
    other.loc[:19, "close"] *= 2
    cache.features("A/USDT", frame, exchange.source)
    assert computed == [130]


def test_another_pair_does_not_evict_the_first(exchange: Exchange, computed: list[int]) -> None:
    cache = FeatureCache(SETTINGS, POOL)
    for pair in (*POOL, *POOL):
        cache.features(pair, exchange.frames[pair], exchange.source)
    assert computed == [200, 200]


def test_all_pairs_share_one_market_until_a_frame_is_replaced(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    from_closes = Market.from_closes

    def counted(closes: Any, lead: str) -> Market:
        made.append(len(closes))
        return from_closes(closes, lead)

    monkeypatch.setattr(Market, "from_closes", counted)
    cache = FeatureCache(SETTINGS, POOL)
    first = [cache.compute(pair, exchange.frames[pair], exchange.source) for pair in POOL]
    assert made == [2]
    # A candle that was late has come: the same dates, another frame.
    late = exchange.frames["B/USDT"].copy()
    late.loc[199, "close"] *= 1.01
    exchange.frames["B/USDT"] = late
    again = cache.compute("A/USDT", exchange.frames["A/USDT"], exchange.source)
    assert made == [2, 2]
    assert not again.iloc[-1].equals(first[0].iloc[-1])
    fresh = FeatureCache(SETTINGS, POOL).compute(
        "A/USDT", exchange.frames["A/USDT"], exchange.source
    )
    pd.testing.assert_frame_equal(again, fresh)


def test_a_market_keeps_no_frame_in_memory(exchange: Exchange) -> None:
    cache = FeatureCache(SETTINGS, POOL)
    cache.compute("A/USDT", exchange.frames["A/USDT"], exchange.source)
    kept = weakref.ref(exchange.frames.pop("B/USDT"))
    gc.collect()
    assert kept() is None


def test_a_pair_of_the_pool_without_candles_is_left_out(exchange: Exchange) -> None:
    with_gap = FeatureCache(SETTINGS, (*POOL, "NONE/USDT"))
    without = FeatureCache(SETTINGS, POOL)
    frame = exchange.frames["A/USDT"]
    pd.testing.assert_frame_equal(
        with_gap.features("A/USDT", frame, exchange.source),
        without.features("A/USDT", frame, exchange.source),
    )


@pytest.mark.parametrize("rows", [0, 1])
def test_a_frame_without_history_has_all_columns(rows: int, exchange: Exchange) -> None:
    cache = FeatureCache(SETTINGS, POOL)
    frame = exchange.frames["A/USDT"].iloc[:rows]
    columns = list(build_features(exchange.frames["A/USDT"], SETTINGS))
    assert list(cache.features("A/USDT", frame, exchange.source)) == columns


@hypothesis_settings(max_examples=40)
@given(row=st.integers(0, 49), column=st.sampled_from(["date", *OHLCV]))
def test_the_candle_digest_changes_with_any_value(row: int, column: str) -> None:
    frame = random_walk(50)
    changed = frame.copy()
    if column == "date":
        changed.loc[row, "date"] += pd.Timedelta(seconds=1)
    else:
        changed.loc[row, column] = np.nextafter(changed.loc[row, column], 0.0)
    assert candle_digest(changed) != candle_digest(frame)


def test_the_candle_digest_ignores_index_date_unit_and_other_columns() -> None:
    frame = random_walk(50)
    other = frame.assign(more=1.0, date=frame["date"].dt.as_unit("ns"))
    other.index += 3
    assert candle_digest(other) == candle_digest(frame)


def test_the_market_digest_changes_with_any_value_and_date() -> None:
    close = random_walk(30).set_index("date")["close"]
    base = market_digest(Market.from_closes({"A/USDT": close}, "A"))
    changed = close.copy()
    changed.iloc[7] *= 1.0001
    later = close.set_axis(close.index + pd.Timedelta("5min"))
    for other in (changed, later, close.iloc[1:]):
        assert market_digest(Market.from_closes({"A/USDT": other}, "A")) != base
    assert market_digest(None) == ""


# Labels and tables


def table(pair_seed: int, rows: int = 200, settings: SignalSettings = SETTINGS) -> Table:
    frame = random_walk(rows, seed=pair_seed, timeframe="1h")
    labelled = add_labels(frame, settings, 0.001)
    features = build_features(frame, settings)
    return Table.of(pd.concat([labelled, features], axis=1), settings.candle_seconds)


def test_labels_are_added_to_the_candles_and_may_be_added_again() -> None:
    """FreqAI calls the label hook twice a window on frames that may carry labels already."""
    frame = random_walk(60, timeframe="1h")
    once = add_labels(frame, SETTINGS, 0.001)
    labels = [LABEL_COLUMN, EVENT_END_COLUMN, REALISED_RETURN_COLUMN, RETURN_SCALE_COLUMN]
    assert list(once)[: len(frame.columns)] == list(frame)
    assert set(once) - set(frame) == {*labels, *TRADE_COLUMNS, SPREAD_COLUMN}
    pd.testing.assert_frame_equal(add_labels(once, SETTINGS, 0.001), once)
    assert LABEL_COLUMN not in frame


def test_the_unknown_tail_has_no_label() -> None:
    once = add_labels(random_walk(60, timeframe="1h"), SETTINGS, 0.001)
    assert once[LABEL_COLUMN].iloc[-6:].isna().all()
    assert once[LABEL_COLUMN].iloc[:-6].notna().all()


def test_a_table_takes_the_columns_that_freqai_would_take_as_features() -> None:
    made = table(0)
    assert list(made.features) == list(build_features(random_walk(3), SETTINGS))
    assert made.numbers[1] - made.numbers[0] == 1
    assert made.numbers[0] == pd.Timestamp("2023-01-01", tz="UTC").timestamp() // 3600


def test_rows_of_a_pool_are_sorted_by_candle_then_pair() -> None:
    tables = {"B/USDT": table(1), "A/USDT": table(0)}
    numbers = tables["A/USDT"].numbers
    rows = training_rows(tables, Window(int(numbers[100]), int(numbers[180]), 6))
    assert rows.pairs == POOL
    expected_starts = np.repeat(numbers[100:174], 2)
    np.testing.assert_array_equal(rows.start, expected_starts)
    np.testing.assert_array_equal(rows.pair, np.tile([0, 1], 74))
    of_b = rows.take(rows.pair == 1)
    np.testing.assert_array_equal(of_b.features, tables["B/USDT"].features.iloc[100:174].to_numpy())


def test_a_pair_without_rows_in_the_window_is_left_out() -> None:
    late = table(1)
    late = Table(late.features, late.labels, late.numbers + 10_000)
    early = table(0)
    window = Window(int(early.numbers[0]), int(early.numbers[-1]) + 1, 6)
    assert training_rows({"A/USDT": early, "LATE/USDT": late}, window).pairs == ("A/USDT",)


def test_no_rows_at_all_is_an_empty_matrix_and_not_an_error() -> None:
    empty = training_rows({"A/USDT": table(0)}, Window(0, 10, 6))
    assert len(empty) == 0
    assert empty.names


def test_no_pair_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="no pair has rows"):
        training_rows({}, Window(0, 10))


def test_rows_do_not_depend_on_the_order_in_which_pairs_are_named(
    candles: Callable[..., pd.DataFrame],
) -> None:
    a, b = table(0), table(1)
    window = Window(int(a.numbers[0]), int(a.numbers[-1]) + 1, 6, 3)
    forward = training_rows({"A/USDT": a, "B/USDT": b}, window)
    assert forward.digest() == training_rows({"B/USDT": b, "A/USDT": a}, window).digest()


def test_rows_do_not_depend_on_where_a_frame_begins() -> None:
    """recursive-analysis varies the start-up length; rows, and so the model, must not change."""
    settings = SignalSettings(timeframe="1h", label_horizon_candles=6)
    candles = random_walk(1500, seed=3, timeframe="1h")
    memory = feature_memory(settings)
    number = int(candles["date"].iloc[0].timestamp()) // 3600
    window = Window(number + 400 + memory, number + 1400, settings.label_horizon_candles, 5)

    def digest(first: int) -> str:
        frame = candles.iloc[first:].reset_index(drop=True)
        labelled = pd.concat(
            [add_labels(frame, settings, 0.002), build_features(frame, settings)], axis=1
        )
        return training_rows({"A/USDT": Table.of(labelled, 3600)}, window).digest()

    assert digest(0) == digest(200) == digest(400)
