"""From decisions to freqtrade's columns: entries, exits, barriers, freshness."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freqai_signals.schema import (
    PROBA_COLUMNS,
    RETURN_SCALE_COLUMN,
    TRADE_COST_COLUMN,
    VALUE_COLUMNS,
    SignalClass,
)
from freqai_signals.settings import DecisionSettings, ExitSettings, SignalSettings, SizingSettings
from freqai_signals.signals.column_arrays import with_columns
from freqai_signals.signals.decide import PairContext, decide, decisions
from freqai_signals.signals.predictions import read_frame
from freqai_signals.trading.columns import (
    BARRIER_COLUMN,
    BarrierColumns,
    entry_columns,
    exit_columns,
    row_outlook,
    without_report_columns,
)
from freqai_signals.trading.own_strategy import decisions_of_entries

SECONDS = 300
COST = 0.002
NOON = pd.Timestamp("2024-03-01 12:00", tz="UTC")
PROBABILITIES = {0: (0.7, 0.2, 0.1), 1: (0.1, 0.8, 0.1), 2: (0.1, 0.2, 0.7)}


def predictions(*rows: tuple[int, float, float, int]) -> pd.DataFrame:
    """Rows of (class, confidence, expected return, trust), one candle each."""
    table = pd.DataFrame(rows, columns=["&-signal", "confidence", "expected_return", "do_predict"])
    table["date"] = pd.date_range(NOON, periods=len(rows), freq="5min", unit="ms")
    kinds = [PROBABILITIES[int(kind)] for kind in table["&-signal"]]
    table[list(PROBA_COLUMNS)] = np.array(kinds).reshape(-1, 3)
    return table


def exits(frame: pd.DataFrame, **settings: object) -> pd.DataFrame:
    given, read = ExitSettings(**settings), read_frame(frame, SECONDS)  # type: ignore[arg-type]
    return with_columns(pd.DataFrame(index=frame.index), exit_columns(read, len(frame), given))


# Entries


def test_own_entries_keep_their_tags_and_each_text_once() -> None:
    frame = predictions(*[(2, 0.96, 0.01, 1)] * 3, *[(2, 0.96, 0.01, 0)] * 3)
    frame["enter_long"] = [1, 0, 1, np.nan, 1, 1]
    frame["enter_short"] = [0, 0, 1, 0, 0, 0]
    frame["enter_tag"] = ["a", "b", "c", "d", None, "a"]
    table = decisions_of_entries(frame, DecisionSettings())
    assert table["signal"].tolist() == [2, -1, -1, -1, 2, 2]
    assert table["signal_tag"].tolist() == ["a", "", "", "", "", "a"]
    assert table["reject_reason"].tolist() == ["", "", "", "untrusted", "", ""]
    assert len({id(text) for text in table["reject_reason"]}) == 2
    assert {str(table[name].dtype) for name in ("signal", "signal_strength")} == {"int8"}
    untagged = decisions_of_entries(frame.drop(columns="enter_tag"), DecisionSettings())
    assert set(untagged["signal_tag"]) == {""}


def test_entry_columns_of_each_signal_by_hand() -> None:
    tags = np.array(["sell_weak", "hold", "buy_strong", ""], dtype=object)
    decided = {"signal": np.array([0, 1, 2, -1], dtype=np.int8), "signal_tag": tags}
    futures = entry_columns(decided, can_short=True)
    assert futures["enter_long"].tolist() == [0, 0, 1, 0]
    assert futures["enter_short"].tolist() == [1, 0, 0, 0]
    assert futures["enter_tag"].tolist() == ["sell_weak", None, "buy_strong", None]
    spot = entry_columns(decided, can_short=False)
    assert spot["enter_short"].tolist() == [0, 0, 0, 0]
    assert spot["enter_tag"].tolist() == [None, None, "buy_strong", None]


rows = st.tuples(
    st.sampled_from([0, 1, 2]),
    st.floats(0.4, 1.0).map(lambda x: round(x, 3)),
    st.floats(-0.002, 0.004),
    st.sampled_from([1, 1, 1, 0, 2]),
)


@given(
    st.lists(rows, max_size=60),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(-0.002, 0.004),
    st.floats(0, 0.004),
)
def test_raising_a_threshold_never_adds_an_entry(
    table: list[tuple[int, float, float, int]], one: float, other: float, margin: float, up: float
) -> None:
    frame = predictions(*table)
    low, high = sorted((one, other))

    def entered(minimum: float, least: float) -> set[tuple[int, int]]:
        decision = DecisionSettings(
            weak=minimum, medium=1.0, strong=1.0, minimum_confidence=minimum,
            expected_value_margin=least,
        )  # fmt: skip
        context, read = PairContext(SECONDS), read_frame(frame, SECONDS)
        columns = entry_columns(decisions(read, len(frame), decision, context), can_short=True)
        sides = np.column_stack([columns[name] for name in ("enter_long", "enter_short")])
        return set(zip(*(part.tolist() for part in np.nonzero(sides)), strict=True))

    assert entered(high, margin + up) <= entered(low, margin)


# Exits


def test_opposite_prediction_ends_a_trade_by_hand() -> None:
    frame = predictions((0, 0.7, 0.001, 1), (1, 0.9, 0.0, 1), (2, 0.7, 0.001, 1), (0, 0.6, 0.1, 1))
    out = exits(frame)
    assert out["exit_long"].tolist() == [1, 0, 0, 0]
    assert out["exit_short"].tolist() == [0, 0, 1, 0]
    assert out["exit_tag"].tolist() == ["opposite_signal", None, "opposite_signal", None]


def test_any_opposite_prediction_ends_a_trade_at_confidence_0() -> None:
    frame = predictions((0, 0.1, 0.001, 1), (2, 0.1, -0.005, 1), (1, 0.1, 0.0, 1))
    assert not exits(frame)[["exit_long", "exit_short"]].to_numpy().any()
    out = exits(frame, opposite_confidence=0.0)
    assert out["exit_long"].tolist() == [1, 0, 0]
    assert out["exit_short"].tolist() == [0, 1, 0]


@pytest.mark.parametrize("trust", [0, 2])
def test_untrusted_row_ends_nothing(trust: int) -> None:
    out = exits(predictions((0, 1.0, 0.1, trust)), opposite_confidence=0.0)
    assert not out[["exit_long", "exit_short"]].to_numpy().any()
    assert out["exit_tag"].tolist() == [None]


@pytest.mark.parametrize(
    ("column", "value"),
    [("proba_buy", math.nan), ("proba_buy", 0.9), ("confidence", math.nan), ("&-signal", 7.0)],
)
def test_invalid_numbers_end_nothing(column: str, value: float) -> None:
    frame = predictions((0, 1.0, 0.1, 1)).assign(**{column: value})
    assert not exits(frame)[["exit_long", "exit_short"]].to_numpy().any()


@pytest.mark.parametrize("column", ["proba_buy", "confidence", "&-signal", "do_predict", "date"])
def test_missing_column_ends_nothing(column: str) -> None:
    out = exits(predictions((0, 1.0, 0.1, 1)).drop(columns=column))
    assert out.to_dict("list") == {"exit_long": [0], "exit_short": [0], "exit_tag": [None]}


def test_without_shorts_there_are_no_short_exits() -> None:
    frame = predictions((2, 1.0, 0.1, 1), (0, 1.0, 0.1, 1))
    both = exit_columns(read_frame(frame, SECONDS), len(frame), ExitSettings())
    assert both["exit_short"].tolist() == [1, 0]
    spot = exit_columns(read_frame(frame, SECONDS), len(frame), ExitSettings(), can_short=False)
    assert spot["exit_short"].tolist() == [0, 0]
    assert spot["exit_long"].tolist() == both["exit_long"].tolist() == [0, 1]
    assert spot["exit_tag"].tolist() == [None, "opposite_signal"]


@given(st.lists(rows, max_size=30), st.floats(0, 1), st.floats(0, 1))
def test_entry_rules_do_not_affect_exits(
    table: list[tuple[int, float, float, int]], confidence: float, more: float
) -> None:
    low, high = sorted((confidence, more))
    frame = predictions(*table)
    few, many = exits(frame, opposite_confidence=high), exits(frame, opposite_confidence=low)
    for name in ("exit_long", "exit_short"):
        assert (few[name] <= many[name]).all()


# Barriers


def test_barrier_column_is_known_at_the_close_of_its_row() -> None:
    rng = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.002, 1200)))
    frame = pd.DataFrame({"date": pd.date_range(NOON, periods=1200, freq="5min"), "close": close})
    full = BarrierColumns(SignalSettings()).of(frame, COST)[BARRIER_COLUMN]
    part = BarrierColumns(SignalSettings()).of(frame.head(1000), COST)[BARRIER_COLUMN]
    np.testing.assert_array_equal(full[:1000], part)
    assert (full[~np.isnan(full)] >= SignalSettings().labels.floor).all()


def test_kept_barriers_are_those_of_the_very_same_closes_and_cost() -> None:
    frame = pd.DataFrame({"close": 100 + np.sin(np.arange(1200.0))})
    frame.loc[7, "close"] = np.nan
    later = frame.assign(close=frame["close"].shift(-1))
    kept = BarrierColumns(SignalSettings(), kept=True)
    for shown, cost in ((frame, COST), (frame.copy(), COST), (later, COST), (later, 0.05)):
        made, fresh = kept.of(shown, cost), BarrierColumns(SignalSettings()).of(shown, cost)
        for name, values in fresh.items():
            np.testing.assert_array_equal(made[name], values)
    assert kept.of(later.copy(), 0.05)[BARRIER_COLUMN] is made[BARRIER_COLUMN]


# Outlook, and what an epoch needs


def test_outlook_of_a_row_by_hand() -> None:
    row = dict(zip(PROBA_COLUMNS, (0.1, 0.3, 0.6), strict=True))
    row |= dict(zip(VALUE_COLUMNS, (2.0, 1.0, 2.0), strict=True))
    row |= {"return_scale": 0.005, TRADE_COST_COLUMN: COST}
    expected = row_outlook(row, SignalClass.BUY)
    assert expected.mean == pytest.approx(0.5 * 2.0 * 0.005 - COST)
    gross = (0.7 * 1.0 + 0.49 * 2.0) * 0.005**2
    assert expected.square == pytest.approx(gross - 2 * COST * 0.005 + COST**2)
    assert row_outlook(row, SignalClass.SELL).mean == pytest.approx(-0.5 * 2.0 * 0.005 - COST)


@pytest.mark.parametrize("method", ["fixed", "kelly"])
def test_an_epoch_keeps_every_column_that_decides(method: str) -> None:
    decides = {"date", "close", "confidence", *PROBA_COLUMNS, BARRIER_COLUMN, VALUE_COLUMNS[0]}
    sizes = {*VALUE_COLUMNS[1:], TRADE_COST_COLUMN, RETURN_SCALE_COLUMN}
    frame = pd.DataFrame(0.0, index=[0], columns=sorted(decides | sizes | {"prior_buy"}))
    left = without_report_columns(frame, SizingSettings(method=method))  # type: ignore[arg-type]
    assert set(left) == (decides if method == "fixed" else decides | sizes)


# A backtest's frame begins with its training window


@given(st.lists(rows, max_size=30), st.integers(1, 40))
def test_rows_before_the_first_prediction_change_nothing(
    table: list[tuple[int, float, float, int]], before: int
) -> None:
    full = predictions(*[(1, 0.0, 0.0, 0)] * before, *table)
    part = full.iloc[before:]
    context = PairContext(SECONDS)
    decided = decide(full, DecisionSettings(), context)
    pd.testing.assert_frame_equal(
        decided.iloc[before:], decide(part, DecisionSettings(), context), check_dtype=len(table) > 0
    )
    assert (decided["reject_reason"].iloc[:before] == "untrusted").all()
    assert (decided["signal"].iloc[:before] == -1).all()
    left = exits(full)
    assert not left[["exit_long", "exit_short"]].iloc[:before].to_numpy().any()
    assert left.iloc[before:].to_dict("list") == exits(part).to_dict("list")
