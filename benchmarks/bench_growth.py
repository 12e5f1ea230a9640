"""How seconds of features, drift monitors and the ledger grow with the rows.

``python -m benchmarks.bench_growth`` or ``make bench``. Processor time of one core over n, 2n and
4n rows; below each table stands the fitted power of the rows. Labels and filters have their growth
in ``bench_labels`` and ``bench_decisions``.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.bench_memory import candles
from benchmarks.harness import ONE_CORE, Timing, measure, print_table, save
from benchmarks.ledger_year import CANDLE, DAY, FIRST_DAY, PAIRS, candle_rows
from freqai_signals.dataset.features import build_features
from freqai_signals.drift.distributions import distribution_reference
from freqai_signals.drift.monitors import PairDrift
from freqai_signals.drift.training_reference import MAX_FEATURES, WINDOW_DAYS, DriftReference
from freqai_signals.ledger.ledger import Ledger
from freqai_signals.ledger.live_quality import live_quality
from freqai_signals.settings import SignalSettings

SETTINGS = SignalSettings()


def counts(rows: int) -> tuple[int, int, int]:
    return rows, 2 * rows, 4 * rows


def features(days: int, repeats: int) -> list[Timing]:
    """All features of one pair."""
    timings = []
    for number in counts(days):
        frame = candles(1, number)
        work = lambda f=frame: build_features(f, SETTINGS)  # noqa: E731
        timings.append(measure("build_features", work, len(frame), repeats, ONE_CORE))
    return timings


def drift(rows: int, repeats: int) -> list[Timing]:
    """The features' monitor of one pair, candle by candle, its state asked for after each."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4 * rows, MAX_FEATURES)).astype(np.float32)
    names = tuple(f"%-f{number}" for number in range(MAX_FEATURES))
    known = rng.normal(size=(20_000, MAX_FEATURES)).astype(np.float32)
    of_rows = np.arange(len(known)), np.zeros(len(known), np.int16)
    window = WINDOW_DAYS * SETTINGS.candles_per_day // SETTINGS.row_step, 1
    reference = DriftReference(distribution_reference(names, known, of_rows, window), None, None)

    def watched(number: int) -> None:
        pair = PairDrift(reference)
        for candle in range(number):
            pair.update_candle(candle, values[candle])
            _ = pair.states

    return [
        measure("drift monitor", lambda n=number: watched(n), number, repeats, ONE_CORE)
        for number in counts(rows)
    ]


def ledger(rows: int, repeats: int) -> dict[str, list[Timing]]:
    """Predictions and outcomes of twenty pairs, candle by candle, and live quality over them."""
    written, judged = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in counts(rows):
            made = [
                candle_rows(PAIRS, FIRST_DAY + candle * CANDLE // DAY, range(place, place + 1))
                for candle in range(number // (2 * len(PAIRS)))
                for place in [candle % (DAY // CANDLE)]
            ]
            kept: list[Ledger] = []

            def write(entries: list[list[object]] = made, kept: list[Ledger] = kept) -> None:
                file = Path(folder) / f"{time.monotonic_ns()}.sqlite"
                kept.append(Ledger(f"sqlite:///{file}"))
                for one in entries:
                    kept[-1].write(one)

            count = 2 * len(PAIRS) * len(made)
            written.append(measure("write", write, count, repeats, ONE_CORE))
            judge = lambda k=kept: live_quality(k[-1].scored())  # noqa: E731
            judged.append(measure("live quality", judge, count // 2, repeats, ONE_CORE))
            for one in kept:
                one.close()
    return {"ledger: write": written, "ledger: live quality": judged}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=180, help="of candles for features")
    parser.add_argument("--candles", type=int, default=2000, help="through a drift monitor")
    parser.add_argument("--rows", type=int, default=5000, help="of the ledger")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    tables = {
        "features": features(given.days, given.repeats),
        "drift": drift(given.candles, given.repeats),
        **ledger(given.rows, given.repeats),
    }
    for title, timings in tables.items():
        print_table(f"{title}, growth with the rows", timings)
    save("growth", tables, clock="processor seconds")


if __name__ == "__main__":
    main()
