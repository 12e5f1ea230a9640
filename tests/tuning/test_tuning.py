"""Which record a window uses: never one that knows its future, and never an accident."""

import dataclasses
import logging
from pathlib import Path
from typing import Any

import pytest

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.model.artefact import to_bytes
from freqai_signals.settings import SignalSettings
from freqai_signals.training.fit import Request, train
from freqai_signals.tuning.records import TuningRecord, basis_of, known_until
from freqai_signals.tuning.window_parameters import Tuning
from tests.model_rows import make_rows, small
from tests.tuning.tuning_rows import POOL, POOR, records, tuning_settings

SECONDS = 300
DAY = 86400


@pytest.fixture
def rows() -> TrainingRows:
    return make_rows()


def record_of(
    rows: TrainingRows, settings: SignalSettings, pool: tuple[str, ...] = POOL, **changes: Any
) -> TuningRecord:
    usual: dict[str, Any] = {
        "identifier": "test",
        "pool": pool,
        "known_until": known_until(rows, settings),
        "beats_default": True,
        "parameters": {"booster.num_leaves": 3},
        "default": {"booster.num_leaves": settings.booster.num_leaves},
        "basis": basis_of(pool, rows, settings),
    }
    return TuningRecord(**usual | changes)


def leaves(request: Request) -> int:
    return request.settings.booster.num_leaves


# What a window may know


def test_a_window_that_ends_before_the_records_last_candle_does_not_use_it(
    rows: TrainingRows, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = small()
    record = record_of(rows, settings)
    records(tmp_path).write(record)
    tuning = Tuning(settings, tmp_path, "test")
    caplog.set_level(logging.INFO)
    earlier = tuning.request(POOL, rows, record.known_until - 1, None)
    assert earlier == Request(rows, settings)
    assert "after the window's end" in caplog.text
    later = tuning.request(POOL, rows, record.known_until, None)
    assert leaves(later) == 3
    assert later.tuned == record.name
    assert f"with the parameters of tuning record {record.name}" in caplog.text


def test_a_later_record_changes_nothing_for_an_earlier_window(
    rows: TrainingRows, tmp_path: Path
) -> None:
    settings = small()
    first = record_of(rows, settings)
    until = first.known_until
    records(tmp_path).write(first)
    tuning = Tuning(settings, tmp_path, "test")
    before = tuning.digest(POOL, until)
    later = record_of(rows, settings, known_until=until + DAY, parameters={"booster.num_leaves": 9})
    records(tmp_path).write(later)
    assert leaves(tuning.request(POOL, rows, until, None)) == 3
    assert tuning.digest(POOL, until) == before
    assert leaves(tuning.request(POOL, rows, until + DAY, None)) == 9
    assert tuning.digest(POOL, until + DAY) != before


def test_the_card_names_the_record_and_shows_its_parameters(
    rows: TrainingRows, tmp_path: Path
) -> None:
    settings = small()
    record = record_of(rows, settings)
    records(tmp_path).write(record)
    request = Tuning(settings, tmp_path, "test").request(POOL, rows, record.known_until, None)
    model = train(request)
    assert model.card.tuned == record.name
    assert model.card.settings["booster"]["num_leaves"] == 3
    assert train(request).card == model.card
    assert to_bytes(train(request)) == to_bytes(model)
    assert request.key() != Request(rows, settings).key()


# When a record holds


def test_a_record_is_used_until_it_is_stale(rows: TrainingRows, tmp_path: Path) -> None:
    settings = small(tuning={"stale_days": 10.0})
    record = record_of(rows, settings)
    records(tmp_path).write(record)
    tuning = Tuning(settings, tmp_path, "test")
    assert leaves(tuning.request(POOL, rows, record.known_until + 10 * DAY, None)) == 3
    stale = tuning.request(POOL, rows, record.known_until + 10 * DAY + 1, None)
    assert stale == Request(rows, settings)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"labels": {"k": 0.7}}, "setting labels"),
        ({"label_horizon_candles": 7}, "setting label_horizon_candles"),
        ({"booster": {"learning_rate": 0.3}}, "setting booster"),
        ({"model": {"row_step": 2}}, "setting model"),
        ({"features": {"lead_pair": "ETH"}}, "setting features"),
    ],
)
def test_a_record_of_other_settings_is_not_used_and_the_log_names_them(
    changes: dict[str, Any],
    named: str,
    rows: TrainingRows,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    record = record_of(rows, small())
    records(tmp_path).write(record)
    caplog.set_level(logging.INFO)
    request = Tuning(small(**changes), tmp_path, "test").request(
        POOL, rows, record.known_until, None
    )
    assert request.tuned == ""
    assert f"changed since: {named}" in caplog.text


def test_a_record_of_other_features_is_not_used(rows: TrainingRows, tmp_path: Path) -> None:
    record = record_of(rows, small())
    records(tmp_path).write(record)
    renamed = dataclasses.replace(rows, names=(*rows.names[:-1], "%-new"))
    request = Tuning(small(), tmp_path, "test").request(POOL, renamed, record.known_until, None)
    assert request.tuned == ""


@pytest.mark.parametrize(
    "settings",
    [
        small(tuning={"trials": 7, "seed": 3}),
        small(None, {"threads": 3}),
        small(sizing={"method": "kelly"}),
    ],
    ids=["budget", "threads", "stakes"],
)
def test_settings_that_shape_no_model_leave_a_record_in_force(
    settings: SignalSettings, rows: TrainingRows, tmp_path: Path
) -> None:
    record = record_of(rows, small())
    records(tmp_path).write(record)
    request = Tuning(settings, tmp_path, "test").request(POOL, rows, record.known_until, None)
    assert leaves(request) == 3


@pytest.mark.parametrize(
    ("identifier", "pool"),
    [
        ("other", POOL),
        ("test", ("BTC/USDC",)),
        ("test", ("BTC/USDT:USDT",)),
        ("test", ("BTC/USDT", "ETH/USDT")),
    ],
)
def test_records_belong_to_an_identifier_and_a_full_pair_or_pool(
    identifier: str, pool: tuple[str, ...], rows: TrainingRows, tmp_path: Path
) -> None:
    record = record_of(rows, small())
    records(tmp_path).write(record)
    tuning = Tuning(small(), tmp_path, identifier)
    assert tuning.request(pool, rows, record.known_until, None).tuned == ""


def test_a_record_that_did_not_beat_the_default_leaves_it(
    rows: TrainingRows, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = tuning_settings(when="stale")
    record = record_of(rows, settings, beats_default=False)
    records(tmp_path).write(record)
    caplog.set_level(logging.INFO)
    request = Tuning(settings, tmp_path, "test").request(POOL, rows, record.known_until, None)
    assert request == Request(rows, settings)
    assert "the default is kept" in caplog.text
    assert "Tuning before training" not in caplog.text


def test_never_means_never(rows: TrainingRows, tmp_path: Path) -> None:
    settings = small(tuning={"when": "never"})
    record = record_of(rows, settings)
    tuning = Tuning(settings, tmp_path, "test")
    before = tuning.digest(POOL, record.known_until)
    records(tmp_path).write(record)
    assert tuning.request(POOL, rows, record.known_until, None) == Request(rows, settings)
    assert tuning.digest(POOL, record.known_until) == before


def test_records_are_read_back_as_they_were_and_damaged_ones_are_left_out(
    rows: TrainingRows, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept, damaged = (
        record_of(rows, small(), known_until=until) for until in (1_700_000_000, 1_800_000_000)
    )
    records(tmp_path).write(kept)
    path = records(tmp_path).write(damaged)
    assert records(tmp_path).read(POOL) == [damaged, kept]
    for content in ("{", "[]", "{}", path.read_text().replace('"format": 1', '"format": 9')):
        path.write_text(content)
        assert records(tmp_path).read(POOL) == [kept]
    assert path.name in caplog.text


# Tuning inside retraining


def test_a_window_without_a_record_is_tuned_first_and_the_next_ones_use_it(
    rows: TrainingRows, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = tuning_settings(POOR, when="stale", stale_days=5.0, trials=3)
    until = known_until(rows, settings)
    caplog.set_level(logging.INFO)
    tuning = Tuning(settings, tmp_path, "test")
    first = tuning.request(POOL, rows, until, None)
    assert first.tuned
    assert first.settings.booster != settings.booster
    (record,) = records(tmp_path).read(POOL)
    assert record.known_until <= until
    caplog.clear()
    assert tuning.request(POOL, rows, until + 5 * DAY, None) == first
    assert "Tuning before training" not in caplog.text
    tuning.request(POOL, rows, until + 6 * DAY, None)
    assert "Tuning before training" in caplog.text


def test_a_corrupt_storage_costs_no_training(
    rows: TrainingRows, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = tuning_settings(when="stale")
    folder = records(tmp_path).folder
    folder.mkdir(parents=True)
    (folder / "studies.sqlite").write_bytes(b"not a database" * 500)
    until = known_until(rows, settings)
    request = Tuning(settings, tmp_path, "test").request(POOL, rows, until, None)
    assert request == Request(rows, settings)
    assert "The default parameters are used" in caplog.text
    assert "cannot be used" in caplog.text


def test_too_few_rows_cost_no_training(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings, few = tuning_settings(when="stale"), make_rows(150)
    until = known_until(few, settings)
    request = Tuning(settings, tmp_path, "test").request(POOL, few, until, None)
    assert request == Request(few, settings)
    assert "too few" in caplog.text


def test_a_bot_that_is_stopped_ends_its_search(
    rows: TrainingRows, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = tuning_settings(when="stale", trials=1000)
    until = known_until(rows, settings)
    tuning = Tuning(settings, tmp_path, "test", ended=lambda: True)
    assert tuning.request(POOL, rows, until, None) == Request(rows, settings)
    assert "without a record" in caplog.text


def test_a_search_that_ends_before_the_default_is_scored_is_not_begun_again_until_a_restart(
    rows: TrainingRows, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every training has other rows, hence another study: its minutes would be spent in vain."""
    settings = tuning_settings(when="stale", minutes=1e-9)
    until = known_until(rows, settings)
    tuning = Tuning(settings, tmp_path, "test")
    caplog.set_level(logging.INFO)
    assert tuning.request(POOL, rows, until, None) == Request(rows, settings)
    assert "allow more minutes" in caplog.text
    assert "BTC/USDT: not tuned again before the next restart" in caplog.text
    caplog.clear()
    later = make_rows(seed=1)
    assert tuning.request(POOL, later, until + DAY, None) == Request(later, settings)
    assert "Tuning before training" not in caplog.text
    tuning.request(("ETH/USDT",), later, until, None)
    assert "Tuning before training" in caplog.text
    caplog.clear()
    Tuning(settings, tmp_path, "test").request(POOL, later, until + DAY, None)
    assert "Tuning before training" in caplog.text


def test_nothing_unexpected_reaches_the_bot(
    rows: TrainingRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tuning_settings(when="stale")

    def broken(*_: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr("freqai_signals.tuning.run.tune", broken)
    request = Tuning(settings, tmp_path, "test").request(POOL, rows, 10**9, None)
    assert request == Request(rows, settings)
