"""Columns put beside a frame all at once."""

import numpy as np
import pandas as pd
import pytest

from freqai_signals.signals.column_arrays import with_columns

FRAME = pd.DataFrame({"close": [1.0, 2.0], "old": [0.0, 0.0], "out": ["", ""]}, index=[7, 8])


def test_columns_keep_their_types_and_stand_in_the_place_of_the_old_ones() -> None:
    before = FRAME.copy()
    texts = np.array(["a", None], dtype=object)
    added = {"x": np.array([3, 4]), "text": texts, "old": np.array([5.0, 6.0]), "one": 1.0}
    made = with_columns(FRAME, added, dropped=["out", "unknown"])
    assert made.to_dict("list") == {
        "close": [1.0, 2.0], "x": [3, 4], "text": ["a", None], "old": [5.0, 6.0], "one": [1.0, 1.0],
    }  # fmt: skip
    assert made.dtypes.astype(str).to_dict() == {
        "close": "float64", "x": "int64", "text": "object", "old": "float64", "one": "float64",
    }  # fmt: skip
    assert made.index.equals(FRAME.index)
    assert made.columns.dtype == FRAME.columns.dtype
    pd.testing.assert_frame_equal(FRAME, before)


@pytest.mark.parametrize("rows", [0, 2])
def test_neither_a_change_of_the_new_frame_nor_of_the_old_reaches_the_other(rows: int) -> None:
    frame = FRAME.head(rows).copy()
    made = with_columns(frame, {"x": np.zeros(rows), "text": np.full(rows, "", dtype=object)})
    assert len(made) == rows
    again = with_columns(frame, {"x": np.ones(rows), "text": np.full(rows, "", dtype=object)})
    made.loc[:, "close"], frame.loc[:, "old"] = 9.0, 8.0
    made["new"] = 1
    assert (frame["close"] < 9.0).all()
    assert (made["old"] == 0.0).all()
    assert list(again) == ["close", "old", "out", "x", "text"]
