"""Training the boosters of a head: rows, targets and number of rounds."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.metrics import Probabilities
from freqai_signals.model import booster
from freqai_signals.model.ensemble import Head, raw_mean
from freqai_signals.schema import SignalClass
from freqai_signals.settings import BoosterSettings, SignalSettings


@dataclass(frozen=True)
class _Task:
    """Objective, rows and parameters of one booster of a head."""

    objective: booster.Objective
    sample: booster.Sample
    settings: BoosterSettings
    min_rounds: int = 1

    def fit(self, seed: int, rounds: int) -> booster.Fitted:
        return booster.fit_rounds(self.sample, self._parameters(seed), rounds)

    def fit_early_stopping(self, held_out: "_Task", seed: int, patience: int) -> booster.Fitted:
        stopped = booster.fit_early_stopping(
            self.sample,
            held_out.sample,
            self._parameters(seed),
            self.settings.rounds,
            patience,
        )
        # Direction is so faint on real candles that early stopping stops by chance.
        return (
            stopped if stopped.best_rounds >= self.min_rounds else self.fit(seed, self.min_rounds)
        )

    def _parameters(self, seed: int) -> dict[str, Any]:
        return booster.parameters(self.settings, self.objective, seed)


def _tasks(rows: TrainingRows, settings: SignalSettings) -> list[_Task]:
    """One task for each booster of a head."""
    default = settings.booster
    if settings.model.kind == "multiclass":
        return [_Task(booster.MULTICLASS, booster.Sample(rows.features, rows.label), default)]
    moved = rows.label != SignalClass.HOLD
    move = booster.Sample(rows.features, moved.astype(np.int8))
    bought = (rows.label[moved] == SignalClass.BUY).astype(np.int8)
    direction = booster.Sample(rows.features[moved], bought)
    slower = default.model_copy(update=settings.direction.model_dump(exclude={"rounds"}))
    return [
        _Task(booster.BINARY, move, default),
        _Task(booster.BINARY, direction, slower, settings.direction.rounds),
    ]


def fit_heads(past: TrainingRows, tail: TrainingRows, settings: SignalSettings) -> tuple[Head, ...]:
    """Train one head a seed on ``past`` with early stopping on the purged ``tail``."""
    pairs = list(zip(_tasks(past, settings), _tasks(tail, settings), strict=True))
    return tuple(
        Head(
            settings.model.kind,
            tuple(
                task.fit_early_stopping(held_out, seed, _patience(task, settings))
                for task, held_out in pairs
            ),
        )
        for seed in _seeds(settings)
    )


def _patience(task: _Task, settings: SignalSettings) -> int:
    """Early stopping rounds, more for a lower learning rate."""
    factor = settings.booster.learning_rate / task.settings.learning_rate
    return max(1, round(settings.model.early_stopping_rounds * factor))


def refit(
    heads: tuple[Head, ...], rows: TrainingRows, settings: SignalSettings
) -> tuple[Head, ...]:
    """Train the same heads on other rows, with ``refit_factor`` times as many rounds."""
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
    """Boosting rounds by booster, for the model card."""
    names = ("classes",) if heads[0].kind == "multiclass" else ("move", "direction")
    return {
        f"{name}_{seed}": fitted.best_rounds
        for seed, head in enumerate(heads)
        for name, fitted in zip(names, head.boosters, strict=True)
    }


def earlier_predictions(
    early: TrainingRows, end: TrainingRows, heads: tuple[Head, ...], settings: SignalSettings
) -> Probabilities:
    """Out-of-sample predictions for the first model, which has no predecessor.

    Boosters are trained on the ``early`` rows and predict those of the ``end``, purged of each
    other. The number of rounds was chosen on the hold-out after both, so on none of them.

    Returns
    -------
    numpy.ndarray
        Probabilities before calibration of the rows of ``end``, shape ``(n, 3)``.
    """
    tasks = _tasks(early, settings)
    before = tuple(
        Head(
            head.kind,
            tuple(
                task.fit(seed, chosen.best_rounds)
                for task, chosen in zip(tasks, head.boosters, strict=True)
            ),
        )
        for head, seed in zip(heads, _seeds(settings), strict=True)
    )
    return raw_mean(before, end.features)
