"""Cost of a candle of a hundred pairs in the ledger: queueing, writing, waiting, resolving.

``python -m benchmarks.bench_ledger [--url postgresql+psycopg://...]`` or ``make bench``. Wall time,
since a commit waits for the disk.
"""

import argparse
import itertools
import tempfile
import time
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.harness import Timing, measure, print_table, save
from freqai_signals.ledger.candle_rows import Source, prediction_rows
from freqai_signals.ledger.ledger import Entry, Ledger
from freqai_signals.ledger.live_quality import live_quality
from freqai_signals.ledger.outcomes import resolve_outcomes
from freqai_signals.ledger.writer import LedgerWriter
from freqai_signals.settings import SignalSettings

PAIRS = [f"P{i:02}/USDT" for i in range(100)]
CANDLE = 300
SETTINGS = SignalSettings()
NOW = int(time.time()) // CANDLE
VERSION = f"bench-{time.time():.0f}"  # so that a second run on one server writes rows of its own


@lru_cache(maxsize=4)
def frame(number: int, rows: int = 1000) -> pd.DataFrame:
    """The analysed frame of a pair, its last candle ``number``; the same one for all pairs."""
    dates = pd.to_datetime(np.arange(number - rows + 1, number + 1) * CANDLE, unit="s", utc=True)
    return pd.DataFrame(
        {
            "date": dates, "&-signal": 2.0, "proba_sell": 0.2, "proba_hold": 0.3,
            "proba_buy": 0.5, "confidence": 0.9, "expected_return": 0.001, "do_predict": 1,
            "signal": -1, "signal_strength": 0, "reject_reason": "no_edge",
        }
    )  # fmt: skip


def rows_of(pair: str, number: int) -> Entry:
    source = Source("bench", pair, VERSION, 0, CANDLE, 0.002)
    return prediction_rows(frame(number), source, after=(number - 1) * CANDLE)


def walk(seed: int, rows: int) -> pd.DataFrame:
    close = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.001, rows)))
    dates = pd.to_datetime(np.arange(NOW - rows, NOW) * CANDLE, unit="s", utc=True)
    columns = {"open": close, "high": close, "low": close, "close": close, "volume": 1.0}
    return pd.DataFrame({"date": dates, **columns})


def writing(url: str) -> list[Timing]:
    """Queue a candle of all pairs, and wait for it in two ways."""
    numbers = itertools.count(NOW - 500_000)
    writer = LedgerWriter(lambda: Ledger(url), wait_seconds=10)
    writer.record([rows_of(PAIRS[0], next(numbers))], wait=True)

    def handed_over() -> None:
        number = next(numbers)
        for pair in PAIRS:
            writer.record([rows_of(pair, number)])

    def durable_together() -> None:
        handed_over()
        assert writer.flush(60)

    def durable_one_by_one() -> None:
        number = next(numbers)
        for pair in PAIRS:
            assert writer.record([rows_of(pair, number)], wait=True)

    timings = [
        measure("handed over, written behind", handed_over, 100, 10),
        measure("until all are durable", durable_together, 100, 10),
        measure("each waits for durability", durable_one_by_one, 100, 5),
    ]
    writer.close(60)
    return timings


def resolving(ledger: Ledger) -> Timing:
    """Write a candle of all pairs and the outcomes that are known at its close."""
    candles = {pair: walk(i, 1000) for i, pair in enumerate(PAIRS)}
    steps = itertools.count(NOW - 100)

    def resolved() -> None:
        number = next(steps)
        ledger.write([rows_of(pair, number - 24) for pair in PAIRS])
        found = [
            resolve_outcomes(ledger.unresolved(pair, "bench"), candles[pair], SETTINGS, 0.002)
            for pair in PAIRS
        ]
        assert sum(map(len, found)) == 100
        ledger.write(found)

    return measure("write and resolve one candle", resolved, 100, 5)


def judging(ledger: Ledger) -> Timing:
    """Live quality of a week of ten pairs."""
    history = 7 * SETTINGS.candles_per_day
    predictions = [
        row
        for pair in PAIRS[:10]
        for n in range(history)
        for row in rows_of(pair, NOW - 1200 - n).rows
    ]
    happened = [
        {"pair": row["pair"], "candle": row["candle"], "model_version": VERSION, "realised": 1,
         "event_end": row["candle"] + 24 * CANDLE, "gross": 0.0, "net": -0.002, "loss": 1.2,
         "prior_loss": 1.1}
        for row in predictions
    ]  # fmt: skip
    ledger.write([Entry("predictions", predictions), Entry("outcomes", happened)])
    return measure(
        "live quality, 10 pairs, a week",
        lambda: live_quality(ledger.scored((NOW - 20_000) * CANDLE)),
        10 * history,
        5,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="", help="SQLAlchemy URL (default: SQLite in a folder)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = arguments.url or f"sqlite:///{Path(folder) / 'ledger.sqlite'}"
        timings = writing(url)
        ledger = Ledger(url)
        timings.append(resolving(ledger))
        judged = judging(ledger)
        ledger.close()
    print_table("one candle of 100 pairs", timings)
    print_table("from the ledger", [judged])
    backend = "postgresql" if arguments.url else "sqlite"
    save(f"ledger-{backend}", {"one candle of 100 pairs": timings, "from the ledger": [judged]},
         backend=backend)  # fmt: skip


if __name__ == "__main__":
    main()
