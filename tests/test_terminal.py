"""Tables in files and pipes keep their columns."""

import pytest
from rich.table import Table

from freqai_signals.terminal import print_table, table_console


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
