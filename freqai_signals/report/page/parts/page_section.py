"""What every section of the page is: a sentence, tables, and how they were computed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Section:
    """One section; drawings and JSON are made from its tables alone.

    Attributes
    ----------
    key
        Name in JSON and in the page's links.
    title
        Headline.
    finding
        One sentence on what these numbers show here.
    method
        How they were computed and what they leave out.
    tables
        Caption to frame, aggregates only.
    missing
        Why there is nothing to show; empty if there is.
    """

    key: str
    title: str
    finding: str
    method: str
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    missing: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain values; NaN and missing times become None, times ISO text in UTC."""
        return {
            "key": self.key,
            "title": self.title,
            "finding": self.finding,
            "method": self.method,
            "missing": self.missing,
            "tables": {name: records(table) for name, table in self.tables.items()},
        }


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as plain values."""
    names = [str(name) for name in table.columns]
    return [
        dict(zip(names, map(_plain, row), strict=True))
        for row in table.itertuples(index=False, name=None)
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return None if pd.isna(value) else value.isoformat()
    if isinstance(value, np.generic):
        # json does not know NumPy's scalars.
        value = value.item()
    # JSON has neither NaN nor infinity.
    if value is None or value is pd.NaT or (isinstance(value, float) and not np.isfinite(value)):
        return None
    return value


def absent(key: str, title: str, why: str, method: str) -> Section:
    """A section without data, which says why."""
    return Section(key, title, why, method, missing=why)
