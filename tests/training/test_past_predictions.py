"""Evidence of past predictions: of rows that trained no tree of the model behind it."""

import dataclasses

import numpy as np
import pytest

from freqai_signals.dataset.rows import TRADE_FACTS, TrainingRows
from freqai_signals.dataset.splits import purged_tail
from freqai_signals.model.artefact import from_bytes, to_bytes
from freqai_signals.model.trade_value import TradeHistory
from freqai_signals.settings import SignalSettings
from freqai_signals.training.fit import Request, train
from freqai_signals.training.past_predictions import (
    PastPredictions,
    evidence_block,
    pair_spreads,
    ranks,
)
from tests.model_rows import FIRST_CANDLE, HORIZON, make_rows, small

LONG, SHORT = TRADE_FACTS.index("trade_long"), TRADE_FACTS.index("trade_short")
SPREAD = TRADE_FACTS.index("spread_square")


def poisoned(rows: TrainingRows, mask: np.ndarray) -> TrainingRows:
    """The same rows, their trades' returns turned round where ``mask`` is true."""
    trade = rows.trade.copy()
    trade[:, [LONG, SHORT]] = np.where(mask[:, None], -1.0, 1.0) * trade[:, [LONG, SHORT]]
    return dataclasses.replace(rows, trade=trade)


def windows() -> tuple[TrainingRows, TrainingRows]:
    everything = make_rows(2000, seed=4)
    early = everything.take(everything.event_end < FIRST_CANDLE + 1500)
    late = everything.take(
        (everything.start >= FIRST_CANDLE + 500) & (everything.event_end < FIRST_CANDLE + 2000)
    )
    return early, late


def hourly(**others: object) -> SignalSettings:
    """Blocks of 25 candles, of which a thousand rows hold enough."""
    return small(timeframe="1h", **others)


def test_trades_of_rows_that_trained_the_earlier_model_change_nothing() -> None:
    early, late = windows()
    before = train(Request(early, hourly()))
    clean = train(Request(late, hourly(), before))
    seen = late.start <= before.trained_until
    other = train(Request(poisoned(late, seen), hourly(), before))
    assert clean.fit is not None
    assert other.fit is not None
    assert clean.fit.value.slope > 0
    assert other.fit.value == clean.fit.value
    # And those of later rows do count.
    turned = train(Request(poisoned(late, ~seen), hourly(), before))
    assert turned.fit is not None
    assert turned.fit.value.estimate < clean.fit.value.estimate


def test_the_first_models_trades_lie_before_the_hold_out() -> None:
    rows = make_rows()
    head, _ = purged_tail(rows.start, rows.event_end, 0.2, 0)
    clean = train(Request(rows, hourly()))
    other = train(Request(poisoned(rows, ~head), hourly()))
    assert len(clean.trades)
    assert clean.trades.event_end.max() < rows.start[~head].min() + HORIZON
    assert clean.fit is not None
    assert other.fit is not None
    assert clean.fit.value == other.fit.value


def test_an_abstaining_window_passes_the_trades_on() -> None:
    early, late = windows()
    before = train(Request(early, hourly()))
    empty = train(Request(late.take(late.label == 1), hourly(), before))
    assert empty.fit is None
    assert len(empty.trades) > len(before.trades)


def test_the_value_of_a_trade_survives_the_file() -> None:
    model = train(Request(make_rows(), hourly()))
    again = from_bytes(to_bytes(model))
    assert model.fit is not None
    assert again.fit is not None
    assert again.fit.value == model.fit.value
    assert again.fit.spreads == model.fit.spreads
    assert again.trades.digest() == model.trades.digest()
    assert again.fit.calibrator == model.fit.calibrator


def test_too_little_history_is_said_in_the_card_and_nothing_has_an_edge() -> None:
    model = train(Request(make_rows(), small()))
    assert model.fit is not None
    assert model.fit.value.slope == 0
    assert any("at least 20 are needed" in text for text in model.card.warnings)
    assert model.card.metrics["trade"]["slope"] == 0


def test_the_key_changes_with_trades_and_exits() -> None:
    rows = make_rows()
    keys = {
        Request(rows, small()).key(),
        Request(poisoned(rows, rows.start > 0), small()).key(),
        Request(rows, small(exits={"opposite_confidence": 0.8})).key(),
        Request(rows, small(), train(Request(windows()[0], small()))).key(),
    }
    assert len(keys) == 4


def test_the_key_changes_with_the_trades_of_a_previous_model_without_a_key() -> None:
    rows, before = make_rows(), train(Request(windows()[0], small()))
    before = dataclasses.replace(before, card=dataclasses.replace(before.card, key=""))
    other = dataclasses.replace(before, trades=TradeHistory())
    assert len(before.trades)
    assert Request(rows, small(), before).key() != Request(rows, small(), other).key()


def test_an_opposite_prediction_among_the_rows_closes_a_trade() -> None:
    rows = make_rows(4)
    raw = np.array([[0.1, 0.2, 0.7], [0.7, 0.2, 0.1], [0.1, 0.2, 0.7], [0.2, 0.6, 0.2]])
    sure = np.array([0.9, 0.9, 0.1, 0.9])
    trades = PastPredictions().extended(rows, raw, raw.argmax(axis=1), sure, small()).trades
    # The long of the first row ends at the entry price of the second, which is its own.
    assert trades.long[0] == 0.0
    assert trades.short[1] == pytest.approx(rows.trade[1, SHORT])
    kept = small(exits={"opposite_signal": False})
    trades = PastPredictions().extended(rows, raw, raw.argmax(axis=1), sure, kept).trades
    assert trades.long[0] == pytest.approx(rows.trade[0, LONG])


def test_a_trade_is_known_at_the_horizon_and_not_when_its_label_is() -> None:
    rows = make_rows(4)
    rows = dataclasses.replace(rows, event_end=rows.start + 1)
    raw, sure = np.tile([0.1, 0.2, 0.7], (4, 1)), np.full(4, 0.9)
    trades = PastPredictions().extended(rows, raw, raw.argmax(axis=1), sure, small()).trades
    np.testing.assert_array_equal(trades.event_end, rows.start + HORIZON)


def test_ranks_are_shares_of_smaller_margins() -> None:
    raw = np.array([[0.1, 0.2, 0.7], [0.3, 0.4, 0.3], [0.2, 0.5, 0.3]])
    assert ranks(raw) == pytest.approx([2 / 3, 0.0, 1 / 3])


def test_a_block_is_a_day_and_never_less_than_five_horizons() -> None:
    assert evidence_block(SignalSettings()) == 288
    assert evidence_block(SignalSettings(timeframe="1h", label_horizon_candles=24)) == 120


def test_spreads_are_of_the_pairs_own_rows() -> None:
    rows = make_rows(6)
    trade = rows.trade.copy()
    trade[:, SPREAD] = [4e-8, np.nan, 4e-8, 1e-8, 1e-8, np.nan]
    two = dataclasses.replace(
        rows, trade=trade, pair=np.array([0, 0, 0, 1, 1, 1], np.int16), pairs=("A", "B", "C")
    )
    assert pair_spreads(two) == pytest.approx({"A": 2e-4, "B": 1e-4})
