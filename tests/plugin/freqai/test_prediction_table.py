"""A row that is added to a pair's predictions changes no frame that was given before."""

import numpy as np
import pandas as pd
import pytest

from freqai_signals.plugin.freqai import newest_candle
from freqai_signals.plugin.freqai.newest_candle import PredictionTable, PredictionTables, beside

NAMES = ["confidence", "confidence_mean", "do_predict"]


def history(rows: int, unit: str = "ms") -> pd.DataFrame:
    dates = pd.date_range("2024-01-01", periods=rows, freq="5min", tz="UTC", unit=unit)
    numbers = {name: np.arange(rows) + place / 10 for place, name in enumerate(NAMES)}
    return pd.DataFrame({"confidence": numbers["confidence"], "date_pred": dates} | numbers)


def row(value: float) -> dict[str, float]:
    return dict.fromkeys(NAMES, value)


def table_of(frame: pd.DataFrame, most: int) -> PredictionTable:
    table = PredictionTable.of(frame, most)
    assert table is not None
    return table


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_frames_are_those_that_concatenation_gives(
    unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newest_candle, "_ROOM", 2)
    whole = history(30, unit)
    table = table_of(whole.iloc[:5], most=6)
    for stop in range(6, 31):
        last = whole.iloc[stop - 1]
        assert table.append(last["date_pred"], last[NAMES].to_dict())
        expected = whole.iloc[max(stop - 6, 0) : stop].reset_index(drop=True)
        pd.testing.assert_frame_equal(table.frame, expected, check_like=True, check_exact=True)
        shown = expected.tail(3).reset_index(drop=True).drop(columns="confidence_mean")
        pd.testing.assert_frame_equal(table.shown(3), shown, check_like=True, check_exact=True)


def test_earlier_frames_stay_as_they_were() -> None:
    whole = history(9)
    table = table_of(whole.iloc[:5], most=100)
    given = []
    for place in range(5, 9):
        assert table.append(whole["date_pred"].iloc[place], row(place))
        given += [(frame, frame.copy(deep=True)) for frame in (table.frame, table.shown(4))]
    for frame, before in given:
        pd.testing.assert_frame_equal(frame, before)


def test_what_a_strategy_writes_into_its_frame_stays_there() -> None:
    whole = history(6)
    table = table_of(whole.iloc[:5], most=100)
    assert table.append(whole["date_pred"].iloc[5], row(5.0))
    shown = table.shown(3)
    shown.loc[:, "confidence"] = -1.0
    shown["do_predict"] = 7.0
    assert (shown["confidence"] == -1.0).all()
    assert (table.frame["confidence"] >= 0).all()
    assert (table.shown(3)["do_predict"] < 7).all()


def test_an_earlier_frame_that_is_written_into_changes_no_later_one() -> None:
    """Somebody may keep the frame of a candle while the next one is decided."""
    whole = history(8)
    table = table_of(whole.iloc[:5], most=100)
    assert table.append(whole["date_pred"].iloc[5], row(5.0))
    earlier = table.shown(6)
    assert table.append(whole["date_pred"].iloc[6], row(6.0))
    earlier.loc[:, "do_predict"] = -1.0
    assert (table.frame["do_predict"] >= 0).all()
    assert table.append(whole["date_pred"].iloc[7], row(7.0))
    assert (table.frame["do_predict"] >= 0).all()


def test_other_columns_or_text_are_left_to_freqai() -> None:
    frame = history(5)
    table = table_of(frame, most=10)
    date = frame["date_pred"].iloc[-1] + pd.Timedelta("5min")
    assert not table.append(date, row(1.0) | {"more": 1.0})
    assert not table.append(date, {"confidence": 1.0})
    assert table.frame is frame
    assert PredictionTable.of(frame.assign(name="up"), 10) is None
    assert PredictionTable.of(frame.assign(date_pred=1.0), 10) is None


def test_only_the_very_next_candle_is_added() -> None:
    frame, tables = history(5), PredictionTables()
    dates = history(8)["date_pred"]

    def extended(kept: pd.DataFrame, rows: int) -> PredictionTable | None:
        return tables.extended("A", kept, lambda: row(1.0), dates.iloc[:rows], 10)

    assert extended(frame, 5) is None, "the last one again"
    assert extended(frame, 7) is None, "one is missing"
    made = extended(frame, 6)
    assert made is not None
    assert made.frame["date_pred"].tolist() == dates.iloc[:6].tolist()
    assert extended(made.frame, 7) is made
    assert extended(frame, 6) is not made, "somebody has put other predictions in their place"


def test_candles_stand_beside_predictions_of_the_same_dates_only() -> None:
    predictions = history(4)
    candles = pd.DataFrame({"date": predictions["date_pred"], "close": 1.0, "&-label": 0.0})
    both = beside(candles, predictions)
    assert both is not None
    assert list(both) == ["date", "close", *predictions]
    assert beside(candles.iloc[1:], predictions) is None
    assert beside(candles.assign(confidence=1.0), predictions) is None
    twice = candles.assign(date=candles["date"].iloc[0])
    assert beside(twice, predictions.assign(date_pred=twice["date"])) is None
