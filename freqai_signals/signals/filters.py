"""Small rules that each may say no to a prediction, and the reason given when one does.

A rule looks at predictions alone, not at what other rules said. So a rule can be taken out
or tightened without changing another's verdict; the first rule in order that says no names the
reason. Every rule sees, for row *t*, candles up to the close of *t* and no later ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from freqai_signals.schema import Reason, SignalClass
from freqai_signals.settings import DecisionSettings
from freqai_signals.signals.predictions import Mask, Predictions
from freqai_signals.signals.rate_limits import new_signals, within_share

Reasons = NDArray[np.object_]


class Rule(Protocol):
    """One reason to say no."""

    @property
    def reason(self) -> Reason:
        """Code given to rows that this rule is the first to refuse."""

    def allows(self, rows: Predictions) -> Mask:
        """Rows that this rule has nothing against, shape ``(n,)``."""


@dataclass(frozen=True)
class TrustedRow:
    """The model trusts the row and its numbers are possible ones."""

    reason = Reason.UNTRUSTED

    def allows(self, rows: Predictions) -> Mask:
        """Trusted rows."""
        return rows.trusted


@dataclass(frozen=True)
class ExpectedValue:
    """Buy or sell is expected to earn more than ``margin`` (a fraction) after costs."""

    margin: float
    reason = Reason.NO_EDGE

    def allows(self, rows: Predictions) -> Mask:
        """Holds, and rows whose expected return exceeds the margin."""
        return ~rows.directional | (rows.expected_return > self.margin)


@dataclass(frozen=True)
class MinimumConfidence:
    """Buy or sell is at least this confident."""

    minimum: float
    reason = Reason.LOW_CONFIDENCE

    def allows(self, rows: Predictions) -> Mask:
        """Holds, and rows that reach the minimum."""
        return ~rows.directional | (rows.confidence >= self.minimum)


@dataclass(frozen=True)
class SureHold:
    """Hold is a signal of its own ("stay out") only at this probability; else it is no signal."""

    minimum: float
    reason = Reason.UNSURE_HOLD

    def allows(self, rows: Predictions) -> Mask:
        """Buys, sells and sure holds."""
        return rows.directional | (rows.probabilities[:, SignalClass.HOLD] >= self.minimum)


@dataclass(frozen=True)
class NoRepeat:
    """The signal is news, as :func:`~freqai_signals.signals.rate_limits.new_signals` found."""

    new: Mask
    reason = Reason.REPEAT

    def allows(self, rows: Predictions) -> Mask:
        """Rows that repeat no recent signal."""
        return self.new


@dataclass(frozen=True)
class Cooldown:
    """No trade opens in the ``candles`` after the one with a stop; 0 is off.

    A row's trade opens in the candle after it, so a buy or sell is refused at the stop's candle
    and at the ``candles - 1`` after it. ``stops`` are the candles (counted from 1970) in which the
    pair's trades were stopped out. Without any known, as in a backtest's signal phase, the rule
    allows everything; freqtrade's own protections act there. A stop silences nothing before its
    own candle.
    """

    candles: int
    stops: tuple[int, ...] = ()
    reason = Reason.COOLDOWN

    def allows(self, rows: Predictions) -> Mask:
        """Holds, and rows far enough from the last stop."""
        if not self.stops or not self.candles:
            return np.ones(len(rows), dtype=np.bool_)
        stops = np.sort(np.asarray(self.stops, dtype=np.int64))
        seen = np.searchsorted(stops, rows.candle, side="right")
        since = rows.candle - stops[np.maximum(seen - 1, 0)]
        return np.asarray(~rows.directional | (seen == 0) | (since >= self.candles))


@dataclass(frozen=True)
class MaximumShare:
    """Not too large a share of recent candles is acted on."""

    settings: DecisionSettings
    new: Mask
    reason = Reason.SHARE

    def allows(self, rows: Predictions) -> Mask:
        """Holds, and rows for which there is room."""
        return within_share(rows, self.new, self.settings)


def rules(
    rows: Predictions, settings: DecisionSettings, stops: tuple[int, ...] = ()
) -> tuple[Rule, ...]:
    """All rules for these rows, in the order in which they are asked."""
    new = new_signals(rows, settings)
    expected_value = (ExpectedValue(settings.expected_value_margin),)
    return (
        TrustedRow(),
        *(expected_value if settings.expected_value_rule else ()),
        MinimumConfidence(settings.lowest_confidence),
        SureHold(settings.hold_confidence),
        NoRepeat(new),
        Cooldown(settings.cooldown_candles, stops),
        MaximumShare(settings, new),
    )


def first_refusals(rows: Predictions, asked: Sequence[Rule]) -> NDArray[np.intp]:
    """Place of the first rule that refuses each row, ``len(asked)`` where none does."""
    first = np.full(len(rows), len(asked), dtype=np.intp)
    for place in range(len(asked) - 1, -1, -1):
        first[~asked[place].allows(rows)] = place
    return first


def reason_codes(places: NDArray[np.intp], asked: Sequence[Rule]) -> Reasons:
    """Reasons of the rules at these places, :attr:`Reason.NONE` beyond the last."""
    codes = [str(rule.reason) for rule in asked] + [str(Reason.NONE)]
    return np.asarray(codes, dtype=object)[places]
