"""What earlier backtests left stays below a size; what was used last stays longest."""

import os
from pathlib import Path

import pytest

from freqai_signals.files import keep_newest
from freqai_signals.plugin.freqai.stale_files import remove_surplus
from freqai_signals.settings import SignalSettings, StorageSettings

MEGABYTE = 1_000_000


def file(path: Path, megabytes: float, age: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * int(megabytes * MEGABYTE))
    os.utime(path, (1_700_000_000 - age, 1_700_000_000 - age))
    return path


def settings(**values: int) -> SignalSettings:
    return SignalSettings(storage=StorageSettings(**values))


def test_the_oldest_predictions_go_with_their_fingerprints(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "id" / "backtesting_predictions"
    for number in range(6):
        file(folder / f"cb_{number}_prediction.feather", 4, age=number)
        file(folder / f"cb_{number}_prediction.fingerprint.json", 0.001, age=number)
    other = file(tmp_path / "models" / "id" / "historic_predictions.pkl", 9, age=99)
    remove_surplus(folder.parent, tmp_path / "reports", settings(prediction_megabytes=13))
    left = sorted(path.name[:4] for path in folder.iterdir())
    assert left == ["cb_0", "cb_0", "cb_1", "cb_1", "cb_2", "cb_2"]
    assert other.is_file()


def test_the_oldest_records_of_backtests_go_whole(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    for number, name in enumerate(("new", "middle", "old")):
        file(reports / name / "run.json", 0.001, age=10 * number)
        file(reports / name / "rows.feather", 6, age=10 * number)
    remove_surplus(tmp_path / "none", reports, settings(report_megabytes=13))
    assert sorted(path.parent.name for path in reports.glob("*/run.json")) == ["middle", "new"]
    assert not list((reports / "old").iterdir())


def test_nothing_goes_but_records_that_nobody_writes(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    kept = [
        file(reports / "notes" / "mine.txt", 3, age=99),
        file(reports / "shared" / "run.json", 3, age=99),
        file(reports / "shared" / "below" / "mine.txt", 3, age=99),
        file(reports / "running" / "run.json", 3, age=99),
        reports / "running" / "rows.feather",
    ]
    kept[-1].write_bytes(b"x" * 3 * MEGABYTE)
    old = file(reports / "old" / "run.json", 20, age=1)
    remove_surplus(tmp_path / "none", reports, settings(report_megabytes=13))
    assert not old.exists()
    assert all(path.is_file() for path in kept)


def test_what_fits_stays_and_nothing_is_no_problem(tmp_path: Path) -> None:
    kept = file(tmp_path / "reports" / "one" / "run.json", 5, age=1)
    remove_surplus(tmp_path / "none", tmp_path / "reports", settings())
    assert kept.is_file()
    assert keep_newest([], 0) == 0
    assert keep_newest([[tmp_path / "none"]], 0) == 0


def test_limits_below_what_a_backtest_needs_are_refused() -> None:
    with pytest.raises(ValueError, match="prediction_megabytes"):
        StorageSettings(prediction_megabytes=1)
