"""Tables in files and pipes keep their columns."""

import pytest
from rich.table import Table

from freqai_signals.terminal import table_console


def test_wide_table_keeps_its_columns_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table()
    names = [f"a column with a long name {number}" for number in range(4)]
    for name in names:
        table.add_column(name)
    table_console().print(table)
    (head,) = [line for line in capsys.readouterr().out.splitlines() if "long name" in line]
    assert all(name in head for name in names)
