"""The report's tables on a terminal and as JSON."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from freqai_signals.report.data.backtest_record import Run
from freqai_signals.report.model_usage import RunModels
from freqai_signals.report.printing import as_json, print_report
from freqai_signals.report.quality import TOTAL
from freqai_signals.schema import Reason
from tests.report.run_rows import rows_of, run_of

NONE_LEFT = RunModels(Path("nowhere"))
TITLES = (
    "Signal quality per pair",
    "Confidence tiers",
    "Signals emitted",
    "What each rule removed",
)


def printed(run: Run, models: RunModels = NONE_LEFT) -> str:
    text = StringIO()
    print_report(run, models, Console(file=text, width=160))
    return text.getvalue()


def line_of(text: str, begin: str) -> list[str]:
    """Cells of the first table line whose first cell is ``begin``."""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines()]
    return next(row for row in rows if row and row[0] == begin)


def some_run() -> Run:
    frame = rows_of(
        "BSh", "BBh", signal=[2, -1, 1], signal_strength=[1, 0, 0],
        reject_reason=[Reason.NONE, Reason.NO_EDGE, Reason.NONE],
        expected_return=[0.01, -0.001, 0.0],
    )  # fmt: skip
    return run_of(BTC=frame, ETH=rows_of("", ""))


def test_every_table_is_printed_with_its_settings() -> None:
    text = printed(some_run())
    assert all(title in text for title in TITLES)
    assert "Predicted and realised return after costs" in text
    assert "20240101-20240201" in text
    assert "triple_barrier, horizon 24 candles" in text
    assert "round trip costs 0.20%" in text


def test_keys_that_did_nothing_are_printed_as_they_stand() -> None:
    run = some_run()
    run.facts["ignored"] = ["freqai.conv_width = [2]: the model is another"]
    assert "ignored: freqai.conv_width = [2]: the model is another" in printed(run)


def test_cells_hold_counts_shares_and_dashes_for_what_is_unknown() -> None:
    text = printed(some_run())
    assert line_of(text, "BTC/USDT")[1:4] == ["3", "0", "3"]
    assert line_of(text, "ETH/USDT")[1:] == ["0"] * 3 + ["-"] * 5 + ["0"] * 3
    assert line_of(text, "no_edge")[1:] == ["1", "0.500"]
    assert line_of(text, "strong")[1:] == ["0", "-", "-", "0", "-", "-", "0"]


def test_returns_are_printed_in_per_cent_with_sign() -> None:
    """The buy earned 1 % less 0.2 %, the sell lost as much and 0.2 %."""
    text = printed(some_run())
    assert "+0.800%" in text
    assert "-1.200%" in text


def test_the_cost_at_which_rejected_signals_would_have_passed_is_printed() -> None:
    """Wrapped lines are joined before the comparison."""
    text = " ".join(printed(some_run()).split())
    assert "The expected-value rule removed 1 signals at a round-trip cost of 0.200%" in text
    assert "The expected-value rule removed no signal." in printed(run_of(A=rows_of("B", "B")))


def test_nothing_to_score_is_printed_without_the_table_of_returns() -> None:
    text = printed(run_of(BTC=rows_of("BS", "??"), ETH=rows_of("", "")))
    assert all(title in text for title in TITLES)
    assert "Predicted and realised return" not in text


def test_large_numbers_and_long_names_are_not_cut_off() -> None:
    name = "1000000CHEEMS"
    text = printed(run_of(**{name: rows_of("BSh" * 4000, "hSB" * 4000, signal=2)}))
    assert "…" not in text
    assert line_of(text, f"{name}/USDT")[1:4] == ["12,000", "0", "12,000"]
    assert "direction_stated" in text


@pytest.mark.parametrize("width", [80, 60])
def test_a_terminal_shows_every_table_within_its_width(width: int) -> None:
    text = StringIO()
    run = run_of(**{"1000000CHEEMS": rows_of("BSh" * 4000, "hSB" * 4000, signal=2)})
    print_report(run, NONE_LEFT, Console(file=text, width=width), ["The verdict."])
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert all(title in text.getvalue() for title in TITLES)
    assert "…" not in text.getvalue()
    assert lines.index("The verdict.") < next(i for i, line in enumerate(lines) if "┏" in line)


def test_the_docs_show_tables_that_the_report_prints_at_80_columns() -> None:
    document = (Path(__file__).parents[2] / "docs" / "report.md").read_text()
    block = document.split("<!-- report: begin -->")[1].split("<!-- report: end -->")[0]
    assert max(map(len, block.splitlines())) <= 80
    text = StringIO()
    frame = rows_of("BSh" * 6000, "BBh" * 6000, signal=2, signal_strength=1)
    print_report(run_of(BTC=frame), NONE_LEFT, Console(file=text, width=80))
    heads = [line.split() for line in text.getvalue().splitlines() if line.startswith("┃")]
    shown = [line.split() for line in block.splitlines() if line.startswith("┃")]
    assert len(shown) == 4
    assert all(head in heads for head in shown)


def test_json_holds_every_table_and_the_facts() -> None:
    run = some_run()
    found = json.loads(json.dumps(as_json(run, NONE_LEFT), allow_nan=False))
    tables = {"quality", "tiers", "signals", "rules", "reliability", "facts", "feature_groups"}
    assert set(found) == tables
    assert set(found["quality"]) == {"BTC/USDT", "ETH/USDT", TOTAL}
    assert found["quality"]["BTC/USDT"]["scored"] == 3
    assert found["quality"]["ETH/USDT"]["skill"] is None
    assert set(found["tiers"]) == {"none", "weak", "medium", "strong"}
    assert found["signals"][TOTAL]["generated"] == 2
    assert found["rules"]["no_edge"]["rows"] == 1
    assert [row["count"] for row in found["reliability"]] == [1, 1]
    assert found["facts"] == run.facts
