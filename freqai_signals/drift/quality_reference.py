"""Daily live quality on a hold-out, and the limits of the sequential test that follows from it."""

from dataclasses import dataclass
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

LARGEST_DAY: Final = 3.0
"""Spreads that one day adds at most: a single one is no proof."""

_LONGEST_DETECTION: Final = 60.0
_LEAST: Final = 1e-6
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
    market_spread, relative_spread
        Standard deviation over the days of the two parts of direction, see :func:`candle_values`;
        inf where there is no such part.
    direction_mean, direction_spread
        Over the days, of the sum of both parts, each over its spread.
    skill_limit, direction_limit
        Cumulative sum from which the test alarms, in spreads; inf where it would take more than 60
        days to find a complete loss.
    """

    days: int
    pairs: float
    skill_mean: float
    skill_spread: float
    skill_limit: float
    market_spread: float
    relative_spread: float
    direction_mean: float
    direction_spread: float
    direction_limit: float


def candle_values(
    candle: NDArray[np.int64], label: NDArray[np.int8], proba: Values, prior: Values
) -> pd.DataFrame:
    """Three statistics of all outcomes of a candle.

    Parameters
    ----------
    candle
        Shape ``(n,)``, candle number of the prediction; several pairs have the same.
    label
        Shape ``(n,)``, realised class, known at the event end.
    proba, prior
        Shape ``(n, 3)``, of the model and of its class prior.

    Returns
    -------
    pandas.DataFrame
        By candle: ``pairs``; ``skill``, log loss of the prior minus the model's, nats; ``market``,
        mean lean of the pairs times mean direction of their outcomes (1, 0, -1); ``relative``, the
        same of each pair's difference from these means, averaged. A lean is the signed square root
        of the log-odds of buy against sell beyond the prior's. The two parts vary independently:
        weighted apart they show more than their sum.
    """
    skill = log_losses(label, prior) - log_losses(label, proba)
    proba, prior = np.maximum(proba, _LEAST), np.maximum(prior, _LEAST)
    sell, buy = int(SignalClass.SELL), int(SignalClass.BUY)
    odds = np.log(proba[:, buy] / proba[:, sell]) - np.log(prior[:, buy] / prior[:, sell])
    way = (label == buy).astype(np.float64) - (label == sell)
    # Of the surest rows fewer are right than they claim; the root keeps them from deciding alone.
    lean = np.sign(odds) * np.sqrt(np.abs(odds))
    rows = pd.DataFrame({"pairs": 1.0, "skill": skill, "lean": lean, "way": way})
    rows["both"] = lean * way
    found = rows.groupby(candle).agg(
        {"pairs": "sum", "skill": "mean", "lean": "mean", "way": "mean", "both": "mean"}
    )
    found["market"] = found["lean"] * found["way"]
    found["relative"] = found["both"] - found["market"]
    return found[["pairs", "skill", "market", "relative"]]


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
    means = days[["skill", "market", "relative"]].mean()[whole]
    if len(means) < MIN_DAYS:
        return None
    skill = means["skill"].to_numpy(np.float64)
    spread = [_spread(means[name].to_numpy(np.float64)) for name in ("market", "relative")]
    direction = means["market"].to_numpy() / spread[0] + means["relative"].to_numpy() / spread[1]
    better, turned = (_mean_and_spread(values) for values in (skill, direction))
    return QualityReference(
        days=len(means),
        pairs=float(values["pairs"].median()),
        skill_mean=better[0],
        skill_spread=better[1],
        skill_limit=_limit(skill - better[0] / 2, better[1]),
        market_spread=spread[0],
        relative_spread=spread[1],
        direction_mean=turned[0],
        direction_spread=turned[1],
        direction_limit=_limit(direction, turned[1]),
    )


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
    :math:`\Delta` counts less its standard error: a lucky hold-out of few days would give a limit
    with many alarms, for which the few of an unlucky one cannot make up.

    References
    ----------
    Siegmund, "Sequential Analysis" (1985), chapter 2.
    """
    found = float(above.mean()) / spread
    drift = found - len(above) ** -0.5
    if not drift > _LEAST:
        return float("inf")
    step = 2 * drift * (_LIMITS + 1.166)
    between = (np.expm1(np.minimum(step, 50.0)) - step) / (2 * drift**2)
    allowed = np.flatnonzero(between >= 365 / FALSE_ALARMS_A_YEAR)
    limit = float(_LIMITS[allowed[0]]) if len(allowed) else float("inf")
    return limit if limit / found <= _LONGEST_DETECTION else float("inf")
