"""Cost of a candle of a hundred pairs in the ledger: queueing, writing, waiting, resolving.

``python -m benchmarks.bench_ledger [--url postgresql+psycopg://...]`` or ``make bench``. Wall time,
since a commit waits for the disk.
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Iterable
from functools import cache, lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.harness import ONE_CORE, Timing, measure, print_table, save
from freqai_signals.ledger.candle_rows import Source, prediction_rows
from freqai_signals.ledger.database import lock
from freqai_signals.ledger.ledger import Entry, Ledger, _upsert
from freqai_signals.ledger.live_quality import live_quality
from freqai_signals.ledger.migrations import _link_5
from freqai_signals.ledger.outcomes import resolve_outcomes
from freqai_signals.ledger.proof.chain import CHAINED, plain
from freqai_signals.ledger.questions import unresolved
from freqai_signals.ledger.sql_tables import CHAIN_INDEXES, METADATA
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


class PlainLedger(Ledger):
    """The same tables without a chain: what a candle costs where rows can be edited unseen."""

    def write(self, entries: Iterable[Entry]) -> None:
        now = int(time.time())
        # Built once a table: for each entry that would take longer than its rows.
        upsert = cache(partial(_upsert, self.engine.dialect.name))
        with self.engine.begin() as connection:
            lock(connection)
            for entry in entries:
                table = METADATA.tables[entry.table]
                rows = [plain(table, {"recorded": now, "resolved": now, **r}) for r in entry.rows]
                if rows:
                    connection.execute(upsert(table), rows)


def chained(urls: tuple[str, str], repeats: int = 20) -> list[Timing]:
    """A candle with its outcomes, written with the chain and without, in turns on two ledgers.

    In seconds of the processor: waiting for the disk costs both the same, and hides what differs.
    """
    linked, unlinked = Ledger(urls[0]), PlainLedger(urls[1])
    candles = {pair: walk(i, 1000) for i, pair in enumerate(PAIRS)}
    took: dict[str, list[float]] = {"without": [], "with the chain": []}
    for number in range(NOW - 100 - repeats, NOW - 100):
        order = [("with the chain", linked), ("without", unlinked)]
        # Each goes first half of the time: the second one finds warmer caches.
        for name, ledger in order if number % 2 else order[::-1]:
            begin = ONE_CORE()
            made = [prediction_rows(frame(number), _source(pair), 0) for pair in PAIRS]
            ledger.write(made)
            ledger.write(_resolved(ledger, candles))
            took[name].append(ONE_CORE() - begin)
    ratios = np.array(took["with the chain"]) / np.array(took["without"])
    low, middle, high = np.percentile(ratios, [25, 50, 75])
    print(
        f"a candle with the chain / without: median {middle:.3f}, quartiles {low:.3f}, {high:.3f}"
    )
    for ledger in (linked, unlinked):
        ledger.close()
    return [
        Timing(name, 2 * len(PAIRS), float(np.median(times)), min(times), max(times), repeats)
        for name, times in took.items()
    ]


def _resolved(ledger: Ledger, candles: dict[str, pd.DataFrame]) -> list[Entry]:
    waiting = unresolved(ledger, "bench", dict.fromkeys(PAIRS, 0))
    return [
        resolve_outcomes(waiting.get(pair, ()), candles[pair], SETTINGS, 0.002) for pair in PAIRS
    ]


def _source(pair: str) -> Source:
    return Source("bench", pair, VERSION, 0, CANDLE, 0.002)


def linking(ledger: Ledger) -> Timing:
    """Link the rows of a ledger as the migration to version 5 does."""
    with ledger.engine.begin() as connection:
        for index in CHAIN_INDEXES:
            index.drop(connection)
    rows = sum(len(ledger.rows(table.name)) for table in CHAINED)

    def linked() -> None:
        with ledger.engine.begin() as connection:
            lock(connection)
            _link_5(connection)

    return measure("link older rows, all of them", linked, rows, 3)


def resolving(ledger: Ledger) -> Timing:
    """Write a candle of all pairs and the outcomes that are known at its close."""
    candles = {pair: walk(i, 1000) for i, pair in enumerate(PAIRS)}
    steps = itertools.count(NOW - 100)

    def resolved() -> None:
        number = next(steps)
        ledger.write([rows_of(pair, number - 24) for pair in PAIRS])
        found = _resolved(ledger, candles)
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
        migrated = linking(ledger)
        ledger.close()
        pair = (f"sqlite:///{Path(folder) / name}.sqlite" for name in ("linked", "unlinked"))
        both = chained((next(pair), next(pair)))
    print_table("one candle of 100 pairs", timings)
    print_table("from the ledger", [judged])
    print_table("migration", [migrated])
    print_table("one candle of 100 pairs with its outcomes, SQLite", both)
    backend = "postgresql" if arguments.url else "sqlite"
    save(f"ledger-{backend}", {"one candle of 100 pairs": timings, "from the ledger": [judged],
          "migration": [migrated], "chain": both},
         backend=backend)  # fmt: skip


if __name__ == "__main__":
    main()
