"""The spread from candles: that of simulated trades, known the day before, 0 where none is seen."""

import itertools

import numpy as np
import pandas as pd
import pytest

from freqai_signals.dataset.spread import edge_squares, mean_spread, spread_squares

DAY, TRADES = 288, 12


def traded(days: int, spread: float, seed: int = 0, trades: int = TRADES) -> pd.DataFrame:
    """Candles of trades at bid or ask around a random walk."""
    rng = np.random.default_rng(seed)
    middle = rng.normal(0, 0.0004, (days * DAY, trades)).cumsum().reshape(days * DAY, trades)
    side = rng.choice([-0.5, 0.5], middle.shape)
    price = 100 * np.exp(middle) * (1 + spread * side)
    return pd.DataFrame(
        {
            "open": price[:, 0], "high": price.max(axis=1), "low": price.min(axis=1),
            "close": price[:, -1],
        }
    )  # fmt: skip


@pytest.mark.parametrize("spread", [0.0005, 0.001, 0.003])
@pytest.mark.parametrize("trades", [3, 30])
def test_the_spread_of_simulated_trades_is_found(spread: float, trades: int) -> None:
    candles = traded(30, spread, trades=trades)
    squares = spread_squares(candles, np.arange(len(candles)), DAY)
    assert mean_spread(squares) == pytest.approx(spread, rel=0.1)


def test_prices_without_a_spread_show_next_to_none() -> None:
    candles = traded(60, 0.0)
    assert mean_spread(spread_squares(candles, np.arange(len(candles)), DAY)) < 0.0001


def test_squares_that_average_below_zero_are_no_spread() -> None:
    assert mean_spread(np.array([-4e-8, 1e-8])) == 0.0


def test_a_row_knows_the_day_before_and_nothing_later() -> None:
    candles = traded(4, 0.001)
    numbers = np.arange(len(candles)) + 40 * DAY
    clean = spread_squares(candles, numbers, DAY)
    assert np.isnan(clean[:DAY]).all()
    for day in (1, 2, 3):
        poisoned = candles.copy()
        poisoned.iloc[day * DAY :] *= np.linspace(1, 2, len(candles) - day * DAY)[:, None]
        changed = spread_squares(poisoned, numbers, DAY)
        np.testing.assert_array_equal(changed[: (day + 1) * DAY], clean[: (day + 1) * DAY])


def test_a_day_that_is_not_whole_or_did_not_trade_shows_nothing() -> None:
    candles = traded(3, 0.001)
    part = candles.iloc[5:].reset_index(drop=True)
    squares = spread_squares(part, np.arange(5, len(candles)), DAY)
    assert np.isnan(squares[: 2 * DAY - 5]).all()
    assert np.isfinite(squares[2 * DAY - 5 :]).all()
    flat = np.zeros((1, DAY))
    assert np.isnan(edge_squares(flat, flat, flat, flat)).all()
    assert np.isnan(mean_spread(np.full(3, np.nan)))


def test_days_at_once_are_each_day_alone_to_the_last_bit() -> None:
    candles = traded(12, 0.001, trades=2)
    # One without trades, one with a hole.
    candles.loc[3 * DAY : 4 * DAY - 1, :] = 100.0
    candles.loc[5 * DAY + 7, "low"] = np.nan
    found = spread_squares(candles, np.arange(len(candles)), DAY)
    for day in range(1, 12):
        part = candles.iloc[(day - 1) * DAY : day * DAY]
        logs = (np.log(part[[name]].to_numpy().T) for name in ("open", "high", "low", "close"))
        np.testing.assert_array_equal(found[day * DAY : (day + 1) * DAY], edge_squares(*logs)[0])
    assert np.isnan(found[[4 * DAY, 6 * DAY]]).all()
    assert np.isfinite(found[7 * DAY])


def test_a_day_by_a_plain_reading_of_the_formula() -> None:
    """EDGE of Ardia, Guidotti and Kroencke (2024), candle by candle."""
    day = np.log(traded(1, 0.002, trades=3).to_numpy())
    day[40:50] = day[39, 3]
    sums = np.zeros((9,))
    for before, (opened, high, low, _) in itertools.pairwise(day):
        moved, middle = float(high != low or low != before[3]), (high + low) / 2
        sums += (
            moved, moved * (opened != high), moved * (opened != low),
            moved * (before[3] != before[1]), moved * (before[3] != before[2]),
            middle - opened, middle - before[3], opened - before[3], 1.0,
        )  # fmt: skip
    share, *at, inside, from_close, overnight, _ = sums / sums[-1]
    at_open, at_close = at[0] + at[1], at[2] + at[3]
    pairs = []
    for before, (opened, high, low, _) in itertools.pairwise(day):
        moved = float(high != low or low != before[3])
        middle, middle_before = (high + low) / 2, (before[1] + before[2]) / 2
        centred = (middle - opened) - inside / share * moved
        to_close = before[3] - middle_before
        pairs.append(
            (
                -4 / at_open * centred * (opened - middle_before)
                - 4 / at_close * ((middle - before[3]) - from_close / share * moved) * to_close,
                -4 / at_open * centred * (opened - before[3])
                - 4 / at_close * ((opened - before[3]) - overnight / share * moved) * to_close,
            )
        )
    mean, noise = np.mean(pairs, axis=0), np.var(pairs, axis=0)
    expected = (noise[1] * mean[0] + noise[0] * mean[1]) / noise.sum()
    assert edge_squares(*day.T[:, None, :])[0] == pytest.approx(expected, rel=1e-9)
    assert np.sqrt(expected) == pytest.approx(0.002, rel=0.3)
