"""The ledger: idempotent, migrated, shared by two processes, on SQLite and on PostgreSQL."""

import contextlib
import multiprocessing
import sqlite3
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import OperationalError

from freqai_signals.ledger import migrations
from freqai_signals.ledger.database import LedgerError, open_engine, prepare
from freqai_signals.ledger.ledger import Entry, Ledger
from freqai_signals.ledger.proof.chain import CHAINED
from freqai_signals.ledger.proof.verification import verify
from freqai_signals.ledger.sql_tables import (
    CHAIN_HEADS,
    CHAIN_INDEXES,
    CHAIN_REPLACED,
    CHAIN_ROOTS,
    DAILY,
    METADATA,
    SCHEMA,
    VERSION,
)
from freqai_signals.ledger.writer import LedgerWriter
from tests.ledger.ledger_rows import (
    outcome,
    postgres_url,
    prediction,
    predictions,
    sqlite_url,
)
from tests.waiting import PATIENCE

FORK = multiprocessing.get_context("fork")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return sqlite_url(tmp_path) if request.param == "sqlite" else postgres_url()


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    opened = Ledger(url)
    yield opened
    opened.close()


def test_a_new_file_is_opened_though_another_connection_is_creating_its_tables(
    tmp_path: Path,
) -> None:
    """SQLite refuses the switch to WAL at once then, whatever its timeout."""
    options: dict[str, Any] = {"isolation_level": None, "check_same_thread": False}
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.sqlite", **options)) as other:
        other.execute("CREATE TABLE anything (a)")
        other.execute("BEGIN IMMEDIATE")
        other.execute("SELECT * FROM anything").fetchall()
        soon = threading.Timer(0.2, other.execute, ["COMMIT"])
        soon.start()
        Ledger(sqlite_url(tmp_path)).close()
        soon.join()
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as again:
        assert again.execute("PRAGMA journal_mode").fetchone() == ("wal",)


# Rows


def test_rows_come_back_as_they_were_written(ledger: Ledger) -> None:
    ledger.write([predictions(1, 2), Entry("outcomes", [outcome(1)])])
    found = ledger.rows("predictions")
    assert found["candle"].tolist() == [300, 600]
    assert found.loc[0, "proba_buy"] == 0.5
    assert abs(found.loc[0, "recorded"] - time.time()) < 60
    assert ledger.rows("predictions", since=301)["candle"].tolist() == [600]


def test_a_row_written_again_changes_nothing(ledger: Ledger) -> None:
    ledger.write([predictions(1)])
    ledger.write([predictions(1, proba_buy=0.9), predictions(1)])
    assert ledger.rows("predictions")["proba_buy"].tolist() == [0.5]


def test_another_model_version_is_another_row(ledger: Ledger) -> None:
    ledger.write([predictions(1), predictions(1, version="v2")])
    assert len(ledger.rows("predictions")) == 2


def test_live_prediction_replaces_a_gap_and_never_the_other_way_round(ledger: Ledger) -> None:
    ledger.write([predictions(1, kind="gap", bot="late")])
    ledger.write([predictions(1, bot="on time")])
    ledger.write([predictions(1, kind="gap", bot="later")])
    found = ledger.rows("predictions")
    assert found[["kind", "bot"]].to_numpy().tolist() == [["live", "on time"]]


def test_counters_are_replaced(ledger: Ledger) -> None:
    for content in ("1", "2"):
        row = {"bot": "bot", "name": "signals", "content": content}
        ledger.write([Entry("counters", [row])])
    assert ledger.counter("bot", "signals") == "2"
    assert ledger.counter("bot", "other") == ""


def test_all_entries_are_written_or_none(ledger: Ledger) -> None:
    bad = {**prediction(2), "proba_buy": None}
    with pytest.raises(Exception, match=r"(?i)not.null"):
        ledger.write([predictions(1), Entry("predictions", [bad])])
    assert ledger.rows("predictions").empty


def test_only_live_rows_with_a_known_outcome_are_scored(ledger: Ledger) -> None:
    kinds = ["live", "seed", "gap", "expired", "untrusted", "live"]
    rows = [prediction(i, kind=kind) for i, kind in enumerate(kinds)]
    outcomes = [outcome(i) for i in range(5)] + [outcome(5, realised=None)]
    ledger.write([Entry("predictions", rows), Entry("outcomes", outcomes)])
    assert ledger.scored()["candle"].tolist() == [0]
    assert ledger.scored(since=1).empty


def test_last_candle_is_that_of_the_bot(ledger: Ledger) -> None:
    ledger.write([predictions(1, 7), predictions(9, bot="other")])
    assert ledger.last_candle("BTC/USDT", "bot") == 2100
    assert ledger.last_candle("ETH/USDT", "bot") == 0


def test_a_message_is_sent_once(ledger: Ledger) -> None:
    row = {
        "pair": "BTC/USDT", "candle": 300, "model_version": "v1", "bot": "bot", "signal": "buy",
        "strength": 1, "confidence": 0.9, "record": "{}",
    }  # fmt: skip
    ledger.write([Entry("signals", [row])])
    assert ledger.rows("signals")["sent"].isna().all()
    ledger.mark_sent("BTC/USDT", 300, "v1")
    first = ledger.rows("signals")["sent"].tolist()
    ledger.mark_sent("BTC/USDT", 300, "v1")
    assert ledger.rows("signals")["sent"].tolist() == first


def test_newest_level_of_each_pair(ledger: Ledger) -> None:
    rows = [
        {"bot": "bot", "pair": pair, "candle": candle, "detector": detector, "level": level,
         "model_version": "v1", "detail": ""}
        for pair, candle, detector, level in [
            ("A", 1, "health", "warning"), ("A", 2, "health", "drift"), ("B", 1, "health", "ok"),
            ("A", 3, "features", "drift"),
        ]
    ]  # fmt: skip
    ledger.write([Entry("drift_events", rows)])
    assert ledger.levels() == {"A": "drift", "B": "ok"}


def test_equal_events_of_two_bots_are_two_rows(ledger: Ledger) -> None:
    event = {
        "pair": "A", "candle": 1, "detector": "health", "level": "drift", "model_version": "v1",
        "detail": "",
    }  # fmt: skip
    for bot in ("one", "two", "two"):
        ledger.write([Entry("drift_events", [event | {"bot": bot}])])
    assert ledger.rows("drift_events")["bot"].tolist() == ["one", "two"]


# Schema


def test_a_migrated_ledger_has_the_tables_of_a_new_one(url: str) -> None:
    new = Ledger(url)
    expected = described(new)
    with new.engine.begin() as connection:
        METADATA.drop_all(connection)
    new.close()
    make_version_1(url)
    migrated = Ledger(url)
    assert described(migrated) == expected
    migrated.close()


def described(ledger: Ledger) -> dict[str, Any]:
    tables = inspect(ledger.engine)
    return {
        name: (
            {c["name"]: (str(c["type"]), c["nullable"]) for c in tables.get_columns(name)},
            tables.get_pk_constraint(name)["constrained_columns"],
        )
        for name in tables.get_table_names()
    }


def test_tables_are_those_declared(ledger: Ledger) -> None:
    assert set(inspect(ledger.engine).get_table_names()) == set(METADATA.tables)


def make_version_1(url: str) -> None:
    """The schema as version 1 created it, with a row in it."""
    engine = open_engine(url)
    with engine.begin() as connection:
        METADATA.create_all(connection)
        for index in CHAIN_INDEXES:
            index.drop(connection)
        for made in (CHAIN_HEADS, CHAIN_ROOTS, CHAIN_REPLACED, DAILY):
            made.drop(connection)
        added = [(table.name, c) for table in CHAINED for c in ("number", "hash", "replaces")]
        added += [("outcomes", "bot"), ("outcomes", "moved"), ("signals", "sent")]
        for table, column in added:
            connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
        connection.execute(text("DROP TABLE drift_events"))
        connection.execute(
            text(
                "CREATE TABLE drift_events (pair VARCHAR(64) NOT NULL, candle BIGINT NOT NULL, "
                "detector VARCHAR(32) NOT NULL, level VARCHAR(16) NOT NULL, "
                "model_version VARCHAR(64) NOT NULL, detail TEXT NOT NULL, "
                "recorded BIGINT NOT NULL, PRIMARY KEY (pair, candle, detector, level))"
            )
        )
        connection.execute(
            text("INSERT INTO drift_events VALUES ('A', 300, 'health', 'drift', 'v1', '', 7)")
        )
        connection.execute(text("ALTER TABLE predictions DROP COLUMN new_pair"))
        connection.execute(SCHEMA.insert().values(version=1))
        connection.execute(
            text(
                "INSERT INTO signals VALUES "
                "('BTC/USDT', 300, 'v1', 'bot', 'buy', 1, 0.9, '{}', 12345)"
            )
        )
        for candle, kind in ((300, "live"), (600, "gap")):
            connection.execute(
                text(
                    f"INSERT INTO predictions VALUES ('BTC/USDT', {candle}, 'v1', 'bot', '{kind}',"
                    " 2, 0.2, 0.3, 0.5, 0.2, 0.3, 0.5, 0.9, 0.001, 0.002, 'buy', 1, '', 12345)"
                )
            )
        connection.execute(
            text(
                "INSERT INTO outcomes VALUES "
                "('BTC/USDT', 300, 'v1', 2, 900, 0.01, 0.008, 0.69, 1.39, 12345)"
            )
        )
    engine.dispose()


def test_ledger_of_version_1_is_migrated_and_keeps_its_rows(url: str) -> None:
    make_version_1(url)
    ledger = Ledger(url)
    assert ledger.found_version == 1
    signals = ledger.rows("signals")
    assert signals["recorded"].tolist() == [12345]
    assert signals["sent"].isna().all()
    assert ledger.rows("outcomes")["bot"].tolist() == ["bot"]
    assert verify(ledger).problems == ()
    assert verify(ledger).rows == 4
    ledger.mark_sent("BTC/USDT", 300, "v1")
    ledger.write([predictions(2), predictions(3)])
    assert verify(ledger).problems == ()
    ledger.close()
    again = Ledger(url)
    assert again.found_version == VERSION
    assert again.rows("signals")["sent"].notna().all()
    (event,) = again.rows("drift_events").to_dict("records")
    assert (event["bot"], event["pair"], event["level"], event["recorded"]) == ("", "A", "drift", 7)
    again.close()


def test_many_rows_are_linked_in_parts_oldest_record_first(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "_AT_ONCE", 7)
    make_version_1(url)
    engine = open_engine(url)
    row = "('{pair}', {candle}, 'v1', '{bot}', 'live', 2, 0.2, 0.3, 0.5, 0.2, 0.3, 0.5, 0.9, "
    with engine.begin() as connection:
        for number in range(100):
            values = row.format(pair=f"P{number % 3}", candle=300 * number, bot=f"b{number % 2}")
            recorded = 99_000 - number
            connection.execute(
                text(
                    f"INSERT INTO predictions VALUES {values}"
                    f"0.001, 0.002, 'buy', 1, '', {recorded})"
                )
            )
    engine.dispose()
    ledger = Ledger(url)
    assert verify(ledger) == (104, ())
    rows = ledger.rows("predictions").query("bot == 'b1'").sort_values("number")
    assert rows["number"].tolist() == list(range(1, 51))
    assert rows["recorded"].is_monotonic_increasing
    ledger.write([predictions(200, bot="b1")])
    assert verify(ledger).problems == ()
    ledger.close()


def test_a_migration_that_fails_changes_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from freqai_signals.ledger import database

    def half(connection: object) -> None:
        migrations._to_2(connection)  # type: ignore[arg-type]
        raise RuntimeError("the power is gone")

    make_version_1(url)
    with monkeypatch.context() as patch:
        patch.setattr(database, "STEPS", {2: half, 3: migrations._to_3})
        with pytest.raises(RuntimeError):
            Ledger(url)
    ledger = Ledger(url)
    assert ledger.found_version == 1
    ledger.close()


def test_ledger_of_a_newer_version_is_refused(url: str) -> None:
    engine = open_engine(url)
    prepare(engine)
    with engine.begin() as connection:
        connection.execute(SCHEMA.update().values(version=VERSION + 1))
    engine.dispose()
    with pytest.raises(LedgerError, match="upgrade freqai-signals"):
        Ledger(url)


def test_reading_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "other.sqlite").touch()
    url = f"sqlite:///{tmp_path / 'other.sqlite'}"
    with pytest.raises(LedgerError, match="is no ledger"):
        Ledger(url, read_only=True)
    assert (tmp_path / "other.sqlite").stat().st_size == 0
    make_version_1(url)
    before = (tmp_path / "other.sqlite").read_bytes()
    with pytest.raises(LedgerError, match=f"version 1, not {VERSION}; the bot migrates it"):
        Ledger(url, read_only=True)
    assert (tmp_path / "other.sqlite").read_bytes() == before
    Ledger(url).close()
    with contextlib.closing(Ledger(url, read_only=True)) as ledger:
        assert ledger.rows("signals")["recorded"].tolist() == [12345]
        with pytest.raises(OperationalError, match="readonly"):
            ledger.write([predictions(9)])
    with pytest.raises(OperationalError):
        Ledger(f"sqlite:///{tmp_path / 'absent.sqlite'}", read_only=True)
    assert not (tmp_path / "absent.sqlite").exists()


@pytest.mark.parametrize("wrong", ["nonsense", "oracle://x/y", "duckdb:///x"])
def test_wrong_url_is_explained(wrong: str) -> None:
    with pytest.raises(LedgerError, match=r"freqai\.signals\.ledger\.url"):
        Ledger(wrong)


def test_password_is_not_shown(tmp_path: Path) -> None:
    engine = open_engine("postgresql+psycopg://user:secret@127.0.0.1:1/x")
    assert "secret" not in engine.url.render_as_string()


# Two processes, kill -9


def write_rows(url: str, first: int, stop: int, pair: str, told: Connection) -> None:
    writer = LedgerWriter(lambda: Ledger(url), wait_seconds=PATIENCE)
    for number in range(first, stop):
        # Two that write at once may find the database locked; the writer tries again by itself.
        if writer.record([predictions(number, pair=pair)], wait=True) or writer.flush(PATIENCE):
            told.send(number * 300)
    writer.close(PATIENCE)


def start(url: str, first: int, stop: int, pair: str) -> tuple[BaseProcess, Connection]:
    here, there = FORK.Pipe(duplex=False)
    process = FORK.Process(target=write_rows, args=(url, first, stop, pair, there))
    process.start()
    there.close()
    return process, here


def all_told(told: Connection) -> set[int]:
    found = set()
    with contextlib.suppress(EOFError):
        while True:
            found.add(told.recv())
    return found


def test_two_bots_share_a_ledger(url: str) -> None:
    both = [start(url, 0, 50, pair) for pair in ("BTC/USDT", "ETH/USDT")]
    for process, told in both:
        assert len(all_told(told)) == 50
        process.join(60)
    ledger = Ledger(url)
    assert ledger.rows("predictions").groupby("pair").size().tolist() == [50, 50]
    ledger.close()


def test_two_bots_with_the_same_model_add_nothing_twice(url: str) -> None:
    both = [start(url, 0, 50, "BTC/USDT") for _ in range(2)]
    for process, told in both:
        assert len(all_told(told)) == 50
        process.join(60)
    ledger = Ledger(url)
    assert len(ledger.rows("predictions")) == 50
    ledger.close()


def kill_at_random(url: str, kills: int) -> None:
    rng = np.random.default_rng(kills)
    told: set[int] = set()
    for number in range(kills):
        process, pipe = start(url, number * 10_000, (number + 1) * 10_000, "BTC/USDT")
        pipe.poll(60)
        time.sleep(float(rng.uniform(0, 0.05)))
        process.kill()
        process.join()
        told |= all_told(pipe)
    assert len(told) >= kills // 4
    ledger = Ledger(url)
    written = set(ledger.rows("predictions")["candle"].tolist())
    assert told <= written
    ledger.write([predictions(10**6)])
    ledger.close()


def test_kill_loses_no_row_that_was_reported(url: str) -> None:
    kill_at_random(url, 20)


def test_a_killed_ledger_is_whole(tmp_path: Path) -> None:
    kill_at_random(sqlite_url(tmp_path), 5)
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.slow
def test_two_hundred_kills_lose_no_row_that_was_reported(url: str) -> None:
    kill_at_random(url, 200)
