"""Benchmarks of speed: growth with the rows, parts of a command, the table of all files."""

import json
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import harness, summary
from benchmarks.bench_backtest import measured
from benchmarks.bench_newcomer import BEGINS, split
from benchmarks.harness import Timing, exponents, save
from benchmarks.summary import Row, rows_of


def timings(name: str, power: float) -> list[Timing]:
    return [Timing(name, rows, 1e-6 * rows**power, 0.0, 1.0, 3) for rows in (100, 200, 400)]


def test_the_power_of_the_rows_is_found_for_each_name() -> None:
    mixed = [*timings("linear", 1.0), *timings("square", 2.0), Timing("once", 5, 1.0, 1.0, 1.0, 1)]
    assert exponents(mixed) == {"linear": 1.0, "square": 2.0}


def test_a_table_says_how_it_grows(capsys: pytest.CaptureFixture[str]) -> None:
    harness.print_table("growth", timings("square", 2.0))
    assert "square: seconds grow with the rows to the power of 2.00" in capsys.readouterr().out


def test_files_describe_the_machine_and_its_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness, "RESULTS", tmp_path)
    content = json.loads(save("made", {"growth": timings("square", 2.0)}).read_text())
    assert {"cpu", "cores", "load_before", "load_after"} <= set(content["machine"])
    assert content["exponents"] == {"growth": {"square": 2.0}}


def timing(name: str, seconds: float, rows: int = 1) -> dict[str, object]:
    return {"name": name, "rows": rows, "seconds": seconds}


def test_ours_stands_beside_stock_of_the_same_kind() -> None:
    made = {"stock, idle": 4.0, "stock, busy": 9.0, "ours, idle": 1.0, "ours, busy": 3.0}
    content = {"tables": {"pairs": [timing(name, seconds) for name, seconds in made.items()]}}
    found = {row.what: (row.beside, row.ratio) for row in rows_of("latency", content)}
    assert found == {
        "latency, pairs: ours, idle": ("stock, idle", 0.25),
        "latency, pairs: ours, busy": ("stock, busy", pytest.approx(1 / 3)),
    }


def test_others_stand_beside_the_first_a_row() -> None:
    content = {"tables": {"labels": [timing("plain", 2.0, 10), timing("make", 4.0, 200)]}}
    (row,) = rows_of("labels", content)
    assert (row.beside, row.theirs, row.ratio) == ("plain", 40.0, pytest.approx(0.1))


def test_settings_are_no_rivals() -> None:
    content = {"tables": {"decisions of one pair": [timing("a", 1.0), timing("b", 2.0)]}}
    assert [row.ratio for row in rows_of("decisions", content)] == [None, None]


def test_backtests_and_parts_of_a_command_have_rows() -> None:
    run = {
        "pairs": 5, "trees": 9, "ours": {"cpu_seconds": 1.0}, "stock": {"cpu_seconds": 4.0},
        "ours / stock": {"cpu_seconds": 0.25},
    }  # fmt: skip
    rows = [*rows_of("b", {"runs": [run], "parts": {"install": 7.0}, "tables": {}})]
    assert rows == [Row("b, 5 pairs, CPU s", 1.0, "stock", 4.0, 0.25), Row("b: install", 7.0)]


def test_one_table_and_one_picture_of_all_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness, "RESULTS", tmp_path)
    save("growth", {"ledger": timings("write", 2.0)})
    save("labels", {"pace": [Timing("plain", 10, 2.0, 2, 2, 1), Timing("make", 10, 1.0, 1, 1, 1)]})
    (tmp_path / "quality.json").write_text('{"results": {}}')
    (tmp_path / "list.json").write_text("[]")
    summary.main(["--folder", str(tmp_path)])
    said = capsys.readouterr().out
    assert "growth, ledger: write" in said
    assert "0.500" in said
    assert "quality" not in said
    assert "load before and after" in said
    with Image.open(tmp_path / "summary.png") as picture:
        assert picture.width == summary.WIDTH


def test_nothing_measured_is_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no timings"):
        summary.main(["--folder", str(tmp_path)])


def test_seconds_of_a_command_are_split_by_its_lines() -> None:
    lines = [(1.0, "make: enters\n")]
    lines += [(10.0 * n, f"log - {mark}x\n") for n, mark in enumerate(BEGINS.values(), start=1)]
    parts = split(lines, 75.0)
    assert list(parts) == list(BEGINS)
    assert parts["simulate"] == 20.0
    assert parts["report"] == 15.0
    assert sum(parts.values()) == 75.0


def test_a_part_that_never_began_is_named() -> None:
    with pytest.raises(ValueError, match="'import' begins"):
        split([(1.0, "Simulating 5 pairs")], 2.0)


def test_a_backtest_whose_training_failed_is_no_measurement(tmp_path: Path) -> None:
    words = "Training BTC raised exception ValueError"
    with pytest.raises(RuntimeError, match=words):
        measured(["sh", "-c", f"echo {words}"], tmp_path / "log")


def test_seconds_to_the_first_training_are_read_from_the_log(tmp_path: Path) -> None:
    words = (
        "$(date '+%Y-%m-%d %H:%M:%S,999') - freqai - INFO - Training the boosters of 2 windows\n"
        "2099-01-01 00:00:00,000 - freqai - INFO - Starting training B/USDT"
    )
    cost = measured(["sh", "-c", f'echo "{words}"'], tmp_path / "log")
    assert 0 <= cost.start_seconds < 60
    with pytest.raises(RuntimeError, match="no training was logged"):
        measured(["sh", "-c", "echo nothing"], tmp_path / "log")
