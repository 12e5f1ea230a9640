"""``freqai-signals doctor`` on a user's folder: with and without config, data and network."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from freqai_signals.commands.cli import main
from tests.plugin.conftest import REPO, market_candles, small_config, write_candles

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def userdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder, the current one empty."""
    folder = tmp_path / "user"
    folder.mkdir()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    return folder


def write(userdir: Path, **changes: Any) -> None:
    config = small_config(
        strategy_path=str(REPO / "strategies"), freqaimodel_path=str(REPO / "freqai_models"),
        **changes,
    )  # fmt: skip
    text = json.dumps(config, indent=1).replace("{", "{ // a comment, as freqtrade allows\n", 1)
    (userdir / "config.json").write_text(text)


def doctor(capsys: Capture, userdir: Path, *more: str) -> tuple[int, dict[str, list[Any]]]:
    """Status, and the findings by check."""
    status = main(["doctor", "--userdir", str(userdir), "--json", *more])
    content = json.loads(capsys.readouterr().out)
    assert content["status"] == status
    by_check: dict[str, list[Any]] = {}
    for finding in content["findings"]:
        assert set(finding) == {"check", "level", "what", "why", "fix"}
        by_check.setdefault(finding["check"], []).append(finding)
    return status, by_check


def test_without_a_config_the_installation_is_looked_at(userdir: Path, capsys: Capture) -> None:
    status, found = doctor(capsys, userdir)
    assert status == 1
    assert "none was found" in found["config"][0]["what"]
    assert set(found) <= {"config", "versions_fit", "one_copy_runs", "adapters_are_found"}


def test_without_data_or_network_a_bot_may_start(userdir: Path, capsys: Capture) -> None:
    write(userdir)
    status, found = doctor(capsys, userdir)
    assert status == 1, "only warnings"
    assert [f["level"] for f in found["settings_are_valid"]] == ["ok"]
    assert [f["level"] for f in found["adapters_are_found"]] == ["ok", "ok"]
    assert [f["level"] for f in found["candles_are_whole"]] == ["warning"]
    assert "of at most 4999" in found["timeframe_fits_exchange"][0]["what"]


def test_a_backtest_is_looked_at_with_its_candles(userdir: Path, capsys: Capture) -> None:
    write(userdir)
    for seed, pair in enumerate(("BTC/USDT", "ETH/USDT")):
        write_candles(userdir / "data" / "binance", pair, market_candles(seed))
    status, found = doctor(capsys, userdir, "--timerange", "20240129-20240202")
    assert status == 1
    assert "candles_reach" not in found
    assert all("0 missing" in f["what"] for f in found["candles_are_whole"])
    assert "2 windows of 4 days" in found["effort_is_known"][0]["what"]
    status, found = doctor(capsys, userdir, "--timerange", "20240105-20240202")
    assert status == 2
    assert "candles are needed from" in found["candles_reach"][0]["what"]
    assert doctor(capsys, userdir, "--timerange", "-20240202")[0] == 2


@pytest.mark.parametrize(
    ("dates", "word"),
    [
        (lambda dates: dates.astype("int64") // 1000, "of type int64"),
        (lambda dates: dates.dt.tz_localize(None), "datetime64[ms]"),
        (lambda dates: dates - pd.Timedelta(days=50 * 365), "from 1974-"),
        (lambda dates: dates.astype(str) + "x", "of type str"),
    ],
)
def test_odd_dates_are_told_with_the_name_of_the_file(
    userdir: Path, capsys: Capture, dates: Any, word: str
) -> None:
    write(userdir, exchange__pair_whitelist=["BTC/USDT"])
    candles = market_candles(0)
    folder = userdir / "data" / "binance"
    write_candles(folder, "BTC/USDT", candles.assign(date=dates(candles["date"])))
    status, found = doctor(capsys, userdir, "--timerange", "20240129-20240202")
    assert status == 2
    line = found["candles_reach"][0]["what"]
    assert str(folder / "BTC_USDT-15m.feather") in line
    assert word in line
    assert "not times in UTC" in line


def test_a_damaged_file_is_told_without_a_traceback(
    userdir: Path, capsys: Capture, caplog: pytest.LogCaptureFixture
) -> None:
    write(userdir, exchange__pair_whitelist=["BTC/USDT"])
    file = userdir / "data" / "binance" / "BTC_USDT-15m.feather"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"not feather")
    status, found = doctor(capsys, userdir, "--timerange", "20240129-20240202")
    assert status == 2
    assert f"{file} is damaged or empty" in found["candles_reach"][0]["what"]
    assert "Traceback" not in caplog.text


def test_unsorted_candles_end_where_the_newest_is(userdir: Path, capsys: Capture) -> None:
    write(userdir, exchange__pair_whitelist=["BTC/USDT"])
    candles = market_candles(0)
    moved = pd.concat([candles.iloc[2000:], candles.iloc[:2000]], ignore_index=True)
    write_candles(userdir / "data" / "binance", "BTC/USDT", moved)
    status, found = doctor(capsys, userdir, "--timerange", "20240129-20240202")
    assert status == 1, "freqtrade sorts them"
    assert "out of order" in found["candles_are_whole"][0]["what"]


def test_what_freqtrade_refuses_is_an_error_beside_ours(userdir: Path, capsys: Capture) -> None:
    write(userdir, freqai__signals__labels={"k": -1}, stake_amount="lots")
    status, found = doctor(capsys, userdir)
    assert status == 2
    assert "freqtrade refuses it" in found["config"][0]["what"]
    assert found["settings_are_valid"][0]["what"].startswith("freqai.signals.labels.k")


def test_a_config_that_is_not_there_is_an_error(userdir: Path, capsys: Capture) -> None:
    status, found = doctor(capsys, userdir, "--config", str(userdir / "none.json"))
    assert status == 2
    assert "none.json" in found["config"][0]["what"]


def test_brackets_of_a_config_are_printed_as_they_stand(userdir: Path, capsys: Capture) -> None:
    write(userdir, freqai__identifier="[/red]")
    assert main(["doctor", "--userdir", str(userdir)]) == 2
    assert "'[/red]'" in capsys.readouterr().out
