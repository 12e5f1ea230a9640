"""The report on a terminal: the verdict, the page's main tables, a sentence for the rest."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd
from rich.console import Console
from rich.text import Text

from freqai_signals.report.page.formats import UNKNOWN, text_of
from freqai_signals.report.page.parts.decision_sections import BY_PAIR as SIGNALS
from freqai_signals.report.page.parts.page_section import Section
from freqai_signals.report.page.parts.skill_section import BY_PAIR as SKILL
from freqai_signals.terminal import TableColumn, print_table


@dataclass(frozen=True)
class _Table:
    """A table of a section, and how a terminal shows it.

    Attributes
    ----------
    name
        The section's name of it.
    title
        Above it on the terminal.
    errors
        Column to that of its standard error, which stands beside it.
    last
        Columns that a narrow terminal can do without, the first of them the longest kept.
    """

    name: str
    title: str
    errors: Mapping[str, str] = field(default_factory=dict)
    last: tuple[str, ...] = ()


_TABLES: Final = {
    "skill": _Table(
        SKILL,
        "Signal quality per pair",
        {"skill": "error", "over climatology": "climatology error", "brier": "brier error"},
        ("direction auc", "move auc", "brier"),
    ),
    "tiers": _Table(
        "Tiers",
        "Confidence tiers",
        {"right": "error", "direction right": "direction error"},
        ("direction stated", "moved"),
    ),
    "returns": _Table(
        "All buy and sell predictions",
        "Predicted and realised return after costs",
        {"realised": "error"},
    ),
    "features": _Table(
        "Feature groups",
        "Importance of each feature group",
        last=("gain most", "gain least", "shap", "shap least", "shap most"),
    ),
    "rules": _Table("Rules", "What each rule removed"),
}
_SIGNALS: Final = _Table(SIGNALS, "Signals emitted", last=("last confidence", "last signal"))
_BOUNDS: Final = frozenset({"low", "high"})


def print_report(
    sections: Sequence[Section], title: str, console: Console, verdict: Sequence[str] = ()
) -> None:
    """Print title, verdict and the sections, in the page's order.

    Parameters
    ----------
    sections
        Of the page, after the verdict; every number printed is one of theirs.
    title
        Of the report.
    console
        Of :func:`~freqai_signals.terminal.table_console`.
    verdict
        Sentences that come first.
    """
    console.print(Text(title, style="bold"))
    if verdict:
        console.print(Text(" ".join(verdict)))
    for section in sections:
        table = _TABLES.get(section.key)
        if section.missing or table is None:
            continue
        _print(section.tables[table.name], table, console)
        if section.key == "rules":
            _print(section.tables[SIGNALS], _SIGNALS, console)
        console.print(Text(section.finding))
    rest = [s for s in sections if s.missing or s.key not in _TABLES]
    columns = [TableColumn("section", keep_whole=True), TableColumn("finding")]
    rows = [{"section": section.key, "finding": section.finding} for section in rest]
    print_table("Findings", rows, console, columns)


def _print(frame: pd.DataFrame, table: _Table, console: Console) -> None:
    shown = [
        str(name)
        for name in frame.columns
        if name not in _BOUNDS and name not in table.errors.values()
    ]
    shown = [name for name in shown if not frame[name].isna().all() or name in table.errors]
    columns = [
        TableColumn(
            name,
            table.last.index(name) + 1 if name in table.last else 0,
            is_number=pd.api.types.is_numeric_dtype(frame[name]),
            keep_whole=True,
        )
        for name in shown
    ]
    known = frozenset(map(str, frame.columns))
    rows = [
        {name: _cell(row, name, table, known) for name in shown} for row in frame.to_dict("records")
    ]
    print_table(table.title, rows, console, columns)


def _cell(row: Mapping[Any, Any], name: str, table: _Table, known: frozenset[str]) -> str:
    text = text_of(row[name], name, table.name, known)
    error = row.get(table.errors.get(name, ""))
    if text == UNKNOWN or name not in table.errors:
        return text
    if error is None or not math.isfinite(error):
        return f"{text} ± unknown"
    beside = text_of(error, "error", table.name, known) if "%" in text else f"{error:.3f}"
    return f"{text.removesuffix(' %')} ± {beside.removeprefix('+')}"
