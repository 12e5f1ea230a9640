"""Filter rules, each of which may reject a prediction with its own reason.

A rule depends on predictions only, not on other rules, so that it can be removed or tightened
without changing another's result; the first rule in order that rejects a row gives the reason.
For row *t* every rule uses candles up to the close of *t* and no later ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from freqai_signals.schema import Reason, SignalClass
from freqai_signals.settings import DecisionSettings
from freqai_signals.signals.predictions import Mask, Predictions
from freqai_signals.signals.repeats import new_signals

Reasons = NDArray[np.object_]


class Rule(Protocol):
    """One filter rule."""

    @property
    def reason(self) -> Reason:
        """Code of rows that this rule is the first to reject."""

    def allows(self, rows: Predictions) -> Mask:
        """Rows that this rule does not reject, shape ``(n,)``."""


@dataclass(frozen=True)
class TrustedRow:
    """The model trusts the row and its numbers are valid."""

    reason = Reason.UNTRUSTED

    def allows(self, rows: Predictions) -> Mask:
        """Trusted rows."""
        return rows.trusted


@dataclass(frozen=True)
class HasDirection:
    """Buy and sell are not equally probable, as they are where a model has found no direction."""

    reason = Reason.NO_DIRECTION

    def allows(self, rows: Predictions) -> Mask:
        """Holds, and rows of which one side is more probable."""
        sell, buy = (rows.probabilities[:, k] for k in (SignalClass.SELL, SignalClass.BUY))
        return np.asarray(~rows.directional | (sell != buy))


@dataclass(frozen=True)
class ProvenEdge:
    """Past predictions bear out an expected return, whatever a trade costs."""

    reason = Reason.UNPROVEN_EDGE

    def allows(self, rows: Predictions) -> Mask:
        """Holds, and rows of models whose slope of realised on predicted returns is above 0."""
        return np.asarray(~rows.directional | rows.proven)


@dataclass(frozen=True)
class ExpectedValue:
    """The expected return of a buy or sell after costs exceeds ``margin`` (a fraction)."""

    margin: float
    reason = Reason.NO_EDGE

    def allows(self, rows: Predictions) -> Mask:
        """Holds, and rows whose expected return exceeds the margin."""
        return ~rows.directional | (rows.expected_return > self.margin)


@dataclass(frozen=True)
class MinimumConfidence:
    """The confidence of a buy or sell reaches the minimum."""

    minimum: float
    reason = Reason.LOW_CONFIDENCE

    def allows(self, rows: Predictions) -> Mask:
        """Holds, and rows that reach the minimum."""
        return ~rows.directional | (rows.confidence >= self.minimum)


@dataclass(frozen=True)
class SureHold:
    """Hold is a signal ("stay out of the market") only from this probability on."""

    minimum: float
    reason = Reason.UNSURE_HOLD

    def allows(self, rows: Predictions) -> Mask:
        """Buys, sells, and holds that reach the minimum."""
        return rows.directional | (rows.probabilities[:, SignalClass.HOLD] >= self.minimum)


@dataclass(frozen=True)
class NoRepeat:
    """The signal is new, according to :func:`~freqai_signals.signals.repeats.new_signals`."""

    new: Mask
    reason = Reason.REPEAT

    def allows(self, rows: Predictions) -> Mask:
        """Rows that repeat no recent signal."""
        return self.new


@dataclass(frozen=True)
class Cooldown:
    """No trade opens in the ``candles`` after the one with a stop; 0 is off.

    A row's trade opens in the candle after it, so a buy or sell is rejected at the stop's candle
    and at the ``candles - 1`` after it. ``stops`` are the candle numbers in which the pair's trades
    were stopped out. Without stops, as in a backtest's signal phase, the rule allows everything;
    freqtrade's protections apply there. A stop does not affect rows before its own candle.
    """

    candles: int
    stops: tuple[int, ...] = ()
    reason = Reason.COOLDOWN

    def allows(self, rows: Predictions) -> Mask:
        """Holds, and rows far enough from the last stop."""
        if not self.stops or not self.candles:
            return np.ones(len(rows), dtype=np.bool_)
        stops = np.sort(np.asarray(self.stops, dtype=np.int64))
        past = np.searchsorted(stops, rows.candle, side="right")
        since = rows.candle - stops[np.maximum(past - 1, 0)]
        return np.asarray(~rows.directional | (past == 0) | (since >= self.candles))


def rules(
    rows: Predictions, settings: DecisionSettings, stops: tuple[int, ...] = ()
) -> tuple[Rule, ...]:
    """All enabled rules for these rows, in the order in which they are applied."""
    expected_value = (ProvenEdge(), ExpectedValue(settings.expected_value_margin))
    return (
        TrustedRow(),
        HasDirection(),
        *(expected_value if settings.expected_value_rule else ()),
        MinimumConfidence(settings.lowest_confidence),
        SureHold(settings.hold_confidence),
        NoRepeat(new_signals(rows, settings)),
        Cooldown(settings.cooldown_candles, stops),
    )


def first_rejections(rows: Predictions, active: Sequence[Rule]) -> NDArray[np.intp]:
    """Index of the first rule that rejects each row, ``len(active)`` if none does."""
    first = np.full(len(rows), len(active), dtype=np.intp)
    # Backwards, so that the first rule overwrites later ones.
    for index in range(len(active) - 1, -1, -1):
        first[~active[index].allows(rows)] = index
    return first


def reason_codes(indices: NDArray[np.intp], active: Sequence[Rule]) -> Reasons:
    """Reasons of the rules at these indices, :attr:`Reason.NONE` beyond the last."""
    codes = [str(rule.reason) for rule in active] + [str(Reason.NONE)]
    return np.asarray(codes, dtype=object)[indices]
