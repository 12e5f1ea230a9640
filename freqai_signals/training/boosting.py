"""How the boosters of a head are fitted: which rows, which target, how many rounds."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.model import booster
from freqai_signals.model.calibration import DirectionHistory
from freqai_signals.model.ensemble import Head
from freqai_signals.schema import SignalClass
from freqai_signals.settings import BoosterSettings, SignalSettings


@dataclass(frozen=True)
class _Task:
    """What one booster of a head learns, and how; ``rounds`` is the least number of them."""

    objective: booster.Objective
    sample: booster.Sample
    settings: BoosterSettings
    rounds: int = 1

    def fit(self, seed: int, rounds: int) -> booster.Fitted:
        """Boost for a given number of rounds."""
        return booster.fit_rounds(self.sample, self._parameters(seed), rounds)

    def fit_stopping(self, held_out: "_Task", seed: int, patience: int) -> booster.Fitted:
        """Boost until the loss on the held-out rows no longer falls, at least ``rounds`` times."""
        stopped = booster.fit_stopping(
            self.sample,
            held_out.sample,
            self._parameters(seed),
            self.settings.rounds,
            patience,
        )
        return stopped if stopped.best_rounds >= self.rounds else self.fit(seed, self.rounds)

    def _parameters(self, seed: int) -> dict[str, Any]:
        return booster.parameters(self.settings, self.objective, seed)


def _tasks(rows: TrainingRows, settings: SignalSettings) -> list[_Task]:
    """One task for each booster of a head."""
    usual = settings.booster
    if settings.model.kind == "multiclass":
        return [_Task(booster.MULTICLASS, booster.Sample(rows.features, rows.label), usual)]
    moved = rows.label != SignalClass.HOLD
    of_moves = booster.Sample(
        rows.features[moved],
        (rows.label[moved] == SignalClass.BUY).astype(np.int8),
    )
    slow = usual.model_copy(update=settings.direction.model_dump(exclude={"rounds"}))
    return [
        _Task(booster.BINARY, booster.Sample(rows.features, moved.astype(np.int8)), usual),
        _Task(booster.BINARY, of_moves, slow, settings.direction.rounds),
    ]


def fit_heads(past: TrainingRows, tail: TrainingRows, settings: SignalSettings) -> tuple[Head, ...]:
    """Fit one head a seed on ``past``; the purged ``tail`` chooses the number of rounds."""
    pairs = list(zip(_tasks(past, settings), _tasks(tail, settings), strict=True))
    return tuple(
        Head(
            settings.model.kind,
            tuple(
                task.fit_stopping(held_out, seed, _patience(task, settings))
                for task, held_out in pairs
            ),
        )
        for seed in _seeds(settings)
    )


def _patience(task: _Task, settings: SignalSettings) -> int:
    """Rounds without gain before stopping; a slower booster needs more of them to tell."""
    slower = settings.booster.learning_rate / task.settings.learning_rate
    return max(1, round(settings.model.early_stopping_rounds * slower))


def refit(
    heads: tuple[Head, ...], rows: TrainingRows, settings: SignalSettings
) -> tuple[Head, ...]:
    """Fit the same heads once more on other rows, ``refit_factor`` times as many rounds."""
    tasks, factor = _tasks(rows, settings), settings.model.refit_factor
    return tuple(
        Head(
            head.kind,
            tuple(
                task.fit(seed, max(1, round(old.best_rounds * factor)))
                for task, old in zip(tasks, head.boosters, strict=True)
            ),
        )
        for head, seed in zip(heads, _seeds(settings), strict=True)
    )


def _seeds(settings: SignalSettings) -> range:
    return range(settings.booster.seed, settings.booster.seed + settings.model.seeds)


def rounds_of(heads: tuple[Head, ...]) -> dict[str, int]:
    """Boosting rounds by booster, for the card."""
    names = ("classes",) if heads[0].kind == "multiclass" else ("move", "direction")
    return {
        f"{name}_{seed}": fitted.best_rounds
        for seed, head in enumerate(heads)
        for name, fitted in zip(names, head.boosters, strict=True)
    }


def first_history(
    early: TrainingRows, end: TrainingRows, heads: tuple[Head, ...], settings: SignalSettings
) -> DirectionHistory:
    """Direction predictions to begin with, where no earlier model left any.

    Boosters of direction are fitted on the ``early`` rows and asked about those of the ``end``,
    purged of each other. The hold-out after both chose the number of rounds, so they chose nothing.
    """
    task = _tasks(early, settings)[-1]
    raws = []
    for head, seed in zip(heads, _seeds(settings), strict=True):
        fitted = task.fit(seed, head.boosters[-1].best_rounds)
        predicted = booster.predict(fitted, end.features)
        if head.kind == "two_stage":
            predicted = np.column_stack([1.0 - predicted, np.zeros(len(end)), predicted])
        raws.append(predicted)
    return DirectionHistory().extended(end.event_end, end.label, np.mean(raws, axis=0))
