r"""How much of a Sharpe ratio is luck: probabilistic, deflated, and how overfit a selection is.

All ratios are per observation (per day for daily returns), never annualised. Returns are those
that closed trades paid after fees, so everything here is hindsight: nothing feeds a decision.

References
----------
.. [1] D. Bailey, M. López de Prado, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15
   (2012).
.. [2] D. Bailey, M. López de Prado, "The Deflated Sharpe Ratio", Journal of Portfolio Management
   40 (2014).
.. [3] D. Bailey, J. Borwein, M. López de Prado, Q. Zhu, "The Probability of Backtest Overfitting",
   Journal of Computational Finance 20 (2017).
"""

import math
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata

Floats = NDArray[np.float64]

_EULER: Final = float(np.euler_gamma)
_LEAST_OBSERVATIONS: Final = 3


@dataclass(frozen=True)
class Moments:
    """What a sample of returns says of its Sharpe ratio.

    Attributes
    ----------
    sharpe
        Mean over standard deviation (of the sample, ``ddof=1``), per observation; 0 without spread.
    skew, kurtosis
        Third and fourth standardised moment; 0 and 3 for a normal distribution.
    observations
        Independent observations; fewer than rows where rows carry less than one each.
    """

    sharpe: float
    skew: float = 0.0
    kurtosis: float = 3.0
    observations: int = 0


def moments(returns: ArrayLike) -> Moments:
    """Sharpe ratio, skew and kurtosis of a sample; a sample without spread has ratio 0.

    Parameters
    ----------
    returns
        Shape ``(n,)``, fractions, finite.

    Examples
    --------
    >>> moments([0.01, -0.01, 0.03, 0.01])
    Moments(sharpe=0.612..., skew=0.0, kurtosis=2.0, observations=4)
    """
    values = np.asarray(returns, dtype=np.float64)
    centred = values - values.mean() if len(values) else values
    spread = float(np.sqrt(np.mean(centred**2))) if len(values) else 0.0
    if len(values) < _LEAST_OBSERVATIONS or spread <= 1e-12:
        return Moments(0.0, observations=len(values))
    sample = spread * math.sqrt(len(values) / (len(values) - 1))
    scaled = centred / spread
    return Moments(
        sharpe=float(values.mean()) / sample,
        skew=round(float(np.mean(scaled**3)), 12) + 0.0,  # no minus zero
        kurtosis=round(float(np.mean(scaled**4)), 12),
        observations=len(values),
    )


def sharpe_score(found: Moments, benchmark: float = 0.0) -> float:
    r"""How many standard errors a Sharpe ratio lies above a benchmark.

    .. math:: z = \frac{(\hat S - S^*)\sqrt{n - 1}}
              {\sqrt{1 - \gamma_3 \hat S + \frac{\gamma_4 - 1}{4}\hat S^2}}

    Minus infinity with fewer than three observations.
    """
    if found.observations < _LEAST_OBSERVATIONS:
        return -math.inf
    ratio = found.sharpe
    variance = 1.0 - found.skew * ratio + (found.kurtosis - 1.0) / 4.0 * ratio**2
    return (ratio - benchmark) * math.sqrt(found.observations - 1) / math.sqrt(max(variance, 1e-12))


def probabilistic_sharpe(found: Moments, benchmark: float = 0.0) -> float:
    """Probability that the true Sharpe ratio exceeds ``benchmark`` [1]_.

    Examples
    --------
    The fund of the paper: two years of months, fat tails to the left.

    >>> fund = Moments(sharpe=0.458, skew=-2.448, kurtosis=10.164, observations=24)
    >>> round(probabilistic_sharpe(fund), 3)
    0.913
    """
    return float(norm.cdf(sharpe_score(found, benchmark)))


def expected_maximum_sharpe(trials: int, variance: float) -> float:
    r"""Highest Sharpe ratio to be expected of ``trials`` strategies without any skill [2]_.

    .. math:: \sqrt{V}\left((1 - \gamma)\Phi^{-1}\left(1 - \tfrac1N\right)
              + \gamma\,\Phi^{-1}\left(1 - \tfrac1{N e}\right)\right)

    Parameters
    ----------
    trials
        *N*, how many independent strategies were tried; 1 deflates nothing.
    variance
        *V*, of their Sharpe ratios. Where it is unknown, ``1 / (observations - 1)`` is what sheer
        luck gives.

    Examples
    --------
    >>> round(expected_maximum_sharpe(100, 1 / (2 * 250)), 4)
    0.1132
    """
    if trials < 1 or variance < 0:
        raise ValueError(f"needs trials >= 1 and variance >= 0, got {trials} and {variance}")
    if trials == 1:
        return 0.0
    high = norm.ppf(1.0 - 1.0 / trials)
    higher = norm.ppf(1.0 - 1.0 / (trials * math.e))
    return math.sqrt(variance) * float((1.0 - _EULER) * high + _EULER * higher)


def deflated_sharpe(found: Moments, trials: int, variance: float) -> float:
    """Probability that the best of ``trials`` has skill at all [2]_.

    The probabilistic Sharpe ratio against :func:`expected_maximum_sharpe`.

    Examples
    --------
    The example of the paper: 2.5 a year over five years, found in a hundred trials.

    >>> best = Moments(2.5 / 250**0.5, skew=-3.0, kurtosis=10.0, observations=1250)
    >>> round(deflated_sharpe(best, trials=100, variance=1 / (2 * 250)), 4)
    0.9004
    """
    return probabilistic_sharpe(found, expected_maximum_sharpe(trials, variance))


def minimum_track_record(found: Moments, confidence: float = 0.95) -> float:
    r"""Observations after which a Sharpe ratio like this one is surely above 0 [1]_.

    .. math:: 1 + \left(1 - \gamma_3 \hat S + \frac{\gamma_4 - 1}{4}\hat S^2\right)
              \left(\frac{\Phi^{-1}(1 - \alpha)}{\hat S}\right)^2

    Infinite for a ratio of 0 or less, which no length makes sure.

    Examples
    --------
    >>> round(minimum_track_record(Moments(sharpe=0.458, skew=-2.448, kurtosis=10.164)), 1)
    34.6
    """
    ratio = found.sharpe
    if ratio <= 0:
        return math.inf
    variance = 1.0 - found.skew * ratio + (found.kurtosis - 1.0) / 4.0 * ratio**2
    return 1.0 + max(variance, 1e-12) * (float(norm.ppf(confidence)) / ratio) ** 2


@dataclass(frozen=True)
class Overfitting:
    """What picking the best trial is worth.

    Attributes
    ----------
    probability
        Share of splits in which the best trial of one half came out at or below the median of all
        trials in the other half. 0.5 is what picking by chance gives.
    losing
        Share of splits in which it lost money in the other half.
    splits
        Number of splits.
    logits
        Shape ``(splits,)``: log-odds of the pick's rank in the other half; 0 is the median.
    """

    probability: float
    losing: float
    splits: int
    logits: Floats = field(default_factory=lambda: np.empty(0), repr=False, compare=False)


def backtest_overfitting(returns: ArrayLike, blocks: int = 16) -> Overfitting:
    """Probability of backtest overfitting by combinatorially symmetric cross-validation [3]_.

    Rows are cut into ``blocks`` of equal length (rows left over at the start are dropped). For
    each way to choose half of the blocks, the trial with the highest Sharpe ratio there is ranked
    by its ratio in the other half.

    Parameters
    ----------
    returns
        Shape ``(n, trials)``, returns of every trial in the same periods, fractions.
    blocks
        Even; 16 give 12,870 splits.

    Raises
    ------
    ValueError
        With fewer than two trials, fewer than two rows a block, or an odd number of blocks.

    Examples
    --------
    Of two trials the same one is better in every part: nothing is overfit.

    >>> wave = np.tile([0.01, -0.005], 20)
    >>> backtest_overfitting(np.column_stack([wave, wave - 0.01]), blocks=4)
    Overfitting(probability=0.0, losing=0.0, splits=6)
    """
    table = np.asarray(returns, dtype=np.float64)
    size = len(table) // blocks if blocks > 0 else 0
    if blocks < 2 or blocks % 2 or table.ndim != 2 or table.shape[1] < 2 or size < 2:
        raise ValueError(
            f"needs an even number of blocks, two rows a block and two trials, got {blocks} blocks "
            f"and returns of shape {table.shape}"
        )
    cut = table[len(table) - size * blocks :].reshape(blocks, size, -1)
    chosen = np.zeros((math.comb(blocks, blocks // 2), blocks))
    for row, half in enumerate(combinations(range(blocks), blocks // 2)):
        chosen[row, half] = 1.0
    inside = _sharpe_by_split(cut, chosen)
    outside = _sharpe_by_split(cut, 1.0 - chosen)
    best = inside.argmax(axis=1)
    rows = np.arange(len(chosen))
    rank = rankdata(outside, axis=1)[rows, best] / (table.shape[1] + 1)
    return Overfitting(
        probability=float(np.mean(rank <= 0.5)),
        losing=float(np.mean(outside[rows, best] < 0)),
        splits=len(chosen),
        logits=np.log(rank / (1.0 - rank)),
    )


def _sharpe_by_split(cut: Floats, chosen: Floats) -> Floats:
    """Sharpe ratio of every trial over the chosen blocks, shape ``(splits, trials)``."""
    count = chosen.sum(axis=1, keepdims=True) * cut.shape[1]
    mean = chosen @ cut.sum(axis=1) / count
    square = chosen @ (cut**2).sum(axis=1) / count
    variance = np.maximum(square - mean**2, 0.0)
    return np.asarray(np.where(variance > 1e-18, mean / np.sqrt(np.maximum(variance, 1e-18)), 0.0))
