r"""Sequential test of whether a model still holds, on the daily outcomes of all its pairs.

Two questions are asked of all outcomes of a day together. *Skill*: is the model still better than
the class prior? *Direction*: do its log-odds still point to where the price goes? Outcomes overlap
within a day and pairs move together, so a day, not a row, is the unit of evidence; days of the
hold-outs measured in ``benchmarks.bench_drift`` are uncorrelated. The limits come from the model's
own hold-out, known before its first live prediction.

A day that is worse than an allowance raises a cumulative sum, a better one lowers it:

.. math:: S_d = \max(0,\; S_{d-1} + (a - x_d) / s)

The allowance of skill is half the mean of the hold-out, the midpoint between a model that holds and
one that only knows the prior; that of direction is 0, the midpoint between direction as it was and
its opposite.

References
----------
Page, "Continuous Inspection Schemes", Biometrika 41 (1954).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from freqai_signals.drift.quality_reference import SKILL_ALLOWANCE, QualityReference

LARGEST_SHARE: Final = 1 / 3
"""Of its limit, what a day adds to a sum at most: no one or two days are a proof."""

_TESTS: Final = ("skill", "direction")


@dataclass(frozen=True)
class QualityDay:
    """What the outcomes of one day add to the sums.

    Attributes
    ----------
    day
        Days since 1970 (UTC).
    version
        The model that predicted the day's last candle.
    skill, direction
        What the day adds to each sum, as a share of its limit; 0 where the test is not possible.
    trained
        First day that the training of that model had not seen to its end.
    """

    day: int
    version: str
    skill: float
    direction: float
    trained: int = 0


@dataclass(frozen=True)
class QualityState:
    """A test after its last day: its sum as a share of the limit, and an alarm's first day."""

    level: float = 0.0
    alarm: bool = False
    since: int = 0

    def is_over(self, trained: int) -> bool:
        """Whether the alarm is no longer about what serves: that saw a whole day after it.

        ``trained`` is the first day that it did not see whole.

        An alarm is found a horizon after its day. Where models are trained daily each one is
        another one than yesterday's, and one trained meanwhile would end it before it acted.
        """
        return self.alarm and trained > self.since + 1


def quality_day(
    day: int,
    values: Mapping[str, pd.DataFrame],
    references: Mapping[str, QualityReference],
    day_candles: int,
) -> QualityDay | None:
    """Judge a day; None if fewer than half of its candles, or of the pairs, have an outcome.

    A part of a day varies more than the days that the limits were learned from.

    Parameters
    ----------
    day
        Days since 1970 (UTC).
    values
        :func:`candle_values` of that day's outcomes, by model version.
    references
        Of those versions; outcomes of other ones do not count.
    day_candles
        Candles that a day has.
    """
    parts = [
        (version, found, references[version])
        for version, found in sorted(values.items())
        if version in references and found["pairs"].median() >= references[version].pairs / 2
    ]
    if sum(len(found) for _, found, _ in parts) < day_candles / 2:
        return None
    last = max(parts, key=lambda part: int(part[1].index.max()))[0]
    skill = [(r.skill_mean * SKILL_ALLOWANCE - v["skill"]) / r.skill_spread for _, v, r in parts]
    turned = [-r.directions(v) / r.direction_spread for _, v, r in parts]
    return QualityDay(
        day, last,
        _share(skill, [r.skill_limit for *_, r in parts]),
        _share(turned, [r.direction_limit for *_, r in parts]),
    )  # fmt: skip


def _share(worse: Sequence["pd.Series[float]"], limits: Sequence[float]) -> float:
    """Mean of a day's candles over the mean limit of the models that predicted them; bounded."""
    count = [len(values) for values in worse]
    mean = float(np.average([values.mean() for values in worse], weights=count))
    share = mean / np.average(limits, weights=count)
    return float(np.clip(share, -LARGEST_SHARE, LARGEST_SHARE))


def running_states(days: Iterable[QualityDay]) -> Iterator[dict[str, QualityState]]:
    """State of both tests after each of a sequence of days, oldest first.

    The sums go on over changes of the model, since each day is measured against its own model's
    hold-out; a model that was trained beyond an alarm's day begins at 0, see
    :meth:`QualityState.is_over`. An alarm also ends when half of its sum is gone.
    """
    states = dict.fromkeys(_TESTS, QualityState())
    for day in days:
        for name, before in states.items():
            state = QualityState() if before.is_over(day.trained) else before
            level = min(max(state.level + getattr(day, name), 0.0), 1.0)
            alarm = level >= (0.5 if state.alarm else 1.0)
            since = (state.since if state.alarm else day.day) if alarm else 0
            states[name] = QualityState(level, alarm, since)
        yield dict(states)


def states_after(days: Iterable[QualityDay]) -> dict[str, QualityState]:
    """State of both tests after the last of a sequence of days; see :func:`running_states`."""
    states = dict.fromkeys(_TESTS, QualityState())
    for after in running_states(days):
        states = after
    return states
