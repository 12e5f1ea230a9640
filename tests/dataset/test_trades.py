"""What a trade returns: by hand, against a walk candle by candle, and never from the future."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from freqai_signals.dataset.trades import closed_by_opposite, trade_outcomes
from freqai_signals.schema import TRADE_COLUMNS
from freqai_signals.settings import ExitSettings

HORIZON = 6
EXITS = ExitSettings(stop_multiple=2.0, profit_multiple=1.5)


def walk(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(rng.normal(0, 0.004, rows).cumsum())
    opened = np.append(100.0, close[:-1]) * np.exp(rng.normal(0, 0.002, rows))
    high = np.maximum(opened, close) * (1 + rng.exponential(0.002, rows))
    low = np.minimum(opened, close) * (1 - rng.exponential(0.002, rows))
    return pd.DataFrame({"open": opened, "high": high, "low": low, "close": close, "volume": 1.0})


def one_trade(
    candles: pd.DataFrame, row: int, width: float, side: int, exits: ExitSettings
) -> tuple[float, int]:
    """The trade decided at a row, candle by candle."""
    entry = candles["open"].iloc[row + 1]
    away = [np.inf if m is None else m for m in (exits.stop_multiple, exits.profit_multiple)]
    stop, profit = entry * (1 - side * away[0] * width), entry * (1 + side * away[1] * width)
    for held in range(1, HORIZON + 1):
        candle = candles.iloc[row + held]
        worst, best = (candle.low, candle.high) if side > 0 else (candle.high, candle.low)
        if side * (worst - stop) <= 0:
            price = stop if side * (candle.open - stop) >= 0 else candle.open
            return side * (price / entry - 1), held
        if side * (best - profit) >= 0:
            price = profit if side * (candle.open - profit) <= 0 else candle.open
            return side * (price / entry - 1), held
    return side * (candles["close"].iloc[row + HORIZON] / entry - 1), HORIZON


@pytest.mark.parametrize("exits", [EXITS, ExitSettings(), ExitSettings(stop_multiple=None)])
def test_every_trade_is_what_walking_its_candles_gives(exits: ExitSettings) -> None:
    candles, width = walk(), np.full(400, 0.006)
    found = trade_outcomes(candles, width, HORIZON, exits)
    for row in range(len(candles) - HORIZON):
        for side, name in ((1, "long"), (-1, "short")):
            returned, held = one_trade(candles, row, 0.006, side, exits)
            assert found[f"trade_{name}"].iloc[row] == pytest.approx(returned, abs=1e-12)
            assert found[f"trade_{name}_candles"].iloc[row] == held
    assert found.tail(HORIZON).isna().all().all()


@hypothesis_settings(max_examples=25, deadline=None)
@given(changed=st.integers(0, 120), seed=st.integers(0, 100))
def test_candles_after_the_horizon_never_change_a_trade(changed: int, seed: int) -> None:
    candles, width = walk(120, seed), np.full(120, 0.006)
    other = candles.copy()
    other.iloc[changed:, :4] *= 1.7
    one, two = (trade_outcomes(frame, width, HORIZON, EXITS) for frame in (candles, other))
    known = max(changed - HORIZON, 0)
    pd.testing.assert_frame_equal(one.head(known), two.head(known))


def test_rows_that_could_not_trade_have_no_outcome() -> None:
    candles, width = walk(60), np.full(60, 0.006)
    candles.loc[10, "volume"] = 0.0
    candles.loc[30, "close"] = np.nan
    width[20] = np.nan
    found = trade_outcomes(candles, width, HORIZON, ExitSettings(stop_multiple=None))
    unknown = set(np.flatnonzero(found["trade_long"].isna()))
    assert unknown == {10, 20, *range(30 - HORIZON, 30), *range(60 - HORIZON, 60)}


def test_a_hole_at_the_open_is_worse_than_the_stop() -> None:
    price = [100.0, 100.0, 90.0, 90.0]
    candles = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), price)).assign(
        volume=1.0
    )
    found = trade_outcomes(candles, np.full(4, 0.01), 2, ExitSettings(stop_multiple=3.0))
    assert found["trade_long"].iloc[0] == pytest.approx(-0.10)


def test_an_opposite_row_closes_a_trade_where_its_own_would_have_opened() -> None:
    start = np.array([0, 2, 4, 9])
    #         entry, long, short, candles held by the long and by the short
    trades = np.array([
        [100.0, 0.05, -0.05, 6, 1], [101.0, 0.04, -0.04, 6, 6],
        [102.0, 0.03, -0.03, 6, 6], [103.0, 0.02, -0.02, 6, 6],
    ])  # fmt: skip
    sells = np.array([False, True, False, True])
    buys = np.array([False, True, False, False])
    long, short = closed_by_opposite(start, trades, sells, buys)
    # The last sell is 7 candles after the second row, 5 after the third.
    assert long == pytest.approx([0.01, 0.04, 103 / 102 - 1, 0.02])
    assert short == pytest.approx([-0.05, -0.04, -0.03, -0.02])


def test_an_opposite_row_at_the_end_of_a_trade_changes_nothing() -> None:
    trades = np.array([[100.0, 0.05, -0.05, 2, 2], [101.0, 0.04, -0.04, 6, 6]])
    opposite = np.array([False, True])
    long, short = closed_by_opposite(np.array([0, 2]), trades, opposite, opposite)
    assert (long[0], short[0]) == (0.05, -0.05)


def test_columns_are_named_once() -> None:
    assert tuple(trade_outcomes(walk(20), np.full(20, 0.01), 2, EXITS)) == TRADE_COLUMNS
