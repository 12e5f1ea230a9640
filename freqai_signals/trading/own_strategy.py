"""A strategy of the user's own: its entries as decisions, its hooks beside ours."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import numpy as np
import pandas as pd

from freqai_signals.schema import (
    CONFIDENCE_COLUMN,
    DECISION_COLUMNS,
    DECISION_SIGNAL_COLUMN,
    EVENT_END_COLUMN,
    LABEL_COLUMN,
    Reason,
    SignalClass,
)
from freqai_signals.settings import DecisionSettings
from freqai_signals.signals.column_arrays import Columns
from freqai_signals.signals.decide import NO_SIGNAL, repeated
from freqai_signals.signals.predictions import trusted_rows
from freqai_signals.signals.strength import Strength, strengths

Hook = Callable[..., Any]


def decisions_of_entries(frame: pd.DataFrame, settings: DecisionSettings) -> Columns:
    """What a strategy's own rules entered, in the columns of a decision.

    Parameters
    ----------
    frame
        With ``confidence``, ``do_predict`` and, as far as the strategy sets them, ``enter_long``,
        ``enter_short`` and ``enter_tag``. Like freqtrade, a row that enters both enters neither.
    settings
        Gives the tiers.

    Returns
    -------
    Columns
        Those of ``schema.DECISION_COLUMNS``. The strength is the tier of the model's confidence, at
        least weak; a row without entry is untrusted or has no reason.
    """
    long, short = (_set(frame, name) for name in ("enter_long", "enter_short"))
    entered = long ^ short
    confidence = frame[CONFIDENCE_COLUMN].to_numpy(np.float64)
    tier = np.maximum(strengths(confidence, settings), Strength.WEAK)
    # Each text once: a backtest keeps these columns of all pairs.
    reasons = np.array([str(Reason.UNTRUSTED), str(Reason.NONE)], dtype=object)
    tags = repeated("", len(frame))
    if "enter_tag" in frame:
        tags[entered] = frame["enter_tag"][entered].fillna("").astype(str).to_numpy(object)
    sides = [SignalClass.BUY, SignalClass.SELL]
    columns = (
        np.select([entered & long, entered & short], sides, NO_SIGNAL).astype(np.int8),
        np.where(entered, tier, 0).astype(np.int8),
        reasons[(entered | trusted_rows(frame)).astype(np.intp)],
        tags,
    )
    return dict(zip(DECISION_COLUMNS, columns, strict=True))


def without_blocked(frame: pd.DataFrame, decided: Columns) -> pd.DataFrame:
    """The frame without entries where no decision is left.

    Parameters
    ----------
    frame
        With the strategy's entries.
    decided
        From :func:`decisions_of_entries`, and then limited.
    """
    blocked = decided[DECISION_SIGNAL_COLUMN] == NO_SIGNAL
    cleared = {
        name: frame[name].mask(blocked, nothing)
        for name, nothing in (("enter_long", 0), ("enter_short", 0), ("enter_tag", None))
        if name in frame
    }
    return frame.assign(**cleared)


def _set(frame: pd.DataFrame, name: str) -> Any:
    if name not in frame:
        return np.zeros(len(frame), dtype=np.bool_)
    # Rows that a strategy does not set are NaN, or anything at all in a column of objects.
    return (pd.to_numeric(frame[name], errors="coerce") == 1).to_numpy()


# Hooks that a strategy overrides without ``super()``. Each is called as FreqAI and freqtrade do.


def features_completed(own: Hook, ours: Hook) -> Hook:
    """A strategy's own features with ours beside them; the model learns both.

    Of its own ones the strategy has to see to it that they look at no later candle, and that
    ``startup_candle_count`` covers them.
    """

    @wraps(own)
    def hook(self: Any, dataframe: pd.DataFrame, metadata: Any, **kwargs: Any) -> pd.DataFrame:
        frame = own(self, dataframe, metadata=metadata, **kwargs)
        completed: pd.DataFrame = ours(self, frame, metadata, **kwargs)
        return completed

    return hook


def targets_completed(own: Hook, ours: Hook, warn: Callable[[str], None]) -> Hook:
    """A strategy's own targets give way to our label: the model learns no other.

    Parameters
    ----------
    own, ours
        Make targets.
    warn
        Called once with which targets of the strategy's are left out.
    """
    reported: set[str] = set()

    @wraps(own)
    def hook(self: Any, dataframe: pd.DataFrame, metadata: Any, **kwargs: Any) -> pd.DataFrame:
        frame = own(self, dataframe, metadata=metadata, **kwargs)
        # As FreqAI takes them for labels: by a "&" anywhere in the name.
        others = [str(name) for name in frame if "&" in str(name) and name != LABEL_COLUMN]
        if others and not reported:
            reported.update(others)
            warn(
                f"set_freqai_targets of {type(self).__name__} adds {', '.join(others)}, which this "
                f"model does not learn: its target is {LABEL_COLUMN}, shaped by "
                "freqai.signals.labels"
            )
        # A hook that calls ``super()`` has labelled the frame already.
        if EVENT_END_COLUMN not in frame:
            frame = ours(self, frame, metadata, **kwargs)
        labelled: pd.DataFrame = frame.drop(columns=others)
        return labelled

    return hook


def followed(own: Hook, ours: Hook) -> Hook:
    """Both, one after the other."""

    @wraps(own)
    def hook(self: Any, *args: Any, **kwargs: Any) -> None:
        own(self, *args, **kwargs)
        ours(self, *args, **kwargs)

    return hook


def complete_hooks(kind: type, completions: Mapping[str, Callable[[Hook], Hook]]) -> None:
    """Replace those hooks that a class defines itself by completed ones."""
    for name, completed in completions.items():
        # Not hasattr: what is inherited has been completed with the class that defines it.
        if name in vars(kind):
            setattr(kind, name, completed(vars(kind)[name]))
