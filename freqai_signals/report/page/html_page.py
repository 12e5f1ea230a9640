"""The page itself: one file, nothing fetched, readable without JavaScript."""

import base64
import gzip
import html
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

import pandas as pd

from freqai_signals.report.page.formats import text_of
from freqai_signals.report.page.parts.page_section import Section

_STRIPS: Final = ("Facts", "Numbers")
_FOLDER: Final = files("freqai_signals.report.page") / "assets"


def page(sections: Sequence[Section], title: str, notes: Sequence[str] = ()) -> str:
    """The whole page as HTML.

    plotly's script is 4.8 MB, more than the page may weigh; packed it is 2 MB, and browsers unpack
    it after the words and tables are on the screen. Where they cannot, or without JavaScript, the
    tables stand open instead of the drawings.

    Parameters
    ----------
    sections
        Of :func:`~freqai_signals.report.page.sections.page_sections`.
    title
        Shown and in the browser's tab.
    notes
        Sentences that a reader must know before the verdict.
    """
    from jinja2 import Environment

    drawn = {section.key: _figures(section) for section in sections}
    # Tags, reasons and the command may hold markup.
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_asset("page.html.j2"))
    specs = {name: spec for found in drawn.values() for name, _, _, spec in found}
    return template.render(
        title=title,
        notes=notes,
        sections=[_shown(section, drawn[section.key]) for section in sections],
        style=_asset("page.css"),
        script=_asset("page.js"),
        # Each specification is JSON already.
        figures="{" + ",".join(f'"{name}":{spec}' for name, spec in specs.items()) + "}",
        plotly=_packed_plotly() if specs else "",
    )


def _shown(section: Section, drawn: list[tuple[str, str, int, str]]) -> dict[str, Any]:
    cards = section.tables["Verdict"].to_dict("records") if section.key == "verdict" else []
    return {
        "key": section.key,
        "title": section.title,
        # A number and its sign stay on one line.
        "finding": section.finding.replace(" %", "\u00a0%"),
        "method": section.method,
        "missing": section.missing,
        "cards": cards,
        "facts": _facts(section),
        "figures": [
            {"name": name, "caption": caption, "height": height}
            for name, caption, height, _ in drawn
        ],
        "tables": [
            _table(name, table)
            for name, table in section.tables.items()
            if name not in ("Verdict", *_STRIPS)
        ],
    }


def _facts(section: Section) -> list[dict[str, str]]:
    """What stands side by side rather than in a table."""
    for name in _STRIPS:
        if name in section.tables:
            rows = _table(name, section.tables[name])["rows"]
            return [{"what": what, "value": value} for what, value in rows]
    return []


def _table(name: str, table: pd.DataFrame) -> dict[str, Any]:
    columns = [str(column) for column in table.columns]
    known = frozenset(columns)
    numeric = [pd.api.types.is_numeric_dtype(table[column]) for column in table.columns]
    rows = [
        [text_of(value, column, name, known) for value, column in zip(row, columns, strict=True)]
        for row in table.itertuples(index=False, name=None)
    ]
    return {"name": name, "columns": list(zip(columns, numeric, strict=True)), "rows": rows}


def _figures(section: Section) -> list[tuple[str, str, int, str]]:
    """Name, caption, height and JSON of each drawing."""
    from freqai_signals.report.page.figures import figures

    safe = Section(
        section.key, section.title, section.finding, section.method,
        {name: _plain_words(table) for name, table in section.tables.items()}, section.missing,
    )  # fmt: skip
    return [
        (
            f"{section.key}-{place}",
            caption,
            int(drawn.layout.height),
            # No word in it may end the script element that holds it.
            drawn.to_json().replace("<", "\\u003c"),
        )
        for place, (caption, drawn) in enumerate(figures(safe).items())
    ]


def _plain_words(table: pd.DataFrame) -> pd.DataFrame:
    """The table with markup in its words as words: plotly reads some HTML in labels."""
    words = table.copy()
    words.columns = [html.escape(c, quote=False) if isinstance(c, str) else c for c in table]
    for name in words.columns:
        if not pd.api.types.is_numeric_dtype(words[name]):
            words[name] = [
                html.escape(value, quote=False) if isinstance(value, str) else value
                for value in words[name]
            ]
    return words


@cache
def _packed_plotly() -> str:
    """Plotly's script, compressed, as base64; the same bytes every time."""
    from plotly.offline import get_plotlyjs

    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), 9, mtime=0)).decode()


@cache
def _asset(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
