"""Monitors and test moved over predictions candle by candle, as in a running bot."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from benchmarks.monitoring.served import PairRows, Served
from freqai_signals.drift.monitors import PairDrift
from freqai_signals.drift.quality_reference import candle_values
from freqai_signals.drift.sequential import QualityDay, quality_day, running_states
from freqai_signals.settings import SignalSettings

TESTS: Final = ("skill", "direction")
_LONGEST: Final = 90

Change = Callable[[Served, PairRows], PairRows]


def monitor_alarms(
    served: Served, rows: PairRows, settings: SignalSettings
) -> dict[str, list[int]]:
    """Candles at which each monitor of a pair begins to find drift."""
    watched = PairDrift(served.model.drift)
    found: dict[str, list[int]] = {state.detector: [] for state in watched.states}
    before = dict.fromkeys(found, False)
    horizon, step = settings.label_horizon_candles, settings.row_step
    used = np.flatnonzero(rows.candle % step == 0)
    for i in used.tolist():
        candle = int(rows.candle[i])
        watched.update_candle(candle, rows.features[i])
        # Known a horizon later, which delays a monitor by as much; its window is the same.
        watched.update_outcome(candle, int(rows.label[i]))
        for state in watched.states:
            if state.drift and not before[state.detector]:
                late = horizon if state.detector == "labels" else 0
                found[state.detector].append(candle + late)
            before[state.detector] = state.drift
    return found


def unchanged(_: Served, rows: PairRows) -> PairRows:
    return rows


def swapped(_: Served, rows: PairRows) -> PairRows:
    """Buy and sell exchanged."""
    return replace(rows, proba=rows.proba[:, ::-1])


def prior_only(served: Served, rows: PairRows) -> PairRows:
    """The class prior for every candle."""
    assert served.model.fit is not None
    return replace(rows, proba=np.tile(served.model.fit.prior, (len(rows.label), 1)))


def shuffled(_: Served, rows: PairRows) -> PairRows:
    """Each prediction at another candle."""
    order = np.random.default_rng(0).permutation(len(rows.label))
    return replace(rows, proba=rows.proba[order])


def no_direction(served: Served, rows: PairRows) -> PairRows:
    """The probability of a move kept, its direction that of the prior."""
    assert served.model.fit is not None
    sell, _, buy = served.model.fit.prior.tolist()
    moves = 1.0 - rows.proba[:, 1]
    parts = [moves * sell / (sell + buy), rows.proba[:, 1], moves * buy / (sell + buy)]
    return replace(rows, proba=np.column_stack(parts))


def quality_days(served: Served, change: Change, settings: SignalSettings) -> list[QualityDay]:
    """The days of a model's window, as the test takes them in."""
    model = served.model
    assert model.drift is not None
    assert model.drift.quality is not None
    assert model.fit is not None
    parts = [change(served, rows) for rows in served.pairs]
    candle = np.concatenate([part.candle for part in parts])
    proba = np.concatenate([part.proba for part in parts])
    label = np.concatenate([part.label for part in parts])
    moved = np.concatenate([part.moved for part in parts])
    values = candle_values(candle, label, moved, proba, np.tile(model.fit.prior, (len(label), 1)))
    per_day, version = settings.candles_per_day, model.card.version
    day_of = values.index.to_numpy() // per_day
    found = [
        quality_day(day, {version: values[day_of == day]}, {version: model.drift.quality}, per_day)
        for day in range(served.first // per_day, served.stop // per_day)
    ]
    return [day for day in found if day is not None]


def alarm_days(days: Sequence[QualityDay], name: str) -> list[int]:
    """Days on which a test alarms; it begins again after each, as with a new model."""
    found: list[int] = []
    since = 0
    while since < len(days):
        states = running_states(days[since:])
        first = next((i for i, state in enumerate(states) if state[name].alarm), None)
        if first is None:
            break
        found.append(days[since + first].day)
        since += first + 1
    return found


def days_until_alarm(
    healthy: Sequence[QualityDay], broken: Sequence[QualityDay], start: int, name: str
) -> float:
    """Days from a break at the beginning of day ``start`` to the alarm; inf if there is none."""
    before = list(healthy[max(start - _LONGEST, 0) : start])
    earlier = alarm_days(before, name)
    before = [day for day in before if not earlier or day.day > earlier[-1]]
    after = broken[start : start + _LONGEST]
    for i, state in enumerate(running_states([*before, *after])):
        if i >= len(before) and state[name].alarm:
            return float(after[i - len(before)].day - after[0].day + 1)
    return float("inf")
