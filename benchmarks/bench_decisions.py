"""Milliseconds from a model's columns to decisions, 100,000 rows of one pair.

``python -m benchmarks.bench_decisions`` or ``make bench``. Processor time of one core. The last
three contestants are no settings anyone should trade with: they make every prediction a candidate.
"""

import argparse

import numpy as np
import pandas as pd

from benchmarks.harness import ONE_CORE, Timing, measure, print_table, save
from freqai_signals.settings import DecisionSettings
from freqai_signals.settings.presets import FOUNDING_PRESET
from freqai_signals.signals.decide import PairContext, decide

CONTEXT = PairContext(candle_seconds=300)
EVERYTHING = {"expected_value_rule": False, "weak": 0.0, "minimum_confidence": 0.0}
CASES = {
    "shipped": {},
    "shipped, expected value off": {"expected_value_rule": False},
    "founding, expected value off": {
        **FOUNDING_PRESET["decision"],
        "expected_value_rule": False,
    },
    "all candidates, reference 0": {**EVERYTHING, "reference_confidence": 0.0},
    "all candidates, reference 0.9": EVERYTHING,
    "all candidates, margin -1": {
        **EVERYTHING,
        "expected_value_rule": True,
        "expected_value_margin": -1.0,
    },
}


def simulated_predictions(rows: int) -> pd.DataFrame:
    """Probabilities that wander slowly, so that signals come in runs, as a model's do."""
    rng = np.random.default_rng(3)
    slow = pd.DataFrame(rng.normal(size=(rows, 3))).ewm(span=12).mean().to_numpy() * 2.5
    odds = np.exp(slow + np.array([0.0, 0.5, 0.0]))
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    margin = np.abs(probabilities[:, 2] - probabilities[:, 0])
    predicted = probabilities.argmax(axis=1)
    expected = 0.01 * margin - 0.002
    return pd.DataFrame(
        {
            "date": pd.date_range("2023-01-01", periods=rows, freq="5min", tz="UTC", unit="ms"),
            "&-signal": predicted.astype(float),
            "proba_sell": probabilities[:, 0],
            "proba_hold": probabilities[:, 1],
            "proba_buy": probabilities[:, 2],
            "confidence": margin.argsort().argsort() / rows,
            "expected_return": np.where(predicted == 1, 0.0, expected),
            "do_predict": 1,
        }
    )


def growth(rows: int) -> list[Timing]:
    """Time n, 2n and 4n rows; a linear cost keeps the rows per second."""
    timings = []
    for count in (rows, 2 * rows, 4 * rows):
        frame = simulated_predictions(count)
        work = lambda f=frame: decide(f, DecisionSettings(), CONTEXT)  # noqa: E731
        timings.append(measure("shipped", work, count, clock=ONE_CORE))
    return timings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    rows: int = parser.parse_args().rows
    frame = simulated_predictions(rows)
    timings, emitted = [], {}
    for name, values in CASES.items():
        settings = DecisionSettings(**values)
        work = lambda s=settings: decide(frame, s, CONTEXT)  # noqa: E731
        timings.append(measure(name, work, rows, clock=ONE_CORE))
        emitted[name] = int((decide(frame, settings, CONTEXT)["signal_strength"] > 0).sum())
    tables = {"decisions of one pair": timings, "growth with the rows": growth(rows)}
    for title, table in tables.items():
        print_table(title, table)
    for timing in timings:
        print(f"{timing.name}: {timing.seconds * 1e3:.1f} ms, {emitted[timing.name]} signals")
    save("decisions", tables, emitted=emitted, clock="processor seconds")


if __name__ == "__main__":
    main()
