"""Ranges of the tuned parameters, and the rows that each step of the search may use."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from freqai_signals.dataset.cross_validation import PurgedKFold, Split, WalkForward
from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.dataset.splits import BoolArray, IntArray, Intervals, purged_tail
from freqai_signals.settings import SignalSettings, TunableParameter

_TEST_FOLDS: Final = 2
"""Folds that a combinatorial split holds out at once."""

Parameters = Mapping[str, float | int]
"""Setting path, such as ``booster.num_leaves``, to its value."""


@dataclass(frozen=True)
class Range:
    """From ``low`` to ``high``, both included; ``log`` searches on a logarithmic scale."""

    low: float
    high: float
    log: bool = True
    whole: bool = False

    def holding(self, value: float) -> "Range":
        """The range widened to the config's own value, so that it can be the first trial."""
        low, high = min(self.low, value), max(self.high, value)
        # A logarithmic scale cannot reach a configured 0.
        return Range(low, high, self.log and low > 0, self.whole)


RANGES: Final[Mapping[TunableParameter, Range]] = {
    "booster.learning_rate": Range(0.01, 0.2),
    "booster.num_leaves": Range(4, 63, whole=True),
    "booster.min_child_samples": Range(20, 2000, whole=True),
    "booster.feature_fraction": Range(0.1, 1.0, log=False),
    "booster.bagging_fraction": Range(0.3, 1.0, log=False),
    "booster.lambda_l2": Range(0.01, 100.0),
    "direction.learning_rate": Range(0.005, 0.1),
    "direction.feature_fraction": Range(0.05, 1.0, log=False),
    "direction.rounds": Range(30, 400, whole=True),
}
"""Ranges in which LightGBM learns from candles at all; the config's value widens its range."""


def search_space(settings: SignalSettings) -> dict[str, Range]:
    """Ranges of the parameters to tune that the model has."""
    has_direction = settings.model.kind == "two_stage"
    chosen = [
        name
        for name in settings.tuning.parameters
        if has_direction or not name.startswith("direction.")
    ]
    default = parameters_of(settings, chosen)
    return {name: RANGES[name].holding(default[name]) for name in chosen}


def parameters_of(settings: SignalSettings, names: Iterable[str]) -> dict[str, Any]:
    """Values of the named parameters in some settings."""
    found: dict[str, Any] = {}
    for name in names:
        section, _, key = name.partition(".")
        found[name] = getattr(getattr(settings, section), key)
    return found


def with_parameters(settings: SignalSettings, parameters: Parameters) -> SignalSettings:
    """The settings with these parameters in place of their own, validated.

    Raises
    ------
    ValueError
        If a name or a value is not allowed.

    Examples
    --------
    >>> with_parameters(SignalSettings(), {"booster.num_leaves": 7}).booster.num_leaves
    7
    """
    unknown = sorted(set(parameters) - set(RANGES))
    if unknown:
        raise ValueError(
            f"{', '.join(unknown)}: not a tunable parameter; those are {', '.join(RANGES)}"
        )
    # Not model_copy, which does not validate what it is given.
    values = settings.model_dump()
    for name, value in parameters.items():
        section, _, key = name.partition(".")
        values[section][key] = value
    return SignalSettings.model_validate(values)


@dataclass(frozen=True)
class Fold:
    """Rows of one training and of its test; shape ``(n,)`` each.

    ``path`` is the backtest path of every test row, -1 elsewhere.
    """

    train: BoolArray
    test: BoolArray
    path: IntArray


@dataclass(frozen=True)
class TuningRows:
    """The rows of a training window, by their use in tuning.

    Attributes
    ----------
    search
        Rows on which parameters are chosen.
    held_out
        The purged end of the window, on which the best parameters are compared with the default.
    folds
        Of ``search``; no outcome of a fold's training rows reaches into its test rows.
    """

    search: TrainingRows
    held_out: TrainingRows
    folds: tuple[Fold, ...]

    @property
    def paths(self) -> int:
        """Number of backtest paths."""
        return 1 + max(int(fold.path.max()) for fold in self.folds)


def tuning_rows(rows: TrainingRows, settings: SignalSettings) -> TuningRows:
    """Split the rows of a window.

    Raises
    ------
    ValueError
        If there are too few rows for the folds, or for one model in each of them.
    """
    tuning, embargo = settings.tuning, settings.validation.embargo_candles
    before, after = purged_tail(rows.start, rows.event_end, tuning.held_out_fraction, embargo)
    search, held_out = rows.take(before), rows.take(after)
    least = settings.validation.min_rows
    if len(search) < tuning.folds * least:
        raise ValueError(
            f"{len(rows)} rows leave {len(search)} for the search, too few for {tuning.folds} folds"
            f" of at least freqai.signals.validation.min_rows = {least} rows; give more candles or "
            "lower freqai.signals.tuning.folds"
        )
    return TuningRows(search, held_out, _folds(search, settings))


def _folds(rows: TrainingRows, settings: SignalSettings) -> tuple[Fold, ...]:
    intervals = Intervals(rows.start, rows.event_end)
    tuning, embargo = settings.tuning, settings.validation.embargo_candles
    if tuning.scheme == "walk_forward":
        # Training begins with as much time as is tested in all folds together.
        span = int(np.ptp(rows.start)) + 1
        first = span // 2
        # Ceiling division: otherwise the remainder would make one fold more.
        each = -(-(span - first) // tuning.folds)
        walk = WalkForward(intervals, first, each, embargo, expanding=True)
        return tuple(_fold(split, np.zeros(len(rows), np.int64)) for split in walk.split())
    held_out = _TEST_FOLDS if tuning.scheme == "combinatorial" else 1
    folds = PurgedKFold(intervals, tuning.folds, held_out, embargo)
    return tuple(
        _fold(split, path) for split, path in zip(folds.split(), folds.row_paths(), strict=True)
    )


def _fold(split: Split, path: IntArray) -> Fold:
    train, test = (np.zeros(len(path), np.bool_) for _ in range(2))
    train[split[0]], test[split[1]] = True, True
    return Fold(train, test, np.where(test, path, -1))
