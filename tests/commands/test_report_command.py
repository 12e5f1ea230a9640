"""``freqai-signals report``: from the files of a backtest to tables and JSON."""

import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

import pytest
from freqtrade.persistence import init_db

from freqai_signals.commands.cli import main
from freqai_signals.ledger.ledger import Entry, Ledger
from freqai_signals.report.data.backtest_record import BacktestRecord
from freqai_signals.report.page.json_form import ReportJson
from freqai_signals.sandbox.market.market_files import Market, ensure_market
from freqai_signals.sandbox.market.spec import MarketSpec
from freqai_signals.schema import LABEL_COLUMN, OUTCOME_COLUMN
from freqai_signals.settings import LabelSettings, SignalSettings
from tests.ledger.ledger_rows import outcome, predictions, sqlite_url
from tests.report.run_rows import rows_of

Capture = pytest.CaptureFixture[str]

FIXED = SignalSettings(labels=LabelSettings(kind="fixed"))


def backtest(
    userdir: Path,
    identifier: str = "first",
    datadir: Path | str = "",
    pair: str = "BTC/USDT",
    settings: SignalSettings = FIXED,
) -> Path:
    """Rows of one pair under an identifier, as a backtest leaves them; returns the user's folder.

    They are the first 60 candles of 2024, of five minutes.
    """
    rows = rows_of("BSh" * 20, "BBh" * 20, signal=2, signal_strength=1)
    happened = rows.drop(columns=LABEL_COLUMN).rename(columns={OUTCOME_COLUMN: LABEL_COLUMN})
    folder = userdir / "signals" / "reports" / identifier
    made = BacktestRecord(folder, settings, 0.002, f"{identifier}-range", str(datadir))
    made.add(pair, rows.drop(columns=OUTCOME_COLUMN), happened)
    return userdir


def report(userdir: Path, *more: str) -> int:
    return main(["report", "--userdir", str(userdir), *more])


def table(found: dict[str, Any], key: str, name: str) -> list[dict[str, Any]]:
    """A table of a section; none where the section has no data."""
    section = next(part for part in found["page"]["sections"] if part["key"] == key)
    return section["tables"].get(name, [])


def scored(found: dict[str, Any]) -> dict[str, int]:
    return {row["pair"]: row["rows"] for row in table(found, "skill", "Skill by pair")}


def test_tables_are_printed(tmp_path: Path, capsys: Capture) -> None:
    assert report(backtest(tmp_path)) == 0
    out = capsys.readouterr().out
    assert "Signal quality per pair" in out
    assert "BTC/USDT" in out
    assert "Simulated market" not in out


def test_tables_are_not_cut_off_in_a_pipe(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe has no width; a narrow COLUMNS left over from a terminal must not matter."""
    monkeypatch.setenv("COLUMNS", "40")
    assert report(backtest(tmp_path)) == 0
    out = capsys.readouterr().out
    assert "…" not in out
    header = next(line for line in out.splitlines() if "over climatology" in line)
    assert all(name in header for name in ("pair", "skill", "move auc", "brier", "rows"))


def test_the_folder_behind_a_report_is_one_line_that_can_be_copied(
    tmp_path: Path, capsys: Capture
) -> None:
    userdir = tmp_path / ("long-name-" * 12) / "with [red] brackets"
    assert report(backtest(userdir)) == 0
    folder = userdir / "signals" / "reports" / "first"
    assert f"Rows behind this report: {folder}" in capsys.readouterr().out.splitlines()


def test_json_can_be_parsed(tmp_path: Path, capsys: Capture) -> None:
    assert report(backtest(tmp_path), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert scored(found) == {"BTC/USDT": 60, "all pairs": 60}
    assert found["facts"]["timerange"] == "first-range"
    assert found["captured"] is None


def test_no_backtest_yet_is_wrong_use_and_says_what_to_do(tmp_path: Path, capsys: Capture) -> None:
    assert report(tmp_path) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"no backtest to report on in {tmp_path}" in captured.err
    assert "run one first" in captured.err


def test_an_unknown_identifier_is_wrong_use_and_is_named(tmp_path: Path, capsys: Capture) -> None:
    assert report(backtest(tmp_path), "--identifier", "other") == 2
    assert str(tmp_path / "signals" / "reports" / "other") in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{", "{}", "[]"])
def test_a_damaged_record_is_wrong_use_and_is_named(
    tmp_path: Path, capsys: Capture, text: str
) -> None:
    file = backtest(tmp_path) / "signals" / "reports" / "first" / "run.json"
    file.write_text(text)
    assert report(tmp_path, "--json") == 2
    assert str(file) in capsys.readouterr().err


def test_the_newest_backtest_is_reported_unless_one_is_named(
    tmp_path: Path, capsys: Capture
) -> None:
    backtest(tmp_path, "older")
    backtest(tmp_path, "newer")
    os.utime(tmp_path / "signals" / "reports" / "older" / "run.json", (1, 1))
    assert report(tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["facts"]["timerange"] == "newer-range"
    assert report(tmp_path, "--json", "--identifier", "older") == 0
    assert json.loads(capsys.readouterr().out)["facts"]["timerange"] == "older-range"


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    spec = MarketSpec(pairs=("BTC/USDT",), start=dt.date(2024, 1, 1), days=2)
    return ensure_market(spec, tmp_path_factory.mktemp("market"))


def test_the_attainable_skill_of_a_simulated_market_is_told(
    market: Market, tmp_path: Path, capsys: Capture
) -> None:
    backtest(tmp_path, datadir=market.folder)
    assert report(tmp_path, "--json") == 0
    captured = json.loads(capsys.readouterr().out)["captured"]
    assert captured["rows"] == 60
    assert set(captured) == {"model", "attainable", "rows", "share"}
    assert report(tmp_path) == 0
    assert "of the attainable skill was captured" in capsys.readouterr().out


def test_a_pair_that_the_simulated_market_does_not_list_has_no_attainable_skill(
    market: Market, tmp_path: Path, capsys: Capture
) -> None:
    backtest(tmp_path, datadir=market.folder, pair="BTC/USDT:USDT")
    assert report(tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["captured"] is None


def test_candles_of_another_length_have_no_attainable_skill(
    market: Market, tmp_path: Path, capsys: Capture
) -> None:
    """The exact posterior is that of base candles; 24 of them are not 24 hours."""
    hourly = FIXED.model_copy(update={"timeframe": "1h"})
    backtest(tmp_path, datadir=market.folder, settings=hourly)
    assert report(tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["captured"] is None


# The page


def test_the_page_lies_beside_the_record_unless_a_file_is_named(
    tmp_path: Path, capsys: Capture
) -> None:
    page = backtest(tmp_path) / "signals" / "reports" / "first" / "report.html"
    assert report(tmp_path, "--html") == 0
    assert f"Page: {page}" in capsys.readouterr().out.splitlines()
    assert page.read_text().startswith("<!doctype html>")
    assert report(tmp_path, "--html", str(tmp_path / "own.html")) == 0
    assert (tmp_path / "own.html").read_text() == page.read_text()


def test_without_html_no_page_is_written(tmp_path: Path) -> None:
    assert report(backtest(tmp_path)) == 0
    assert list(tmp_path.rglob("*.html")) == []


def test_a_page_into_a_folder_that_is_not_there_is_refused(tmp_path: Path, capsys: Capture) -> None:
    assert report(backtest(tmp_path), "--html", str(tmp_path / "nowhere" / "a.html")) == 2
    assert f"there is no folder {tmp_path / 'nowhere'}; create it first" in capsys.readouterr().err


def test_open_writes_the_page_and_starts_a_browser(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: bool(opened.append(url)))
    page = backtest(tmp_path) / "signals" / "reports" / "first" / "report.html"
    assert report(tmp_path, "--open") == 0
    assert opened == [page.resolve().as_uri()]
    assert f"open {page} yourself" in capsys.readouterr().err


def test_the_verdict_comes_before_the_tables(tmp_path: Path, capsys: Capture) -> None:
    assert report(backtest(tmp_path)) == 0
    out = capsys.readouterr().out
    assert out.index("Too few days to know whether") < out.index("Signal quality per pair")
    assert "Days needed to know" in out


def test_json_holds_the_page_in_the_form_of_the_schema(tmp_path: Path, capsys: Capture) -> None:
    assert report(backtest(tmp_path), "--json") == 0
    found = ReportJson.model_validate_json(capsys.readouterr().out)
    assert found.page.sections[0].key == "verdict"
    assert report(tmp_path, "--schema") == 0
    assert json.loads(capsys.readouterr().out) == ReportJson.model_json_schema()


def test_the_page_holds_the_command_that_makes_it_again(tmp_path: Path, capsys: Capture) -> None:
    assert report(backtest(tmp_path), "--pair", "BTC/USDT", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    (row,) = table(found, "reproduce", "Command")
    again = f"freqai-signals report --html --userdir {tmp_path} --pair BTC/USDT"
    assert row["command"] == again


# A part of it


def test_one_pair_or_tier_can_be_looked_at(tmp_path: Path, capsys: Capture) -> None:
    backtest(tmp_path)
    assert report(tmp_path, "--pair", "BTC/USDT", "--json") == 0
    assert scored(json.loads(capsys.readouterr().out))["BTC/USDT"] == 60
    for tier, rows in (("weak", 60), ("strong", 0)):
        assert report(tmp_path, "--tier", tier, "--json") == 0
        found = json.loads(capsys.readouterr().out)
        assert scored(found).get("BTC/USDT", 0) == rows
        assert found["page"]["notes"] == [f"Only tier {tier}."]


def test_an_unknown_pair_is_wrong_use_and_the_known_ones_are_named(
    tmp_path: Path, capsys: Capture
) -> None:
    assert report(backtest(tmp_path), "--pair", "X/Y") == 2
    assert "--pair X/Y: there are BTC/USDT" in capsys.readouterr().err


# A running bot


def with_ledger(userdir: Path) -> Path:
    folder = userdir / "signals"
    folder.mkdir(parents=True)
    ledger = Ledger(sqlite_url(folder))
    ledger.write([predictions(1, 2, 3), predictions(1, pair="[/red]")])
    ledger.write([Entry("outcomes", [outcome(1), outcome(2)])])
    ledger.close()
    return userdir


def test_a_ledger_is_reported_on_the_terminal_as_a_page_and_as_json(
    tmp_path: Path, capsys: Capture
) -> None:
    page = with_ledger(tmp_path) / "signals" / "reports" / "live" / "report.html"
    assert report(tmp_path, "--live", "--html") == 0
    out = capsys.readouterr().out
    assert "Live signal report" in out
    assert "2 pairs over 0 days, 2 scored predictions" in " ".join(out.split())
    assert "live ledger" in page.read_text()
    assert report(tmp_path, "--live", "--pair", "BTC/USDT", "--tier", "weak", "--json") == 0
    found = ReportJson.model_validate_json(capsys.readouterr().out)
    assert found.facts["source"] == "ledger"
    assert found.page.sections[1].finding.startswith("1 pair over 0 days, 2 scored")


def test_no_ledger_is_wrong_use(tmp_path: Path, capsys: Capture) -> None:
    assert report(tmp_path, "--live") == 2
    assert "no ledger at" in capsys.readouterr().err


def test_the_bot_s_config_gives_horizon_and_tiers(tmp_path: Path, capsys: Capture) -> None:
    config = tmp_path / "config.json"
    shipped = json.loads((Path(__file__).parents[2] / "config.json").read_text())
    shipped["freqai"]["feature_parameters"]["label_period_candles"] = 12
    config.write_text(json.dumps(shipped))
    with_ledger(tmp_path)
    assert report(tmp_path, "--live", "--json", "--config", str(config)) == 0
    found = ReportJson.model_validate_json(capsys.readouterr().out)
    facts = {row["what"]: row["value"] for row in found.page.sections[1].tables["Facts"]}
    assert facts["label"] == "triple_barrier, horizon 12 candles"
    assert found.page.notes == []


def test_a_bot_s_trades_come_from_the_database_that_its_config_names(
    tmp_path: Path, capsys: Capture
) -> None:
    config, database = tmp_path / "config.json", tmp_path / "trades.sqlite"
    config.write_text(json.dumps({"db_url": f"sqlite:///{database}"}))
    with_ledger(tmp_path)

    def section() -> dict[str, Any]:
        assert report(tmp_path, "--live", "--json", "--config", str(config)) == 0
        sections = json.loads(capsys.readouterr().out)["page"]["sections"]
        return next(part for part in sections if part["key"] == "trades")

    assert f"there is no file {database}" in section()["missing"]
    init_db(f"sqlite:///{database}")
    assert section()["missing"] == "The bot has not closed a trade yet."


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--ledger", "x"], "--ledger is about a running bot: add --live"),
        (["--live", "--identifier", "x"], "--identifier is about a backtest: leave out --live"),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    tmp_path: Path, capsys: Capture, given: list[str], message: str
) -> None:
    assert report(tmp_path, *given) == 2
    assert message in capsys.readouterr().err


def test_help_shows_examples(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["report", "--help"])
    assert "freqai-signals report --html --open" in capsys.readouterr().out
