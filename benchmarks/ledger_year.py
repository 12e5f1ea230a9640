"""Size of a SQLite ledger after a simulated year, and what a day of candles writes to the disk.

``python -m benchmarks.ledger_year [--days 365] [--detail-days 0 60]``; one pair of five-minute
candles for the year, each with its outcome, and twenty pairs candle by candle for the day. The disk
counts what Linux says that this process had written (``/proc/self/io``).
"""

import argparse
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from freqai_signals.ledger import ledger as ledger_module
from freqai_signals.ledger.ledger import Entry, Ledger
from freqai_signals.ledger.proof.verification import verify
from freqai_signals.plugin.freqai import prediction_journal

CANDLE, DAY = 300, 86_400
FIRST_DAY = 19_700
PAIRS = [f"P{number:02}/USDT" for number in range(20)]


def candle_rows(pairs: list[str], day: int, candles: range) -> list[Entry]:
    """Predictions of some candles of a day, and the outcomes that became known meanwhile."""
    keys = [
        {"pair": pair, "candle": day * DAY + number * CANDLE, "bot": "bench",
         "model_version": f"20240101T0000-{day:010x}"}
        for number in candles for pair in pairs
    ]  # fmt: skip
    predicted = {
        "kind": "live", "predicted": 1, "proba_sell": 0.2123456789, "proba_hold": 0.5876543211,
        "proba_buy": 0.2, "prior_sell": 0.2, "prior_hold": 0.6, "prior_buy": 0.2,
        "confidence": 0.8123456789, "expected_return": 0.00012345678, "cost": 0.002,
        "signal": "none", "strength": 0, "reason": "low_confidence", "new_pair": 0,
    }  # fmt: skip
    outcome = {"realised": 1, "gross": 0.00123456789, "net": -0.00076543211,
               "loss": 0.53164871, "prior_loss": 0.51082562}  # fmt: skip
    return [
        Entry("predictions", [{**key, **predicted} for key in keys]),
        Entry("outcomes", [{**key, **outcome, "event_end": key["candle"] + 7200} for key in keys]),
    ]


def at(day: int) -> None:
    """Let ledgers believe that it is noon of a day."""
    clock: Any = SimpleNamespace(time=lambda: day * DAY + DAY // 2)
    ledger_module.time = clock


def year(folder: Path, days: int, detail_days: int) -> str:
    """A line on the size of a year of one pair."""
    file = folder / f"year-{detail_days}.sqlite"
    ledger = Ledger(f"sqlite:///{file}", detail_days=detail_days)
    for day in range(FIRST_DAY, FIRST_DAY + days):
        at(day)
        ledger.write(candle_rows(PAIRS[:1], day, range(DAY // CANDLE)))
    found = verify(ledger)
    ledger.close()
    megabytes = file.stat().st_size / 1e6
    kept = detail_days or "all"
    return (
        f"{days} days of one pair, details of {kept} days: {megabytes:.1f} MB, 20 pairs "
        f"{20 * megabytes:.0f} MB; {found.rows} rows verified, {len(found.problems)} problems"
    )


def written() -> int:
    """Bytes that this process had the disk take so far."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


def day(folder: Path) -> str:
    """A line on what a day of twenty pairs writes, candle by candle."""
    import pandas as pd

    ledger = Ledger(f"sqlite:///{folder / 'day.sqlite'}")
    at(FIRST_DAY)
    begin = written()
    for number in range(DAY // CANDLE):
        ledger.write(candle_rows(PAIRS, FIRST_DAY, range(number, number + 1)))
    in_ledger, begin = written() - begin, written()
    columns = {f"column_{number}": 0.123456789 * number for number in range(20)}
    for number in range(DAY // CANDLE):
        date = pd.to_datetime([FIRST_DAY * DAY + number * CANDLE], unit="s", utc=True)
        frame = pd.DataFrame({**columns, "date_pred": date})
        prediction_journal.append(folder, dict.fromkeys(PAIRS, frame))
    in_journal = written() - begin
    ledger.close()
    return (
        f"a day of 20 pairs writes {in_ledger / 1e6:.0f} MB for the ledger and "
        f"{in_journal / 1e6:.0f} MB for the journal of predictions"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--detail-days", type=int, nargs="+", default=[0, 60])
    arguments = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as folder:
        print(day(Path(folder)))
        for detail_days in arguments.detail_days:
            print(year(Path(folder), arguments.days, detail_days))
    print(f"{time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
