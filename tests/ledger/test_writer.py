"""The writer: never blocks for long, never raises, catches up, warns once."""

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from freqai_signals.ledger.damage import is_damage, set_aside
from freqai_signals.ledger.ledger import Entry, Ledger
from freqai_signals.ledger.spill import spill, take_in
from freqai_signals.ledger.writer import LedgerWriter
from tests.ledger.ledger_rows import outcome, prediction, predictions, sqlite_url
from tests.waiting import PATIENCE, wait_until

COUNTER = {"bot": "bot", "name": "name", "content": "old"}


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[LedgerWriter]:
    made = LedgerWriter(lambda: Ledger(sqlite_url(tmp_path)), most=100, wait_seconds=PATIENCE)
    assert made.record([predictions(0)], wait=True)
    yield made
    made.close(PATIENCE)


def stored(folder: Path) -> list[int]:
    ledger = Ledger(sqlite_url(folder))
    try:
        return (ledger.rows("predictions")["candle"] // 300).tolist()
    finally:
        ledger.close()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Another program that holds the database's write lock."""
    connection = sqlite3.connect(folder / "ledger.sqlite", isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


def test_waiting_tells_that_the_row_is_durable(writer: LedgerWriter, tmp_path: Path) -> None:
    assert writer.record([predictions(1)], wait=True)
    assert stored(tmp_path) == [0, 1]


def test_without_waiting_rows_are_written_soon(writer: LedgerWriter, tmp_path: Path) -> None:
    for number in range(1, 50):
        writer.record([predictions(number)])
    assert writer.flush(PATIENCE)
    assert stored(tmp_path) == list(range(50))


def test_rows_of_many_pairs_are_written_together_unless_somebody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    write = Ledger.write

    def counted(self: Ledger, entries: Iterable[Entry]) -> None:
        entries = list(entries)
        written.append(len(entries))
        write(self, entries)

    monkeypatch.setattr(Ledger, "write", counted)
    monkeypatch.setattr("freqai_signals.ledger.writer._GATHER_SECONDS", 3600.0)
    writer = LedgerWriter(lambda: Ledger(sqlite_url(tmp_path)), wait_seconds=PATIENCE)
    for number in range(20):
        writer.record([predictions(number)])
    assert writer.settled < writer.newest
    assert writer.record([predictions(20)], wait=True)
    assert writer.settled == writer.newest
    writer.record([predictions(21)])
    assert writer.flush(PATIENCE)
    writer.record([predictions(22)])
    assert writer.close(PATIENCE)
    assert written == [21, 1, 1]
    assert stored(tmp_path) == list(range(23))


def test_rows_for_which_nobody_waits_are_written_after_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("freqai_signals.ledger.writer._GATHER_SECONDS", 0.01)
    writer = LedgerWriter(lambda: Ledger(sqlite_url(tmp_path)))
    for _ in range(2):
        writer.record([predictions(writer.newest)])
        assert wait_until(lambda: writer.settled == writer.newest)
    assert stored(tmp_path) == [0, 1]
    writer.close(PATIENCE)


def test_locked_database_is_trouble_and_is_caught_up_with(
    writer: LedgerWriter, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with locked(tmp_path):
        assert not writer.record([predictions(1)], wait=True)
        assert "locked" in writer.problem
        begin = time.monotonic()
        for number in range(2, 12):
            assert not writer.record([predictions(number)], wait=True)
        assert time.monotonic() - begin < PATIENCE, "in trouble nobody waits"
        assert writer.waiting_rows == 11
    assert writer.flush(PATIENCE)
    assert stored(tmp_path) == list(range(12))
    assert (writer.problem, writer.waiting_rows, writer.lost_rows) == ("", 0, 0)
    warnings = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(warnings) == 2
    assert "cannot be written" in warnings[0]
    assert "can be written again" in warnings[1]


def test_nobody_waits_longer_than_told_for_a_database_that_does_not_answer(tmp_path: Path) -> None:
    answers = threading.Event()

    def connect() -> Ledger:
        answers.wait()
        return Ledger(sqlite_url(tmp_path))

    writer = LedgerWriter(connect, wait_seconds=0.01)
    assert not writer.record([predictions(1)], wait=True)
    assert writer.problem == "", "it has not answered yet"
    answers.set()
    assert writer.close(PATIENCE)
    assert stored(tmp_path) == [1]


def test_rows_left_behind_at_the_end_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "ledger.sqlite").mkdir()
    writer = LedgerWriter(lambda: Ledger(sqlite_url(tmp_path)), wait_seconds=PATIENCE)
    assert not writer.record([predictions(1, 2, 3)], wait=True)
    assert not writer.close(0.1)
    assert "3 rows were not written to the ledger; lost" in caplog.text


def test_full_database_is_trouble_not_a_crash(tmp_path: Path) -> None:
    limit = {"pages": 0}

    def connect() -> Ledger:
        ledger = Ledger(sqlite_url(tmp_path))
        if limit["pages"]:
            with ledger.engine.connect() as connection:
                connection.exec_driver_sql(f"PRAGMA max_page_count = {limit['pages']}")
        return ledger

    limit["pages"] = 30
    writer = LedgerWriter(connect, wait_seconds=PATIENCE)
    many = [predictions(*range(500 * i, 500 * i + 500)) for i in range(8)]
    for entry in many:
        writer.record([entry], wait=True)
    assert "full" in writer.problem
    limit["pages"] = 0
    assert writer.flush(PATIENCE)
    writer.close()
    assert len(stored(tmp_path)) == 4000


def test_damaged_database_is_trouble_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"no database" * 1000)
    writer = LedgerWriter(lambda: Ledger(sqlite_url(tmp_path)), wait_seconds=PATIENCE)
    assert not writer.record([predictions(1)], wait=True)
    assert "not a database" in writer.problem
    assert not writer.close(0.2)


def test_server_that_is_away_is_trouble_not_a_crash() -> None:
    writer = LedgerWriter(
        lambda: Ledger("postgresql+psycopg://nobody@127.0.0.1:1/none"), wait_seconds=PATIENCE
    )
    assert not writer.record([predictions(1)], wait=True)
    assert "refused" in writer.problem
    assert not writer.close(0.2)


def test_full_queue_drops_the_oldest_rows_and_counts_them(
    writer: LedgerWriter, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with locked(tmp_path):
        for number in range(1, 301):
            writer.record([predictions(number)])
        assert writer.waiting_rows == 100
        assert writer.lost_rows == 200
    assert writer.flush(PATIENCE)
    assert stored(tmp_path)[-100:] == list(range(201, 301))
    assert sum("queue is full" in record.getMessage() for record in caplog.records) == 1


def test_a_row_that_can_never_be_written_does_not_hold_up_the_others(
    writer: LedgerWriter, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = {**prediction(2), "proba_buy": None}
    strange = {**prediction(3), "candle": 2**70}
    entry = Entry("predictions", [prediction(1), bad, strange, prediction(4)])
    assert not writer.record([entry, predictions(5)], wait=True), "not all of it is durable"
    assert writer.record([predictions(6)], wait=True)
    assert stored(tmp_path) == [0, 1, 4, 5, 6]
    assert writer.lost_rows == 2
    assert sum("refuses a row" in record.getMessage() for record in caplog.records) == 2


def test_no_error_ends_the_thread_that_writes(tmp_path: Path) -> None:
    errors: list[Exception] = [
        ValueError("bad port"), RuntimeError("odd"), MemoryError(), AttributeError("x"),
    ]  # fmt: skip

    def connect() -> Ledger:
        if errors:
            raise errors.pop()
        return Ledger(sqlite_url(tmp_path))

    writer = LedgerWriter(connect, wait_seconds=PATIENCE)
    assert not writer.record([predictions(1)], wait=True)
    assert writer.problem
    assert writer.flush(PATIENCE)
    assert writer.problem == ""
    assert writer.close(PATIENCE)
    assert stored(tmp_path) == [1]


def test_dropped_rows_are_never_said_to_be_durable(tmp_path: Path) -> None:
    answers = threading.Event()

    def connect() -> Ledger:
        answers.wait()
        return Ledger(sqlite_url(tmp_path))

    writer = LedgerWriter(connect, most=1, wait_seconds=PATIENCE)
    said: list[bool] = []
    waiting = threading.Thread(
        target=lambda: said.append(writer.record([predictions(1)], wait=True))
    )
    waiting.start()
    wait_until(lambda: writer.waiting_rows == 1)
    writer.record([predictions(2)])
    answers.set()
    waiting.join(PATIENCE)
    assert said == [False]
    assert writer.close(PATIENCE)
    assert 2 in stored(tmp_path)
    assert writer.lost_rows == 1


# What could not be written, and a damaged or removed file


def test_rows_left_behind_are_taken_in_by_the_next_start(tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    for first in (1, 3):
        writer = LedgerWriter(away, wait_seconds=PATIENCE, spill_path=kept)
        writer.record([predictions(first), Entry("outcomes", [outcome(first)])])
        writer.record([predictions(first + 1)])
        writer.close(0.1)
    assert len(take_in(kept)) == 4, "what was taken in is not kept twice"
    writer = LedgerWriter(lambda: Ledger(sqlite_url(tmp_path)), spill_path=kept)
    assert writer.record([predictions(5)], wait=True)
    assert writer.close(PATIENCE)
    assert stored(tmp_path) == [1, 2, 3, 4, 5]
    assert not kept.exists()


def away() -> Ledger:
    raise OSError("away")


def test_a_file_of_rows_that_cannot_be_removed_is_not_taken_in_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its counters would undo newer ones, and what is left at the next end would come on top."""
    kept = tmp_path / "unwritten.jsonl"
    spill(kept, [[predictions(1), Entry("counters", [COUNTER])]])

    def refuses(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(f"{path}: the folder takes no change")

    monkeypatch.setattr(Path, "unlink", refuses)
    url = sqlite_url(tmp_path)
    writer = LedgerWriter(lambda: Ledger(url), spill_path=kept)
    assert writer.record([Entry("counters", [COUNTER | {"content": "new"}])], wait=True)
    assert writer.close(PATIENCE)
    assert kept.read_text() == ""
    writer = LedgerWriter(lambda: Ledger(url), spill_path=kept)
    assert writer.waiting_rows == 0
    writer.close(PATIENCE)
    ledger = Ledger(url)
    assert ledger.counter("bot", "name") == "new"
    assert len(ledger.rows("predictions")) == 1
    ledger.close()


def test_a_line_that_was_cut_short_loses_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = tmp_path / "kept.jsonl"
    spill(kept, [[predictions(1)]])
    with kept.open("a") as file:
        file.write('[["predictions", [{"pair": "BTC')
    spill(kept, [[predictions(2)]])
    kept.write_bytes(kept.read_bytes() + b'\xff\n[[1, 2]]\n[["other", []]]\n7\n')
    assert [entries[0].rows[0]["candle"] for entries in take_in(kept)] == [300, 600]
    assert caplog.text.count("a line is not taken into the ledger") == 5


def test_a_full_queue_spills_its_oldest_rows_but_no_counters(tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    writer = LedgerWriter(away, most=5, wait_seconds=PATIENCE, spill_path=kept)
    counter = Entry("counters", [{"bot": "bot", "name": "n", "content": "old"}])
    for number in range(1, 21):
        writer.record([predictions(number), counter])
    assert writer.lost_rows == 0
    writer.close(0.1)
    found = take_in(kept)
    numbers = [
        row["candle"] // 300 for e in found for part in e for row in part.rows if "candle" in row
    ]
    assert numbers == list(range(1, 21))
    assert sum(part.table == "counters" for entries in found for part in entries) <= 3


@pytest.mark.parametrize("damage", ["head", "pages"])
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(tmp_path: Path, damage: str) -> None:
    ledger = Ledger(sqlite_url(tmp_path))
    ledger.write([predictions(*range(2000))])
    ledger.close()
    path = tmp_path / "ledger.sqlite"
    whole = path.read_bytes()
    broken = (
        b"no database" * 1000 if damage == "head" else whole[:4096] + b"x" * (len(whole) - 4096)
    )
    path.write_bytes(broken)
    repaired: list[Path] = []

    def repair(error: Exception) -> str:
        target = set_aside(path) if is_damage(error) else None
        repaired.extend([target] if target else [])
        return str(target or "")

    url = sqlite_url(tmp_path)
    writer = LedgerWriter(lambda: Ledger(url), wait_seconds=PATIENCE, repair=repair)
    writer.record([predictions(1)])
    assert writer.flush(PATIENCE)
    assert writer.close(PATIENCE)
    assert stored(tmp_path) == [1]
    assert [target.read_bytes() for target in repaired] == [broken]
    assert writer.repaired


def test_a_whole_file_is_never_set_aside(tmp_path: Path) -> None:
    ledger = Ledger(sqlite_url(tmp_path))
    ledger.write([predictions(1)])
    with locked(tmp_path):
        assert set_aside(tmp_path / "ledger.sqlite") is None
    assert set_aside(tmp_path / "ledger.sqlite") is None
    assert set_aside(tmp_path / "none.sqlite") is None
    ledger.close()


def test_a_removed_file_is_made_again(writer: LedgerWriter, tmp_path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        (tmp_path / f"ledger.sqlite{ending}").unlink(missing_ok=True)
    assert writer.record([predictions(1)], wait=True)
    assert stored(tmp_path) == [1]
