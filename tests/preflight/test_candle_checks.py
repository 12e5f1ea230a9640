"""Candles on disk: reach, holes, order, classes, and what a backtest of them would take."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from freqai_signals.dataset.candles import Span
from freqai_signals.preflight.candle_checks import (
    candles_are_whole,
    candles_reach,
    effort_is_known,
    labels_are_balanced,
)
from freqai_signals.preflight.findings import Level
from freqai_signals.preflight.situation import ExchangeFacts, Situation
from freqai_signals.training.training_times import keep_training_time
from tests.plugin.conftest import market_candles
from tests.preflight.situations import config_of, found, situation

START = datetime(2024, 6, 1, tzinfo=UTC)
RANGE = (int(START.timestamp()), int((START + timedelta(days=30)).timestamp()))
CANDLES = market_candles(0, days=90.0)


def at(candles: pd.DataFrame | None, **changes: object) -> Situation:
    config = config_of("A/USDT", timeframe="15m", **changes)
    exchange = ExchangeFacts("binance", 1000, True, 0.001)
    return situation(config, read_candles=lambda pair: candles, exchange=exchange)


def test_whole_candles_are_told_with_first_last_and_count() -> None:
    (finding,) = candles_are_whole(at(CANDLES))
    assert finding.level is Level.OK
    assert finding.what == (
        "A/USDT: 8,640 candles from 2024-01-01 00:00 to 2024-03-30 23:45, 0 missing"
    )


def test_holes_are_counted() -> None:
    (finding,) = candles_are_whole(at(CANDLES.drop(index=range(1000, 1200))))
    assert (finding.level, "200 missing (2.3%)" in finding.what) == (Level.WARNING, True)


def test_candles_out_of_order_are_told_with_their_true_ends() -> None:
    moved = pd.concat([CANDLES.iloc[100:], CANDLES.iloc[:100]], ignore_index=True)
    told = list(candles_are_whole(at(moved)))
    assert "from 2024-01-01 00:00 to 2024-03-30 23:45, out of order" in told[0].what


def test_missing_candles_are_told_with_the_command_that_brings_them() -> None:
    (finding,) = candles_are_whole(at(None))
    assert "none of 15m for A/USDT" in finding.what
    assert finding.fix.startswith("freqtrade download-data --timeframes 15m --days ")


def test_an_unreadable_file_is_told_and_ends_nothing() -> None:
    def read(pair: str) -> pd.DataFrame | None:
        raise ValueError("candle file x is damaged")

    (finding,) = candles_are_whole(situation(config_of("A/USDT"), read_candles=read))
    assert finding.what == "A/USDT: candle file x is damaged"


@pytest.mark.parametrize(("timerange", "which"), [((0, RANGE[1]), "start"), ((RANGE[0], 0), "end")])
def test_an_open_timerange_is_refused_by_what_it_lacks(
    timerange: tuple[int, int], which: str
) -> None:
    reads = situation(
        config_of("A/USDT", timerange="?"), backtest=timerange, read_span=lambda *_: None
    )
    (finding,) = found(candles_reach, reads, Level.ERROR)
    assert finding.what == f"timerange: '?' has no {which}"


def test_patterns_are_not_looked_for_on_disk() -> None:
    reads = situation(
        config_of(".*/USDT"), backtest=RANGE, read_span=lambda *_: pytest.fail("asked")
    )
    assert not list(candles_reach(reads))


def test_a_span_that_reaches_is_no_finding() -> None:
    whole = Span(datetime(2023, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))
    reads = situation(config_of("A/USDT"), backtest=RANGE, read_span=lambda *_: whole)
    assert not list(candles_reach(reads))


def test_balanced_classes_and_a_barrier_above_costs_are_told() -> None:
    (finding,) = labels_are_balanced(at(CANDLES))
    assert finding.level is Level.OK
    assert "sell " in finding.what
    assert "costs of a trade 0.20%" in finding.what


def test_rare_classes_are_told_with_what_other_labels_would_give() -> None:
    wide = {"labels": {"k": 20.0}}
    (finding,) = labels_are_balanced(at(CANDLES, freqai__signals=wide))
    assert finding.level is Level.WARNING
    assert "sell and buy is rare" in finding.why
    assert "with k 10 and floor 0.002: sell " in finding.fix
    assert "with k 40 and floor 0.008: sell " in finding.fix


def test_a_barrier_that_hardly_pays_the_fees_is_told() -> None:
    thin = {"labels": {"kind": "fixed", "threshold": 0.001}}
    (finding,) = labels_are_balanced(at(CANDLES, freqai__signals=thin))
    assert "hardly pays its fees" in finding.why


@pytest.mark.parametrize(("pool", "trainings"), [("whitelist", 5), ("pair", 10)])
def test_windows_and_trainings_are_counted(pool: str, trainings: int) -> None:
    config = config_of(
        "A/USDT",
        "B/USDT",
        freqai__backtest_period_days=7,
        freqai__signals={"model": {"pool": pool}},
    )
    (finding,) = effort_is_known(situation(config, backtest=RANGE))
    assert finding.what.startswith(f"effort: 5 windows of 30 days in all, {trainings} trainings")
    assert "rule of thumb" in finding.what


def test_time_and_disk_are_those_of_earlier_trainings_here(tmp_path: Path) -> None:
    store = tmp_path / "signals" / "models"
    store.mkdir(parents=True)
    (store / "a.model").write_bytes(b"0" * 30_000_000)
    # 60 days of two pairs on every seventh candle are 4,937 rows, and five windows are trained.
    for rows, seconds in ((4937, 120.0), (4937, 120.0), (10, 900.0), (10, 900.0)):
        keep_training_time(store, rows, seconds)
    config = config_of("A/USDT", "B/USDT", user_data_dir=tmp_path, freqai__backtest_period_days=7)
    (finding,) = effort_is_known(situation(config, backtest=RANGE))
    assert "roughly 10 minutes (as 2 trainings took here) and 15" in finding.what
    (store / "training_times.json").write_text("{")
    (finding,) = effort_is_known(situation(config, backtest=RANGE))
    assert "rule of thumb" in finding.what
