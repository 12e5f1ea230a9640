"""``freqai-signals ledger``: whole, edited, exported, and not there."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from freqai_signals.commands.cli import main
from freqai_signals.ledger import ledger as ledger_module
from freqai_signals.ledger.ledger import Ledger
from tests.ledger.ledger_rows import sqlite_url
from tests.ledger.test_chain import fill


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    ledger = Ledger(sqlite_url(tmp_path))
    with monkeypatch.context() as patch:
        fill(ledger, range(20_000, 20_003), patch)
    ledger.close()
    assert ledger_module.time.time() > 20_003 * 86_400
    return tmp_path / "ledger.sqlite"


def change(file: Path, statement: str) -> None:
    connection = sqlite3.connect(file)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_whole_ledger_is_said_to_be_whole(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ledger", "verify", "--ledger", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == 3 * (2 * 7 + 3)
    assert found["problems"] == []
    assert main(["ledger", "verify", "--ledger", str(file)]) == 0
    assert "Problems: none" in capsys.readouterr().out


def test_an_edited_row_is_named(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(file, "UPDATE predictions SET proba_buy = 0.99 WHERE bot = 'bot' AND number = 2")
    assert main(["ledger", "verify", "--ledger", str(file), "--json"]) == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert "row 2 of predictions" in problems[0]["problem"]
    assert main(["ledger", "verify", "--ledger", str(file)]) == 1


def check(repo: Path, *paths: Path) -> str:
    """Run what docs/operation.md gives to strangers; what it prints, or its error."""
    text = (repo / "docs" / "operation.md").read_text()
    (code,) = [part for part in text.split("```") if part.startswith("python\nimport csv")]
    done = subprocess.run(
        [sys.executable, "-c", code.removeprefix("python"), *map(str, paths)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_an_export_can_be_checked_by_anybody(
    repo: Path, file: Path, tmp_path: Path, kind: str
) -> None:
    out = tmp_path / "out"
    command = ["ledger", "export", "--ledger", str(file), "--out", str(out), "--format", kind]
    assert main(command) == 0
    assert check(repo, out / "chain.csv").startswith("whole; 12 predictions were recorded after")
    read = pd.read_csv if kind == "csv" else pd.read_parquet
    record = read(out / f"track_record.{kind}")
    assert len(record) == 3 * 2 * 4
    assert record["realised"].notna().sum() == 3 * 2 * 2
    roots = pd.read_csv(out / "roots.csv")
    assert roots["date"].tolist() == ["2024-10-04", "2024-10-05"] * 2
    page = (out / "index.html").read_text()
    assert "24 predictions" in page
    assert all(root not in page for root in roots["hash"])
    text = (out / "chain.csv").read_text()
    (out / "chain.csv").write_text(text.replace('""proba_buy"":0.5', '""proba_buy"":0.6', 1))
    assert "AssertionError: ('bot', " in check(repo, out / "chain.csv")
    lines = text.splitlines(keepends=True)
    (out / "chain.csv").write_text("".join(lines[:5] + lines[6:]))
    assert "'missing')" in check(repo, out / "chain.csv")


def test_an_export_can_be_checked_after_old_rows_became_sums(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}", detail_days=3)
    fill(ledger, range(20_000, 20_010), monkeypatch)
    ledger.close()
    out = tmp_path / "out"
    assert (
        main(["ledger", "export", "--ledger", str(tmp_path / "ledger.sqlite"), "--out", str(out)])
        == 0
    )
    chain = pd.read_csv(out / "chain.csv")
    assert chain.groupby("bot")["number"].min().gt(1).all(), "it begins behind rows that are gone"
    assert check(repo, out / "chain.csv", out / "roots.csv").startswith("whole; ")
    sums = pd.read_csv(out / "daily.csv")
    kept = len(pd.read_csv(out / "track_record.csv"))
    assert sums["live"].sum() + kept == 10 * 2 * 4
    assert sums["date"].iloc[0] == "1971-11-26"
    text = (out / "roots.csv").read_text()
    (out / "roots.csv").write_text(text.replace(sums_root(out), "0" * 64))
    assert "AssertionError: ('bot'" in check(repo, out / "chain.csv", out / "roots.csv")


def sums_root(out: Path) -> str:
    """Root at which the kept rows of the first bot begin."""
    roots, chain = pd.read_csv(out / "roots.csv"), pd.read_csv(out / "chain.csv")
    before = chain.groupby("bot")["number"].min()["bot"] - 1
    return str(roots[(roots["bot"] == "bot") & (roots["number"] == before)]["hash"].item())


def test_a_ledger_rewritten_differs_from_roots_that_were_kept(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    main(["ledger", "export", "--ledger", str(file), "--out", str(out)])
    roots = out / "roots.csv"
    command = ["ledger", "verify", "--ledger", str(file), "--roots", str(roots), "--json"]
    assert main(command) == 0
    lines = roots.read_text().splitlines()
    roots.write_text("\n".join([*lines[:-1], lines[-1].replace("other", "bot", 1)]))
    capsys.readouterr()
    assert main(command) == 1
    assert "was another one" in capsys.readouterr().out
    roots.write_text("a,b\n1,2\n")
    assert main(command) == 2


def test_looking_makes_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ledger", "verify", "--ledger", str(tmp_path / "none.sqlite")]) == 2
    other = tmp_path / "other.sqlite"
    change(other, "CREATE TABLE theirs (x)")
    assert main(["ledger", "verify", "--ledger", str(other)]) == 2
    assert "is no ledger" in capsys.readouterr().err
    tables = sqlite3.connect(other).execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("theirs",)]
