"""Columns and sub-plots for charts: percentages with few digits, empty where nothing is known."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.schema import (
    CONFIDENCE_COLUMN,
    EXPECTED_RETURN_COLUMN,
    LABEL_COLUMN,
    PROBA_COLUMNS,
    PROBA_MOVE_COLUMN,
    REASON_CODES,
    REASON_COLUMN,
    STRENGTH_COLUMN,
    THRESHOLD_COLUMN,
    SignalClass,
)
from freqai_signals.settings import DecisionSettings
from freqai_signals.signals.column_arrays import with_columns
from freqai_signals.signals.predictions import trusted_rows
from freqai_signals.signals.strength import Strength

# Legible on FreqUI's dark and light background, and told apart by colour-blind eyes.
BUY, SELL, MOVE, LINE = "#2f8fd8", "#e07b28", "#9a6fd0", "#8f8f8f"
RETURN: Final = "#2f9e8a"

SUBPLOTS: Final[dict[str, dict[str, dict[str, str]]]] = {
    "Prob. %": {
        "P(buy)": {"color": BUY},
        "P(sell)": {"color": SELL},
        "P(move)": {"color": MOVE},
    },
    "Rank": {
        "Confidence rank": {"color": MOVE},
        "Rank needed": {"color": LINE},
    },
    "Return %": {
        "Expected return": {"color": RETURN, "type": "bar"},
        "Return needed": {"color": SELL},
        "Zero": {"color": LINE},
    },
    "Strength": {
        "Buy strength": {"color": BUY, "type": "bar"},
        "Sell strength": {"color": SELL, "type": "bar"},
        "Zero": {"color": LINE},
        "Strongest buy": {"color": LINE},
        "Strongest sell": {"color": LINE},
    },
    "Rejected": {
        "Reject code": {"color": SELL, "type": "scatter"},
        "Zero": {"color": LINE},
        "Highest code": {"color": LINE},
    },
}
"""Name of each sub-plot, its columns and their style.

Names are short and sub-plots few: otherwise the axis labels overlap.
"""

LIVE_SUBPLOTS: Final[dict[str, dict[str, dict[str, str]]]] = {
    "Skill %": {"Live skill": {"color": BUY}, "Zero": {"color": LINE}},
    # A line, and the last to be drawn: a bar of level 0 would look like an unknown one.
    "Level": {"Zero": {"color": LINE}, "Halted": {"color": LINE}, "Level": {"color": SELL}},
}
"""Sub-plots of what only a running bot knows."""


def plot_config(*names: str, live: bool = False) -> dict[str, Any]:
    """A strategy's ``plot_config`` with these sub-plots, by default all that can have data.

    Parameters
    ----------
    names
        Of sub-plots.
    live
        Whether a bot runs, rather than a backtest.

    Examples
    --------
    >>> list(plot_config("Rank")["subplots"])
    ['Rank']
    """
    known = SUBPLOTS | LIVE_SUBPLOTS if live else SUBPLOTS
    return {"main_plot": {}, "subplots": {name: known[name] for name in names or known}}


def with_plots(
    frame: pd.DataFrame, settings: DecisionSettings, live: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Add the columns of all sub-plots that the frame's own columns allow.

    FreqUI draws and lists values as they are. So probabilities, the rank and returns are in
    percent, rounded; everything is NaN where the prediction is not trusted, and the expected return
    also where the model says hold, since holding earns nothing by definition.

    Parameters
    ----------
    frame
        With the columns of the model and, if there are any, of decisions.
    settings
        Whose margin of the expected return is drawn.
    live
        Live quality, whose columns are added too.
    """
    # Arrays, not columns: a bot draws whole frames of a hundred pairs at every candle.
    trusted = trusted_rows(frame)
    held = frame[LABEL_COLUMN].to_numpy() == SignalClass.HOLD
    margin = settings.expected_value_margin if settings.expected_value_rule else np.nan
    columns: dict[str, Any] = {
        "P(buy)": _percent(frame[PROBA_COLUMNS[SignalClass.BUY]], trusted),
        "P(sell)": _percent(frame[PROBA_COLUMNS[SignalClass.SELL]], trusted),
        "Confidence rank": _percent(frame[CONFIDENCE_COLUMN], trusted),
        "Expected return": _percent(frame[EXPECTED_RETURN_COLUMN], trusted & ~held, 3),
        "Return needed": 100 * margin,
        "Zero": 0.0,
        "Strongest buy": float(Strength.STRONG),
        "Strongest sell": -float(Strength.STRONG),
        "Highest code": float(max(REASON_CODES.values())),
        "Halted": 3.0,
    }
    if PROBA_MOVE_COLUMN in frame:
        columns["P(move)"] = _percent(frame[PROBA_MOVE_COLUMN], trusted)
    if THRESHOLD_COLUMN in frame:
        columns["Rank needed"] = _percent(frame[THRESHOLD_COLUMN])
    if STRENGTH_COLUMN in frame:
        columns |= _decision_columns(frame)
    if live:
        columns["Live skill"] = _percent(live["live_skill"])
        columns["Level"] = live["drift_level"]
    return with_columns(frame, {**(live or {}), **columns})


def _decision_columns(frame: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    strength = frame[STRENGTH_COLUMN].to_numpy(np.float64)
    emitted = strength > 0
    buys = frame[LABEL_COLUMN].to_numpy() == SignalClass.BUY
    codes, reasons = pd.factorize(frame[REASON_COLUMN].to_numpy(object))
    # The last one is that of a missing reason, whose place in the list is -1.
    numbers = np.array([REASON_CODES.get(reason, np.nan) for reason in reasons] + [np.nan])
    return {
        "Buy strength": np.where(emitted & buys, strength, np.nan),
        "Sell strength": np.where(emitted & ~buys, -strength, np.nan),
        "Reject code": numbers[codes],
    }


def _percent(
    values: "pd.Series[Any] | NDArray[np.float64]",
    known: NDArray[np.bool_] | bool = True,
    digits: int = 1,
) -> NDArray[np.float64]:
    return np.where(known, np.round(100 * np.asarray(values, np.float64), digits), np.nan)
