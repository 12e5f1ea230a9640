"""Sub-plots that FreqUI draws below the candles."""

from typing import Any, Final

GOOD, BAD, MAIN, PALE = "#2e9e5b", "#d1495b", "#30638e", "#999999"

SUBPLOTS: Final[dict[str, dict[str, dict[str, str]]]] = {
    "Proba": {"proba_buy": {"color": GOOD}, "proba_sell": {"color": BAD}},
    "Confidence": {"confidence": {"color": MAIN}, "confidence_threshold": {"color": PALE}},
    "Return": {"expected_return": {"color": "#edae49"}},
    "Strength": {
        "signal_strength": {"color": "#003d5b", "type": "bar"},
        "do_predict": {"color": "#66a182"},
    },
    "Live quality": {"live_skill": {"color": MAIN}, "live_accuracy": {"color": GOOD}},
    "Drift": {"drift_level": {"color": BAD}},
}
"""Name of each sub-plot, its columns and their style.

Names are short and sub-plots few: otherwise the axis labels overlap.
"""


def plot_config(*names: str) -> dict[str, Any]:
    """A strategy's ``plot_config`` with these sub-plots, all of them by default.

    Examples
    --------
    >>> list(plot_config("Confidence")["subplots"])
    ['Confidence']
    """
    return {"main_plot": {}, "subplots": {name: SUBPLOTS[name] for name in names or SUBPLOTS}}
