import pandas as pd
import pytest

from freqai_signals.schema import CONSUMED_COLUMNS, TRUST_COLUMN
from freqai_signals.trading.producer import with_producer_columns


@pytest.fixture
def candles() -> pd.DataFrame:
    dates = pd.date_range("2024-01-01", periods=3, freq="5min", tz="UTC", unit="ms")
    return pd.DataFrame({"date": dates, "close": [1.0, 2.0, 3.0]}, index=[7, 8, 9])


@pytest.fixture
def produced(candles: pd.DataFrame) -> pd.DataFrame:
    row = dict.fromkeys(CONSUMED_COLUMNS, 0.0) | {
        "&-signal": 2.0, "proba_sell": 0.1, "proba_hold": 0.2, "proba_buy": 0.7,
        "confidence": 0.99, "expected_return": 0.01, "do_predict": 1, "signal_strength": 3,
        "barrier_width": 0.01, "enter_long": 1, "enter_tag": "buy_strong", "exit_tag": None,
        "reject_reason": "",
    }  # fmt: skip
    return pd.DataFrame([row] * 2).assign(date=candles["date"].to_numpy()[1:], close=9.0)


def test_rows_are_matched_by_date(candles: pd.DataFrame, produced: pd.DataFrame) -> None:
    frame = with_producer_columns(candles, produced)
    assert frame.index.tolist() == [7, 8, 9]
    assert frame["close"].tolist() == [1.0, 2.0, 3.0]
    assert frame["enter_long"].tolist() == [0, 1, 1]
    assert frame["producer_enter_tag"].tolist() == [None, "buy_strong", "buy_strong"]
    assert frame[TRUST_COLUMN].tolist() == [0, 1, 1]
    assert frame["proba_buy"].tolist() == [0.0, 0.7, 0.7]
    assert frame["proba_hold"].tolist() == [1.0, 0.2, 0.2]


def test_without_the_producer_there_is_no_signal(candles: pd.DataFrame) -> None:
    frame = with_producer_columns(candles, pd.DataFrame())
    assert set(CONSUMED_COLUMNS) <= set(frame)
    assert frame[["enter_long", "enter_short", "exit_long", "exit_short"]].eq(0).all(axis=None)
    assert frame["&-signal"].eq(1).all()


def test_a_late_producer_gives_no_signal_for_the_newest_candle(
    candles: pd.DataFrame, produced: pd.DataFrame
) -> None:
    frame = with_producer_columns(candles, produced.head(1))
    assert frame["enter_long"].tolist() == [0, 1, 0]


def test_columns_of_an_earlier_message_are_replaced(
    candles: pd.DataFrame, produced: pd.DataFrame
) -> None:
    once = with_producer_columns(candles, produced)
    again = with_producer_columns(once, pd.DataFrame())
    assert again["enter_long"].eq(0).all()
    assert list(again.columns).count("enter_long") == 1


@pytest.mark.parametrize("value", ["x", float("inf"), float("-inf"), None])
def test_a_message_that_is_no_number_is_not_trusted(
    candles: pd.DataFrame, produced: pd.DataFrame, value: object
) -> None:
    rows = produced.astype({TRUST_COLUMN: object}).assign(**{TRUST_COLUMN: value})
    frame = with_producer_columns(candles, rows)
    assert frame[TRUST_COLUMN].tolist() == [0, 0, 0]
    assert frame["proba_hold"].tolist() == [1.0] * 3


@pytest.mark.parametrize("value", ["x", 2, float("nan"), float("inf"), None])
def test_only_a_one_enters(candles: pd.DataFrame, produced: pd.DataFrame, value: object) -> None:
    rows = produced.astype({"enter_long": object}).assign(enter_long=value)
    assert with_producer_columns(candles, rows)["enter_long"].tolist() == [0, 0, 0]
    assert with_producer_columns(candles, rows.assign(enter_long="1"))["enter_long"].sum() == 2
