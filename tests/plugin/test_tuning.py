"""Tuned parameters in freqtrade's own backtest, and the command's rows against its rows."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from freqai_signals.commands.cli import main
from freqai_signals.commands.tune import open_window
from freqai_signals.schema import MODEL_COLUMNS
from freqai_signals.training.fit import Request
from freqai_signals.tuning.records import TuningRecord, TuningRecords, basis_of
from tests.plugin.conftest import PAIRS, Bench, Run, small_config
from tests.plugin.test_live import Bot, live_bench, make_bot

__all__ = ["live_bench"]  # a fixture

WINDOWS = ("20240129", "20240131")
"""Ends of the two training windows of the bench's backtest."""


def arguments(bench: Bench, folder: Path, until: str, **changes: Any) -> argparse.Namespace:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.json"
    path.write_text(json.dumps(small_config(**changes)))
    return argparse.Namespace(
        config=[path],
        datadir=bench.folder,
        pairs=[],
        until=pd.Timestamp(until).to_pydatetime(),
        trials=None,
        minutes=None,
        seed=None,
        storage=None,
        userdir=folder,
    )


def test_the_command_tunes_on_the_very_rows_that_a_backtest_trains_on(
    bench: Bench, first_run: Run, tmp_path: Path
) -> None:
    """The key of a model is a digest of rows and settings, so its file must be there."""
    window = open_window(arguments(bench, tmp_path, WINDOWS[0]))
    key = Request(window.rows(window.pool), window.settings).key()
    assert (first_run.user_data / "signals" / "models" / f"{key}.model").is_file()


def record_known_at(bench: Bench, folder: Path, until: str) -> TuningRecord:
    window = open_window(arguments(bench, folder, until))
    rows = window.rows(window.pool)
    record = TuningRecord(
        identifier="test",
        pool=window.pool,
        known_until=int(pd.Timestamp(until, tz="UTC").timestamp()),
        beats_default=True,
        parameters={"booster.num_leaves": 3, "booster.learning_rate": 0.3},
        default={},
        basis=basis_of(window.pool, rows, window.settings),
    )
    TuningRecords(folder / "signals" / "tuning", "test").write(record)
    return record


def test_a_record_changes_windows_that_end_after_it_and_no_earlier_one(
    bench: Bench, first_run: Run, user_data_of_first_run: Path
) -> None:
    record = record_known_at(bench, user_data_of_first_run, WINDOWS[1])
    run = bench.backtest(user_data_of_first_run)
    # Predictions of the second window are not taken from the cache any more.
    assert len(run.said("Reusing cached predictions")) == 2
    assert len(run.said("are not reused, changed since: tuned parameters")) == 2
    assert run.said("with the parameters of tuning record", record.name)
    middle = pd.Timestamp(WINDOWS[1], tz="UTC")
    for pair in PAIRS:
        before, after = first_run.predictions(pair), run.predictions(pair)
        early = before["date"] < middle
        columns = list(MODEL_COLUMNS)
        pd.testing.assert_frame_equal(
            before.loc[early, columns], after.loc[early, columns], check_exact=True
        )
        assert not np.array_equal(
            before.loc[~early, "proba_buy"].to_numpy(), after.loc[~early, "proba_buy"].to_numpy()
        )


def test_without_its_cache_too_a_backtest_does_not_look_at_later_records(
    bench: Bench, first_run: Run, tmp_path: Path
) -> None:
    record_known_at(bench, tmp_path / "user", "20240202")
    run = bench.backtest(tmp_path / "user")
    assert run.said("is not used: it depends on candles up to 2024-02-02 00:00")
    for pair in PAIRS:
        pd.testing.assert_frame_equal(
            first_run.predictions(pair)[list(MODEL_COLUMNS)],
            run.predictions(pair)[list(MODEL_COLUMNS)],
            check_exact=True,
        )


def test_tuning_inside_retraining_serves_the_backtest_and_is_repeated_by_no_second_run(
    bench: Bench, tmp_path: Path
) -> None:
    names = ["booster.num_leaves", "booster.learning_rate"]
    tuning = {"when": "stale", "trials": 3, "folds": 2, "parameters": names}
    config = small_config(freqai__signals__tuning=tuning)
    config["freqai"]["signals"]["validation"] = {"min_rows": 100}
    run = bench.backtest(tmp_path / "user", config)
    assert len(run.said("Tuning before training")) == 1
    assert not run.said("without a record")
    (path,) = (tmp_path / "user" / "signals" / "tuning" / "test").glob("*/*.json")
    record = TuningRecord.from_json(path.read_text())
    assert record.pool == PAIRS
    assert record.known_until <= pd.Timestamp(WINDOWS[0], tz="UTC").timestamp()
    again = bench.backtest(tmp_path / "user", config)
    assert len(again.said("Reusing cached predictions")) == 4
    assert not again.said("Tuning before training")


LIVE = {"when": "stale", "trials": 2, "folds": 2}


def trained(bot: Bot) -> Any:
    bot.predict(bot.candles())
    return bot.train()


def test_a_bot_tunes_in_its_training_and_stays_alive_where_it_cannot(
    live_bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    changes = {"freqai__signals__tuning": LIVE, "freqai__signals__validation": {"min_rows": 100}}
    model = trained(make_bot(live_bench, tmp_path / "sound", **changes))
    assert model.fit is not None
    (path,) = (tmp_path / "sound" / "signals" / "tuning" / "test").glob("*/*.json")
    record = TuningRecord.from_json(path.read_text())
    assert model.card.tuned == (record.name if record.beats_default else "")
    damaged = tmp_path / "damaged" / "signals" / "tuning" / "test" / "studies.sqlite"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"no database" * 1000)
    caplog.clear()
    model = trained(make_bot(live_bench, tmp_path / "damaged", **changes))
    assert model.fit is not None
    assert model.card.tuned == ""
    assert "The default parameters are used, tuning ended without a record" in caplog.text


@pytest.mark.slow
def test_what_comes_after_the_window_does_not_change_what_is_found(
    bench: Bench, tmp_path: Path, changed_candles: Any
) -> None:
    def later(frame: pd.DataFrame) -> pd.DataFrame:
        after = frame["date"] >= pd.Timestamp(WINDOWS[0], tz="UTC")
        return frame.assign(close=frame["close"].where(~after, frame["close"] * 1.05))

    found = []
    for name, candles in (("as it was", bench), ("changed", changed_candles("BTC/USDT", later))):
        folder = tmp_path / name
        given = arguments(candles, folder, WINDOWS[0])
        options = ["--datadir", str(given.datadir), "--until", WINDOWS[0], "--trials", "3"]
        options += ["--config", str(given.config[0]), "--userdir", str(folder)]
        assert main(["tune", *options]) == 0
        (path,) = (folder / "signals" / "tuning" / "test").glob("*/*.json")
        record = json.loads(path.read_text())
        found.append({**record, "made": ""})
    assert found[0] == found[1]
