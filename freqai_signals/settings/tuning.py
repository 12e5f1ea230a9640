"""Settings of tuning: the search for LightGBM parameters and the use of its records."""

from typing import Annotated, ClassVar, Final, Literal, get_args

from pydantic import Field, Strict

from freqai_signals.settings.section import Effect, Section

TunableParameter = Literal[
    "booster.learning_rate",
    "booster.num_leaves",
    "booster.min_child_samples",
    "booster.feature_fraction",
    "booster.bagging_fraction",
    "booster.lambda_l2",
    "direction.learning_rate",
    "direction.feature_fraction",
    "direction.rounds",
]
TUNABLE_PARAMETERS: Final[tuple[TunableParameter, ...]] = get_args(TunableParameter)


class TuningSettings(Section):
    """Search for parameters on the rows of a training window.

    ``when``: ``never`` uses no record, ``stored`` uses those that ``freqai-signals tune`` stored,
    ``stale`` also tunes in retraining if none applies. A record applies for ``stale_days`` after
    the last candle it depends on. The search ends after ``trials`` (the first one has the config's
    parameters) or ``minutes``; the best parameters are tested on the last ``held_out_fraction`` of
    the time, at ``significance``. A trial trains fold by fold; after each the worse half is pruned.
    The ``scheme`` ``combinatorial`` holds out every pair of ``folds``, which gives several backtest
    paths. ``storage`` is an Optuna URL, "" for a SQLite file next to the records.
    """

    affects: ClassVar[Effect] = "nothing"

    when: Literal["never", "stored", "stale"] = "stored"
    """`never`; `stored` uses records of `freqai-signals tune`; `stale` also tunes in retraining if
    none applies."""
    parameters: Annotated[tuple[TunableParameter, ...], Strict(False), Field(min_length=1)] = (
        TUNABLE_PARAMETERS
    )
    """What is searched."""
    trials: Annotated[int, Field(ge=2, le=10_000)] = 40
    """Trials at most; the first has the config's parameters."""
    minutes: Annotated[float, Field(gt=0, le=10_000)] = 30.0
    """Time at most [minutes]."""
    scheme: Literal["k_fold", "walk_forward", "combinatorial"] = "k_fold"
    """Folds; `combinatorial` holds out every pair of them, which gives several backtest paths."""
    folds: Annotated[int, Field(ge=2, le=10)] = 3
    """Folds of the time."""
    held_out_fraction: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    """Last part of the time, on which the best parameters are tested [fraction]."""
    significance: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Level of that test."""
    stale_days: Annotated[float, Field(gt=0, le=100_000)] = 90.0
    """How long a record applies after the last candle that it depends on [days]."""
    seed: Annotated[int, Field(ge=0, le=2_000_000_000)] = 42
    """Seed of the search."""
    storage: str = ""
    """Optuna's URL; empty for a SQLite file beside the records."""
