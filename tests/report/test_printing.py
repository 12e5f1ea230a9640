"""The report's tables on a terminal."""

import itertools
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from freqai_signals.report.page.sections import page_sections
from freqai_signals.report.printing import print_report
from freqai_signals.schema import Reason
from tests.report.page.page_frames import frames_of, many_days
from tests.report.run_rows import rows_of

TITLES = (
    "Signal quality per pair",
    "Confidence tiers",
    "Predicted and realised return after costs",
    "What each rule removed",
    "Signals emitted",
    "Findings",
)


def printed(width: int = 160, verdict: str = "The verdict.", **pairs: pd.DataFrame) -> str:
    text = StringIO()
    sections = page_sections(frames_of(**pairs))
    print_report(sections[1:-1], "Title", Console(file=text, width=width), [verdict])
    return text.getvalue()


def line_of(text: str, begin: str) -> list[str]:
    """Cells of the first table line whose first cell is ``begin``."""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines()]
    return next(row for row in rows if row and row[0] == begin)


def headers_of(text: str) -> list[list[str]]:
    """Column names of each table."""
    lines = (line for line in text.splitlines() if line.startswith("┃"))
    return [[cell.strip() for cell in line.split("┃")[1:-1]] for line in lines]


def test_every_table_is_printed_after_the_verdict() -> None:
    lines = printed(A=many_days()).splitlines()
    assert lines[:2] == ["Title", "The verdict."]
    assert all(title in lines for title in TITLES)


def test_numbers_stand_beside_their_errors() -> None:
    cells = line_of(printed(A=many_days()), "all pairs")
    assert all("±" in cell for cell in cells[1:3])
    assert "unknown" not in "".join(cells)
    assert cells[-1] == "720"


def test_an_error_that_few_days_cannot_give_is_called_unknown() -> None:
    text = printed(A=many_days(3))
    assert all("± unknown" in cell for cell in line_of(text, "all pairs")[1:3])


def test_returns_are_printed_in_per_cent_with_sign() -> None:
    """The buy earned 1 % less 0.2 %, the sell lost as much and 0.2 %."""
    frame = rows_of("BS", "BB", expected_return=[0.01, -0.001])
    text = printed(A=frame)
    assert line_of(text, "+1.000 %")[1] == "+0.800 % ± unknown"
    assert line_of(text, "-0.100 %")[1] == "-1.200 % ± unknown"


def test_rules_are_counted() -> None:
    reasons = [Reason.NO_EDGE, ""]
    text = printed(A=rows_of("BB", "BB", reject_reason=reasons, signal_strength=[0, 1]))
    assert line_of(text, "no_edge")[1:] == ["1", "1", "50.0 %"]


def test_nothing_to_score_is_said_instead_of_shown() -> None:
    text = printed(A=rows_of("BS", "??"), B=rows_of("", ""))
    assert "Signal quality per pair" not in text
    assert line_of(text, "skill")[1] == "No trusted prediction has a known outcome yet."


@pytest.mark.parametrize("width", [80, 60])
def test_a_terminal_shows_every_table_within_its_width(width: int) -> None:
    name = "1000000CHEEMS"
    rows = many_days(150)
    text = printed(width, **{name: rows.assign(signal=2)})
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert all(title in lines for title in TITLES)
    assert "…" not in text
    assert "3,600" in text


def test_the_docs_show_tables_that_the_report_prints_at_80_columns() -> None:
    document = (Path(__file__).parents[2] / "docs" / "report.md").read_text()
    block = document.split("<!-- report: begin -->")[1].split("<!-- report: end -->")[0]
    lines = block.splitlines()
    assert max(map(len, lines)) <= 80
    titles = [before for before, line in itertools.pairwise(lines) if "┏" in line]
    assert set(titles) <= set(TITLES)
    assert len(titles) >= 4
    shown, now = headers_of(block), headers_of(printed(80, A=many_days(150)))
    assert len(shown) >= 4
    assert all(header in now for header in shown), now
