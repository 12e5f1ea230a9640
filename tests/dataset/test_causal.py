import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freqai_signals.dataset.causal import (
    daily_volatility,
    ewma,
    lag,
    log_returns,
    rolling_max,
    rolling_mean,
    rolling_min,
    rolling_std,
)

NAN = float("nan")
OPERATORS = {
    "lag": lambda x: lag(x, 3),
    "log_returns": lambda x: log_returns(x, 3),
    "rolling_mean": lambda x: rolling_mean(x, 5),
    "rolling_std": lambda x: rolling_std(x, 5),
    "rolling_max": lambda x: rolling_max(x, 5),
    "rolling_min": lambda x: rolling_min(x, 5),
    "ewma": lambda x: ewma(x, 4, 12),
    "daily_volatility": lambda x: daily_volatility(x, 4),
}
each_operator = pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS.keys())


def prices(rows: int, seed: int = 0) -> np.ndarray:
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, rows)))


def naive_ewma(values: np.ndarray, span: int, memory: int) -> np.ndarray:
    """The formula, row by row."""
    weights = (1 - 2 / (span + 1)) ** np.arange(memory)
    out = np.full(len(values), NAN)
    for row in range(memory - 1, len(values)):
        stretch = values[row - memory + 1 : row + 1][::-1]
        if np.isfinite(stretch).all():
            out[row] = weights @ stretch / weights.sum()
    return out


def test_ewma_of_twelve_rows() -> None:
    values = np.array([4, 0, 0, 0, 4, 4, 4, 1, 1, 1, 1, 8], dtype=float)

    # Span 3 halves the weight with every row: (1, 1/2, 1/4) / (7/4).
    expected = [NAN, NAN, 4 / 7, 0, 16 / 7, 24 / 7, 4, 16 / 7, 10 / 7, 1, 1, 5]
    np.testing.assert_allclose(ewma(values, span=3, memory=3), expected)


@given(st.integers(0, 60), st.integers(1, 12), st.integers(1, 30), st.integers(0, 1000), st.data())
def test_ewma_equals_its_formula(rows, span, memory, seed, data) -> None:
    values = np.random.default_rng(seed).random(rows)
    for row in data.draw(st.lists(st.integers(0, max(rows - 1, 0)), max_size=2)) if rows else []:
        values[row] = data.draw(st.sampled_from([NAN, np.inf, -np.inf]))

    result = ewma(values, span, memory)

    np.testing.assert_allclose(result, naive_ewma(values, span, memory), atol=1e-12)


def test_daily_volatility_of_a_constant_move() -> None:
    close = 100 * np.exp(0.01 * (np.arange(12) % 2))

    volatility = daily_volatility(close, span=2)

    np.testing.assert_allclose(volatility, [NAN] * 6 + [0.01] * 6)


def test_volatility_of_a_constant_price_is_zero() -> None:
    close = np.append(prices(50), np.full(200, 100.0))

    assert daily_volatility(close, span=10)[-1] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("bad", [NAN, 0.0, -1.0, np.inf])
def test_an_unusable_price_blanks_three_spans_of_volatility(bad: float) -> None:
    close = prices(40)
    close[15] = bad

    unknown = np.flatnonzero(np.isnan(daily_volatility(close, span=3)))

    # The first nine rows; then nine returns' memory after the last return that touches row 15.
    assert unknown.tolist() == [*range(9), *range(15, 25)]


@pytest.mark.parametrize("rows", [0, 1, 2, 11, 12])
@each_operator
def test_short_series_give_as_many_rows(operator, rows: int) -> None:
    assert operator(prices(rows)).shape == (rows,)


@each_operator
def test_the_future_changes_nothing(operator) -> None:
    close = prices(100)
    changed = close.copy()
    changed[61:] = prices(39, seed=1) * 7

    np.testing.assert_array_equal(operator(changed)[:61], operator(close)[:61])
    np.testing.assert_array_equal(operator(close[:61]), operator(close)[:61])


@each_operator
def test_candles_before_the_memory_change_nothing(operator) -> None:
    close = prices(100)

    late = operator(close[50:])

    known = ~np.isnan(late)
    assert known[13:].all()
    np.testing.assert_allclose(late[known], operator(close)[50:][known], rtol=1e-10)


@pytest.mark.parametrize("window", [1, 5, 40, 41, 500])
def test_rolling_operators_are_those_of_pandas_to_the_last_bit(window: int) -> None:
    values = prices(300)
    values[[40, 41, 120]] = NAN
    values[200] = np.inf
    for rows in (0, 1, 40, 300):
        rolled = pd.Series(values[:rows]).rolling(window)
        for operator, expected in (
            (rolling_mean, rolled.mean()),
            (rolling_std, rolled.std(ddof=0)),
            (rolling_max, rolled.max()),
            (rolling_min, rolled.min()),
        ):
            found = operator(values[:rows], window)
            assert found.tobytes() == expected.to_numpy(float).tobytes(), operator.__name__
