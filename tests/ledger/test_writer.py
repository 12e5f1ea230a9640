"""The writer: never blocks for long, never raises, catches up, warns once."""

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from freqai_signals.ledger.ledger import Entry, Ledger
from freqai_signals.ledger.writer import LedgerWriter
from tests.ledger.ledger_rows import prediction, predictions, sqlite_url
from tests.waiting import PATIENCE


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
    assert "3 rows were not written to the ledger and are lost" in caplog.text


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
    assert writer.record([entry, predictions(5)], wait=True)
    assert stored(tmp_path) == [0, 1, 4, 5]
    assert sum("refuses a row" in record.getMessage() for record in caplog.records) == 2
