"""Rows of the ledger from frames: which are live, which are not, and what they hold."""

import pandas as pd
import pytest

from freqai_signals.ledger.candle_rows import Source, prediction_rows, signal_rows
from freqai_signals.signals.record import SignalRecord
from tests.ledger.ledger_rows import CANDLE, analysed

SOURCE = Source("bot", "BTC/USDT", "v1", 990, CANDLE, 0.002, (0.2, 0.5, 0.3))


def kinds(frame: pd.DataFrame, after: int = 999 * CANDLE) -> list[str]:
    return [row["kind"] for row in prediction_rows(frame, SOURCE, after).rows]


def test_first_call_records_the_newest_candle_only() -> None:
    (row,) = prediction_rows(analysed(5), SOURCE, after=0).rows
    assert row["candle"] == 1004 * CANDLE
    assert row["kind"] == "live"
    assert (row["prior_sell"], row["prior_hold"], row["prior_buy"]) == (0.2, 0.5, 0.3)
    assert (row["signal"], row["reason"], row["cost"]) == ("none", "no_edge", 0.002)


def test_candles_missed_since_the_last_one_are_gaps() -> None:
    assert kinds(analysed(3)) == ["gap", "gap", "live"]
    assert kinds(analysed(3), after=1001 * CANDLE) == ["live"]
    assert kinds(analysed(3), after=1002 * CANDLE) == []


def test_candles_within_the_training_are_seeds() -> None:
    # The sixth stands at the close that training ended with; its outcome comes after.
    assert kinds(analysed(12, first=985), after=1)[:5] == ["seed"] * 5
    assert kinds(analysed(12, first=985), after=1)[5:] == ["gap"] * 6 + ["live"]


@pytest.mark.parametrize(("trust", "kind"), [(1, "live"), (0, "untrusted"), (2, "expired")])
def test_trust_decides_about_the_newest_candle(trust: int, kind: str) -> None:
    assert kinds(analysed(1, do_predict=trust)) == [kind]


def test_probability_that_is_no_number_is_not_scored() -> None:
    assert kinds(analysed(1, proba_buy=float("nan"))) == ["untrusted"]


def test_emitted_signal_keeps_its_whole_record() -> None:
    record = SignalRecord(
        timestamp="2024-03-05T00:05:00+00:00", pair="BTC/USDT", signal="buy", confidence=0.99,
        probabilities=(0.1, 0.3, 0.6), top_features=(("%-a", 0.5),), model_version="v1",
        strength=3, reason="",
    )  # fmt: skip
    (row,) = signal_rows([record], "bot").rows
    assert row["candle"] == int(pd.Timestamp("2024-03-05T00:05:00Z").timestamp())
    assert SignalRecord.from_json(str(row["record"])) == record
