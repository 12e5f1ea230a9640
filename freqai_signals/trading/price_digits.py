"""How many decimal digits prices have, which freqtrade reads from their text."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_MOST_DIGITS: Final = 14
"""freqtrade writes so many digits of a price, before and after the point together."""


def decimals(prices: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Most digits after the point of any price in a row.

    Parameters
    ----------
    prices
        Shape ``(n, m)``. Zeros, infinities and NaN have no digits.

    Returns
    -------
    numpy.ndarray or None
        Shape ``(n,)``, NaN where no price has any. None where a price is no decimal number of 14
        digits at most, such as 1/3: only its text tells what freqtrade makes of it.

    Examples
    --------
    >>> decimals(np.array([[0.25, 2.0], [3.0, 1.0]]))
    array([ 2., nan])
    >>> decimals(np.array([[1 / 3]]))
    """
    usable, most = np.isfinite(prices), np.zeros(len(prices))
    left, row = prices[usable], np.nonzero(usable)[0]
    for digits in range(_MOST_DIGITS + 1):
        # Both are exact, so that their quotient is the very number that the decimal is read as.
        power = 10.0**digits
        with np.errstate(over="ignore"):
            whole = np.rint(left * power)
        found = (whole / power == left) & (np.abs(whole) < 10.0**_MOST_DIGITS)
        # Later ones have more digits.
        most[row[found]] = digits
        left, row = left[~found], row[~found]
        if not len(left):
            return np.where(most > 0, most, np.nan)
    return None
