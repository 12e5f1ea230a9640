"""The report as JSON: its form, as a schema that programs can check against."""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from freqai_signals.report.page.parts.page_section import Section

FORMAT: Final = 1
"""Raised when a name below changes its meaning; new names may come without."""

Cell = str | float | int | bool | None


class SectionJson(BaseModel):
    """One section of the page."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(description="name, the same in every report")
    title: str
    finding: str = Field(description="one sentence on what these numbers show here")
    method: str = Field(description="how they were computed")
    missing: str = Field(description="why there is no data; empty if there is")
    tables: dict[str, list[dict[str, Cell]]] = Field(
        description="caption to rows; fractions unless a column says otherwise, times ISO in UTC"
    )


class PageJson(BaseModel):
    """The page: what it shows, without its drawings."""

    model_config = ConfigDict(extra="forbid")

    format: int = FORMAT
    title: str
    notes: list[str] = Field(description="what a reader must know before the verdict")
    sections: list[SectionJson]


class ReportJson(BaseModel):
    """All that ``report --json`` prints; of a simulated market also the share of skill captured."""

    model_config = ConfigDict(extra="allow")

    facts: dict[str, Any]
    page: PageJson


def page_json(sections: Sequence[Section], title: str, notes: Sequence[str]) -> dict[str, Any]:
    """The page as plain values of this form."""
    return {
        "format": FORMAT,
        "title": title,
        "notes": list(notes),
        "sections": [section.as_json() for section in sections],
    }
