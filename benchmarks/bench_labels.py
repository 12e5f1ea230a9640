"""Rows per second of the labels against plain Python, and scaling with the number of rows.

``python -m benchmarks.bench_labels`` or ``make bench``. Processor time of one core, horizon 48.
"""

import argparse
from collections.abc import Callable

import numpy as np
import pandas as pd

from benchmarks.harness import ONE_CORE, Timing, measure, print_table, save
from freqai_signals.dataset.barriers import LabelRule, barrier_width
from freqai_signals.dataset.labels import make_labels
from freqai_signals.settings import LabelSettings

HORIZON = 48
CANDLES_PER_DAY = 288


def simulated_candles(rows: int) -> pd.DataFrame:
    """Fat-tailed random walk whose wicks are about as long as its bodies."""
    rng = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(rng.standard_t(4, rows) * 0.001))
    high = close * (1 + np.abs(rng.normal(0, 0.0007, rows)))
    low = close * (1 - np.abs(rng.normal(0, 0.0007, rows)))
    return pd.DataFrame({"open": close, "high": high, "low": low, "close": close, "volume": 1.0})


def naive_fixed(candles: pd.DataFrame, settings: LabelSettings) -> list[float]:
    """One row after the other, a literal implementation."""
    close = candles["close"].tolist()
    labels = [float("nan")] * len(close)
    for row in range(len(close) - HORIZON):
        realised = close[row + HORIZON] / close[row] - 1
        labels[row] = 1.0 + (realised > settings.threshold) - (realised < -settings.threshold)
    return labels


def naive_triple_barrier(candles: pd.DataFrame, settings: LabelSettings) -> list[float]:
    """One row after the other, one candle after the other."""
    high, low, close = (candles[name].tolist() for name in ("high", "low", "close"))
    width = barrier_width(
        candles["close"].to_numpy(), LabelRule(settings, HORIZON, CANDLES_PER_DAY)
    ).tolist()
    labels = [float("nan")] * len(close)
    for row in range(len(close) - HORIZON):
        if width[row] != width[row]:
            continue
        upper, lower = close[row] * (1 + width[row]), close[row] * (1 - width[row])
        labels[row] = 1.0
        for ahead in range(row + 1, row + HORIZON + 1):
            up, down = high[ahead] >= upper, low[ahead] <= lower
            if up or down:
                labels[row] = 1.0 + up - down
                break
    return labels


NAIVE: dict[str, Callable[[pd.DataFrame, LabelSettings], list[float]]] = {
    "fixed": naive_fixed,
    "triple_barrier": naive_triple_barrier,
}


def compare(kind: str, rows: int, naive_rows: int) -> list[Timing]:
    """Time the plain loop and ours; raises if their results differ."""
    settings = LabelSettings.model_validate({"kind": kind})
    few, many = simulated_candles(naive_rows), simulated_candles(rows)
    ours = make_labels(few, LabelRule(settings, HORIZON, CANDLES_PER_DAY))["&-signal"]
    np.testing.assert_array_equal(ours.to_numpy(), np.array(NAIVE[kind](few, settings)))
    return [
        measure(
            f"{kind}, plain Python", lambda: NAIVE[kind](few, settings), naive_rows, 3, ONE_CORE
        ),
        measure(
            f"{kind}, make_labels",
            lambda: make_labels(many, LabelRule(settings, HORIZON, CANDLES_PER_DAY)),
            rows,
            clock=ONE_CORE,
        ),
    ]


def growth(kind: str, rows: int) -> list[Timing]:
    """Time n, 2n and 4n rows; a linear cost keeps the rows per second."""
    settings = LabelSettings.model_validate({"kind": kind})
    timings = []
    for count in (rows, 2 * rows, 4 * rows):
        candles = simulated_candles(count)
        work = lambda c=candles: make_labels(c, LabelRule(settings, HORIZON, CANDLES_PER_DAY))  # noqa: E731
        timings.append(measure(kind, work, count, clock=ONE_CORE))
    return timings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--naive-rows", type=int, default=200_000)
    arguments = parser.parse_args()
    tables: dict[str, list[Timing]] = {}
    for kind in NAIVE:
        tables[f"{kind}: plain Python against make_labels"] = compare(
            kind, arguments.rows, arguments.naive_rows
        )
    for kind in ("fixed", "volatility", "triple_barrier"):
        tables[f"{kind}: growth with the rows"] = growth(kind, arguments.rows)
    for title, timings in tables.items():
        print_table(title, timings)
    save("labels", tables, horizon=HORIZON, clock="processor seconds")


if __name__ == "__main__":
    main()
