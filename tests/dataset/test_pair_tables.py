"""Tables of features and labels by pair: cached, pooled, invalidated by new candles."""

import os
import pickle
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from freqai_signals.dataset import pair_tables
from freqai_signals.dataset.features.cache import candle_digest
from freqai_signals.dataset.features.mapped import rest
from freqai_signals.dataset.pair_tables import PairTables, add_labels, training_rows
from freqai_signals.dataset.rows import TrainingRows, Window
from freqai_signals.schema import LABEL_COLUMN
from freqai_signals.settings import SignalSettings

Candles = Callable[..., pd.DataFrame]
SETTINGS = SignalSettings.model_validate({"labels": {"kind": "fixed", "threshold": 0.001}})


class Hooks:
    """A strategy as the tables see it; counts how often features were made."""

    def __init__(self, candles: dict[str, pd.DataFrame]) -> None:
        self.candles = candles
        self.made = 0

    def training_candles(self, pair: str) -> pd.DataFrame:
        return self.candles.get(pair, pd.DataFrame())

    def feature_engineering_standard(
        self, frame: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        self.made += 1
        return frame.assign(**{"%-move": frame["close"].pct_change().fillna(0.0)})

    def set_freqai_targets(self, frame: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        return add_labels(frame, SETTINGS, 0.002)


@pytest.fixture
def hooks(candles: Candles) -> Hooks:
    return Hooks({"BTC/USDT": candles(rows=2500), "ETH/USDT": candles(rows=2500, seed=1)})


@pytest.fixture
def window(hooks: Hooks) -> Window:
    first = int(hooks.candles["BTC/USDT"]["date"].iloc[0].timestamp()) // 300
    return Window(first, first + 2500, SETTINGS.label_horizon_candles, 1)


def test_a_table_is_computed_once_per_set_of_candles(hooks: Hooks) -> None:
    tables = PairTables(300)
    first = tables.table("BTC/USDT", hooks)
    assert tables.table("BTC/USDT", hooks) is first
    assert (hooks.made, list(first.features)) == (1, ["%-move"])
    assert LABEL_COLUMN in first.labels
    hooks.candles["BTC/USDT"] = hooks.candles["BTC/USDT"].iloc[:-1]
    assert len(tables.table("BTC/USDT", hooks).features) == 2499
    assert hooks.made == 2


def test_a_frame_is_digested_once(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    digested = []
    monkeypatch.setattr(
        pair_tables, "candle_digest", lambda frame: digested.append(1) or candle_digest(frame)
    )
    tables, candles = PairTables(300), hooks.candles["BTC/USDT"]
    first = tables.table("BTC/USDT", hooks)
    assert tables.table("BTC/USDT", hooks) is first
    assert len(digested) == 1
    hooks.candles["BTC/USDT"] = candles.copy()
    assert tables.table("BTC/USDT", hooks) is first
    assert len(digested) == 2
    assert len(pickle.dumps(tables)) < 1000


def test_labels_lie_in_a_file_and_hooks_change_no_candles(hooks: Hooks, tmp_path: Path) -> None:
    candles, before = hooks.candles["BTC/USDT"], hooks.candles["BTC/USDT"].copy()

    def own(frame: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        frame["%-own"] = 1.0
        frame["close"] *= 2
        return frame

    hooks.feature_engineering_standard = own  # type: ignore[method-assign]
    plain = PairTables(300).table("BTC/USDT", hooks)
    table = PairTables(300, tmp_path).table("BTC/USDT", hooks)
    pd.testing.assert_frame_equal(table.labels, plain.labels, check_exact=True)
    values = table.labels.to_numpy()
    assert not values.flags.writeable
    assert np.shares_memory(values, table.labels[LABEL_COLUMN].to_numpy())
    assert str(tmp_path) in Path("/proc/self/maps").read_text()
    pd.testing.assert_frame_equal(candles, before)


def same(one: TrainingRows, other: TrainingRows) -> bool:
    return one.digest() == other.digest() and len(one) > 100


def test_rows_are_the_same_whether_tables_are_cached_or_not(hooks: Hooks, window: Window) -> None:
    tables, pairs = PairTables(300), ("BTC/USDT", "ETH/USDT")
    cached = tables.run_rows(pairs, hooks, window, [window])
    assert same(cached, tables.uncached_rows(pairs, hooks, window))
    tables.run_rows(pairs, hooks, window, [window])
    assert hooks.made == 4


def test_threads_make_the_same_tables(hooks: Hooks, window: Window, tmp_path: Path) -> None:
    pairs = ("BTC/USDT", "ETH/USDT")
    here: list[bool] = []
    alone = PairTables(300).run_rows(
        pairs, hooks, window, [window], lambda: here.append(hooks.made == len(here) + 1)
    )
    # One after the other, in this thread.
    assert here[:2] == [True, True]
    both = threading.Barrier(2, timeout=30)
    make = hooks.feature_engineering_standard

    def together(frame: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        both.wait()
        return make(frame, metadata)

    hooks.feature_engineering_standard = together  # type: ignore[method-assign]
    tables = PairTables(300, tmp_path)
    assert same(tables.run_rows(pairs, hooks, window, [window], at_a_time=2), alone)
    # Those that are kept.
    assert same(tables.run_rows(pairs, hooks, window, [window], at_a_time=2), alone)
    assert hooks.made == 4


def test_a_hook_is_called_in_this_thread_unless_more_are_asked_for(
    hooks: Hooks, window: Window
) -> None:
    threads = set()
    make = hooks.feature_engineering_standard

    def own(frame: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        threads.add(threading.current_thread())
        return make(frame, metadata)

    hooks.feature_engineering_standard = own  # type: ignore[method-assign]
    PairTables(300).run_rows(("BTC/USDT", "ETH/USDT"), hooks, window, [window])
    assert threads == {threading.current_thread()}


def resident(folder: Path) -> int:
    """Kilobytes of files in a folder that this process has in memory."""
    found, is_inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if not line.split()[0].endswith(":"):
            is_inside = str(folder) in line
        elif is_inside and line.startswith("Rss:"):
            found += int(line.split()[1])
    return found


def test_rows_and_labels_of_a_run_rest(hooks: Hooks, window: Window, tmp_path: Path) -> None:
    tables, pairs = PairTables(300, tmp_path), ("BTC/USDT", "ETH/USDT")
    rows = tables.run_rows(pairs, hooks, window, [window])
    before = rows.digest()
    assert resident(tmp_path) > 0
    rest()
    assert resident(tmp_path) == 0
    assert replace(rows).digest() == before
    assert tables.run_rows(pairs, hooks, window, [window]).digest() == before


def windows_of(window: Window) -> list[Window]:
    """Three windows, one after the other; the second pair has no row in the first."""
    edges = ((0, 1300), (400, 1900), (700, 2500))
    return [replace(window, first=window.first + a, stop=window.first + b) for a, b in edges]


@pytest.mark.parametrize("mapped", [True, False])
def test_a_window_of_a_run_has_the_rows_that_it_has_alone(
    hooks: Hooks, window: Window, tmp_path: Path, mapped: bool
) -> None:
    hooks.candles["ETH/USDT"] = hooks.candles["ETH/USDT"].iloc[1000:].reset_index(drop=True)
    tables, pairs = PairTables(300, tmp_path if mapped else None), ("BTC/USDT", "ETH/USDT")
    run = windows_of(window)
    for alone in run:
        rows = tables.run_rows(pairs, hooks, alone, run)
        assert same(rows, training_rows({p: tables.table(p, hooks) for p in pairs}, alone))
        assert (rows.pairs == ("BTC/USDT",)) == (alone is run[0])
        assert isinstance(rows.features, np.memmap) == mapped
    assert len(list(tmp_path.iterdir())) == mapped


@pytest.mark.parametrize("mapped", [True, False])
def test_pairs_are_numbered_anew_where_the_first_one_has_no_rows(
    hooks: Hooks, window: Window, tmp_path: Path, mapped: bool
) -> None:
    hooks.candles["BTC/USDT"] = hooks.candles["BTC/USDT"].iloc[1400:].reset_index(drop=True)
    tables, pairs = PairTables(300, tmp_path if mapped else None), ("BTC/USDT", "ETH/USDT")
    run = windows_of(window)
    rows = tables.run_rows(pairs, hooks, run[0], run)
    assert rows.pairs == ("ETH/USDT",)
    assert set(rows.pair) == {0}
    assert same(rows, training_rows({p: tables.table(p, hooks) for p in pairs}, run[0]))


def test_a_later_candle_changes_no_row_of_an_earlier_window(
    hooks: Hooks, window: Window, tmp_path: Path
) -> None:
    run = windows_of(window)
    before = PairTables(300).run_rows(("BTC/USDT",), hooks, run[0], run)
    candles = hooks.candles["BTC/USDT"]
    late = candles["date"].astype("int64").rank() > 1300
    moved = candles[["open", "high", "low", "close"]] * 1.5
    hooks.candles["BTC/USDT"] = candles.assign(**moved.where(late, candles[moved.columns]))
    after = PairTables(300, tmp_path).run_rows(("BTC/USDT",), hooks, run[0], run)
    assert same(before, after)


def test_the_file_goes_with_the_matrix_and_with_its_killed_owner(
    hooks: Hooks, window: Window, tmp_path: Path
) -> None:
    left_behind = tmp_path / "rows-999999999-abc"
    left_behind.write_bytes(b"old")
    long_ago = time.time() - 90_000
    os.utime(left_behind, (long_ago, long_ago))
    # It may be of another container, whose processes cannot be seen.
    recent = tmp_path / "rows-999999998-abc"
    recent.write_bytes(b"new")
    tables = PairTables(300, tmp_path)
    tables.run_rows(("BTC/USDT",), hooks, window, [window])
    own, other = sorted(tmp_path.iterdir(), key=lambda path: path == recent)
    assert own.name.startswith(f"rows-{os.getpid()}-")
    assert other == recent
    del tables
    assert list(tmp_path.iterdir()) == [recent]


def test_without_room_for_the_file_the_rows_stay_in_memory(
    hooks: Hooks,
    window: Window,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    tables = PairTables(300, tmp_path)
    rows = tables.run_rows(("BTC/USDT",), hooks, window, [window])
    assert same(rows, tables.uncached_rows(("BTC/USDT",), hooks, window))
    assert "Rows stay in memory" in caplog.text
    assert "No space left on device" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_pair_without_candles_is_left_out(hooks: Hooks, window: Window) -> None:
    before: list[int] = []
    pairs = ("SOL/USDT", "BTC/USDT")
    rows = PairTables(300).uncached_rows(pairs, hooks, window, lambda: before.append(hooks.made))
    assert before == [0, 0]
    assert len(rows) > 100
    assert set(rows.pair) == {0}
    with pytest.raises(ValueError, match="no pair has rows"):
        PairTables(300).uncached_rows(("SOL/USDT",), hooks, window)
