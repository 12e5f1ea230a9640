"""The example notebook runs as it stands, over a backtest's record."""

import json
from pathlib import Path

import pytest

from tests.report.data.test_backtest_frames import recorded
from tests.report.page.page_frames import many_days

NOTEBOOK = Path(__file__).parents[2] / "docs" / "examples" / "reliability.ipynb"


def code_cells() -> list[str]:
    notebook = json.loads(NOTEBOOK.read_text())
    assert notebook["nbformat"] == 4
    return ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]


def test_it_goes_from_a_backtest_to_a_plot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(tmp_path / "user_data", many_days(60))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for cell in code_cells():
        exec(compile(cell, str(NOTEBOOK), "exec"), names)
    figure = names["figure"]
    (line,) = figure.data  # type: ignore[attr-defined]
    assert len(line.x) > 10
    # Outcomes are drawn by the stated probabilities: the points lie near the diagonal.
    middle = (line.x > 0.2) & (line.x < 0.6)
    assert abs(line.y - line.x)[middle].max() < 0.2


def test_it_is_ten_lines_and_holds_no_output() -> None:
    lines = [line for cell in code_cells() for line in cell.splitlines() if line.strip()]
    assert len(lines) <= 10
    assert 'execution_count": null' in NOTEBOOK.read_text()
