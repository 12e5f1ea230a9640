"""Settings of earlier versions that were removed, and why. Kept for one release."""

from collections.abc import Mapping
from typing import Any, Final

_SNAPSHOTS: Final = "mixing in models of earlier windows"
_LINEAR: Final = "mixing in a logistic regression"
_VOTES: Final = "a label ensemble that votes on direction"

REMOVED: Final[Mapping[str, str]] = {
    "ensemble.snapshots": _SNAPSHOTS,
    "ensemble.decay": _SNAPSHOTS,
    "ensemble.linear_weight": _LINEAR,
    "ensemble": f"{_SNAPSHOTS}, or {_LINEAR},",
    "labels.ensemble_kinds": _VOTES,
    "labels.ensemble_horizons_candles": _VOTES,
    "labels.both_touched": "taking the lower barrier as touched first, where a candle holds both,",
    "decision.score_share": f"acting on the most extreme scores of {_VOTES}",
    "decision.score_window_days": f"acting on the most extreme scores of {_VOTES}",
    "weights.uniqueness": "counting rows by the uniqueness of their events",
    "weights.recency_half_life_days": "counting newer rows more",
    "weights.class_balance": "giving all classes the same sum of weights",
    "weights": "weighing training rows",
    "selection.methods": "choosing features by permuted groups and clusters of columns",
    "selection.correlation": "choosing features by permuted clusters of columns",
    "tuning.coarse_step": "scoring parameters on few rows first",
    "alerts.summarise_from": "another number than three pairs for one message",
    "drift.confidence_step": "asking for more confidence after a warning",
    "exits.negative_expected_value": "leaving on any opposite prediction (opposite_confidence 0)",
    "decision.maximum_share": "acting on a limited share of candles",
    "decision.maximum_share_window_candles": "acting on a limited share of candles",
    "decision.lively_window_days": "acting on lively pairs only, a rule of the futures-1h profile,",
}
"""Key under ``freqai.signals`` to what it did; a section comes after its keys."""

_TESTED: Final = "the daily test of live quality decides, with a stated rate of false alarms"

REPLACED: Final[Mapping[str, str]] = {
    "drift.live_skill_floor": _TESTED,
    "drift.live_skill_rows": _TESTED,
    "drift.halt_after_candles": f"{_TESTED}; drift alone halts no pair",
}
"""Key under ``freqai.signals`` to what decides in its place."""

REMOVED_PRESETS: Final[Mapping[str, str]] = {
    "futures-1h": "after fees its trades lost 0.9 ± 4.9 bp each",
}
"""Name to the measurement that led to its removal."""

_WHERE: Final = "docs/measurements.md"


def without_removed(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Separate removed keys from a config's ``freqai.signals``.

    A key is refused for any value: one that disabled the feature has no effect either.

    Returns
    -------
    dict
        What is left.
    list of str
        One line for each removed key: what it was and what to do.

    Examples
    --------
    >>> left, (line,) = without_removed({"ensemble": {"snapshots": 2}, "model": {"seeds": 3}})
    >>> left
    {'model': {'seeds': 3}}
    >>> print(line)
    freqai.signals.ensemble.snapshots: removed in 0.2: mixing in models of earlier windows brought \
no gain (docs/measurements.md); remove the key
    """
    left, problems = dict(given), []
    for path in (*REMOVED, *REPLACED):
        section, _, key = path.partition(".")
        if section not in left:
            continue
        inside = left[section]
        if not key:
            del left[section]
            # Its keys have been reported one by one.
            if inside == {} and given[section]:
                continue
        elif isinstance(inside, Mapping) and key in inside:
            left[section] = {name: value for name, value in inside.items() if name != key}
        else:
            continue
        what = "key" if key else "section"
        why = (
            f"{REMOVED[path]} brought no gain ({_WHERE})"
            if path in REMOVED
            else f"{REPLACED[path]} (docs/operation.md)"
        )
        problems.append(f"freqai.signals.{path}: removed in 0.2: {why}; remove the {what}")
    return left, problems


def removed_preset(name: str) -> str:
    """Why a preset was removed; empty if there never was one of that name."""
    if name not in REMOVED_PRESETS:
        return ""
    return (
        f"freqai.signals.preset: {name!r} was removed in 0.2: {REMOVED_PRESETS[name]} ({_WHERE}); "
        "remove the key"
    )
