"""Acting only on the most extreme scores of late, and only while the pair is lively.

Both marks are columns, made once on the whole frame, so that they can be seen in plots. The mark of
row *t* uses candles up to the close of *t*, at most :func:`memory_candles` of them, so a live frame
of that length gives the same marks as the whole history.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.causal import daily_volatility
from freqai_signals.schema import SCORE_COLUMN, TRUST_COLUMN, Reason
from freqai_signals.settings import DecisionSettings, SignalSettings
from freqai_signals.signals.predictions import Mask, Predictions

EXTREME_COLUMN: Final = "score_extreme"
"""1 where the score is among the highest of late, -1 among the lowest, else 0."""

LIVELY_COLUMN: Final = "lively"
"""1 where the pair's 1-day volatility is above its own median of late, else 0."""

_LEAST_KNOWN: Final = 0.25
"""Share of a window that must be known before anything counts as extreme or lively."""

_SPANS: Final = 3


def memory_candles(settings: SignalSettings) -> int:
    """Candles before a row that its marks can depend on; 0 while both rules are off."""
    day, decision = settings.candles_per_day, settings.decision
    scores = decision.score_window_days * day if decision.score_share is not None else 0
    lively = ((decision.lively_window_days or 0) + _SPANS) * day + 1
    return max(scores, lively if decision.lively_window_days is not None else 0)


def with_marks(frame: pd.DataFrame, settings: SignalSettings) -> pd.DataFrame:
    """The frame with the marks that its rules ask for.

    Parameters
    ----------
    frame
        One pair's candles with ``close``, ``do_predict`` and, with a label ensemble, ``score``.
    settings
        Windows and share.
    """
    decision, day = settings.decision, settings.candles_per_day
    marks: dict[str, NDArray[np.int8]] = {}
    if decision.score_share is not None and SCORE_COLUMN in frame:
        known = frame[SCORE_COLUMN].where(frame[TRUST_COLUMN] == 1).astype(np.float64)
        window = decision.score_window_days * day
        marks[EXTREME_COLUMN] = extremes(known, decision.score_share, window)
    if decision.lively_window_days is not None:
        sigma = daily_volatility(frame["close"].to_numpy(np.float64), day)
        marks[LIVELY_COLUMN] = above_median(sigma, decision.lively_window_days * day)
    return frame.assign(**marks)


def extremes(score: "pd.Series[float]", share: float, window: int) -> NDArray[np.int8]:
    """Whether each score is among the highest (1) or lowest (-1) of the last ``window`` rows.

    Parameters
    ----------
    score
        Shape ``(n,)``; rows that are NaN are none of it and count nowhere.
    share
        Of the highest, and of the lowest.
    window
        Rows, the present one included. 0 while fewer than a quarter of them are known.

    Examples
    --------
    >>> extremes(pd.Series([3.0, 1.0, 2.0, 9.0, 0.0]), share=0.2, window=4).tolist()
    [0, -1, 0, 1, -1]
    """
    least = max(int(window * _LEAST_KNOWN), 2)
    rolling = score.rolling(window, min_periods=least)
    high, low = rolling.quantile(1.0 - share), rolling.quantile(share)
    above = (score >= high).to_numpy(np.bool_)
    below = (score <= low).to_numpy(np.bool_)
    return (above.astype(np.int8) - below.astype(np.int8)).astype(np.int8)


def above_median(sigma: NDArray[np.float64], window: int) -> NDArray[np.int8]:
    """1 where a value is above the median of the last ``window`` ones, itself included.

    0 where it is not, is unknown, or fewer than a quarter of them are known.
    """
    # Rounded: running sums carry float noise of older candles.
    known = pd.Series(np.round(sigma, 12))
    usual = known.rolling(window, min_periods=max(int(window * _LEAST_KNOWN), 2)).median()
    return np.asarray(known > usual, dtype=np.int8)


@dataclass(frozen=True)
class ExtremeScore:
    """Buy only on the highest scores of late, sell only on the lowest."""

    mark: NDArray[np.int8]
    reason = Reason.ORDINARY_SCORE

    def allows(self, rows: Predictions) -> Mask:
        """Holds, and rows whose mark is of their side."""
        return np.asarray(~rows.directional | (self.mark == rows.signal - 1))


@dataclass(frozen=True)
class LivelyPair:
    """Buy or sell only while the pair moves more than it mostly does."""

    mark: NDArray[np.int8]
    reason = Reason.CALM

    def allows(self, rows: Predictions) -> Mask:
        """Holds, and rows of lively candles."""
        return np.asarray(~rows.directional | (self.mark == 1))


def mark_rules(
    frame: pd.DataFrame, settings: DecisionSettings
) -> "tuple[ExtremeScore | LivelyPair, ...]":
    """The rules that are on, over a frame with marks; a mark that is not there allows nothing."""
    found: list[ExtremeScore | LivelyPair] = []
    if settings.score_share is not None:
        found.append(ExtremeScore(_mark(frame, EXTREME_COLUMN)))
    if settings.lively_window_days is not None:
        found.append(LivelyPair(_mark(frame, LIVELY_COLUMN)))
    return tuple(found)


def _mark(frame: pd.DataFrame, name: str) -> NDArray[np.int8]:
    if name not in frame:
        return np.zeros(len(frame), dtype=np.int8)
    return frame[name].fillna(0).to_numpy(np.int8)
