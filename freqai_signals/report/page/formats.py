"""Numbers as readers see them: by the name of their column."""

import math
from typing import Any, Final

import pandas as pd

_RETURN_TABLES: Final = frozenset({"net", "realised"})
_RETURNS: Final = frozenset({"net", "realised", "predicted", "error", "low", "high"})
_PERCENT: Final = frozenset(
    {
        *("stated", "happened", "low", "high", "right", "coverage", "share", "gap", "noise"),
        *("skill", "error", "over climatology", "climatology error", "ece", "won"),
        *("direction right", "direction error", "direction stated"),
        *("gain", "gain least", "gain most"),
        *("shap", "shap least", "shap most", "confidence"),
    }
)
_SIGNED: Final = frozenset({"wallet", "buy and hold", "under water"})
_PERCENT_TABLES: Final = ("Share", "Class shares", "Gain by", "Confusion")
UNKNOWN: Final = "–"


def text_of(value: Any, column: str, table: str, columns: frozenset[str]) -> str:
    """One cell as text.

    Parameters
    ----------
    value
        What stands there; NaN and missing become a dash.
    column, table
        Names; they distinguish percentages from counts.
    columns
        All of the table's: ``low`` beside a return is a return.

    Examples
    --------
    >>> text_of(0.0123, "net", "Tiers", frozenset({"net"}))
    '+1.230 %'
    >>> text_of(0.0123, "right", "Tiers", frozenset({"right"}))
    '1.2 %'
    >>> text_of(1234.0, "rows", "Tiers", frozenset({"rows"}))
    '1,234'
    """
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):
        return UNKNOWN
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}" if value == value.normalize() else f"{value:%Y-%m-%d %H:%M}"
    return _number(float(value), column, table, columns)


def _number(value: float, column: str, table: str, columns: frozenset[str]) -> str:
    if not math.isfinite(value):
        return "∞" if value > 0 else "−∞"
    if column in _RETURNS and columns & _RETURN_TABLES:
        return f"{value * 100:+.3f} %"
    if column == "cost":
        return f"{value * 100:.2f} %"
    if column in _SIGNED or table == "By month":
        return f"{value * 100:+.1f} %"
    in_percent = column in _PERCENT or table.startswith(_PERCENT_TABLES)
    if in_percent and column != "rows":
        return f"{value * 100:.1f} %"
    return f"{int(value):,}" if value.is_integer() else f"{value:,.3f}"
