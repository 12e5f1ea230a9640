"""One printer: tables that fit, words that are no markup, times that say UTC."""

import json
import re
from datetime import datetime, timedelta, timezone
from io import StringIO

import pytest
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from freqai_signals.terminal import (
    TableColumn,
    fitting,
    print_entries,
    print_json,
    print_table,
    progress,
    table_console,
    utc_text,
)

COLUMNS = [
    TableColumn("pair", keep_whole=True),
    TableColumn("rows", is_number=True),
    TableColumn("brier", 2, is_number=True),
    TableColumn("skill", 1, is_number=True),
    TableColumn("why", 0),
]
ROWS = [{"pair": "BTC/USDT", "rows": "1,234,567", "brier": "0.5812", "skill": "0.118",
         "why": "a sentence that may be broken into lines"}]  # fmt: skip


def printed(width: int, rows: list[dict[str, str]] = ROWS) -> str:
    text = StringIO()
    print_table("A table", rows, Console(file=text, width=width), COLUMNS)
    return text.getvalue()


def test_wide_table_keeps_its_columns_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table()
    names = [f"a column with a long name {number}" for number in range(4)]
    for name in names:
        table.add_column(name)
    table_console().print(table)
    (head,) = [line for line in capsys.readouterr().out.splitlines() if "long name" in line]
    assert all(name in head for name in names)


def test_markup_in_titles_headers_and_cells_is_literal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("[/b] title", [{"[/i] name": "[/red] value \x1b[2J"}])
    print_table("[/b] empty", [])
    shown = capsys.readouterr().out
    for text in ("[/b] title", "[/i] name", "[/red] value ?[2J", "[/b] empty: none"):
        assert text in shown


@pytest.mark.parametrize(
    ("width", "kept"),
    [
        (160, ["pair", "rows", "brier", "skill", "why"]),
        (59, ["pair", "rows", "skill", "why"]),
        (50, ["pair", "rows", "why"]),
    ],
)
def test_columns_leave_by_priority(width: int, kept: list[str]) -> None:
    found = fitting(COLUMNS, ROWS, width)
    assert found is not None
    assert [column.name for column in found] == kept


@pytest.mark.parametrize("width", [160, 80, 60, 50, 40, 20])
def test_numbers_and_names_are_never_cut(width: int) -> None:
    text = printed(width)
    assert "…" not in text
    assert "1,234,567" in text
    assert "BTC/USDT" in text


ID = "20230217T0820-8bdeebf47e"


@pytest.mark.parametrize("width", [120, 80, 60])
def test_an_id_within_a_text_can_be_copied_at_any_width(width: int) -> None:
    rows = [{"about": "freqai-signals/pool", "what": f"registered {ID}",
             "why": "accepted, since it is better than the class shares"}]  # fmt: skip
    text = StringIO()
    console = Console(file=text, width=width)
    print_table("Events", rows, console)
    print_entries("Events", [("2023-02-17 10:44", " ".join(rows[0].values()))], console)
    assert text.getvalue().count(ID) == 2


def test_entries_hang_behind_their_heads_within_the_width() -> None:
    text = StringIO()
    console = Console(file=text, width=40)
    print_entries("Events", [("10:44", "[/b] one two three four five six seven")], console)
    print_entries("More", [], console)
    assert text.getvalue().splitlines() == [
        "Events", "  10:44  [/b] one two three four five", "         six seven", "More: none",
    ]  # fmt: skip


@pytest.mark.parametrize("width", [160, 80, 60, 50])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, printed(width).splitlines())) <= width


def test_what_has_no_room_is_named() -> None:
    assert "no room here for brier" in printed(59)
    assert "no room" not in printed(160)


def test_rows_become_blocks_where_not_even_the_least_fits() -> None:
    lines = printed(30).splitlines()
    assert "  rows   1,234,567" in lines
    assert "  brier  0.5812" in lines


@pytest.mark.parametrize("width", [160, 30])
def test_brackets_are_no_markup(width: int) -> None:
    text = printed(width, [ROWS[0] | {"pair": "[/red]", "why": "[bold]loud[/bold]"}])
    assert "[/red]" in text
    assert "[bold]loud[/bold]" in text


def test_an_empty_table_is_a_line() -> None:
    assert printed(80, []) == "A table: none\n"


def test_json_is_whole_in_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    content = {"text": "[red]" * 50, "numbers": list(range(50)), "none": None}
    print_json(content)
    assert json.loads(capsys.readouterr().out) == content


def test_json_holds_null_for_what_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"auc": float("nan"), "rows": [1.5, float("inf"), {"none": None}]})
    found = json.loads(capsys.readouterr().out)
    assert found == {"auc": None, "rows": [1.5, None, {"none": None}]}


def test_a_bar_within_one_of_freqtrade_stands_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=(shown := StringIO()), force_terminal=True, width=80)
    monkeypatch.setattr("freqtrade.loggers.error_console", console)
    with Progress(console=console) as theirs:
        theirs.add_task("analyze", total=4)
        with progress("Training windows", 2) as advance:
            advance(1)
            theirs.refresh()
    frames = re.sub(r"\x1b\[[\d;]*m", "", shown.getvalue()).split("\x1b[1A")
    assert any(re.search(r"analyze (?s:.*)\nTraining windows .*1 of 2", frame) for frame in frames)


def test_times_are_in_utc_wherever_they_come_from() -> None:
    ahead = timezone(timedelta(hours=2))
    assert utc_text(datetime(2024, 1, 1, 1, tzinfo=ahead)) == "2023-12-31 23:00 UTC"
    assert utc_text(datetime(2024, 1, 1, 1)) == "2024-01-01 01:00 UTC"
