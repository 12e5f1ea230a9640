"""A ledger that cannot be edited unseen: every change, removal and insertion is found."""

import hashlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import DataError, IntegrityError

from freqai_signals.ledger import ledger as ledger_module
from freqai_signals.ledger.ledger import Entry, Ledger
from freqai_signals.ledger.proof import verification
from freqai_signals.ledger.proof.chain import CHAINED
from freqai_signals.ledger.proof.verification import verify
from freqai_signals.ledger.sql_tables import (
    CHAIN_HEADS,
    CHAIN_REPLACED,
    CHAIN_ROOTS,
    DAILY,
    PREDICTIONS,
)
from tests.ledger.ledger_rows import outcome, postgres_url, predictions, sqlite_url

DAY = 86_400


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return sqlite_url(tmp_path) if request.param == "sqlite" else postgres_url()


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    opened = Ledger(url)
    yield opened
    opened.close()


def signal(number: int, **values: Any) -> dict[str, Any]:
    return {
        "pair": "BTC/USDT", "candle": number * 300, "model_version": "v1", "bot": "bot",
        "signal": "buy", "strength": 1, "confidence": 0.9, "record": "{}", **values,
    }  # fmt: skip


def fill(ledger: Ledger, days: range, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two bots over some days, with all that can happen to a row."""
    for day in days:
        monkeypatch.setattr(ledger_module.time, "time", lambda day=day: day * DAY + 5)
        first = 10 * day
        for bot, pair in (("bot", "BTC/USDT"), ("other", "ETH/USDT")):
            ledger.write([predictions(first, first + 1, pair=pair, bot=bot)])
            ledger.write([predictions(first + 2, pair=pair, bot=bot, kind="gap")])
            ledger.write([predictions(first + 2, first + 3, pair=pair, bot=bot)])
            ledger.write([Entry("outcomes", [outcome(first, pair=pair, bot=bot)])])
            ledger.write(
                [Entry("outcomes", [outcome(first + 1, pair=pair, bot=bot, net=float("nan"))])]
            )
        ledger.write([Entry("signals", [signal(first), signal(first + 1)])])
        ledger.mark_sent("BTC/USDT", first * 300, "v1")


def test_what_was_written_is_whole_after_restarts_and_all_that_can_happen(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(20_000, 20_004):
        opened = Ledger(url)
        fill(opened, range(day, day + 1), monkeypatch)
        # Written again, as after a kill.
        fill(opened, range(day, day + 1), monkeypatch)
        found = verify(opened)
        assert found.problems == ()
        opened.close()
    assert found.rows == 4 * (2 * 7 + 3)


def test_two_rows_of_one_key_in_one_batch_are_one(ledger: Ledger) -> None:
    ledger.write([predictions(1, kind="gap"), predictions(1), predictions(1, proba_buy=0.9)])
    assert ledger.rows("predictions")[["kind", "proba_buy"]].to_numpy().tolist() == [["live", 0.5]]
    assert verify(ledger) == (2, ()), "the gap was there and was replaced"


def edit(connection: Any, rng: np.random.Generator) -> str:
    """One random edit of one random row, as somebody with the database's password would make."""
    tables = (*CHAINED, CHAIN_HEADS, CHAIN_REPLACED)
    table = tables[rng.choice(len(tables), p=[0.4, 0.2, 0.3, 0.05, 0.05])]
    rows = connection.execute(select(table)).mappings().fetchall()
    row = dict(rows[rng.integers(len(rows))])
    key = [column == row[column.name] for column in table.primary_key.columns]
    kind = rng.choice(["change", "remove", "insert"], p=[0.7, 0.2, 0.1])
    if kind == "remove":
        connection.execute(delete(table).where(*key))
        return f"{kind} {table.name}"
    if kind == "insert" and table in CHAINED:
        row |= {"candle": row["candle"] + 7, "number": rng.choice([None, row["number"] + 1000])}
        connection.execute(insert(table).values(row))
        return f"{kind} {table.name}"
    names = [name for name in row if name not in ("day", "pruned")]
    name = names[rng.integers(len(names))]
    connection.execute(update(table).where(*key).values({name: other(row[name], rng)}))
    return f"change {table.name}.{name} from {row[name]!r}"


def other(value: Any, rng: np.random.Generator) -> Any:
    if value is None:
        return 1
    if isinstance(value, str):
        return "x" + value[1:] if value[:1] != "x" else "y" + value[1:]
    if isinstance(value, int):
        return value + int(rng.choice([-7, 7_000, 1_000_003]))
    return value * 1.0000001 + 1e-9


def test_each_of_a_thousand_random_edits_is_found(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(ledger, range(20_000, 20_003), monkeypatch)
    rng = np.random.default_rng(0)
    unseen = []
    for _ in range(1000):
        with ledger.engine.connect() as connection:
            transaction = connection.begin()
            # A database may refuse an edit, for example a number that is there already.
            try:
                said = edit(connection, rng)
            except (IntegrityError, DataError):
                transaction.rollback()
                continue
            found = verify_within(ledger, connection)
            transaction.rollback()
        if not found:
            unseen.append(said)
    assert unseen == []
    assert verify(ledger).problems == ()


def verify_within(ledger: Ledger, connection: Any) -> tuple[Any, ...]:
    """What is found within a transaction that is rolled back afterwards."""

    class Shown:
        def __enter__(self) -> Any:
            return connection

        def __exit__(self, *_: object) -> None:
            pass

        def execution_options(self, **_: object) -> "Shown":
            return self

    class Engine:
        dialect = connection.dialect

        def connect(self) -> Shown:
            return Shown()

    class Opened:
        engine = Engine()

    return verification.verify(Opened()).problems  # type: ignore[arg-type]


def test_a_chain_that_was_rewritten_differs_from_the_roots_that_were_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can write the database can make another chain; the published roots tell."""
    noted: dict[tuple[str, int], str] = {}
    for name, proba in (("true", 0.5), ("forged", 0.6)):
        folder = tmp_path / name
        folder.mkdir()
        ledger = Ledger(sqlite_url(folder))
        for day in (20_000, 20_001):
            monkeypatch.setattr(ledger_module.time, "time", lambda day=day: day * DAY)
            ledger.write([predictions(day, proba_buy=proba)])
        if not noted:
            roots = ledger.rows("chain_roots").to_dict("records")
            noted = {(row["bot"], row["day"]): row["hash"] for row in roots}
            assert list(noted) == [("bot", 20_000)]
            assert verify(ledger, noted).problems == ()
        else:
            assert verify(ledger).problems == ()
            (problem,) = verify(ledger, noted).problems
            assert "the root of day 20000 was another one" in problem["problem"]
        ledger.close()


def test_a_row_that_is_written_during_a_check_is_no_problem(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check sees one moment, and its writer is not held up."""
    bot = Ledger(url)
    fill(bot, range(20_000, 20_002), monkeypatch)
    reader = Ledger(url, read_only=True)
    walk, written = verification._problems, itertools.count(900_000)

    def meanwhile(*arguments: Any) -> Any:
        bot.write([predictions(next(written)), predictions(next(written), bot="new")])
        bot.write([Entry("outcomes", [outcome(next(written), bot="bot")])])
        return walk(*arguments)

    monkeypatch.setattr(verification, "_problems", meanwhile)
    found = verify(reader)
    assert found == (2 * (2 * 7 + 3), ())
    monkeypatch.undo()
    assert verify(reader) == (found.rows + 2 * 3, ())
    reader.close()
    bot.close()


def test_a_bot_of_which_only_a_noted_root_is_left_is_missed(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(ledger, range(20_000, 20_002), monkeypatch)
    roots = ledger.rows("chain_roots").to_dict("records")
    noted = {(row["bot"], row["day"]): row["hash"] for row in roots}
    with ledger.engine.begin() as connection:
        for table in (*CHAINED, CHAIN_HEADS, CHAIN_REPLACED, CHAIN_ROOTS):
            connection.execute(delete(table).where(table.c.bot == "other"))
    assert verify(ledger).problems == ()
    assert {item["bot"] for item in verify(ledger, noted).problems} == {"other"}


def test_a_stranger_can_check_a_chain_with_a_hash_function_alone(ledger: Ledger) -> None:
    ledger.write([predictions(1, 2, 3)])
    before = ""
    for row in ledger.rows("predictions").to_dict("records"):
        known = {k: v for k, v in row.items() if k != "hash" and v is not None}
        text = json.dumps(["predictions", known], sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()
        before = hashlib.sha256((before + digest).encode()).hexdigest()
        assert row["hash"] == before


# Retention


def test_old_rows_become_sums_and_the_chain_stays_whole(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Ledger(url, detail_days=30)
    fill(opened, range(20_000, 20_040), monkeypatch)
    assert opened.rows("predictions")["recorded"].min() // DAY == 20_009
    assert verify(opened).problems == ()
    sums = opened.rows("daily")
    kept = opened.rows("predictions")
    assert sums["candles"].sum() + len(kept) == 40 * 2 * 4
    assert sums["scored"].sum() == 2 * 2 * 9
    assert sums["loss"].sum() == pytest.approx(2 * 2 * 9 * 0.69)
    assert len(opened.rows("chain_roots")) == 2 * 39
    with opened.engine.begin() as connection:
        connection.execute(delete(PREDICTIONS).where(PREDICTIONS.c.number == kept["number"].min()))
    assert verify(opened).problems
    opened.close()


def test_a_long_history_is_removed_a_week_a_day(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Ledger(url)
    fill(opened, range(20_000, 20_020), monkeypatch)
    opened.close()
    opened = Ledger(url, detail_days=30)
    fill(opened, range(20_100, 20_101), monkeypatch)
    assert opened.rows("predictions")["recorded"].min() // DAY == 20_007
    assert verify(opened).problems == ()
    assert len(opened.rows("daily")) > 0
    assert DAILY.name in opened.engine.dialect.get_table_names(opened.engine.connect())
    opened.close()
