"""Daily live quality on a hold-out, and the limits of the sequential test that follows from it."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.metrics import log_losses
from freqai_signals.schema import SignalClass

FALSE_ALARMS_A_YEAR: Final = 0.5
"""Of each test over a whole pool, with a model that is as good as on its hold-out; at most."""

MIN_DAYS: Final = 20
"""Whole days that the hold-out needs."""

SKILL_ALLOWANCE: Final = 0.5
"""Share of the hold-out's skill below which a day counts against it: midway to the class prior."""

_LARGEST_MOVE: Final = 3.0

_DIRECTION: Final = ["market", "relative", "market_moved", "relative_moved"]
_LONGEST_DETECTION: Final = 60.0
_LEAST: Final = 1e-6
_SHARES: Final = np.linspace(-1.0, 1.0, 41)
_LIMITS: Final = np.arange(1.0, 60.0, 0.05)

Values = NDArray[np.float64]


@dataclass(frozen=True)
class QualityReference:
    """What days of outcomes were like on a model's hold-out, and from where on they are too bad.

    Attributes
    ----------
    days, pairs
        Whole days of the hold-out, and pairs at its median candle.
    skill_mean, skill_spread
        Over the days, of the log loss of the prior minus the model's, nats.
    market_share, relative_share
        How much of what prices did is taken out of the two parts of direction, see
        :meth:`directions`.
    market_spread, relative_spread
        Standard deviation over the days of the two parts; inf where there is no such part.
    direction_mean, direction_spread
        Over the days, of :meth:`directions`.
    skill_limit, direction_limit
        Cumulative sum from which the test alarms, in spreads; inf where it would take more than 60
        days to find a complete loss.
    """

    days: int
    pairs: float
    skill_mean: float
    skill_spread: float
    skill_limit: float
    market_share: float
    relative_share: float
    market_spread: float
    relative_spread: float
    direction_mean: float
    direction_spread: float
    direction_limit: float

    def directions(self, values: pd.DataFrame) -> "pd.Series[float]":
        """How far prices went the way of the log-odds: both parts, each over its spread.

        Parameters
        ----------
        values
            :func:`candle_values`, or means of them.
        """
        market = values["market"] - self.market_share * values["market_moved"]
        relative = values["relative"] - self.relative_share * values["relative_moved"]
        return market / self.market_spread + relative / self.relative_spread


def candle_values(
    candle: NDArray[np.int64],
    label: NDArray[np.int8],
    moved: Values,
    proba: Values,
    prior: Values,
) -> pd.DataFrame:
    """Statistics of all outcomes of a candle.

    Parameters
    ----------
    candle
        Shape ``(n,)``, candle number of the prediction; several pairs have the same.
    label
        Shape ``(n,)``, realised class, known at the event end.
    moved
        Shape ``(n,)``, gross return of the event in units of the row's return scale; finite.
    proba, prior
        Shape ``(n, 3)``, of the model and of its class prior.

    Returns
    -------
    pandas.DataFrame
        By candle: ``pairs``; ``skill``, log loss of the prior minus the model's, nats; ``market``,
        mean lean of the pairs times mean direction of their outcomes (1, 0, -1); ``relative``, the
        same of each pair's difference from these means, averaged; ``market_moved`` and
        ``relative_moved``, the same two of ``moved`` in place of the direction. A lean is the
        signed square root of the log-odds of buy against sell beyond the prior's. The two parts
        vary independently: weighted apart they show more than their sum.
    """
    skill = log_losses(label, prior) - log_losses(label, proba)
    proba, prior = np.maximum(proba, _LEAST), np.maximum(prior, _LEAST)
    sell, buy = int(SignalClass.SELL), int(SignalClass.BUY)
    odds = np.log(proba[:, buy] / proba[:, sell]) - np.log(prior[:, buy] / prior[:, sell])
    way = (label == buy).astype(np.float64) - (label == sell)
    # Of the surest rows fewer are right than they claim; the root keeps them from deciding alone.
    lean = np.sign(odds) * np.sqrt(np.abs(odds))
    went = np.clip(moved, -_LARGEST_MOVE, _LARGEST_MOVE)
    rows = pd.DataFrame({"skill": skill, "lean": lean, "way": way, "went": went})
    of_rows = rows.assign(way_both=lean * way, went_both=lean * went).groupby(candle)
    found = of_rows.mean().assign(pairs=of_rows.size().astype(np.float64))
    for name, of in (("", "way"), ("_moved", "went")):
        found[f"market{name}"] = found["lean"] * found[of]
        found[f"relative{name}"] = found[f"{of}_both"] - found[f"market{name}"]
    return found[["pairs", "skill", *_DIRECTION]]


def quality_reference(values: pd.DataFrame, day_candles: int) -> QualityReference | None:
    """Learn from the hold-out's :func:`candle_values`; None with too few whole days.

    Parameters
    ----------
    values
        By candle number.
    day_candles
        Candles that a day has.
    """
    days = values.groupby(values.index.to_numpy() // day_candles)
    size = days.size()
    whole = size >= 0.9 * size.max() if len(size) else size
    means = days[["skill", *_DIRECTION]].mean()[whole]
    if len(means) < MIN_DAYS:
        return None
    skill = means["skill"].to_numpy(np.float64)
    better = _mean_and_spread(skill)
    shares = [_share_taken_out(means, part) for part in ("market", "relative")]
    spreads = [
        _spread((means[part] - share * means[f"{part}_moved"]).to_numpy(np.float64))
        for part, share in zip(("market", "relative"), shares, strict=True)
    ]
    found = QualityReference(
        days=len(means),
        pairs=float(values["pairs"].median()),
        skill_mean=better[0],
        skill_spread=better[1],
        skill_limit=_limit(skill - better[0] * SKILL_ALLOWANCE, better[1]),
        market_share=shares[0],
        relative_share=shares[1],
        market_spread=spreads[0],
        relative_spread=spreads[1],
        direction_mean=0.0,
        direction_spread=1.0,
        direction_limit=float("inf"),
    )
    direction = np.asarray(found.directions(means), np.float64)
    mean, spread = _mean_and_spread(direction)
    limit = _limit(direction, spread)
    return replace(found, direction_mean=mean, direction_spread=spread, direction_limit=limit)


def _share_taken_out(means: pd.DataFrame, part: str) -> float:
    """How much of what prices did is taken out of a part, so that it stands out most.

    A price is nearly a martingale: where the upper barrier is likelier to be touched, what touches
    none ends lower, and the return itself says little of direction, whatever the lean. Most of what
    a part varies by is that return. In a market whose returns follow the lean they are added
    instead (a negative share).
    """
    days = means[part].to_numpy(np.float64)
    # A lean that does not point the way is not to be repaired by weights.
    if not days.mean() > 0:
        return 0.0
    left = days - _SHARES[:, None] * means[f"{part}_moved"].to_numpy(np.float64)
    return float(_SHARES[np.argmax(left.mean(axis=1) / np.maximum(left.std(axis=1), _LEAST))])


def why_not_tested(
    reference: QualityReference | None, start: NDArray[np.int64], day_candles: int
) -> list[str]:
    """Why a model's tests are not possible, and what to do; empty if both are.

    Parameters
    ----------
    reference
        Of the model.
    start
        Candle numbers of its hold-out.
    day_candles
        Candles that a day has.
    """
    if reference is None:
        days = len(np.unique(start // day_candles))
        # The first and the last may be no whole days.
        if days > MIN_DAYS + 2:
            return [
                f"not tested: fewer than {MIN_DAYS} of the hold-out's {days} days are whole, or an "
                "earlier version trained this model and the next one is tested"
            ]
        return [
            f"not tested: the hold-out has about {days} days, the test needs "
            f"{max(MIN_DAYS - days, 1)} more; use a longer freqai.train_period_days or "
            "data_split_parameters.test_size"
        ]
    limits = {"skill": reference.skill_limit, "direction": reference.direction_limit}
    return [
        f"{name} is not tested: the hold-out shows so little that its loss would take more than "
        f"{_LONGEST_DETECTION:g} days to be found"
        for name, limit in limits.items()
        if np.isinf(limit)
    ]


def _mean_and_spread(values: Values) -> tuple[float, float]:
    return float(values.mean()), max(float(values.std(ddof=1)), _LEAST)


def _spread(values: Values) -> float:
    """Standard deviation; inf for a part that does not exist: a single pair, no direction."""
    found = float(values.std(ddof=1))
    return found if found > _LEAST else float("inf")


def _limit(above: Values, spread: float) -> float:
    r"""Limit that days which lie ``above`` the allowance cross as rarely as stated.

    With :math:`\Delta` spreads above it on average and :math:`b = h + 1.166`, a sum with the limit
    *h* has a mean of :math:`(e^{2 \Delta b} - 1 - 2 \Delta b) / (2 \Delta^2)` days between alarms.
    That of a lucky hold-out of few days is too low, and its many alarms outweigh the few of an
    unlucky one; that a day adds a part of the limit at most makes up for it.

    References
    ----------
    Siegmund, "Sequential Analysis" (1985), chapter 2.
    """
    found = float(above.mean()) / spread
    if not found > _LEAST:
        return float("inf")
    step = 2 * found * (_LIMITS + 1.166)
    between = (np.expm1(np.minimum(step, 50.0)) - step) / (2 * found**2)
    allowed = np.flatnonzero(between >= 365 / FALSE_ALARMS_A_YEAR)
    limit = float(_LIMITS[allowed[0]]) if len(allowed) else float("inf")
    return limit if limit / found <= _LONGEST_DETECTION else float("inf")
