from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from freqtrade.persistence.models import ModelBase
from freqtrade.persistence.trade_model import Order, Trade
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from freqai_signals.live.decision_log import LiveRow
from freqai_signals.rehearsal import outcome
from freqai_signals.rehearsal.bot import trades_of
from freqai_signals.rehearsal.checks import (
    CheckContext,
    flat_memory,
    memory_slope,
    no_crash,
    no_duplicate_entry,
    no_missed_exit,
)
from freqai_signals.rehearsal.incidents import Incidents
from freqai_signals.rehearsal.lost_rows import no_lost_row
from freqai_signals.rehearsal.run_record import RunRecord
from freqai_signals.settings import SignalSettings

PAIR = "BTC/USDT"
START = int(pd.Timestamp("2024-01-01", tz="UTC").timestamp())
OUTAGE = (1000 * (START + 7200), 1000 * (START + 10800))
SCENE = CheckContext(START + 86_400, 1.0, 300, 24, Incidents(outages=(OUTAGE,)))
SHORT = replace(SCENE, stop=START + 300)
"""Ends before anything was due."""


def trade(number: int, opened: str, closed: str | None, **others: Any) -> dict[str, Any]:
    dates = {"open_date": f"2024-01-01 {opened}", "close_date": closed and f"2024-01-01 {closed}"}
    return {"id": number, "pair": PAIR, "is_short": False, **dates, **others}


@pytest.mark.parametrize(
    ("status", "log", "kept"),
    [
        (0, "all well", True),
        (130, '  File "/x/site-packages/freqtrade/worker.py", line 3', True),
        (0, '  File "/x/freqai_signals/models/fit.py", line 3', False),
        (-1, "", False),
        (1, "", False),
    ],
)
def test_a_crash_is_an_exit_status_or_a_traceback_of_ours(
    status: int, log: str, kept: bool
) -> None:
    assert no_crash(status, log, ["/freqai_signals/"]).passed == kept


def test_a_pair_has_one_trade_at_a_time() -> None:
    first, second = trade(1, "01:00:00", "02:00:00"), trade(2, "02:00:00", None)
    assert no_duplicate_entry([first, second]).passed
    assert no_duplicate_entry([first, trade(3, "01:30:00", None, pair="ETH/USDT")]).passed
    found = no_duplicate_entry([first, trade(2, "01:30:00", "03:00:00")])
    assert not found.passed
    assert "trades 1 and 2" in found.detail
    assert not no_duplicate_entry([first, trade(2, "01:00:00", "02:00:00")]).passed


@pytest.mark.parametrize(
    ("opened", "closed", "kept"),
    [
        ("12:00:00", "14:03:00", True),  # two hours are the horizon
        ("12:00:00", "14:20:00", False),
        ("12:00:00", "13:00:00", True),
        ("00:30:00", "03:10:00", True),  # the exchange was away from 2:00 to 3:00
        ("00:30:00", "04:00:00", False),
        ("22:30:00", None, True),  # the rehearsal ended before
        ("12:00:00", None, False),
    ],
)
def test_a_trade_leaves_at_its_horizon(opened: str, closed: str | None, kept: bool) -> None:
    assert no_missed_exit([trade(1, opened, closed)], {}, SCENE).passed == kept


def test_an_hour_is_excused_once_though_two_reasons_cover_it() -> None:
    """Due at 2:30, and half an hour is excused."""
    away = (1000 * (START + 7200), 1000 * (START + 9600))
    twice = replace(SCENE, incidents=Incidents(outages=(OUTAGE, OUTAGE), away=(away,)))
    for closed, kept in (("03:10:00", True), ("03:20:00", False)):
        assert no_missed_exit([trade(1, "00:30:00", closed)], {}, twice).passed == kept


def test_a_trade_leaves_on_a_signal_that_the_bot_had() -> None:
    told = {PAIR: [START + 12 * 3600 + 600]}
    for closed, kept in (("12:12:00", True), ("12:40:00", False)):
        assert no_missed_exit([trade(1, "12:00:00", closed)], told, SCENE).passed == kept
    # A signal against shorts, or one before the trade, ends no long.
    for other in ({f"{PAIR} short": told[PAIR]}, {PAIR: [START + 11 * 3600]}):
        assert no_missed_exit([trade(1, "12:00:00", "12:40:00")], other, SCENE).passed
    short = trade(1, "12:00:00", "12:40:00", is_short=True)
    assert not no_missed_exit([short], {f"{PAIR} short": told[PAIR]}, SCENE).passed


def test_no_exit_is_missed_while_its_order_stands() -> None:
    """The price ran away from it: freqtrade replaced it until the market came back."""
    told = {PAIR: [START + 12 * 3600 + 900]}
    day = "2024-01-01"
    stood = [
        (f"{day} 12:15:06.8", f"{day} 12:25:07.1"), (f"{day} 12:25:07.6", f"{day} 12:40:00"),
    ]  # fmt: skip
    for orders, kept in ((stood, True), ([], False)):
        late = trade(1, "12:00:00", "12:40:00", exit_orders=orders)
        assert no_missed_exit([late], told, SCENE).passed == kept
    # It came too late itself.
    slow = trade(1, "12:00:00", "12:40:00", exit_orders=[(f"{day} 12:35:00", f"{day} 12:40:00")])
    assert not no_missed_exit([slow], told, SCENE).passed
    still = trade(1, "22:00:00", None, exit_orders=[(f"{day} 22:16:00", None)])
    assert no_missed_exit([still], {PAIR: [START + 22 * 3600 + 900]}, SCENE).passed


def test_the_orders_to_leave_are_read_with_their_trade(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'trades.sqlite'}")
    ModelBase.metadata.create_all(engine)
    dates = [datetime(2024, 1, 1, 12, minute) for minute in range(5)]

    def order(number: int, side: str, placed: int, **others: Any) -> Order:
        return Order(
            order_id=str(number), ft_order_side=side, ft_pair=PAIR, side=side, ft_amount=1.0,
            ft_price=1.0, order_date=dates[placed], **({"ft_is_open": False} | others),
        )  # fmt: skip

    def opened(is_short: bool, *orders: Order) -> Trade:
        return Trade(
            exchange="binance", pair=PAIR, is_short=is_short, fee_open=0.0, fee_close=0.0,
            is_open=True, open_rate=1.0, stake_amount=1.0, amount=1.0, open_date=dates[0],
            orders=list(orders),
        )  # fmt: skip

    with Session(engine) as session:
        session.add(
            opened(
                False,
                order(1, "buy", 0, order_filled_date=dates[1]),
                order(2, "sell", 1, order_update_date=dates[2]),
                order(3, "sell", 2, order_filled_date=dates[3], order_update_date=dates[4]),
            )
        )
        session.add(opened(True, order(4, "sell", 0), order(5, "buy", 1, ft_is_open=True)))
        session.commit()
    long, short = trades_of(tmp_path)
    when = [f"{date}.000000" for date in dates]
    assert long["exit_orders"] == [(when[1], when[2]), (when[2], when[3])]
    assert short["exit_orders"] == [(when[1], None)]


def test_a_signal_is_gone_after_an_outage_that_began_before_anyone_could_act() -> None:
    for minute, kept in ((58, True), (54, False)):
        told = {PAIR: [START + 3600 + 60 * minute]}
        found = no_missed_exit([trade(1, "01:40:00", "03:35:00")], told, SCENE)
        assert found.passed == kept, minute


def test_freqtrade_acts_on_no_signal_while_the_clock_is_ahead() -> None:
    told, noon = {PAIR: [START + 12 * 3600]}, 1000 * (START + 12 * 3600)
    for ahead, kept in (((noon + 60_000, noon + 1_800_000, 4_370_000),), True), ((), False):
        scene = replace(SCENE, incidents=Incidents(outages=(OUTAGE,), ahead=ahead))
        found = no_missed_exit([trade(1, "11:30:00", "13:20:00")], told, scene)
        assert found.passed == kept


def test_the_time_of_an_exit_signal_is_the_markets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bot whose clock is an hour ahead decides at 12:15 and writes 13:15."""
    frame = pd.DataFrame({"date": [pd.Timestamp(START + 12 * 3600, unit="s", tz="UTC")]})
    given = pd.DataFrame({"exit_long": [1], "exit_short": [0]})
    monkeypatch.setattr(outcome, "read_frame", lambda *_: None)
    monkeypatch.setattr(outcome, "exit_columns", lambda *_: given)
    noon = START + 12 * 3600
    row = LiveRow(PAIR, frame["date"][0].isoformat(), noon + 4500.0, 1, 1, {}, (), 0.0, 0, "")
    hour = ((1000 * noon, 1000 * noon + 1_800_000, 3_600_000),)
    for ahead, time in ((hour, noon + 900), ((), noon + 4500)):
        run = RunRecord("", 0, 0, 0, 60.0, Incidents(ahead=ahead), {}, 0, ())
        waited = replace(row, written=row.written - 60, trust=3)
        again = replace(row, written=row.written + 6540)
        rows = [waited, row, again]
        found = outcome._exit_signals({PAIR: frame}, rows, SignalSettings(), run)
        assert found == {PAIR: [time], f"{PAIR} short": []}
        # A candle is decided late once, by the market's time, and not when it is decided again.
        delays = outcome._delays(rows, SignalSettings(), run)
        assert delays.tolist() == [time - 60 - noon - 300]
        slept = ((1000 * noon, 1000 * noon + 400_000),)
        run = replace(run, incidents=replace(run.incidents, away=slept))
        assert outcome._delays(rows, SignalSettings(), run).size == 0


def ledger(*candles: int, kind: str = "live") -> pd.DataFrame:
    return pd.DataFrame({"pair": PAIR, "candle": [START + 300 * i for i in candles], "kind": kind})


def decided(*candles: int) -> set[tuple[str, int]]:
    return {(PAIR, START + 300 * i) for i in candles}


def test_every_decision_and_every_candle_between_has_a_row() -> None:
    assert no_lost_row(decided(0, 1, 2), ledger(0, 1, 2), [PAIR], SHORT).passed
    for rows in ((0, 2), (0, 1)):
        found = no_lost_row(decided(0, 1, 2), ledger(*rows), [PAIR], SHORT)
        assert not found.passed
    assert not no_lost_row(decided(0, 2), ledger(0, 2), [PAIR], SHORT).passed


@pytest.mark.parametrize(
    ("last", "speed", "kept"),
    [
        (287, 1.0, True),
        (284, 1.0, True),  # it opens at 23:40, closes at 23:45: the last one that was due
        (283, 1.0, False),
        (279, 40.0, True),  # a minute of the wall clock is forty of the market
        (278, 40.0, False),
        (40, 40.0, False),  # it hung after three hours, and ended when it was asked to
    ],
)
def test_candles_are_decided_until_shortly_before_the_end(
    last: int, speed: float, kept: bool
) -> None:
    rows, scene = range(last + 1), replace(SCENE, speed=speed)
    found = no_lost_row(decided(*rows), ledger(*rows), [PAIR], scene)
    assert found.passed == kept
    assert kept or f"{pd.Timestamp(START + 300 * (last + 1), unit='s'):%H:%M}" in found.detail


def test_a_pair_that_was_never_decided_is_told() -> None:
    found = no_lost_row(decided(*range(288)), ledger(*range(288)), [PAIR, "ETH/USDT"], SCENE)
    assert not found.passed
    assert "ETH/USDT never decided" in found.detail
    assert "BTC" not in found.detail


def test_candles_not_served_at_the_end_are_excused() -> None:
    stop = START + 3 * 3600 + 1200
    missing = {PAIR: [1000 * (START + 300 * 36)]}
    incidents = Incidents(outages=(OUTAGE,), missing=missing)
    scene = replace(SCENE, stop=stop, incidents=incidents)
    found = no_lost_row(decided(*range(23)), ledger(*range(23)), [PAIR], scene)
    assert found.passed
    assert "without a row: 13 exchange down, 1 missing candle" in found.detail
    behind = no_lost_row(
        decided(*range(23)), ledger(*range(23)), [PAIR], replace(scene, stop=stop + 300)
    )
    assert not behind.passed


def test_a_candle_that_was_found_later_is_told_with_its_cause() -> None:
    incidents = Incidents(
        outages=(OUTAGE,), missing={PAIR: [1000 * (START + 300)]},
        late=((PAIR, 1000 * (START + 1200), 1000 * (START + 1500), 60_000),),
    )  # fmt: skip
    scene = replace(SHORT, incidents=incidents)
    rows = pd.concat([ledger(0, 2, 4, 6), ledger(1, 3, 5, kind="gap")])
    found = no_lost_row(decided(0, 2, 4, 6), rows, [PAIR], scene)
    assert found.passed
    for cause in ("1 missing candle", "1 late candle", "1 bot too slow"):
        assert cause in found.detail
    rows = pd.concat([ledger(23, 36), ledger(*range(24, 36), kind="gap")])
    assert "12 exchange down" in no_lost_row(decided(23, 36), rows, [PAIR], scene).detail


@pytest.mark.parametrize(
    ("candles", "speed", "kept"),
    [
        (".sss.", 1.0, True),
        (".ssss.", 1.0, False),
        (".ss.ss.", 1.0, True),
        (".ssmss.", 1.0, False),  # a missing candle between is no sign of life
        (".sslss.", 1.0, False),  # one that comes late could be decided then
        (".ssass.", 1.0, True),  # the bot was away for a candle
        (".ssssssss.", 40.0, True),  # a minute of the wall clock is eight candles
        (".sssssssss.", 40.0, False),
    ],
)
def test_a_bot_is_not_slow_for_ever(candles: str, speed: float, kept: bool) -> None:
    live = [place for place, what in enumerate(candles) if what == "."]
    gaps = [place for place, what in enumerate(candles) if what != "."]
    missing = [1000 * (START + 300 * place) for place, what in enumerate(candles) if what == "m"]
    closed = [
        1000 * (START + 300 * place + 300) for place, what in enumerate(candles) if what == "a"
    ]
    away = tuple((at, at + 1) for at in closed)
    came = [START + 300 * place + 300 for place, what in enumerate(candles) if what == "l"]
    late = tuple((PAIR, 1000 * at, 1000 * at + 1, 60_000) for at in came)
    incidents = Incidents(missing={PAIR: missing}, away=away, late=late)
    scene = replace(SHORT, speed=speed, incidents=incidents)
    rows = pd.concat([ledger(*live), ledger(*gaps, kind="gap")])
    found = no_lost_row(decided(*live), rows, [PAIR], scene)
    assert found.passed == kept
    slow = candles.count("s") + candles.count("l")
    told = f"{PAIR} 2024-01-01 00:05 to 2024-01-01 00:{5 * gaps[-1]:02}: {slow} "
    assert (told in found.detail) == (not kept)


def test_a_decision_whose_row_a_kill_took_is_no_slowness() -> None:
    rows = pd.concat([ledger(0, 9), ledger(*range(1, 9), kind="gap")])
    killed = (1000 * (START + 60 * 60), 1000 * (START + 60 * 61))
    scene = replace(SHORT, incidents=Incidents(away=(killed,)))
    found = no_lost_row(decided(*range(10)), rows, [PAIR], scene)
    assert found.passed
    lost = no_lost_row(decided(*range(10)), rows, [PAIR], SHORT)
    assert not lost.passed
    assert f"{PAIR} 2024-01-01 00:05 written as a gap" in lost.detail
    assert "; written again after a restart: 8 decided" in found.detail
    assert "slow" not in found.detail


def test_growing_memory_is_told_and_peaks_are_not_growth() -> None:
    hours = np.arange(0, 24, 0.01)
    peaks = np.where((hours % 4) < 0.1, 300.0, 0.0)
    flat = [
        (float(h), 500 + float(p) + 80 * float(h < 2)) for h, p in zip(hours, peaks, strict=True)
    ]
    assert flat_memory(flat).passed
    assert abs(memory_slope(flat)) < 0.01
    growing = [(h, size + 6 * h) for h, size in flat]
    assert not flat_memory(growing).passed
    assert memory_slope(growing) == pytest.approx(6, abs=0.1)
    assert flat_memory(growing[:300]).passed
    assert str(flat_memory(growing[:300])).startswith("Not judged: flat memory (at most")
    assert str(flat_memory([])).startswith("Not judged")


def test_a_pair_that_the_pairlist_leaves_out_loses_no_row() -> None:
    """Its rows are due from its first decision on, but not while it is away."""
    candles = range(START, START + 6 * 300, 300)
    away = Incidents(absent=(("ETH/USDT", 1000 * (START + 901), 1000 * (START + 86_400)),))
    scene = replace(SCENE, stop=START + 3600, incidents=away)
    listed = [("ETH/USDT", candle) for candle in candles[:3]]
    always = [(PAIR, candle) for candle in range(START, START + 3600, 300)]
    rows = pd.DataFrame([*listed, *always], columns=["pair", "candle"]).assign(kind="live")
    found = no_lost_row([*listed, *always], rows, (PAIR, "ETH/USDT"), scene)
    assert found.passed, found.detail
    # The same without the pairlist's word for it.
    assert not no_lost_row(
        [*listed, *always], rows, (PAIR, "ETH/USDT"), replace(scene, incidents=Incidents())
    ).passed
    # A pair that was listed and never decided.
    undecided = no_lost_row(always, rows, (PAIR, "ETH/USDT"), scene)
    assert "ETH/USDT never decided" in undecided.detail
