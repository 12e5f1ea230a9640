"""Parts of a soak: its plan, what it injects, its verdict, and how a failure is made smaller."""

import os
import sqlite3
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from freqai_signals.ledger.ledger import Ledger
from freqai_signals.live.decision_log import LiveRow
from freqai_signals.rehearsal.incidents import Incidents
from freqai_signals.rehearsal.run_record import RunRecord
from freqai_signals.rehearsal.scenario import load_candles
from freqai_signals.rehearsal.soak.aftermath import aftermaths, no_dead_thread
from freqai_signals.rehearsal.soak.bot_api import NotNow
from freqai_signals.rehearsal.soak.injection import Injector
from freqai_signals.rehearsal.soak.plan import Injection, Kind, candle_incidents, draw_plan
from freqai_signals.rehearsal.soak.shrinking import smallest
from freqai_signals.rehearsal.soak.small_disk import SmallDisk
from freqai_signals.rehearsal.soak.soak_record import Note, SoakRecord
from freqai_signals.sandbox.exchange.faults import Faults
from freqai_signals.sandbox.market.market_files import Market
from freqai_signals.settings import SignalSettings
from tests.ledger.ledger_rows import predictions, sqlite_url
from tests.rehearsal.conftest import PAIRS

CANDLE = 300_000
DAY = 86_400_000
SPAN = (20_000 * DAY, 20_003 * DAY)


# The plan


def test_the_same_seed_gives_the_same_plan_and_a_longer_one_begins_alike() -> None:
    plan = draw_plan(PAIRS, SPAN, CANDLE, seed=3)
    assert plan == draw_plan(PAIRS, SPAN, CANDLE, seed=3)
    assert plan != draw_plan(PAIRS, SPAN, CANDLE, seed=4)
    longer = draw_plan(PAIRS, (SPAN[0], SPAN[1] + DAY), CANDLE, seed=3)
    assert longer[: len(plan)] == plan
    assert draw_plan(PAIRS, SPAN, CANDLE, 3, only=[5, 9]) == (plan[4], plan[8])


def test_every_kind_comes_in_each_round_and_all_has_time_to_be_judged() -> None:
    plan = draw_plan(PAIRS, SPAN, CANDLE, seed=0)
    assert {item.kind for item in plan[: len(Kind)]} == set(Kind)
    assert [item.number for item in plan] == list(range(1, len(plan) + 1))
    assert all(SPAN[0] + 8 * CANDLE <= item.start for item in plan)
    assert all(item.stop <= SPAN[1] - 16 * CANDLE for item in plan)
    for one, after in pairwise(plan):
        assert after.start > (one.stop if one.kind == Kind.SLEEP else one.start)


def test_the_history_has_the_candles_as_the_exchange_sends_them(market: Market) -> None:
    settings = SignalSettings()
    whole = load_candles(market.folder, PAIRS, settings)["BTC/USDT"]
    dates = whole["date"].astype("int64").to_numpy()
    first = int(dates[100])
    kinds = ("no price", "no close", "spike", "wick", "zero")
    plan = [
        *(Injection(n, Kind.SPOILED, first + 10 * n * CANDLE, 0, "BTC/USDT", kind)
          for n, kind in enumerate(kinds)),
        Injection(9, Kind.MISSING, first + 3 * CANDLE + 7, first + 5 * CANDLE, "BTC/USDT"),
    ]  # fmt: skip
    found = load_candles(market.folder, PAIRS, settings, 0, candle_incidents(plan, CANDLE))
    frame = found["BTC/USDT"]
    rows = frame.iloc[[100 + 10 * n for n in range(len(kinds))]].reset_index(drop=True)
    before = whole.iloc[[100 + 10 * n for n in range(len(kinds))]].reset_index(drop=True)
    assert rows["volume"].eq(0).tolist() == [True, True, False, False, False]
    assert rows.loc[0, "close"] == whole.loc[99, "close"], "as freqtrade fills a hole"
    assert rows.loc[2, "close"] == pytest.approx(100 * before.loc[2, "close"])
    assert rows.loc[3, "high"] == pytest.approx(100 * before.loc[3, "high"])
    assert rows.loc[3, "close"] == before.loc[3, "close"]
    assert rows.loc[4, ["low", "close"]].tolist() == [0.0, 0.0]
    assert frame["volume"].iloc[103:105].eq(0).all()
    pd.testing.assert_frame_equal(found["ETH/USDT"], load_candles(
        market.folder, PAIRS, settings)["ETH/USDT"])  # fmt: skip


# What is injected


class StillBot:
    """A bot that notes what is done to it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.done, self.running = folder, [], True
        self.clock = Time()
        self.record = SimpleNamespace(path=folder / "record.jsonl")

    def __getattr__(self, name: str) -> Any:
        return lambda *words: self.done.append((name, *words)) or 130

    def is_running(self) -> bool:
        return self.running

    def kill(self) -> None:
        self.running = False

    def start(self) -> None:
        self.running = True


class Time:
    def __init__(self) -> None:
        self.now, self.speed, self.hours = SPAN[0], 60.0, 0.0

    def __call__(self) -> int:
        return self.now

    def jump(self, hours: float) -> None:
        self.hours += hours
        self.now += int(hours * 3_600_000)

    def run_at(self, speed: float) -> None:
        self.speed = speed


@pytest.fixture
def injector(tmp_path: Path) -> Injector:
    (tmp_path / "user_data" / "signals").mkdir(parents=True)
    bot: Any = StillBot(tmp_path)
    disk: Any = SimpleNamespace(refusal="", fill=lambda: None, free=lambda: None)
    url = sqlite_url(tmp_path / "user_data" / "signals")
    return Injector(bot, Faults(share=0.05), bot, disk, url, CANDLE)


def item(kind: Kind, candles: int = 4, **values: Any) -> Injection:
    return Injection(1, kind, SPAN[0], SPAN[0] + candles * CANDLE, **{"pair": "A", **values})


def test_the_exchange_is_put_right_only_when_the_last_of_a_kind_ends(injector: Injector) -> None:
    first, second = item(Kind.OUTAGE), replace(item(Kind.OUTAGE), number=2)
    for one in (first, second, item(Kind.REQUESTS), item(Kind.AHEAD), item(Kind.LATE)):
        injector.begin(one)
    faults = injector.faults
    assert (faults.down, faults.share, faults.ahead, set(faults.late_ms)) == (
        True, 0.5, {"A"}, {"A"},
    )  # fmt: skip
    injector.end(first)
    assert faults.down
    for one in (second, item(Kind.REQUESTS), item(Kind.AHEAD), item(Kind.LATE)):
        injector.end(one)
    assert (faults.down, faults.share, faults.ahead, faults.late_ms) == (False, 0.05, set(), {})
    assert len(injector.outages) == 2


def test_a_killed_bot_is_away_until_it_decides_again(injector: Injector) -> None:
    bot: Any = injector.bot
    injector.begin(item(Kind.KILL))
    assert injector.may_be_down
    assert not bot.running
    bot.clock.now += 10 * CANDLE
    injector.end(item(Kind.KILL))
    assert bot.running
    assert bot.clock.speed == 6.0, "the market waits for the start"
    injector.observe()
    assert injector.is_away
    bot.record.path.write_text("decided")
    injector.observe()
    assert injector.away == [(SPAN[0] - CANDLE, SPAN[0] + 10 * CANDLE)]
    assert bot.clock.speed == 60.0


def test_sleep_moves_all_clocks_and_a_wrong_clock_only_the_bots(injector: Injector) -> None:
    bot: Any = injector.bot
    injector.begin(item(Kind.SLEEP, candles=24))
    assert (bot.clock.hours, bot.done) == (2.0, [("jump", 0)])
    injector.begin(item(Kind.CLOCK, candles=12))
    injector.end(item(Kind.CLOCK, candles=12))
    assert bot.clock.hours == 2.0
    assert bot.done[1:] == [("jump", 1.0), ("follow",)]


def test_an_open_candle_is_one_only_while_the_clock_is_ahead() -> None:
    minute = 60_000
    incidents = Incidents(ahead=((0, 100 * minute, 30 * minute),))

    def is_open(closes: int, decided: int) -> bool:
        return incidents.is_open(closes * minute, decided * minute, 5 * minute)

    assert is_open(60, 61)
    assert is_open(60, 94), "fetched with the others, before it had closed"
    assert not is_open(60, 95)
    assert not is_open(200, 201)
    assert not Incidents().is_open(60 * minute, 61 * minute, 5 * minute)


def test_a_held_ledger_takes_no_row_until_it_is_released(injector: Injector) -> None:
    with pytest.raises(NotNow, match="no ledger"):
        injector.begin(item(Kind.LEDGER))
    ledger = Ledger(injector.ledger)
    injector.begin(item(Kind.LEDGER))
    connection = sqlite3.connect(str(ledger.engine.url.database), timeout=0.01)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        connection.execute("INSERT INTO counters VALUES ('b', 'n', '', 0)")
    connection.close()
    injector.end(item(Kind.LEDGER))
    ledger.write([predictions(1)])
    ledger.close()


def test_a_removed_folder_is_kept_for_the_judgement(injector: Injector) -> None:
    signals = injector.bot.folder / "user_data" / "signals"
    (signals / "ledger.sqlite").write_text("x")
    removed = replace(item(Kind.REMOVE, 0, detail="signals"), number=12)
    assert injector.begin(removed) == "signals"
    assert not signals.exists()
    kept = injector.bot.folder / "user_data" / "removed" / "0012-signals" / "ledger.sqlite"
    assert kept.is_file()
    assert injector.removed == [SPAN[0]]
    assert injector.begin(item(Kind.REMOVE, 0, detail="models")).startswith("not injected")


def test_a_small_disk_is_full_and_free_and_keeps_what_lies_on_it(tmp_path: Path) -> None:
    disk = SmallDisk(tmp_path / "disk", megabytes=2)
    if disk.refusal:
        pytest.skip(f"mounting is not allowed here: {disk.refusal}")
    try:
        (disk.folder / "kept").write_text("kept")
        disk.fill()
        with pytest.raises(OSError, match="No space"):
            (disk.folder / "more").write_bytes(os.urandom(5000))
        disk.free()
        (disk.folder / "more").write_bytes(os.urandom(5000))
    finally:
        disk.settle()
    assert (disk.folder / "kept").read_text() == "kept"
    assert not os.path.ismount(disk.folder)


# The verdict


def record(*plan: Injection, notes: tuple[Note, ...] | None = None) -> SoakRecord:
    run = RunRecord("", 0, *SPAN, 60.0, Incidents(), {}, 0, ())
    made = tuple(Note(item.number, item.start, "") for item in plan)
    return SoakRecord(run, 0, plan, made if notes is None else notes, ())


def row(minutes: float, trust: int = 1) -> LiveRow:
    written = SPAN[0] / 1000 + 60 * minutes
    return LiveRow("A", "", written, 1, trust, {}, (), 0.0, -1, "")


def test_what_followed_is_counted_from_the_end_of_an_injection() -> None:
    one = item(Kind.OUTAGE, candles=4)
    rows = [row(15), row(22, trust=0), row(31)]
    recorded = [int(SPAN[0] / 1000) + 60 * 45]
    moment = f"{pd.Timestamp(SPAN[0] + 60_000, unit='ms'):%Y-%m-%d %H:%M:%S}"
    log = (
        "1970-01-01 00:00:01,000 - x - WARNING - long before\n"
        f"{moment},123 - x.y - ERROR - it broke\n"
        "no line of a log\n"
    )
    (found,) = aftermaths(record(one), rows, recorded, log)
    assert (found.decided, found.trusted, found.recorded) == (2.0, 11.0, 25.0)
    assert found.log == "1: it broke"
    (never,) = aftermaths(record(one, notes=()), rows, recorded, log)
    assert never.began is None


@pytest.mark.parametrize(
    ("rows", "recorded", "log", "problem"),
    [
        ([row(30)], [30], "", ""),
        ([row(30)], [], "", "not recorded"),
        ([row(30, trust=0)], [30], "", "not trusted"),
        ([], [30], "", "not decided"),
        ([row(30)], [30], "Exception in thread ledger-writer (most recent", "ended by an error"),
    ],
)
def test_a_thread_that_does_nothing_any_more_is_dead(
    rows: list[LiveRow], recorded: list[int], log: str, problem: str
) -> None:
    kept = record(item(Kind.KILL))
    times = [int(SPAN[0] / 1000) + 60 * minute for minute in recorded]
    check = no_dead_thread(kept, aftermaths(kept, rows, times, log), log, 300)
    assert check.passed == (not problem)
    assert problem in check.detail


def test_the_record_comes_back_as_it_was(tmp_path: Path) -> None:
    spoiled: Any = (("A", 5, "wick"),)
    run = RunRecord(
        "c",
        0,
        1,
        2,
        60.0,
        Incidents(spoiled=spoiled, away=((1, 2),), removed=(7,), ahead=((1, 2, 3),)),
        {},
        0,
        (),
    )
    kept = SoakRecord(run, 4, draw_plan(PAIRS, SPAN, CANDLE, 4), (Note(1, 5, "x"),), ((3, 1),))
    kept.write(tmp_path)
    assert SoakRecord.read(tmp_path) == kept
    (tmp_path / "soak.json").unlink()
    with pytest.raises(ValueError, match="no soak"):
        SoakRecord.read(tmp_path)


# A smaller failure


def outcome_of(failing: set[int], pair: set[int], runs: list[tuple[int, ...]]) -> Any:
    def run(only: tuple[int, ...]) -> Any:
        runs.append(only)
        fails = bool(failing & set(only)) or (bool(pair) and pair <= set(only))
        checks = [SimpleNamespace(name="no crash", passed=not fails)]
        parity = SimpleNamespace(mismatches=())
        return SimpleNamespace(outcome=SimpleNamespace(checks=checks, parity=parity))

    return run


@pytest.mark.parametrize(
    ("failing", "pair", "expected"),
    [({13}, set(), (13,)), ({1}, set(), (1,)), (set(), {3, 14}, (3, 14))],
)
def test_a_failure_shrinks_to_the_injections_that_it_needs(
    failing: set[int], pair: set[int], expected: tuple[int, ...]
) -> None:
    runs: list[tuple[int, ...]] = []
    told: list[str] = []
    found = smallest(
        range(1, 17), frozenset({"no crash"}), outcome_of(failing, pair, runs), told.append
    )
    assert found == expected
    assert len(told) == len(runs)
    assert len(runs) <= (8 if failing else 18)


def test_a_failure_of_another_check_is_not_the_one_that_is_sought() -> None:
    run = outcome_of({1, 2, 3, 4}, set(), [])
    kept = smallest([1, 2, 3, 4], frozenset({"parity"}), run, lambda _: None)
    assert kept == (1, 2, 3, 4)
