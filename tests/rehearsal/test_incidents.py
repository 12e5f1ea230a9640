from pathlib import Path

import pytest

from freqai_signals.dataset.candles import PATIENCE_CANDLES
from freqai_signals.rehearsal.incidents import Incidents, plan_incidents
from freqai_signals.rehearsal.run_record import RunRecord
from freqai_signals.sandbox.exchange.faults import Faults

PAIRS = ("BTC/USDT", "ETH/USDT")
HOUR = 3_600_000
CANDLE = 300_000


def test_every_day_has_one_of_each() -> None:
    plan = plan_incidents(PAIRS, 0, 48 * HOUR, CANDLE)
    assert [stop - start for start, stop in plan.outages] == [HOUR, HOUR]
    assert [pair for pair, *_ in plan.late] == ["ETH/USDT", "ETH/USDT"]
    gap = [18 * HOUR + place * CANDLE for place in range(6)]
    assert set(gap) <= set(plan.missing["BTC/USDT"])
    assert 5 <= len(plan.missing["ETH/USDT"]) <= 8
    for opened in plan.missing.values():
        assert all(time % CANDLE == 0 and 0 < time < 48 * HOUR for time in opened)


def test_no_gap_lasts_until_a_pair_counts_as_halted() -> None:
    for seed in range(20):
        for opened in plan_incidents(PAIRS, 0, 24 * HOUR, CANDLE, seed).missing.values():
            held = set(opened)
            for time in opened:
                run = [time + place * CANDLE for place in range(PATIENCE_CANDLES)]
                assert not held.issuperset(run)


def test_a_plan_repeats_with_its_seed() -> None:
    first, again = (plan_incidents(PAIRS, 0, 24 * HOUR, CANDLE, 7) for _ in range(2))
    assert first == again
    assert first != plan_incidents(PAIRS, 0, 24 * HOUR, CANDLE, 8)


def test_an_hour_has_smaller_ones() -> None:
    plan = plan_incidents(PAIRS, 0, HOUR, CANDLE)
    assert [stop - start for start, stop in plan.outages] == [HOUR // 24]
    assert all(1 <= len(opened) <= 3 for opened in plan.missing.values())


def test_incidents_are_switched_on_and_off_in_time() -> None:
    plan, faults = Incidents(((100, 200),), (("A/B", 150, 300, 90),), {"A/B": [5]}), Faults()
    plan.begin(faults)
    assert faults.missing == {"A/B": {5}}
    seen = []
    for now in (99, 100, 150, 199, 200, 300):
        plan.apply(faults, now)
        seen.append((faults.down, faults.late_ms.get("A/B", 0)))
    assert seen == [(False, 0), (True, 0), (True, 90), (True, 90), (False, 90), (False, 0)]


def test_a_time_that_the_clock_showed_twice_is_told_apart_by_the_candle() -> None:
    """Twenty minutes ahead for half an hour, at forty times the clock."""
    minute = 60_000
    ahead = Incidents(ahead=((0, 30 * minute, 20 * minute),))
    run = RunRecord("", 0, 0, HOUR, 40.0, ahead, {}, 0, ())
    for shown, closed, true in (
        (27, 5, 7),
        (27, 25, 27),  # put right, the bot decides the candle that has closed by then
        (44, 20, 24),
        (24.5, 5, 4.5),  # a bot is up to two seconds behind the time that it is shown
        (19, 5, 19),
        (51, 5, 51),
    ):
        assert run.true_time(60.0 * shown, 60.0 * closed) == 60.0 * true


def test_a_row_may_wait_for_its_ledger_but_not_for_ever() -> None:
    killed = Incidents(away=((10 * CANDLE, 12 * CANDLE),))
    times = (-3, -2, -1, 9, 11, 12, 13)
    assert [killed.soon_away(time * CANDLE, CANDLE) for time in times] == [
        False, False, True, True, True, False, False,
    ]  # fmt: skip


def test_a_finished_rehearsal_can_be_read_again(tmp_path: Path) -> None:
    plan = plan_incidents(PAIRS, 0, 24 * HOUR, CANDLE)
    run = RunRecord("candles", 0, 0, 24 * HOUR, 40.0, plan, {"slow": 3}, 0, ((0.0, 1.5),))
    run.write(tmp_path)
    assert RunRecord.read(tmp_path) == run
    with pytest.raises(ValueError, match="no finished rehearsal"):
        RunRecord.read(tmp_path / "elsewhere")
