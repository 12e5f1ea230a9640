"""Settings and candles are held against each other before the first model is trained."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from freqai_signals.config import SettingsError
from freqai_signals.dataset.candles import Span
from freqai_signals.plugin.startup import checked_settings
from freqai_signals.preflight.situation import SpanReader
from freqai_signals.settings import SignalSettings

START, STOP = datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC)
BACKTEST = (int(START.timestamp()), int(STOP.timestamp()))
ENOUGH = Span(datetime(2023, 1, 1, tzinfo=UTC), STOP)
LATE = Span(datetime(2024, 2, 20, tzinfo=UTC), STOP)
MONTHS = Span(datetime(2024, 1, 10, tzinfo=UTC), STOP)
"""Reaches back over 30 days of training and a start-up of some days, not over a year."""


def config_of(*pairs: str, **signals: Any) -> dict[str, Any]:
    return {
        "timeframe": "5m",
        "exchange": {"pair_whitelist": list(pairs)},
        "freqai": {"train_period_days": 30, "signals": signals},
    }


def reader(spans: Mapping[str, Span | None], timeframe: str = "5m") -> SpanReader:
    """Spans of one timeframe; a pair that is not named cannot be read."""

    def read(pair: str, asked: str) -> Span | None:
        if pair not in spans:
            raise ValueError(f"{pair.replace('/', '_')}-{asked}.feather is damaged")
        return spans[pair] if asked == timeframe else None

    return read


def checked(
    config: Mapping[str, Any], backtest: tuple[int, int] | None, read: SpanReader
) -> SignalSettings:
    """What start-up says in a backtest of that time, or in a command without one."""
    if backtest is not None:
        timerange = f"{backtest[0]}-{backtest[1]}"
        config = {**config, "runmode": "backtest", "timerange": timerange}
    return checked_settings(config, read)


def problems_of(
    config: Mapping[str, Any], read: SpanReader, backtest: tuple[int, int] | None = BACKTEST
) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        checked(config, backtest, read)
    assert all(line in str(caught.value) for line in caught.value.problems)
    return caught.value.problems


def test_settings_are_returned_when_the_candles_reach() -> None:
    config = config_of("A/USDT", labels={"k": 2.0})
    settings = checked(config, BACKTEST, reader({"A/USDT": ENOUGH}))
    assert settings.labels.k == 2.0
    assert settings.train_period_days == 30


def test_problems_of_settings_and_of_candles_come_in_one_message() -> None:
    config = config_of("A/USDT", "B/USDT", "C/USDT", labels={"k": -1}, colour=1)
    found = problems_of(config, reader({"A/USDT": ENOUGH, "B/USDT": None}))
    assert [line.partition(":")[0] for line in found] == [
        "freqai.signals.colour",
        "freqai.signals.labels.k",
        "C/USDT",
        "B/USDT",
    ]


@pytest.mark.parametrize("lead", ["ETH", "A/EUR", "a"])
def test_a_lead_pair_that_was_named_and_is_not_there_is_refused(lead: str) -> None:
    config = config_of("A/USDT", "B/USDT", features={"lead_pair": lead})
    (line,) = problems_of(config, reader({}), None)
    assert line.startswith(f"freqai.signals.features.lead_pair: {lead!r} is none of the pool's")
    assert "(A/USDT, B/USDT)" in line


def test_a_wrong_lead_pair_is_told_beside_other_problems() -> None:
    config = config_of("A/USDT", features={"lead_pair": "C"}, labels={"k": -1})
    found = problems_of(config, reader({}), None)
    assert [line.partition(":")[0] for line in found] == [
        "freqai.signals.labels.k", "freqai.signals.features.lead_pair",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pairs", "features"),
    [
        (("A/USDT", "B/USDT"), {"lead_pair": "B"}),
        (("A/USDT:USDT",), {"lead_pair": "A/USDT:USDT"}),
        (("A/USDT",), {"lead_pair": "C", "groups": ["momentum"]}),  # nothing looks at it
    ],
)
def test_a_lead_pair_that_is_there_or_not_looked_at_is_accepted(
    pairs: tuple[str, ...], features: dict[str, Any]
) -> None:
    settings = checked(config_of(*pairs, features=features), None, reader({}))
    assert settings.features.lead_pair == features["lead_pair"]


def test_the_default_lead_pair_may_be_missing_and_that_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    checked(config_of("A/USDT", "B/USDT"), None, reader({}))
    assert "BTC is none of the pool's pairs; their mean leads in its place" in caplog.text
    caplog.clear()
    checked(config_of("A/USDT", "BTC/USDT"), None, reader({}))
    assert "leads" not in caplog.text


def test_an_unreadable_span_is_a_problem_that_names_the_pair() -> None:
    (line,) = problems_of(config_of("A/USDT", "B/USDT"), reader({"A/USDT": ENOUGH}))
    assert line == "B/USDT: B_USDT-5m.feather is damaged"


def test_a_pooled_pair_may_begin_late_while_another_reaches_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = config_of("A/USDT", "B/USDT")
    checked(config, BACKTEST, reader({"A/USDT": ENOUGH, "B/USDT": LATE}))
    # freqtrade leaves out train period and start-up of each pair's own candles.
    told = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [record.message.split(":")[0] for record in told] == ["B/USDT"]
    found = problems_of(config, reader({"A/USDT": LATE, "B/USDT": LATE}))
    assert [line[:6] for line in found] == ["A/USDT", "B/USDT"]


def test_without_a_pool_every_pair_reaches_back_by_itself() -> None:
    config = config_of("A/USDT", "B/USDT", model={"pool": "pair"})
    (line,) = problems_of(config, reader({"A/USDT": ENOUGH, "B/USDT": LATE}))
    assert line.startswith("B/USDT: 5m candles are needed from 2024-01-")


def test_pairs_that_only_train_the_pool_are_checked_too() -> None:
    config = config_of("A/USDT", model={"pool_pairs": ["A/USDT", "Z/USDT"]})
    (line,) = problems_of(config, reader({"A/USDT": ENOUGH, "Z/USDT": None}))
    assert line.startswith("Z/USDT: no 5m candles")


@pytest.mark.parametrize(
    "whitelist",
    [
        ("A/USDT", "B/USDT", "C/USDT"),  # one that only trades
        ("B/USDT", "A/USDT"),
        ("B/USDT",),  # the other one only trains
        (),  # found by pairlists
    ],
)
def test_a_running_bot_may_have_any_pool(whitelist: tuple[str, ...]) -> None:
    config = config_of(*whitelist, model={"pool_pairs": ["A/USDT", "B/USDT"]})
    settings = checked(config | {"runmode": "dry_run"}, None, reader({}))
    assert settings.model.pool_pairs == ("A/USDT", "B/USDT")


def test_candles_are_not_asked_for_without_a_backtest() -> None:
    config = config_of("A/USDT")
    assert checked(config, None, reader({})).train_period_days == 30
    config["freqai"]["signals"]["colour"] = 1
    (line,) = problems_of(config, reader({}), backtest=None)
    assert line.startswith("freqai.signals.colour")


@pytest.mark.parametrize("timeframe", ["5x", "0m", "", 5, None, ["5m"]])
def test_a_bad_timeframe_neither_crashes_nor_hides_missing_candles(timeframe: object) -> None:
    config = config_of("A/USDT", colour=1) | {"timeframe": timeframe}
    found = problems_of(config, reader({"A/USDT": None}))
    assert found[-1].startswith("A/USDT: no 5m candles")
    assert any(line.startswith("timeframe") for line in found) or timeframe is None


@pytest.mark.parametrize("timeframe", ["5x", "0m", 5])
def test_a_bad_timeframe_does_not_ask_for_more_candles_than_the_config_trains_on(
    timeframe: object,
) -> None:
    """Candles that reach 30 days back are enough for 30 days of training."""
    config = config_of("A/USDT") | {"timeframe": timeframe}
    found = problems_of(config, reader({"A/USDT": MONTHS}))
    assert [line.partition(":")[0] for line in found] == ["timeframe"]


@pytest.mark.parametrize("days", [-1, "30", 0.5])
def test_a_bad_training_period_does_not_hide_missing_candles(days: object) -> None:
    config = config_of("A/USDT")
    config["freqai"]["train_period_days"] = days
    found = problems_of(config, reader({"A/USDT": None}))
    assert found[0].startswith("freqai.train_period_days")
    assert found[-1].startswith("A/USDT: no 5m candles")


def test_another_problem_does_not_send_us_looking_for_candles_of_another_timeframe() -> None:
    """Hourly candles are there; they do not suit the shipped higher timeframes."""
    config = config_of(
        "A/USDT", features={"higher_timeframes": ["4h"]}, labels={"k": -1}, model={"row_step": 1}
    )
    config["timeframe"] = "1h"
    found = problems_of(config, reader({"A/USDT": ENOUGH}, timeframe="1h"))
    assert [line.partition(":")[0] for line in found] == ["freqai.signals.labels.k"]


@pytest.mark.parametrize("timeframe", ["7m", "4h", "1d"])
def test_timeframes_that_do_not_suit_the_features_are_told_with_the_candles(timeframe: str) -> None:
    config = config_of("A/USDT", features={"higher_timeframes": ["1h"]}) | {"timeframe": timeframe}
    found = problems_of(config, reader({"A/USDT": None}))
    assert any("higher_timeframes" in line for line in found)
    assert found[-1].startswith("A/USDT: no ")


def test_a_late_pair_without_a_pool_is_told_beside_other_problems() -> None:
    config = config_of("A/USDT", "B/USDT", model={"pool": "pair"}, labels={"k": -1})
    found = problems_of(config, reader({"A/USDT": ENOUGH, "B/USDT": LATE}))
    assert found[0].startswith("freqai.signals.labels.k")
    assert found[1].startswith("B/USDT: 5m candles are needed")


def test_a_freqai_section_that_is_none_is_a_problem_and_candles_are_still_checked() -> None:
    config = config_of("A/USDT") | {"freqai": [1]}
    found = problems_of(config, reader({"A/USDT": None}))
    assert found[0].startswith("freqai: must be a section")
    assert found[-1].startswith("A/USDT: no 5m candles")


# The ledger's URL


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("postgresql+psycopg://me@db:5432x/l", "5432x"),
        ("postgresql+psycopg://me@db:543299/l", "port 543299"),
        ("postgresql+psycopg://me@db:0/l", "port 0"),
        ("postgresql+psycopg://me@db", "names no database"),
        ("mysql://me@db/l", "SQLite or PostgreSQL, got 'mysql'"),
        ("oracle+made_up://me@db/l", "oracle"),
        ("sqlite+pysqlcipher:///l", "pysqlcipher"),
        ("sqlite+aiosqlite:///l", "aiosqlite"),
        ("sqlite://", "forgets"),
        ("sqlite:///:memory:", "forgets"),
        ("sqlite:///file:l?mode=memory&uri=true", "name the file itself"),
        ("sqlite:///a\0b", "name the file itself"),
        ("sqlite:///l?timeout=soon", "soon"),
        ("ledger.sqlite", "Could not parse"),
    ],
)
def test_a_ledger_url_that_can_never_work_is_refused_at_the_start(url: str, problem: str) -> None:
    found = problems_of(config_of("A/USDT", ledger={"url": url}), reader({}), None)
    assert len(found) == 1
    assert found[0].startswith("freqai.signals.ledger.url: ")
    assert problem in found[0]
    assert "use sqlite:///FILE or postgresql+psycopg://" in found[0]


def test_the_password_of_a_ledger_is_not_repeated() -> None:
    url = "postgresql+psycopg://me:secret@db:543299/l"
    found = problems_of(config_of("A/USDT", ledger={"url": url}), reader({}), None)
    assert "secret" not in str(found)


def test_pairs_that_postgresql_would_refuse_are_refused_at_the_start() -> None:
    long = "A" * 60 + "/USDT"
    config = config_of(long, "B/USDT", ledger={"url": "postgresql+psycopg://me@db/l"})
    config["runmode"] = "dry_run"
    pytest.importorskip("psycopg")
    (pair,) = [line for line in problems_of(config, reader({}), None) if "PostgreSQL" in line]
    assert f"exchange.pair_whitelist: '{long}' has 65 characters" in pair
    config["freqai"]["signals"]["ledger"] = {}
    assert not any("PostgreSQL" in line for line in lines_of(config))


def lines_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        checked_settings(config, reader({}))
    except SettingsError as error:
        return error.problems
    return ()
