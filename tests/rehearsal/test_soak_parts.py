"""Parts of a soak: its plan, what it injects, its verdict, and how a failure is repeated."""

import io
import os
import sqlite3
from dataclasses import replace
from email.message import Message
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError

import pandas as pd
import pytest

from freqai_signals.ledger.ledger import Ledger
from freqai_signals.live.decision_log import LiveRow
from freqai_signals.rehearsal.checks import Check
from freqai_signals.rehearsal.incidents import Incidents
from freqai_signals.rehearsal.run_record import RunRecord
from freqai_signals.rehearsal.scenario import load_candles
from freqai_signals.rehearsal.soak.aftermath import Aftermath, Shown, aftermaths
from freqai_signals.rehearsal.soak.bot_api import BotApi, NotNow, Refused
from freqai_signals.rehearsal.soak.endurance import _Life
from freqai_signals.rehearsal.soak.injection import Injector
from freqai_signals.rehearsal.soak.plan import (
    Injection,
    Kind,
    allowed_ms,
    candle_incidents,
    draw_plan,
)
from freqai_signals.rehearsal.soak.small_disk import SmallDisk
from freqai_signals.rehearsal.soak.soak_record import Note, SoakRecord
from freqai_signals.rehearsal.soak.soak_summary import print_soak
from freqai_signals.rehearsal.soak.verdict import (
    SoakOutcome,
    blacklisted,
    failure_times,
    ledger_stands,
    lost_models,
    never_ended,
    no_dead_thread,
    suspects,
)
from freqai_signals.sandbox.exchange.faults import Faults
from freqai_signals.sandbox.market.market_files import Market
from freqai_signals.settings import SignalSettings
from tests.ledger.ledger_rows import predictions, sqlite_url
from tests.rehearsal.conftest import PAIRS

CANDLE = 300_000
SECONDS = CANDLE // 1000
DAY = 86_400_000
SPAN = (20_000 * DAY, 20_003 * DAY)
SPEED = 60.0
ALLOWED = allowed_ms(CANDLE, SPEED)


# The plan


def test_the_same_seed_gives_the_same_plan_and_a_longer_one_begins_alike() -> None:
    plan = draw_plan(PAIRS, SPAN, CANDLE, SPEED, seed=3)
    assert plan == draw_plan(PAIRS, SPAN, CANDLE, SPEED, seed=3)
    assert plan != draw_plan(PAIRS, SPAN, CANDLE, SPEED, seed=4)
    longer = draw_plan(PAIRS, (SPAN[0], SPAN[1] + DAY), CANDLE, SPEED, seed=3)
    assert longer[: len(plan)] == plan
    assert draw_plan(PAIRS, SPAN, CANDLE, SPEED, 3, only=[5, 9]) == (plan[4], plan[8])
    with pytest.raises(ValueError, match=r"none of number \[0, 999\]"):
        draw_plan(PAIRS, SPAN, CANDLE, SPEED, 3, only=[5, 999, 0])


@pytest.mark.parametrize("speed", [10.0, 120.0])
def test_every_kind_comes_in_each_round_and_all_has_time_to_be_judged(speed: float) -> None:
    plan = draw_plan(PAIRS, SPAN, CANDLE, speed, seed=0)
    assert {item.kind for item in plan[: len(Kind)]} == set(Kind)
    assert [item.number for item in plan] == list(range(1, len(plan) + 1))
    assert all(SPAN[0] + 8 * CANDLE <= item.start for item in plan)
    assert all(item.stop <= SPAN[1] - allowed_ms(CANDLE, speed) for item in plan)
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
        self.folder, self.done, self.running, self.process = folder, [], True, None
        self.clock, self.ahead_ms, self.log = Time(), 0, "the strategy was not found"
        self.record = SimpleNamespace(path=folder / "record.jsonl")

    def __getattr__(self, name: str) -> Any:
        return lambda *words: self.done.append((name, *words)) or 130

    def is_running(self) -> bool:
        return self.running

    def jump(self, hours: float) -> None:
        self.done.append(("jump", hours))
        self.ahead_ms += int(hours * 3_600_000)

    def follow(self) -> None:
        self.done.append(("follow",))
        self.ahead_ms = 0

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
    injector.bot.clock.now += CANDLE  # type: ignore[attr-defined]
    injector.end(first)
    assert faults.down
    for one in (second, item(Kind.REQUESTS), item(Kind.AHEAD), item(Kind.LATE)):
        injector.end(one)
    assert (faults.down, faults.share, faults.ahead, faults.late_ms) == (False, 0.05, set(), {})
    assert injector.outages == [(SPAN[0], SPAN[0] + CANDLE)] * 2


def test_an_outage_is_known_from_when_it_began(injector: Injector) -> None:
    """Which may be later than planned, while others are tried again and again."""
    bot: Any = injector.bot
    late = replace(item(Kind.LATE), pair="B")
    for moment, act in ((7, injector.begin), (9, injector.end)):
        bot.clock.now = SPAN[0] + moment * CANDLE
        for one in (item(Kind.OUTAGE), late):
            act(one)
    began, ended = SPAN[0] + 7 * CANDLE, SPAN[0] + 9 * CANDLE
    assert injector.outages == [(began, ended)]
    assert injector.late == [("B", began, ended, int(0.3 * CANDLE))]


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


def test_a_pair_leaves_the_blacklist_though_the_bot_answers_late(injector: Injector) -> None:
    answers = iter([NotNow(""), NotNow(""), None])

    def answer(pair: str) -> None:
        error = next(answers)
        if error is not None:
            raise error

    api: Any = SimpleNamespace(block=lambda pair: "", unblock=answer)
    injector.api = api
    injector.begin(item(Kind.BLACKLIST))
    injector.end(item(Kind.BLACKLIST))
    assert list(answers) == []


def test_spans_of_a_wrong_clock_have_the_lead_that_was_in_force(injector: Injector) -> None:
    """Two that overlap add up; whoever starts has the right time."""
    bot: Any = injector.bot
    first, second = item(Kind.CLOCK, candles=2), replace(item(Kind.CLOCK, candles=3), number=2)
    steps: list[Any] = [
        lambda: injector.begin(first),
        lambda: injector.begin(second),
        lambda: injector.end(first),
        lambda: setattr(bot, "ahead_ms", 0),
        lambda: injector.end(second),
    ]
    for candle, step in enumerate(steps):
        bot.clock.now = SPAN[0] + candle * CANDLE
        step()
        injector.observe()
    noticed = 2 * 60_000
    assert injector.ahead == [
        (SPAN[0], SPAN[0] + CANDLE + noticed, 2 * CANDLE),
        (SPAN[0] + CANDLE, SPAN[0] + 3 * CANDLE + noticed, 5 * CANDLE),
    ]


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
    with pytest.raises(Refused, match="there is none"):
        injector.begin(item(Kind.REMOVE, 0, detail="models"))


@pytest.fixture
def small_disk(tmp_path: Path) -> SmallDisk:
    disk = SmallDisk(tmp_path / "disk", megabytes=2)
    with disk:
        pass
    if disk.refusal:
        pytest.skip(f"mounting is not allowed here: {disk.refusal}")
    return disk


def test_a_small_disk_is_full_and_free_and_keeps_what_lies_on_it(small_disk: SmallDisk) -> None:
    with small_disk as disk:
        (disk.folder / "kept").write_text("kept")
        disk.fill()
        with pytest.raises(OSError, match="No space"):
            (disk.folder / "more").write_bytes(os.urandom(5000))
        disk.free()
        (disk.folder / "more").write_bytes(os.urandom(5000))
    assert (disk.folder / "kept").read_text() == "kept"
    assert not os.path.ismount(disk.folder)


def test_a_small_disk_is_gone_whatever_is_raised_and_hides_no_files(small_disk: SmallDisk) -> None:
    def fail() -> None:
        with small_disk as disk:
            (disk.folder / "kept").write_text("kept")
            assert os.path.ismount(disk.folder)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not os.path.ismount(small_disk.folder)
    with pytest.raises(ValueError, match="is not empty"), small_disk:
        pass
    assert not os.path.ismount(small_disk.folder)


def test_a_refusal_of_the_bot_is_no_injection(
    injector: Injector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*words: Any, **more: Any) -> Any:
        raise HTTPError("", 502, "", Message(), io.BytesIO(b"a trade is open"))

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    injector.api = BotApi()
    entry = item(Kind.FORCE_ENTRY, candles=0)
    life = _Life(injector, [entry])
    life._begin_due(entry.start)
    (note,) = life.notes
    assert (note.injected, note.answer) == (False, "not injected: a trade is open")
    (found,) = aftermaths(record(entry, notes=(note,)), [], [], "", SECONDS)
    assert not found.injected


@pytest.mark.parametrize(
    ("decisions", "starts", "reason"),
    [([""], 1, "before its first decision"), (["a", "ab", "ab", "ab"], 4, "3 times in a row")],
)
def test_a_bot_that_cannot_start_is_not_started_for_ever(
    injector: Injector, decisions: list[str], starts: int, reason: str
) -> None:
    bot: Any = injector.bot
    life = _Life(injector, ())

    def end_again_and_again() -> None:
        for text in [*decisions, *decisions[-1:] * 9]:
            bot.running = False
            bot.record.path.write_text(text)
            life._watch(SPAN[0])

    with pytest.raises(ValueError, match=rf"{reason}(.|\n)*the strategy was not found"):
        end_again_and_again()
    assert len(life.crashes) == starts


def test_a_start_without_markets_is_tried_again_and_is_no_end_of_a_bot_that_ran(
    injector: Injector,
) -> None:
    """freqtrade ends a start whose exchange does not answer, whoever supervises it tries again."""
    bot: Any = injector.bot
    bot.log = (
        "Traceback\nfreqtrade - ERROR - Could not load markets, therefore cannot start. Please"
    )
    bot.record.path.write_text("a decision")
    life = _Life(injector, ())
    injector.leave()
    for start in range(9):
        bot.running = False
        for minute in range(6):
            life._watch(SPAN[0] + (6 * start + minute) * 60_000)
            assert bot.running == (minute == 5), "it is tried five minutes later"
            assert (bot.clock.speed == 60.0) == (minute < 5), "a start is slow"
    assert life.crashes == []
    bot.record.path.write_text("a decision, and another one")
    injector.observe()
    bot.log += "\nfreqtrade - ERROR - Fatal exception!" + "\n" * 15
    bot.running = False
    life._watch(SPAN[0])
    assert len(life.crashes) == 1, "it ended for another reason"


def test_the_bot_ends_though_something_cannot_be_put_right(
    injector: Injector, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = item(Kind.OUTAGE)
    life = _Life(injector, [entry])
    life._begin_due(entry.start)
    monkeypatch.delattr(Injector, "_show_exchange")
    with pytest.raises(AttributeError):
        life.finish()
    assert injector.bot.done == [("end",)]  # type: ignore[attr-defined]


# The verdict


def record(*plan: Injection, notes: tuple[Note, ...] | None = None) -> SoakRecord:
    run = RunRecord("", 0, *SPAN, SPEED, Incidents(), {}, 0, ())
    made = tuple(Note(item.number, item.start, "") for item in plan)
    return SoakRecord(run, 0, plan, made if notes is None else notes)


def row(minutes: float, trust: int = 1, closed: float | None = None) -> LiveRow:
    """Decided at this minute, of a candle that closed then or, if that is given, at that one."""
    written, closed = SPAN[0] / 1000 + 60 * minutes, minutes if closed is None else closed
    opened = SPAN[0] / 1000 + 60 * closed - SECONDS
    date = pd.Timestamp(opened, unit="s", tz="UTC").isoformat()
    return LiveRow("A", date, written, 1, trust, {}, (), 0.0, -1, "")


def shown(*minutes: float) -> Shown:
    """Rows of the ledger, of candles that closed when they were written."""
    return [(SPAN[0] / 1000 + 60 * minute,) * 2 for minute in minutes]


def test_what_followed_is_counted_from_the_end_of_an_injection() -> None:
    one = item(Kind.OUTAGE, candles=4)
    rows = [row(15), row(22, trust=0), row(31)]
    recorded = shown(45)
    moment = f"{pd.Timestamp(SPAN[0] + 60_000, unit='ms'):%Y-%m-%d %H:%M:%S}"
    log = (
        "1970-01-01 00:00:01,000 - x - WARNING - long before\n"
        f"{moment},123 - x.y - ERROR - it broke\n"
        "no line of a log\n"
    )
    (found,) = aftermaths(record(one), rows, recorded, log, SECONDS)
    assert (found.decided, found.trusted, found.recorded) == (2.0, 11.0, 25.0)
    assert found.log == "1: it broke"
    (never,) = aftermaths(record(one, notes=()), rows, recorded, log, SECONDS)
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
    followed = aftermaths(kept, rows, shown(*recorded), log, SECONDS)
    check = no_dead_thread(kept, followed, log, ALLOWED)
    assert check.passed == (not problem)
    assert problem in check.detail


def test_what_was_decided_under_a_clock_that_was_ahead_is_no_sign_of_life() -> None:
    """Its time lies after the end, though it was before; then nothing comes for days."""
    clock = item(Kind.CLOCK, candles=4)
    kept = record(clock)
    start, minutes = SPAN[0], 60_000
    ahead = Incidents(ahead=((start, start + 22 * minutes, 20 * minutes),))
    kept = replace(kept, run=replace(kept.run, incidents=ahead))
    rows = [row(25, closed=5), row(30, closed=10), row(35, closed=15)]
    times = [
        (row.written, SPAN[0] / 1000 + 60 * closed)
        for row, closed in zip(rows, (5, 10, 15), strict=True)
    ]
    check = no_dead_thread(kept, aftermaths(kept, rows, times, "", SECONDS), "", ALLOWED)
    assert not check.passed
    assert "3 problems: not decided" in check.detail
    again, more = [*rows, row(46)], [*times, *shown(46)]
    (found,) = aftermaths(kept, again, more, "", SECONDS)
    assert (found.decided, found.trusted, found.recorded) == (26.0, 26.0, 26.0)
    assert no_dead_thread(kept, (found,), "", ALLOWED).passed
    # Put right, the clock shows the same times once more; a gap's row belongs to what came before.
    gap = (times[0][0] + 60, SPAN[0] / 1000)
    (found,) = aftermaths(kept, [*rows, row(26)], [*times, *shown(25), gap], "", SECONDS)
    assert (found.decided, found.trusted, found.recorded) == (6.0, 6.0, 5.0)


def test_a_bot_without_a_ledger_is_judged_by_its_decisions(tmp_path: Path) -> None:
    kept = record(item(Kind.KILL))
    followed = aftermaths(kept, [row(30)], None, "", SECONDS)
    check = no_dead_thread(kept, followed, "", ALLOWED)
    assert check.passed
    assert check.detail == "decided and trusted again at most 10 min after each injection"
    assert not no_dead_thread(kept, aftermaths(kept, [], None, "", SECONDS), "", ALLOWED).passed
    # What another bot wrote there is none of its own.
    url = sqlite_url(tmp_path)
    ledger = Ledger(url)
    ledger.write([predictions(1)])
    ledger.close()
    for enabled in (True, False):
        settings = SignalSettings.model_validate({"ledger": {"enabled": enabled, "url": url}})
        assert ledger_stands(tmp_path, settings).judged == enabled


def test_what_ends_too_late_to_be_judged_is_counted() -> None:
    early, late = item(Kind.KILL), replace(item(Kind.KILL), number=2)
    notes = (Note(1, SPAN[0], ""), Note(2, SPAN[1] - ALLOWED, ""))
    kept = record(early, late, notes=notes)
    rows, times = [row(30)], shown(30)
    check = no_dead_thread(kept, aftermaths(kept, rows, times, "", SECONDS), "", ALLOWED)
    assert str(check).startswith("Passed: no dead thread")
    assert "; 1 not judged" in str(check)
    kept = record(late, notes=notes[1:])
    check = no_dead_thread(kept, aftermaths(kept, rows, times, "", SECONDS), "", ALLOWED)
    assert str(check).startswith("Not judged: no dead thread")


@pytest.mark.parametrize("status", [0, 130, 1])
def test_a_bot_that_ended_by_itself_fails_whatever_its_exit_status(status: int) -> None:
    kept = record(item(Kind.KILL))
    assert never_ended(kept).passed
    check = never_ended(replace(kept, crashes=((SPAN[0], status),)))
    assert str(check) == f"FAILED: never ended by itself (1 times, exit status {status})"


@pytest.mark.parametrize(("status", "kept"), [(0, True), (130, True), (1, False), (137, False)])
def test_a_bot_that_hangs_or_fails_when_asked_to_end_is_told(status: int, kept: bool) -> None:
    made = record(item(Kind.RESTART))
    notes = tuple(replace(note, answer=f"exit status {status}") for note in made.notes)
    assert notes
    assert never_ended(replace(made, notes=notes)).passed == kept


@pytest.mark.parametrize("passed", [True, False])
def test_the_last_lines_name_what_was_not_judged_and_repeat_a_failure(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    passed: bool,
) -> None:
    monkeypatch.setattr("freqai_signals.rehearsal.soak.soak_summary.print_outcome", print)
    checks = (Check("no crash", passed, ""), Check("flat memory", True, "", judged=False))
    judged: Any = SimpleNamespace(checks=checks, passed=passed, folder=tmp_path)
    refused = Aftermath(item(Kind.FORCE_ENTRY), SPAN[0], "a trade is open", False, 1, 1, 1, "")
    made = replace(refused, item=item(Kind.KILL), injected=True)
    print_soak(SoakOutcome(judged, record(refused.item, made.item), (refused, made), (2,)))
    printed = capsys.readouterr().out
    assert "Injected with seed 0: 1 kill\n" in printed
    assert f"Soak: {'Passed' if passed else 'FAILED'}; not judged: flat memory\n" in printed
    assert ("--only 2" in printed) == (not passed)


def test_what_went_before_a_failure_is_repeated(tmp_path: Path) -> None:
    hours = [replace(item(Kind.OUTAGE), number=n, start=SPAN[0] + n * DAY // 4,
                     stop=SPAN[0] + n * DAY // 4 + CANDLE) for n in (1, 2, 3)]  # fmt: skip
    kept = record(*hours)
    kept = replace(kept, command=("--seed", "3", "--pairs", "BTC/USDT", "--datadir", "my candles"))
    followed = [
        Aftermath(one, one.start, "", True, 1.0, 1.0, float(n == 2) * 999, "")
        for n, one in enumerate(hours)
    ]
    found = suspects(kept, followed, [hours[0].stop + ALLOWED], ALLOWED)
    assert found == (1, 3)
    told = kept.reproduction(tmp_path, found)
    assert told == (
        f"freqai-signals soak --config {tmp_path}/config.json --seed 3 --pairs BTC/USDT "
        "--datadir 'my candles' --only 1 3"
    )
    assert "--only" not in kept.reproduction(tmp_path)


def test_a_pair_on_the_blacklist_is_not_expected() -> None:
    block = item(Kind.BLACKLIST, candles=4)
    (note,) = record(block).notes
    later = replace(note, began=SPAN[0] + 7)
    assert blacklisted(record(block, item(Kind.KILL), notes=(later,))) == (
        ("A", SPAN[0] + 7, SPAN[0] + 7 + 4 * CANDLE),
    )
    assert blacklisted(record(block, notes=(replace(note, injected=False),))) == ()


def test_only_a_model_that_no_bot_could_store_any_more_is_lost() -> None:
    full = "Model {} could not be stored: [Errno 28] No space left on device"
    log = [
        full.format("2024-a"), "Model 2024-a is stored now", "Starting worker 2026.9",
        full.format("2024-b"), "Starting worker 2026.9", "Model 2024-b is stored now",
        "Model 2024-c could not be stored: [Errno 13] Permission denied", "Starting worker 2026.9",
        full.format("2024-d"),
    ]  # fmt: skip
    assert lost_models("\n".join(log)) == {"2024-b"}


def test_a_candle_that_was_decided_again_fails_when_it_was_decided() -> None:
    kept = replace(record(item(Kind.KILL)), crashes=((SPAN[0], 1),))
    again, other = row(130, closed=15), replace(row(20), pair="other")
    times = failure_times(kept, [row(15), other, again], {(again.pair, again.date)}, SECONDS)
    assert times == [SPAN[0] + 15 * 60_000, SPAN[0] + 130 * 60_000, SPAN[0]]


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
    kept = SoakRecord(
        run=run,
        seed=4,
        plan=draw_plan(PAIRS, SPAN, CANDLE, SPEED, 4),
        notes=(Note(1, 5, "x", injected=False),),
        crashes=((3, 1),),
        only=(1, 2),
        command=("--seed", "4"),
    )
    kept.write(tmp_path)
    assert SoakRecord.read(tmp_path) == kept
    (tmp_path / "soak.json").unlink()
    with pytest.raises(ValueError, match="no soak"):
        SoakRecord.read(tmp_path)
