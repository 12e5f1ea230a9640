"""How a stored candle comes about while it is open: the price's way from its open to its close."""

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

Candle = NDArray[np.float64]
"""Open, high, low, close, volume."""

_WHOLE: Final = 1.0


def unfolded(candle: Candle, share: float, decimals: int) -> Candle:
    """The candle as it stands after a share of its time.

    The price walks at constant speed from the open to the extreme behind it, to the other extreme
    and to the close: down first in a rising candle, up first in a falling one. Volume grows evenly.

    Parameters
    ----------
    candle
        Shape ``(5,)``, the complete candle.
    share
        Time that has passed, 0 at its opening; 1 or more gives the complete candle.
    decimals
        Of the prices.

    Returns
    -------
    numpy.ndarray
        Shape ``(5,)``. A later share never has a lower high, a higher low or a smaller volume.

    Examples
    --------
    >>> unfolded(np.array([10.0, 13.0, 8.0, 12.0, 4.0]), 0.25, 2).tolist()
    [10.0, 10.0, 8.0, 8.0, 1.0]
    """
    if share >= _WHOLE:
        return candle
    first, high, low, last, volume = candle.tolist()
    corners = (first, low, high, last) if last >= first else (first, high, low, last)
    seen = [first]
    left = max(share, 0.0) * sum(abs(b - a) for a, b in pairwise(corners))
    for start, stop in pairwise(corners):
        leg = abs(stop - start)
        # A leg without length is passed over, since nothing is left below 0: no division by it.
        if left < leg:
            seen.append(round(start + (stop - start) * left / leg, decimals))
            break
        seen.append(stop)
        left -= leg
    return np.array([first, max(seen), min(seen), seen[-1], volume * max(share, 0.0)])


def merged(candles: NDArray[np.float64]) -> Candle:
    """One candle made of consecutive ones, shape ``(n, 5)``, ``n`` at least 1."""
    return np.array(
        [
            candles[0, 0],
            candles[:, 1].max(),
            candles[:, 2].min(),
            candles[-1, 3],
            candles[:, 4].sum(),
        ]
    )
