"""Decisions by hand, then invariants for any predictions and thresholds."""

import pickle
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from freqai_signals.schema import DECISION_COLUMNS, MODEL_COLUMNS, TRUST_COLUMN
from freqai_signals.settings import DecisionSettings
from freqai_signals.signals import predictions as predictions_module
from freqai_signals.signals.decide import NO_SIGNAL, PairContext, decide
from freqai_signals.signals.predictions import PredictionReader, Predictions

Frames = Callable[..., pd.DataFrame]
CONTEXT = PairContext(candle_seconds=300)
SHIPPED = DecisionSettings()
FIRST_CANDLE = 288 * 20_000


def reasons(
    frame: pd.DataFrame, settings: DecisionSettings = SHIPPED, stops: Sequence[int] = ()
) -> str:
    """Comma-separated reasons; ``+`` where a signal was emitted."""
    table = decide(frame, settings, PairContext(300, tuple(stops)))
    shown = np.where(table["signal"] == NO_SIGNAL, table["reject_reason"], "+")
    return ",".join(shown)


def memory_candles(settings: DecisionSettings) -> int:
    """Candles before a row that its decision may depend on, according to ``repeats``."""
    return settings.resync_candles + settings.repeat_window_candles


# By hand


def test_columns_and_index_are_those_documented(predictions: Frames) -> None:
    frame = predictions("BSHh").set_index(pd.Index([7, 8, 9, 11]))
    table = decide(frame, SHIPPED, CONTEXT)
    assert tuple(table.columns) == DECISION_COLUMNS
    assert list(table.index) == [7, 8, 9, 11]
    assert list(table["signal"]) == [2, 0, 1, NO_SIGNAL]
    assert list(table["signal_strength"]) == [1, 1, 0, 0]
    assert list(table["signal_tag"]) == ["buy_weak", "sell_weak", "hold", ""]
    assert list(table["reject_reason"]) == ["", "", "", ""]


def test_shipped_memory_fits_a_live_frame() -> None:
    """freqtrade gives a live strategy no more than about a thousand candles."""
    assert memory_candles(DecisionSettings()) < 1000


def test_strength_follows_the_tiers(predictions: Frames) -> None:
    frame = predictions("BSBS", confidence=[0.90, 0.97, 0.99, 0.98])
    settings = SHIPPED.model_copy(update={"repeat_window_candles": 0})
    table = decide(frame, settings, CONTEXT)
    assert list(table["signal_tag"]) == ["buy_weak", "sell_medium", "buy_strong", "sell_medium"]


def test_expected_value_must_exceed_the_margin(predictions: Frames) -> None:
    frame = predictions("BSB", expected=[0.0, 0.001, -0.01])
    assert reasons(frame) == "no_edge,+,no_edge"
    assert reasons(frame, DecisionSettings(expected_value_rule=False)) == "+,+,repeat"


def test_confidence_must_reach_the_minimum_and_the_weak_tier(predictions: Frames) -> None:
    frame = predictions("BS", confidence=[0.89, 0.90])
    assert reasons(frame) == "low_confidence,+"
    assert reasons(frame, DecisionSettings(minimum_confidence=0.5)) == "low_confidence,+"
    assert reasons(frame, DecisionSettings(minimum_confidence=0.5, weak=0.5)) == "+,+"


def test_hold_is_a_signal_only_if_probable_and_never_a_rejection(
    predictions: Frames,
) -> None:
    assert reasons(predictions("hHHh")) == ",+,,"


def test_same_signal_is_not_repeated_within_the_window(predictions: Frames) -> None:
    assert reasons(predictions("BBBBBBBB")) == "+,repeat,repeat,repeat,repeat,repeat,repeat,+"
    assert reasons(predictions("BSBS")) == "+,+,repeat,repeat"


def test_window_counts_from_the_signal_emitted_not_from_the_repeat(predictions: Frames) -> None:
    settings = DecisionSettings(repeat_window_candles=2)
    assert reasons(predictions("BBBBBBB"), settings) == "+,repeat,repeat,+,repeat,repeat,+"


def test_clearly_more_confident_repeat_is_emitted(predictions: Frames) -> None:
    founding = DecisionSettings(
        weak=0.65, medium=0.7, strong=0.8, minimum_confidence=0.65, reference_confidence=0.65
    )
    frame = predictions("BBBB", confidence=[0.70, 0.79, 0.80, 0.85])
    assert reasons(frame, founding) == "+,repeat,+,repeat"


def test_row_that_was_not_emitted_suppresses_nothing(predictions: Frames) -> None:
    assert reasons(predictions("BB", confidence=[0.89, 0.95])) == "low_confidence,+"
    assert reasons(predictions("BB", expected=[-0.01, 0.01])) == "no_edge,+"


def test_thresholds_above_the_reference_add_no_signal(predictions: Frames) -> None:
    frame = predictions("BB", confidence=[0.91, 0.95])
    assert reasons(frame) == "+,repeat"
    assert reasons(frame, DecisionSettings(minimum_confidence=0.93)) == "low_confidence,repeat"
    both = DecisionSettings(minimum_confidence=0.93, reference_confidence=0.93)
    assert reasons(frame, both) == "low_confidence,+"


def test_below_the_reference_only_signals_as_confident_count(predictions: Frames) -> None:
    low = DecisionSettings(weak=0.5, minimum_confidence=0.5)
    frame = predictions("BBBB", confidence=[0.6, 0.65, 0.65, 0.6])
    assert reasons(frame, low) == "+,+,repeat,repeat"


@pytest.mark.parametrize("weaker", [-0.001, 0.0])
def test_signal_that_only_a_negative_margin_allows_suppresses_no_better_one(
    predictions: Frames, weaker: float
) -> None:
    frame = predictions("BBB", expected=[weaker, 0.01, weaker])
    generous = DecisionSettings(expected_value_margin=-0.01)
    assert reasons(frame, generous) == "+,+,repeat"
    assert reasons(frame) == "no_edge,+,no_edge"


def test_missing_candles_count_as_time(predictions: Frames) -> None:
    frame = predictions("BBBBBBBBB").iloc[[0, 1, 7, 8]]
    assert reasons(frame) == "+,repeat,+,repeat"


def test_repeat_is_suppressed_across_the_start_of_a_block(predictions: Frames) -> None:
    frame = predictions("h" * 286 + "BBBBBBBBBB")
    assert reasons(frame)[286:] == "+,repeat,repeat,repeat,repeat,repeat,repeat,repeat,+,repeat"


def test_cooldown_lets_a_trade_open_again_after_its_candles(predictions: Frames) -> None:
    settings = DecisionSettings(cooldown_candles=2, repeat_window_candles=0)
    frame = predictions("BBBBBH")
    assert reasons(frame, settings) == "+,+,+,+,+,+"
    stopped = reasons(frame, settings, stops=[FIRST_CANDLE + 1])
    assert stopped == "+,cooldown,cooldown,+,+,+"
    assert reasons(frame, settings, stops=[FIRST_CANDLE - 9]) == "+,+,+,+,+,+"


def test_first_rule_that_rejects_gives_the_reason(predictions: Frames) -> None:
    frame = predictions("BB", confidence=0.1, expected=-1.0)
    frame.loc[0, TRUST_COLUMN] = 0
    assert reasons(frame) == "untrusted,no_edge"


# Bad rows


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("proba_buy", float("nan")),
        ("proba_buy", 0.7),
        ("proba_sell", -0.1),
        ("proba_hold", float("inf")),
        ("confidence", float("nan")),
        ("confidence", 1.5),
        ("expected_return", float("nan")),
        ("expected_return", float("inf")),
        ("&-signal", 3.0),
        ("&-signal", float("nan")),
        ("do_predict", 0.0),
        ("do_predict", 2.0),
        ("do_predict", float("nan")),
        ("date", pd.NaT),
    ],
)
def test_invalid_row_abstains(predictions: Frames, column: str, value: object) -> None:
    frame = predictions("SBS")
    frame.loc[1, column] = value
    table = decide(frame, SHIPPED, CONTEXT)
    assert list(table["reject_reason"]) == ["", "untrusted", "repeat"]
    assert table["signal"].iloc[1] == NO_SIGNAL


def test_row_whose_date_is_not_later_abstains(predictions: Frames) -> None:
    frame = predictions("BSB").iloc[[0, 0, 1, 0]]
    assert reasons(frame) == "+,untrusted,+,untrusted"


@pytest.mark.parametrize("column", ["date", *MODEL_COLUMNS, TRUST_COLUMN])
def test_missing_column_abstains_everywhere(predictions: Frames, column: str) -> None:
    table = decide(predictions("BS").drop(columns=column), SHIPPED, CONTEXT)
    assert list(table["reject_reason"]) == ["missing_columns"] * 2
    assert (table["signal"] == NO_SIGNAL).all()


def test_a_reason_is_one_text_for_all_rows(predictions: Frames) -> None:
    frame = predictions("B" * 50)
    frame.loc[:39, "do_predict"] = 0
    for other in (frame, frame.drop(columns="confidence")):
        texts = decide(other, SHIPPED, CONTEXT)["reject_reason"]
        assert len({id(text) for text in texts}) == texts.nunique()


def test_text_where_numbers_belong_abstains(predictions: Frames) -> None:
    frame = predictions("BS").astype({"confidence": object})
    frame.loc[0, "confidence"] = "high"
    assert reasons(frame) == "untrusted,+"


def test_empty_frame_gives_an_empty_table(predictions: Frames) -> None:
    table = decide(predictions("B").iloc[:0], SHIPPED, CONTEXT)
    assert len(table) == 0
    assert tuple(table.columns) == DECISION_COLUMNS


def test_frame_is_left_untouched(predictions: Frames) -> None:
    frame = predictions("BSHh")
    before = frame.copy()
    decide(frame, SHIPPED, CONTEXT)
    pd.testing.assert_frame_equal(frame, before)


# Properties

fractions = st.integers(0, 100).map(lambda percent: percent / 100)


@st.composite
def any_settings(draw: st.DrawFn) -> DecisionSettings:
    weak, medium, strong = sorted(draw(st.tuples(fractions, fractions, fractions)))
    return DecisionSettings(
        weak=weak * 0.9,
        medium=medium,
        strong=max(strong, medium),
        minimum_confidence=draw(fractions),
        reference_confidence=draw(fractions),
        hold_confidence=draw(fractions),
        expected_value_rule=draw(st.booleans()),
        expected_value_margin=draw(st.sampled_from([-0.01, -0.001, 0.0, 0.001, 0.01])),
        repeat_window_candles=draw(st.integers(0, 60)),
        repeat_confidence_step=draw(st.sampled_from([0.0, 0.02, 0.1, 0.5])),
        cooldown_candles=draw(st.integers(0, 10)),
        resync_candles=draw(st.integers(1, 300)),
    )


def raised(settings: DecisionSettings, key: str, by: float) -> DecisionSettings:
    value = min(getattr(settings, key) + by, 1.0)
    values = settings.model_dump() | {key: value}
    values["medium"] = max(values["medium"], values["weak"])
    values["strong"] = max(values["strong"], values["medium"])
    return DecisionSettings(**values)


@given(
    seed=st.integers(0, 10**6),
    settings=any_settings(),
    key=st.sampled_from(
        [
            "minimum_confidence",
            "weak",
            "medium",
            "strong",
            "hold_confidence",
            "expected_value_margin",
        ]
    ),
    by=st.sampled_from([0.001, 0.01, 0.05, 0.3]),
)
@effort(max_examples=300)
def test_raising_a_threshold_never_adds_a_signal(
    many_predictions: Frames, seed: int, settings: DecisionSettings, key: str, by: float
) -> None:
    frame = many_predictions(400, seed)
    low = decide(frame, settings, CONTEXT)["signal"]
    high = decide(frame, raised(settings, key, by), CONTEXT)["signal"]
    assert (high[high != NO_SIGNAL] == low[high != NO_SIGNAL]).all()


@given(seed=st.integers(0, 10**6), settings=any_settings())
def test_longer_cooldown_never_adds_a_signal(
    many_predictions: Frames, seed: int, settings: DecisionSettings
) -> None:
    frame = many_predictions(300, seed)
    stopped = PairContext(300, tuple(range(FIRST_CANDLE, FIRST_CANDLE + 900, 70)))
    low = decide(frame, settings, stopped)["signal"]
    high = decide(frame, raised_candles(settings), stopped)["signal"]
    assert ((high == NO_SIGNAL) | (high == low)).all()


def raised_candles(settings: DecisionSettings) -> DecisionSettings:
    return settings.model_copy(update={"cooldown_candles": settings.cooldown_candles + 7})


@given(seed=st.integers(0, 10**6), cut=st.integers(0, 2000), live=st.integers(1000, 1500))
@effort(max_examples=100)
def test_live_frame_decides_like_the_backtest(
    many_predictions: Frames, seed: int, cut: int, live: int
) -> None:
    frame = many_predictions(3500, seed)
    settings = DecisionSettings(expected_value_rule=seed % 2 == 0)
    full = decide(frame, settings, CONTEXT).iloc[cut : cut + live]
    alone = decide(frame.iloc[cut : cut + live], settings, CONTEXT)
    same = slice(memory_candles(settings), None)
    pd.testing.assert_frame_equal(alone.iloc[same], full.iloc[same])


@given(seed=st.integers(0, 10**6), settings=any_settings(), cut=st.integers(0, 500))
@effort(max_examples=200)
def test_memory_is_bounded_for_all_settings(
    many_predictions: Frames, seed: int, settings: DecisionSettings, cut: int
) -> None:
    frame = many_predictions(1600, seed)
    full, alone = (decide(part, settings, CONTEXT) for part in (frame, frame.iloc[cut:]))
    same = cut + memory_candles(settings)
    pd.testing.assert_frame_equal(alone.loc[same:], full.loc[same:])


@given(
    cut=st.integers(1, 900),
    repeat=st.integers(0, 20),
    resync=st.integers(30, 288),
)
def test_endless_run_of_one_signal_is_forgotten_too(
    predictions: Frames, cut: int, repeat: int, resync: int
) -> None:
    settings = DecisionSettings(
        repeat_window_candles=repeat,
        resync_candles=resync,
    )
    frame = predictions("B" * (cut + memory_candles(settings) + 300))
    full, alone = (decide(part, settings, CONTEXT) for part in (frame, frame.iloc[cut:]))
    same = cut + memory_candles(settings)
    pd.testing.assert_frame_equal(alone.loc[same:], full.loc[same:])


@given(seed=st.integers(0, 10**6), settings=any_settings(), cut=st.integers(1, 399))
def test_later_candles_change_nothing_before(
    many_predictions: Frames, seed: int, settings: DecisionSettings, cut: int
) -> None:
    frame = many_predictions(400, seed)
    full, part = (decide(rows, settings, CONTEXT) for rows in (frame, frame.iloc[:cut]))
    pd.testing.assert_frame_equal(part, full.iloc[:cut])


@given(seed=st.integers(0, 10**6), settings=any_settings())
@effort(max_examples=200)
def test_limits_hold_exactly_from_the_reference_on(
    many_predictions: Frames, seed: int, settings: DecisionSettings
) -> None:
    values = settings.model_dump() | {
        "minimum_confidence": max(settings.minimum_confidence, settings.reference_confidence),
        "expected_value_margin": max(settings.expected_value_margin, 0.0),
    }
    settings = DecisionSettings(**values)
    frame = many_predictions(800, seed)
    emitted = decide(frame, settings, CONTEXT)["signal"].to_numpy()
    candle = (frame["date"].to_numpy(dtype="datetime64[s]").astype(np.int64)) // 300
    for kind in (0, 2):
        own = emitted == kind
        times, confidence = candle[own], frame["confidence"].to_numpy()[own]
        near = np.diff(times) <= settings.repeat_window_candles
        assert (np.diff(confidence) >= settings.repeat_confidence_step - 1e-6)[near].all()


@given(seed=st.integers(0, 10**6), noise=st.integers(0, 10**6))
def test_any_numbers_give_a_table(many_predictions: Frames, seed: int, noise: int) -> None:
    frame = many_predictions(60, seed)
    rng = np.random.default_rng(noise)
    strange = [np.nan, np.inf, -np.inf, -1.0, 0.0, 1.0, 2.0, 1e300]
    for column in (*MODEL_COLUMNS, TRUST_COLUMN):
        hit = rng.random(60) < 0.2
        frame.loc[hit, column] = rng.choice(strange, int(hit.sum()))
    table = decide(frame, DecisionSettings(), CONTEXT)
    assert table["signal"].isin([-1, 0, 1, 2]).all()
    assert ((table["signal_strength"] > 0) == table["signal"].isin([0, 2])).all()
    assert not (table["reject_reason"].ne("") & table["signal"].ne(NO_SIGNAL)).any()


def test_entries_and_exits_of_a_frame_share_one_reading(
    predictions: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = predictions("BShB")
    read, read_predictions = list[int](), predictions_module.read_predictions

    def counted(rows: pd.DataFrame, seconds: int) -> Predictions:
        read.append(len(rows))
        return read_predictions(rows, seconds)

    monkeypatch.setattr(predictions_module, "read_predictions", counted)
    reader = PredictionReader(300)
    entries = reader.for_entries(frame)
    assert reader.for_exits(frame) is entries
    assert len(read) == 1
    # For exits a second time, or for another frame, it reads again.
    assert reader.for_exits(frame) is not entries
    reader.for_entries(frame)
    reader.for_exits(frame.copy())
    assert len(read) == 4
    reader.for_entries(frame)
    assert pickle.loads(pickle.dumps(reader)).for_exits(frame) is not entries


def test_exits_read_the_frame_that_the_entries_made_without_reading_again(
    predictions: Frames,
) -> None:
    frame, reader = predictions("BShB"), PredictionReader(300)
    read, decided = reader.for_entries(frame), frame.assign(enter_long=1)
    reader.follow(frame, decided)
    assert reader.for_exits(decided) is read
    # Entries that did not come from this frame say nothing of its exits.
    reader.for_entries(frame)
    reader.follow(frame.copy(), decided)
    assert reader.for_exits(decided) is not read
