"""Training the boosters of a window: rows, targets, numbers of rounds.

A booster is a pure function of the window's rows, the settings and its seed: of nothing that
earlier windows left behind, and not of the number of threads or of which process trains it.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.model import booster
from freqai_signals.model.ensemble import Head
from freqai_signals.provenance import code_digest, digest, library_versions
from freqai_signals.schema import SignalClass
from freqai_signals.settings import BoosterSettings, SignalSettings
from freqai_signals.training.booster_store import BoosterStore
from freqai_signals.training.row_checks import Split

BoolArray = NDArray[np.bool_]


class NotTrainedError(RuntimeError):
    """Boosters that could not be trained, though the rows suffice; the message says why."""


@dataclass(frozen=True)
class Chain:
    """The boosters at one place of one head: each is trained after the one that it depends on.

    Attributes
    ----------
    stopped
        Trained on the rows before the hold-out, which stopped it early.
    refitted
        Trained on all rows; None without ``model.refit``.
    early
        Trained on the early rows of the split; None without any.
    """

    stopped: booster.Fitted
    refitted: booster.Fitted | None = None
    early: booster.Fitted | None = None


@dataclass(frozen=True)
class WindowBoosters:
    """Heads of a window, one a seed: of early-stopped, of refitted boosters, and of early rows.

    ``refitted`` and ``early`` are empty where none were trained.
    """

    stopped: tuple[Head, ...]
    refitted: tuple[Head, ...]
    early: tuple[Head, ...]


@dataclass(frozen=True)
class _Place:
    """What one booster of a head predicts, from which rows, with which parameters."""

    name: str
    objective: booster.Objective
    target: NDArray[np.int8]
    rows: BoolArray
    settings: BoosterSettings
    min_rounds: int = 1


def _places(rows: TrainingRows, settings: SignalSettings) -> list[_Place]:
    default, everything = settings.booster, np.ones(len(rows), dtype=np.bool_)
    if settings.model.kind == "multiclass":
        return [_Place("classes", booster.MULTICLASS, rows.label, everything, default)]
    moved = rows.label != SignalClass.HOLD
    bought = (rows.label == SignalClass.BUY).astype(np.int8)
    slower = default.model_copy(update=settings.direction.model_dump(exclude={"rounds"}))
    return [
        _Place("move", booster.BINARY, moved.astype(np.int8), everything, default),
        _Place("direction", booster.BINARY, bought, moved, slower, settings.direction.rounds),
    ]


@dataclass(frozen=True)
class WindowTask:
    """Everything that the boosters of a window depend on.

    Attributes
    ----------
    rows, split
        Rows of the window, with the features to train on, and its parts.
    settings
        Of model, booster and direction.
    store
        Where finished boosters are kept; None keeps none.
    taken
        What ``rows`` are copies of, and which of them: that travels to a cluster instead.
    """

    rows: TrainingRows
    split: Split
    settings: SignalSettings
    store: BoosterStore | None = None
    taken: tuple[TrainingRows, BoolArray] | None = None

    @property
    def key(self) -> str:
        """Digest of the rows, of those that bins are made from, and of the hold-out."""
        sha = hashlib.sha256(self.rows.learning_digest.encode())
        for mask in (self.split.past, self.split.tail):
            sha.update(np.packbits(mask).tobytes())
        return sha.hexdigest()

    def chains(self) -> list[tuple[int, int]]:
        """Seed and place of each chain; they do not depend on each other. The longest come first.

        A booster of moves has all rows and more rounds than one of directions.
        """
        count = 1 if self.settings.model.kind == "multiclass" else 2
        return [(seed, place) for place in range(count) for seed in _seeds(self.settings)]

    def with_threads(self, threads: int) -> "WindowTask":
        """The same task with a number of LightGBM's threads, which changes no booster."""
        return replace(self, settings=self.settings.with_threads(threads))


class WindowTrainer:
    """Trains chains of one window, from bins that are made once and only if one is missing."""

    def __init__(self, task: WindowTask) -> None:
        self._task = task
        self._places = _places(task.rows, task.settings)
        self._key = task.key
        self._lock = Lock()

    @cached_property
    def _binned(self) -> booster.BinnedRows:
        rows, settings = self._task.rows, self._task.settings
        return booster.BinnedRows(rows.features, self._task.split.past, settings.booster)

    def chain(self, seed: int, place: int) -> Chain:
        """The boosters of a chain, each loaded where it is stored."""
        chosen = self._places[place]
        stopped = self._stopped(chosen, seed)
        later = [
            None if rows is None else self._fitted(chosen, seed, rounds, rows)
            for rounds, rows in self._later(stopped)
        ]
        return Chain(stopped, *later)

    def is_stored(self, seed: int, place: int) -> bool:
        """Whether all boosters of a chain are in the store; only the first of them is read."""
        store, chosen = self._task.store, self._places[place]
        stopped = store.load(self._stopped_key(chosen, seed)) if store is not None else None
        return (
            store is not None
            and stopped is not None
            and all(
                store.holds(self._fitted_key(chosen, seed, rounds, rows))
                for rounds, rows in self._later(stopped)
                if rows is not None
            )
        )

    def _later(self, stopped: booster.Fitted) -> list[tuple[int, BoolArray | None]]:
        """Rounds and rows of the refitted and of the early booster; no rows where there is none."""
        model, early = self._task.settings.model, self._task.split.early
        refit_rounds = max(1, round(stopped.best_rounds * model.refit_factor))
        everything = np.ones(len(self._task.rows), np.bool_)
        return [
            (refit_rounds, everything if model.refit else None),
            # The hold-out that chose these rounds lies after both parts, so on none of them.
            (stopped.best_rounds, early if early.any() else None),
        ]

    def _patience(self, place: _Place) -> int:
        """Rounds without progress that stop a booster; more for a lower learning rate."""
        settings = self._task.settings
        factor = settings.booster.learning_rate / place.settings.learning_rate
        return max(1, round(settings.model.early_stopping_rounds * factor))

    def _stopped(self, place: _Place, seed: int) -> booster.Fitted:
        def train() -> booster.Fitted:
            split = self._task.split
            # Direction is so faint on real candles that early stopping stops by chance.
            return booster.fit_early_stopping(
                self._sample(place, split.past), self._sample(place, split.tail),
                _parameters(place, seed), place.settings.rounds, self._patience(place),
                place.min_rounds,
            )  # fmt: skip

        return self._kept(self._stopped_key(place, seed), train)

    def _fitted(self, place: _Place, seed: int, rounds: int, rows: BoolArray) -> booster.Fitted:
        def train() -> booster.Fitted:
            return booster.fit_rounds(self._sample(place, rows), _parameters(place, seed), rounds)

        return self._kept(self._fitted_key(place, seed, rounds, rows), train)

    def _stopped_key(self, place: _Place, seed: int) -> str:
        recipe = ["stopped", place.settings.rounds, self._patience(place), place.min_rounds]
        return self._digest([*recipe, *_described(place, seed)])

    def _fitted_key(self, place: _Place, seed: int, rounds: int, rows: BoolArray) -> str:
        which = hashlib.sha256(np.packbits(rows).tobytes()).hexdigest()
        return self._digest(["fitted", rounds, which, *_described(place, seed)])

    def _digest(self, recipe: Sequence[Any]) -> str:
        return digest([self._key, *recipe, code_digest(), library_versions()])

    def _sample(self, place: _Place, rows: BoolArray) -> booster.Sample:
        with self._lock:
            binned = self._binned
        return binned.sample(rows & place.rows, place.target)

    def _kept(self, key: str, train: Callable[[], booster.Fitted]) -> booster.Fitted:
        """The stored booster of a key, else a trained one, stored."""
        store = self._task.store
        if store is None:
            # As a reader of a stored one gets it.
            return booster.from_text(booster.to_text(train()))
        return store.load(key) or store.save(key, train())


def _parameters(place: _Place, seed: int) -> dict[str, Any]:
    return booster.parameters(place.settings, place.objective, seed)


def _described(place: _Place, seed: int) -> list[Any]:
    """What the boosters of a place depend on beside rows and rounds; not the number of threads."""
    parameters = _parameters(place, seed)
    parameters.pop("num_threads")
    return [place.name, parameters]


def fit_window(task: WindowTask, workers: int = 1) -> WindowBoosters:
    """Train the boosters of a window, or load those that are stored.

    Parameters
    ----------
    task
        The window.
    workers
        Chains that are trained at a time, with a thread each; with one, a booster has the threads
        of the settings. The boosters are the same.

    Raises
    ------
    NotTrainedError
        If the store knows that worker processes failed on this very window.
    """
    reason = task.store.why_not(task.key) if task.store is not None else ""
    if reason:
        raise NotTrainedError(reason)
    chains = task.chains()
    side_by_side = min(workers, len(chains))
    trainer = WindowTrainer(task.with_threads(1) if side_by_side > 1 else task)
    # Threads: LightGBM does not hold the interpreter, and they share bins and rows.
    made: list[Chain] = Parallel(n_jobs=side_by_side, backend="threading")(
        delayed(trainer.chain)(*chain) for chain in chains
    )
    seeds, kind = task.settings.model.seeds, task.settings.model.kind
    by_seed = [made[first::seeds] for first in range(seeds)]

    def heads(which: Callable[[Chain], booster.Fitted | None]) -> tuple[Head, ...]:
        found = [tuple(f for f in map(which, chain) if f is not None) for chain in by_seed]
        return tuple(Head(kind, boosters) for boosters in found if boosters)

    return WindowBoosters(
        stopped=heads(lambda chain: chain.stopped),
        refitted=heads(lambda chain: chain.refitted),
        early=heads(lambda chain: chain.early),
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
