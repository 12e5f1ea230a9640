"""What all sections of the page compute from, made once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.metrics import Labels, Probabilities, log_losses
from freqai_signals.report.data.climatology import BASELINE_COLUMNS
from freqai_signals.report.data.frames import SignalFrames
from freqai_signals.report.page.day_blocks import DayBlocks
from freqai_signals.schema import CLASS_COUNT, PRIOR_COLUMNS, PROBA_COLUMNS, SignalClass
from freqai_signals.settings import SignalSettings

Floats = NDArray[np.float64]

_PERIODS: Final = ((21, "D", "day"), (400, "W-MON", "week"), (math.inf, "MS", "month"))
"""Days up to which a span is cut into days, weeks, months."""


@dataclass(frozen=True)
class PageData:
    """A backtest or ledger as the sections see it.

    Attributes
    ----------
    frames
        All of it.
    settings
        Of the run; a ledger does not store them, so they are those of the given config.
    cost
        Round trip, a fraction.
    """

    frames: SignalFrames
    settings: SignalSettings
    cost: float

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Trusted rows with a known outcome of pairs that moved at all, a fresh index."""
        rows = self.frames.scored()
        # The holds of a halted pair are certain and would flatter every number.
        largest = rows["gross_return"].abs().groupby(rows["pair"], observed=True).max()
        return rows[~rows["pair"].isin(largest.index[largest == 0])].reset_index(drop=True)

    @cached_property
    def labels(self) -> Labels:
        """Outcomes of :attr:`rows`."""
        return np.asarray(self.rows["outcome"].to_numpy(np.int8))

    @cached_property
    def proba(self) -> Probabilities:
        """Calibrated probabilities of :attr:`rows`, shape ``(n, 3)``."""
        return self.rows[list(PROBA_COLUMNS)].to_numpy(np.float64)

    @cached_property
    def prior(self) -> Probabilities:
        """Class shares of each row's training window, shape ``(n, 3)``."""
        return self.rows[list(PRIOR_COLUMNS)].to_numpy(np.float64)

    @cached_property
    def losses(self) -> tuple[Floats, Floats]:
        """Log loss of the model and of the prior of :attr:`rows`, nats."""
        return log_losses(self.labels, self.proba), log_losses(self.labels, self.prior)

    @cached_property
    def baseline(self) -> Probabilities:
        """Climatology of :attr:`rows`, the prior where it could not be fitted; NaN without any."""
        if not set(BASELINE_COLUMNS) <= set(self.rows.columns):
            return np.full((len(self.rows), CLASS_COUNT), np.nan)
        stored = self.rows[list(BASELINE_COLUMNS)].to_numpy(np.float64)
        return np.where(np.isfinite(stored), stored, self.prior)

    @cached_property
    def baseline_losses(self) -> Floats:
        """Log loss of :attr:`baseline`, nats."""
        return log_losses(self.labels, self.baseline)

    @cached_property
    def move(self) -> Floats:
        """Stated probability of a move."""
        return np.asarray(1.0 - self.proba[:, SignalClass.HOLD])

    @property
    def horizon_days(self) -> float:
        """Length of the label's horizon."""
        return self.settings.label_horizon_candles * self.settings.candle_seconds / 86_400

    @property
    def block_days(self) -> int:
        """Length of the blocks of all intervals: whole days, no shorter than the horizon.

        Three days where they leave ten blocks: errors of net returns and of skill over climatology
        grow by a fifth from one day to three, and no further.
        """
        least = max(1, math.ceil(self.horizon_days))
        return max(3, least) if self.days >= 30 else least

    @cached_property
    def blocks(self) -> DayBlocks:
        """Blocks of :attr:`rows`."""
        return self.blocks_of(self.rows["date"])

    def blocks_of(self, dates: "pd.Series[pd.Timestamp]") -> DayBlocks:
        """Blocks of other rows."""
        return DayBlocks(dates, self.block_days)

    @cached_property
    def days(self) -> float:
        """Span of all predictions in days."""
        dates = self.frames.predictions["date"]
        if not len(dates):
            return 0.0
        return float((dates.max() - dates.min()).total_seconds() / 86_400)

    @property
    def period(self) -> tuple[str, str]:
        """Pandas' alias and the word for the pieces in which time is shown."""
        return next((alias, word) for most, alias, word in _PERIODS if self.days <= most)

    def period_of(self, dates: "pd.Series[pd.Timestamp]") -> "pd.Series[pd.Timestamp]":
        """Start of the period of each moment."""
        # A period named W-SUN ends on Sunday, so it begins on Monday.
        alias = {"D": "D", "W-MON": "W-SUN", "MS": "M"}[self.period[0]]
        # A period has no time zone.
        naive = pd.to_datetime(dates, utc=True).dt.tz_localize(None)
        return naive.dt.to_period(alias).dt.start_time.dt.tz_localize("UTC")

    @cached_property
    def signals(self) -> pd.DataFrame:
        """Emitted buys and sells with a known outcome, a fresh index."""
        signals = self.frames.signals
        # An emitted hold has no strength.
        acted = (signals["strength"] > 0) & signals["outcome"].notna()
        return signals[acted].reset_index(drop=True)

    @property
    def blocks_text(self) -> str:
        """How intervals were made, for the methods."""
        return (
            "Intervals are 95 % and come from resampling whole blocks of "
            f"{counted(self.block_days, 'day')}, all pairs together, because neighbouring rows "
            "share their outcome."
        )


def as_percent(value: float, digits: int = 1) -> str:
    """A fraction in per cent, for sentences.

    Examples
    --------
    >>> as_percent(0.1234), as_percent(float("nan"))
    ('12.3 %', 'unknown')
    """
    return f"{value * 100:.{digits}f} %" if math.isfinite(value) else "unknown"


def as_basis_points(value: float, error: float = math.nan) -> str:
    """A return in basis points (hundredths of a per cent), with its standard error if known.

    Examples
    --------
    >>> as_basis_points(-0.00123, 0.0004), as_basis_points(0.001)
    ('-12.3 ± 4.0 bp', '+10.0 bp')
    """
    if not math.isfinite(value):
        return "unknown"
    spread = f" ± {error * 1e4:.1f}" if math.isfinite(error) else ""
    return f"{value * 1e4:+.1f}{spread} bp"


def as_range(low: float, high: float) -> str:
    """A 95 % interval in per cent, or why there is none.

    Examples
    --------
    >>> as_range(0.01, 0.02), as_range(float("nan"), float("nan"))
    ('95 %: 1.0 % to 2.0 %', 'too few days for an interval')
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return "too few days for an interval"
    return f"95 %: {as_percent(low)} to {as_percent(high)}"


def against_noise(noise: float) -> str:
    """How far noise alone is off, for sentences on a calibration error.

    Examples
    --------
    >>> against_noise(0.01)
    'noise alone gives 1.0 %'
    """
    known = math.isfinite(noise)
    return f"noise alone gives {as_percent(noise)}" if known else "too few days to know the noise"


def counted(number: int, word: str) -> str:
    """A number with its noun.

    Examples
    --------
    >>> counted(1, "look"), counted(1200, "pair")
    ('1 look', '1,200 pairs')
    """
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def listed(names: Sequence[str], most: int = 4) -> str:
    """Names in a sentence, the rest counted.

    Examples
    --------
    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"
