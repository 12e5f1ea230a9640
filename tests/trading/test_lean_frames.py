"""A backtest's frames keep every value and little memory."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from freqai_signals.dataset.features import mapped
from freqai_signals.dataset.features.mapped import rest
from freqai_signals.trading.lean_frames import lean, lean_columns

Candles = Callable[..., pd.DataFrame]
_ROWS = 120_000


@pytest.fixture
def kept(candles: Candles) -> pd.DataFrame:
    """What freqtrade holds of a pair."""
    return candles(rows=_ROWS)


def analysed(kept: pd.DataFrame, **others: Any) -> pd.DataFrame:
    """A frame whose last tenth was predicted, as freqtrade copies it: a block of each type."""
    predicted = np.random.default_rng(1).random((_ROWS, 20))
    predicted[: _ROWS - _ROWS // 10] = 0.0
    names = [f"column {number}" for number in range(20)]
    frame = pd.concat([kept, pd.DataFrame(predicted, columns=names)], axis=1)
    return frame.assign(**others).copy()


def memory() -> int:
    return int(psutil.Process().memory_full_info().uss)


def test_every_value_type_and_place_stays(kept: pd.DataFrame) -> None:
    others = {"text": "a", "minus": -0.0, "hold": 1.0, "none": np.nan, "flag": True, "zero": 0.0}
    frame = analysed(kept, **others, small=np.int8(0), whole=7)
    # Another indicator under the candles' own name, and one before it.
    frame["volume"] = frame["volume"] * 2
    frame = frame[["hold", *(name for name in frame if name != "hold")]]
    made = lean(frame, kept)
    pd.testing.assert_frame_equal(made, frame, check_exact=True)
    assert np.signbit(made["minus"]).all()
    pd.testing.assert_frame_equal(lean(frame.iloc[:0], kept.iloc[:0]), frame.iloc[:0])


def test_a_frame_takes_a_quarter_of_its_size(kept: pd.DataFrame) -> None:
    frame = analysed(kept)
    before = memory()
    made = lean(frame, kept)
    # What freqtrade does with it next.
    made.loc[:, "enter_tag"] = ""
    made["enter_long"] = 1
    taken = memory() - before - 2 * 8 * _ROWS
    assert taken < frame.memory_usage().sum() / 4
    for name in ("open", "close", "volume"):
        assert np.shares_memory(np.asarray(made[name]), np.asarray(kept[name]))


def test_a_strategy_that_changes_its_frame_changes_no_candles(kept: pd.DataFrame) -> None:
    before = kept.copy()
    made = lean(analysed(kept), kept)
    made.loc[10, ["close", "column 3"]] = -1.0
    made["volume"] *= 2
    pd.testing.assert_frame_equal(kept, before)
    assert made.loc[10, "close"] == made.loc[10, "column 3"] == -1.0


def test_other_candles_or_another_index_are_not_shared(kept: pd.DataFrame) -> None:
    frame = analysed(kept).set_axis(range(5, _ROWS + 5))
    made = lean(frame, kept)
    pd.testing.assert_frame_equal(made, frame, check_exact=True)
    assert not np.shares_memory(made["close"].to_numpy(), kept["close"].to_numpy())


def test_entries_and_exits_keep_their_numbers_in_less_memory(kept: pd.DataFrame) -> None:
    flags = np.zeros(_ROWS, np.int64)
    flags[-1000::7] = 1
    frame = kept.assign(enter_long=flags, enter_short=0, exit_long=0.0, exit_short=2)
    expected = frame.copy()
    rest()
    before = memory()
    made = lean_columns(frame)
    rest()
    assert memory() - before < 8 * _ROWS / 2
    pd.testing.assert_frame_equal(made, expected, check_dtype=False)
    # What freqtrade does with it: no object is made of any of them.
    shifted = made["enter_long"].replace([np.nan], [0]).shift(1).iloc[1:].tolist()
    assert all(value is True or value is False for value in shifted)
    assert made["exit_short"].dtype == np.int64


def test_entries_that_are_unknown_stay(kept: pd.DataFrame) -> None:
    frame = kept.assign(enter_long=np.nan, exit_long="1")
    frame.loc[3, "enter_long"] = 1
    pd.testing.assert_frame_equal(lean_columns(frame.copy()), frame, check_exact=True)


def test_in_a_file_a_frame_takes_next_to_nothing_and_may_be_changed(
    kept: pd.DataFrame, tmp_path: Path
) -> None:
    frame = analysed(kept)
    expected = frame.copy()
    rest()
    before = memory()
    made = lean(frame, kept, tmp_path)
    shared = made.copy(deep=False)
    rest()
    assert memory() - before < 1e6
    pd.testing.assert_frame_equal(made, expected, check_exact=True)
    made.loc[10, "column 3"] = -1.0
    made["column 4"] += 1
    assert made.loc[10, "column 3"] == -1.0
    rest()
    pd.testing.assert_frame_equal(shared, expected, check_exact=True)
    assert made.loc[10, "column 3"] == -1.0
    assert not list(tmp_path.iterdir())


def test_without_room_for_a_file_a_frame_stays_in_memory(
    kept: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int, size: int, start: int = 0) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(mapped, "reserve", full)
    frame = analysed(kept)
    pd.testing.assert_frame_equal(lean(frame, kept, tmp_path), frame, check_exact=True)
