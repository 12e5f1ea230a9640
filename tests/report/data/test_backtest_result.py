"""freqtrade's stored results: which one belongs to a record, and what is read from it."""

import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from freqai_signals.report.data.backtest_result import find_result

START = datetime(2024, 6, 1, 12, tzinfo=UTC).timestamp()
DAY = 86_400
AT = datetime.fromtimestamp(START + 50, UTC)

TRADE = {
    "pair": "A/USDT", "open_date": "2024-01-02 10:00:00+00:00", "is_short": False,
    "close_date": "2024-01-02 12:00:00+00:00", "enter_tag": "buy_weak", "exit_reason": "horizon",
    "stake_amount": 100.0, "profit_abs": 1.5, "profit_ratio": 0.015, "fee_open": 0.001,
    "fee_close": 0.001,
}  # fmt: skip


def store(
    userdir: Path, name: str, started: float = START, first_day: int = 0, **facts: Any
) -> Path:
    """A result as freqtrade stores it; its span begins ``first_day`` days after 2024-01-01."""
    folder = userdir / "backtest_results"
    folder.mkdir(exist_ok=True)
    first = datetime(2024, 1, 1, tzinfo=UTC).timestamp() + first_day * DAY
    span = {"backtest_start_ts": first, "backtest_end_ts": first + 10 * DAY}
    meta = {"LightGBMSignalStrategy": {"backtest_start_time": started, **span}}
    (folder / f"{name}.meta.json").write_text(json.dumps(meta))
    statistics = {
        "trades": [TRADE], "freqai_identifier": "first", "starting_balance": 1000,
        "backtest_run_end_ts": started + 60, "strategy_name": "LightGBMSignalStrategy",
        **{key: value * 1000 for key, value in span.items()}, **facts,
    }  # fmt: skip
    dates = pd.date_range("2024-01-01", periods=48, freq="1h", tz="UTC")
    change = io.BytesIO()
    pd.DataFrame({"date": dates, "rel_mean": range(48)}).to_feather(change)
    path = folder / f"{name}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.json", json.dumps({"strategy": {"S": statistics}}))
        archive.writestr(f"{name}_market_change.feather", change.getvalue())
    return path


def test_trades_and_the_market_are_those_of_the_run_that_wrote_the_record(tmp_path: Path) -> None:
    store(tmp_path, "run")
    found = find_result(tmp_path, "first", AT)
    assert found.file == "run.zip"
    (trade,) = found.trades.to_dict("records")
    assert trade["net_return"] == 0.015
    assert trade["cost"] == 0.002
    assert trade["close_date"] == pd.Timestamp("2024-01-02 12:00", tz="UTC")
    assert found.market["buy_and_hold"].tolist() == [23.0, 47.0]
    assert "trades" not in found.facts


def test_of_several_runs_the_one_around_the_record_is_taken(tmp_path: Path) -> None:
    store(tmp_path, "earlier", START - 5000)
    store(tmp_path, "run")
    store(tmp_path, "later", START + 5000)
    assert find_result(tmp_path, "first", AT).file == "run.zip"


def test_a_result_of_another_identifier_or_of_long_before_does_not_belong(tmp_path: Path) -> None:
    store(tmp_path, "other", freqai_identifier="other")
    assert find_result(tmp_path, "first", AT).file == ""
    store(tmp_path, "old", START - 100_000)
    assert find_result(tmp_path, "first", AT).file == ""
    assert len(find_result(tmp_path, "first", AT).trades) == 0


def test_a_record_may_come_two_seconds_after_its_run_and_no_later(tmp_path: Path) -> None:
    """freqtrade cuts a run's end, which the record is written before, to whole seconds."""
    store(tmp_path, "run")
    for late, file in ((0.0, "run.zip"), (2.0, "run.zip"), (3.0, "")):
        at = datetime.fromtimestamp(START + 60 + late, UTC)
        assert find_result(tmp_path, "first", at).file == file


def test_looks_are_stored_runs_whose_span_overlaps(tmp_path: Path) -> None:
    store(tmp_path, "run")
    store(tmp_path, "overlapping", START - 5000, first_day=5)
    store(tmp_path, "elsewhere", START - 9000, first_day=50)
    assert find_result(tmp_path, "first", AT).looks == 2


def test_damaged_results_are_as_good_as_none(tmp_path: Path) -> None:
    path = store(tmp_path, "run")
    path.write_bytes(b"half of a z")
    (path.parent / "bad.meta.json").write_text("[")
    assert find_result(tmp_path, "first", AT).file == ""
    assert find_result(tmp_path / "nowhere", "first", AT).file == ""


def test_a_run_without_trades_is_a_result_all_the_same(tmp_path: Path) -> None:
    store(tmp_path, "run", trades=[])
    found = find_result(tmp_path, "first", AT)
    assert found.file == "run.zip"
    assert len(found.trades) == 0
