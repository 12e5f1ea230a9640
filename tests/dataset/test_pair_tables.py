"""Tables of features and labels by pair: cached, pooled, invalidated by new candles."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from freqai_signals.dataset.pair_tables import PairTables, add_labels
from freqai_signals.dataset.rows import Window
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


def test_rows_are_the_same_whether_tables_are_cached_or_not(hooks: Hooks, window: Window) -> None:
    tables, pairs = PairTables(300), ("BTC/USDT", "ETH/USDT")
    cached, uncached = (
        make(pairs, hooks, window) for make in (tables.cached_rows, tables.uncached_rows)
    )
    assert len(cached) == len(uncached) > 100
    for name in ("features", "label", "start", "pair"):
        np.testing.assert_array_equal(getattr(cached, name), getattr(uncached, name))
    tables.cached_rows(pairs, hooks, window)
    assert hooks.made == 4


def test_a_pair_without_candles_is_left_out(hooks: Hooks, window: Window) -> None:
    before: list[int] = []
    pairs = ("SOL/USDT", "BTC/USDT")
    rows = PairTables(300).uncached_rows(pairs, hooks, window, lambda: before.append(hooks.made))
    assert before == [0, 0]
    assert len(rows) > 100
    assert set(rows.pair) == {0}
    with pytest.raises(ValueError, match="no pair has rows"):
        PairTables(300).uncached_rows(("SOL/USDT",), hooks, window)
