"""Decided candles of a pair, and whether the last one is fresh enough to open a trade."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.schema import BARRIER_COLUMN
from freqai_signals.signals.predictions import trusted_rows


@dataclass(frozen=True)
class DecidedCandles:
    """Trust and barrier width at the close of every candle of one pair.

    Arrays instead of a frame: a backtest looks up several values a trade, for which a frame takes
    hundreds of times as long.

    Attributes
    ----------
    opens
        Open of each candle, seconds since 1970, shape ``(n,)``, ascending.
    widths
        Width of the label's barriers, fractions, shape ``(n,)``.
    trusted
        Whether ``do_predict`` is 1, shape ``(n,)``.
    """

    opens: NDArray[np.int64]
    widths: NDArray[np.float64]
    trusted: NDArray[np.bool_]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> "DecidedCandles":
        """Read ``date``, ``barrier_width`` and ``do_predict``; without the last none is trusted."""
        # pandas 3 keeps whatever unit the dates came with.
        dates = frame["date"].to_numpy(dtype="datetime64[s]").astype(np.int64)
        return cls(dates, frame[BARRIER_COLUMN].to_numpy(np.float64), trusted_rows(frame))

    def width_at_entry(self, opened: int, candle_seconds: int) -> float:
        """Barrier width of the candle on which a trade opened at ``opened`` was decided.

        That is the last candle that had closed by then; NaN if it is missing.

        Examples
        --------
        >>> candles = DecidedCandles(np.array([0, 300]), np.array([0.01, 0.02]), np.ones(2, bool))
        >>> [candles.width_at_entry(opened, 300) for opened in (600, 610, 1500)]
        [0.02, 0.02, nan]
        """
        decided = closed_by(opened, candle_seconds)
        row = self.last_by(decided)
        # An earlier candle would have other barriers than those the trade was decided with.
        found = row >= 0 and self.opens[row] == decided
        return float(self.widths[row]) if found else math.nan

    def last_by(self, opened: int) -> int:
        """Row of the last candle that opened at or before ``opened``, -1 without one."""
        return int(np.searchsorted(self.opens, opened, side="right")) - 1


def closed_by(seconds: int, candle_seconds: int) -> int:
    """Open of the last candle that had closed by then, both in seconds since 1970.

    Examples
    --------
    >>> closed_by(600, 300), closed_by(899, 300)
    (300, 300)
    """
    return seconds - seconds % candle_seconds - candle_seconds


@dataclass(frozen=True)
class Freshness:
    """Whether a prediction may still open a trade, and if not, the reason."""

    fresh: bool
    reason: str = ""


def freshness(candles: DecidedCandles | None, now: datetime, candle_seconds: int) -> Freshness:
    """Whether the last closed candle has been decided and is trusted.

    Parameters
    ----------
    candles
        Of the pair; None if nothing was decided yet. Those that close after ``now`` are ignored.
    now
        Current time, UTC.
    candle_seconds
        Length of a candle.
    """
    decided = closed_by(int(now.timestamp()), candle_seconds)
    row = -1 if candles is None else candles.last_by(decided)
    if candles is None or row < 0:
        return Freshness(False, "there is no analysed candle")
    opened = int(candles.opens[row])
    if opened < decided:
        age = now.timestamp() - opened - candle_seconds
        return Freshness(False, f"the last prediction is {age:.0f} s old, candle {_text(opened)}")
    if not candles.trusted[row]:
        return Freshness(False, f"the candle of {_text(opened)} is not trusted")
    return Freshness(True)


def _text(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
