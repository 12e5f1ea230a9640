"""What lies on the disk or comes from an exchange may be anything: nothing crashes, nothing is
believed that is not whole.
"""

import json
import math
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from freqai_signals.config import SettingsError, settings_from_config
from freqai_signals.ledger.database import LedgerError
from freqai_signals.ledger.ledger import Entry, Ledger
from freqai_signals.ledger.proof.track_record import export
from freqai_signals.ledger.proof.verification import verify
from freqai_signals.ledger.spill import spill, take_in
from freqai_signals.ledger.sql_tables import VERSION
from freqai_signals.plugin.freqai.prediction_journal import JOURNAL_FILE, append, merged
from tests.fuzz.test_fuzz import odd_values
from tests.ledger.ledger_rows import outcome, predictions, sqlite_url
from tests.plugin.freqai.test_broken_candles import Offline, arrives, tick
from tests.plugin.freqai.test_journal_kills import rows

sqlite_value = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.binary(max_size=9),
    st.text("ab\0é"),
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


# A ledger that somebody has edited


@pytest.fixture(scope="module")
def whole(scratch: Path) -> Path:
    ledger = Ledger(sqlite_url(scratch))
    ledger.write([predictions(1, 2, 3), predictions(4, kind="gap")])
    ledger.write([predictions(4), Entry("outcomes", [outcome(1, bot="bot")])])
    ledger.close()
    with closing(sqlite3.connect(scratch / "ledger.sqlite")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return scratch / "ledger.sqlite"


@given(
    table=st.sampled_from(["predictions", "outcomes", "chain_heads", "chain_replaced"]),
    place=st.integers(0, 40),
    value=sqlite_value,
)
@example(table="predictions", place=5, value=b"")
@example(table="outcomes", place=3, value=17)
@example(table="predictions", place=11, value=158148)
@example(table="predictions", place=18, value=b"\x00\xff")
@example(table="predictions", place=20, value="abc")
@example(table="predictions", place=21, value=b"\x00")
@example(table="predictions", place=1, value=2**62)
@example(table="chain_heads", place=4, value="q")
@example(table="chain_heads", place=4, value=b"")
@example(table="chain_heads", place=1, value="")
@example(table="chain_replaced", place=1, value="q")
def test_any_edit_of_any_cell_is_found_and_stops_no_export(
    scratch: Path, whole: Path, table: str, place: int, value: Any
) -> None:
    folder = Path(tempfile.mkdtemp(dir=scratch))
    (folder / "ledger.sqlite").write_bytes(whole.read_bytes())
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as database:
        names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        name = names[place % len(names)]
        select = f"SELECT {name} FROM {table} ORDER BY rowid LIMIT 1"
        before = database.execute(select).fetchone()[0]
        change = f"UPDATE {table} SET {name} = ? WHERE rowid = (SELECT min(rowid) FROM {table})"
        try:
            database.execute(change, (value,))
        except sqlite3.IntegrityError:
            value = before
        after = database.execute(select).fetchone()[0]
        database.commit()
    with closing(Ledger(sqlite_url(folder), read_only=True)) as ledger:
        problems = verify(ledger).problems
        said = "verify"
        try:
            export(ledger, folder / "out")
        except ValueError as error:
            said = str(error)
    assert "verify" in said
    # The day of the head says only when the next root is due.
    if name != "day" and (type(after), after) != (type(before), before):
        assert problems, (table, name, before, after)


@given(st.lists(st.integers(-5, 9), max_size=3))
@example([])
@example([VERSION, 9])
def test_a_ledger_with_any_versions_opens_or_is_refused_by_name(
    scratch: Path, versions: list[int]
) -> None:
    folder = Path(tempfile.mkdtemp(dir=scratch))
    Ledger(sqlite_url(folder)).close()
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as database:
        database.execute("DELETE FROM ledger_schema")
        for version in set(versions):
            database.execute("INSERT INTO ledger_schema VALUES (?)", (version,))
        database.commit()
    problem = ""
    try:
        Ledger(sqlite_url(folder), read_only=True).close()
    except LedgerError as error:
        problem = str(error)
    assert bool(problem) == (set(versions) != {VERSION})
    assert not problem or "ledger" in problem


# Rows that wait on the disk


@given(st.lists(st.one_of(odd_values.map(json.dumps), st.text(max_size=30)), max_size=4))
@example(["[[[], [{}]]]", "5", '[["predictions", 5]]', '[["counters", [[]]]]', "[" * 9000])
def test_any_line_between_kept_rows_costs_only_itself(scratch: Path, lines: list[str]) -> None:
    path = Path(tempfile.mkdtemp(dir=scratch)) / "unwritten.jsonl"
    spill(path, [[predictions(1)]])
    with path.open("a", encoding="utf-8", errors="replace") as file:
        file.write("\n".join(lines))
    spill(path, [[predictions(2)]])
    kept = [entry for entries in take_in(path) for entry in entries if len(entry)]
    candles = [row.get("candle") for entry in kept for row in entry.rows]
    assert candles[0] == 300
    assert candles[-1] == 600


@given(st.lists(st.binary(max_size=40), max_size=3))
@example([b"00000000 ", b"\r\n\x85", b"\xe2\x80\xa8"])
def test_any_bytes_in_the_journal_cost_only_themselves(scratch: Path, parts: list[bytes]) -> None:
    folder = Path(tempfile.mkdtemp(dir=scratch))
    append(folder, {"A/USDT": rows(0, 1, 1.0)})
    for number, part in enumerate(parts, 1):
        with (folder / JOURNAL_FILE).open("ab") as file:
            file.write(part)
        append(folder, {"A/USDT": rows(number, 1, 1.0)})
    found = merged(folder, {}, 1000)["A/USDT"]
    assert len(found) == 1 + len(parts)


# What an exchange answers

odd_price = st.one_of(
    st.none(), st.floats(), st.integers(-(2**70), 2**70), st.text(max_size=5), st.booleans(),
    st.lists(st.integers(), max_size=2),
)  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5), odd_price), max_size=6))
@example([(3, 4, None), (4, 4, "nan"), (5, 5, float("inf")), (6, 1, [])])
@example([(0, 4, None)])
def test_a_candle_of_any_values_is_whole_or_without_volume(
    changes: list[tuple[int, int, Any]],
) -> None:
    from freqai_signals.plugin.freqai.broken_candles import mark_broken_candles

    exchange, ticks = Offline(), [tick(number) for number in range(10)]
    for number, column, value in changes:
        ticks[number][column] = value
    mark_broken_candles(exchange, 60)
    frame = arrives(exchange, [list(one) for one in ticks])
    assert len(frame) == 10
    for number, one in enumerate(ticks):
        if not all(_is_finite(value) for value in one[1:6]):
            assert frame["volume"].iloc[number] == 0.0, one
    assert np.isfinite(frame["volume"]).all()


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return False


# The config around our section


@given(
    place=st.sampled_from(["freqai", "signals", "feature_parameters", "data_split_parameters",
                           "model_training_parameters", "exchange", "timeframe", "pairlists"]),
    value=odd_values,
)  # fmt: skip
@example(place="freqai", value=[])
@example(place="signals", value="shipped")
@example(place="feature_parameters", value=None)
@example(place="timeframe", value="5\0m")
def test_any_value_in_the_place_of_a_section_is_taken_or_refused_by_name(
    place: str, value: Any
) -> None:
    config: dict[str, Any] = {"timeframe": "5m", "freqai": {"signals": {}}}
    within = config if place in ("freqai", "exchange", "timeframe", "pairlists") else (
        config["freqai"]
    )  # fmt: skip
    within[place] = value
    problems: tuple[str, ...] = ("freqai",)
    try:
        settings_from_config(config)
    except SettingsError as error:
        problems = error.problems
    assert problems
    assert all(line.startswith(("freqai", "timeframe")) for line in problems)
