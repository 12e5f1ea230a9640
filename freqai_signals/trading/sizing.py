r"""How much to stake: a capped fraction of what Kelly's rule would.

For a return *x* that is small against the wallet, Kelly's share is nearly
:math:`E[x] / E[x^2]`. The mean comes from calibrated probabilities; the square from what the
training window's classes returned, including their spread, so that a class whose outcomes differ
widely earns a smaller stake than its mean alone would. Known at the close of the signal's candle.
"""

from dataclasses import dataclass

import numpy as np

from freqai_signals.schema import SignalClass
from freqai_signals.settings import SizingSettings
from freqai_signals.signals.predictions import Floats


@dataclass(frozen=True)
class Outlook:
    """What a long or short can expect, after costs; fractions of the stake.

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
    """What freqtrade allows for one entry, in stake currency."""

    proposed: float
    minimum: float
    maximum: float
    wallet: float


def outlook(
    signal: SignalClass, probabilities: Floats, means: Floats, squares: Floats, cost: float
) -> Outlook:
    """What following ``signal`` can expect.

    Parameters
    ----------
    signal
        Buy is a long, sell a short; a hold expects nothing.
    probabilities, means, squares
        Shape ``(3,)`` each, columns sell, hold, buy: calibrated probabilities, mean gross returns
        and mean squared gross returns of the training window's classes. A square is at least its
        mean squared.
    cost
        Round trip, a fraction.

    Examples
    --------
    >>> means = np.array([-0.01, 0.0, 0.01])
    >>> expected = outlook(SignalClass.BUY, np.array([0.1, 0.3, 0.6]), means, means**2, cost=0.002)
    >>> round(expected.mean, 6), round(expected.square, 6)
    (0.003, 5.4e-05)
    """
    if signal == SignalClass.HOLD:
        return Outlook(0.0, 0.0)
    direction = 1.0 if signal == SignalClass.BUY else -1.0
    gross = direction * float(probabilities @ means)
    square = float(probabilities @ np.maximum(squares, np.square(means)))
    return Outlook(gross - cost, square - 2.0 * cost * gross + cost * cost)


def kelly_share(expected: Outlook) -> float:
    """Share of the wallet that maximises growth, for small returns; 0 without an edge.

    May exceed 1: an edge that is large against its risk asks for leverage. Callers cap it.
    """
    if not expected.mean > 0 or not np.isfinite(expected.square):
        return 0.0
    return expected.mean / max(expected.square, expected.mean**2)


def stake(
    settings: SizingSettings, limits: StakeLimits, expected: Outlook, leverage: float = 1.0
) -> float:
    """Stake of one entry in stake currency; 0 means no entry.

    ``fixed`` gives the proposed stake whatever is expected. ``kelly`` gives ``kelly_fraction`` of
    :func:`kelly_share` times the wallet, at most ``maximum_stake_share`` of the wallet and at most
    freqtrade's maximum. A stake exposes ``leverage`` times itself, so the share is divided by it.
    Where the result is less than the exchange's minimum there is no entry: rounding up would stake
    more than the edge is worth.

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
