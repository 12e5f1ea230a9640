r"""Stake of a trade: a capped fraction of the Kelly criterion.

For a return *x* that is small against the wallet, the Kelly share is about
:math:`E[x] / E[x^2]`. The mean and the square are those of trades with this strategy's
exits on past predictions. Known at the close of the signal's candle.
"""

from dataclasses import dataclass

import numpy as np

from freqai_signals.schema import SignalClass
from freqai_signals.settings import SizingSettings


@dataclass(frozen=True)
class Outlook:
    """Moments of a trade's return after costs; fractions of the stake.

    Attributes
    ----------
    mean
        Expected return.
    square
        Expected squared return, never below ``mean ** 2``.
    """

    mean: float
    square: float


@dataclass(frozen=True)
class StakeLimits:
    """freqtrade's limits for the stake of one entry, in stake currency."""

    proposed: float
    minimum: float
    maximum: float
    wallet: float


def outlook(signal: SignalClass, long: float, square: float, cost: float) -> Outlook:
    """Expected return and expected squared return of a trade on ``signal``.

    Parameters
    ----------
    signal
        Buy is a long, sell a short; for hold both are 0.
    long
        Expected gross return of a long, a fraction; of a short it is the negative.
    square
        Expected squared gross return.
    cost
        Round trip, a fraction.

    Examples
    --------
    >>> expected = outlook(SignalClass.BUY, long=0.005, square=7e-05, cost=0.002)
    >>> round(expected.mean, 6), round(expected.square, 6)
    (0.003, 5.4e-05)
    """
    if signal == SignalClass.HOLD:
        return Outlook(0.0, 0.0)
    gross = long if signal == SignalClass.BUY else -long
    return Outlook(gross - cost, square - 2.0 * cost * gross + cost * cost)


def kelly_share(expected: Outlook) -> float:
    """Share of the wallet that maximises growth, for small returns; 0 without an edge.

    May exceed 1 for an edge that is large relative to its risk; callers cap it.
    """
    # Written so that NaN gives no stake.
    if not expected.mean > 0 or not np.isfinite(expected.square):
        return 0.0
    # No square lies below the squared mean, so the share of a sure gain stays finite; that of a
    # mean whose square is no number above 0 would not, and earns nothing anyway.
    square = max(expected.square, expected.mean**2)
    return expected.mean / square if square > 0 else 0.0


def stake(
    settings: SizingSettings, limits: StakeLimits, expected: Outlook, leverage: float = 1.0
) -> float:
    """Stake of one entry in stake currency; 0 means no entry.

    ``fixed`` gives the proposed stake. ``kelly`` gives ``kelly_fraction`` of :func:`kelly_share`
    times the wallet, at most ``maximum_stake_share`` of the wallet and at most freqtrade's maximum.
    A stake has an exposure of ``leverage`` times itself, so the share is divided by it. If the
    result is below the exchange's minimum there is no entry: rounding up would stake more than the
    edge justifies.

    Examples
    --------
    >>> limits = StakeLimits(proposed=100.0, minimum=10.0, maximum=1000.0, wallet=1000.0)
    >>> kelly = SizingSettings(method="kelly", kelly_fraction=0.25, maximum_stake_share=0.2)
    >>> stake(SizingSettings(), limits, Outlook(0.0001, 0.0004))
    100.0
    >>> stake(kelly, limits, Outlook(0.0001, 0.0004))
    62.5
    >>> stake(kelly, limits, Outlook(-0.0001, 0.0004))
    0.0
    """
    if settings.method == "fixed":
        return limits.proposed
    share = min(settings.kelly_fraction * kelly_share(expected), settings.maximum_stake_share)
    amount = min(share / leverage * limits.wallet, limits.maximum)
    return amount if amount > 0 and amount >= limits.minimum else 0.0
