"""Settings of training: labels, features, rows, boosters, calibration."""

from typing import Annotated, ClassVar, Final, Literal, get_args

from pydantic import Field, Strict

from freqai_signals.settings.section import Effect, Fraction, Names, Section

LabelKind = Literal["fixed", "volatility", "triple_barrier"]
ModelKind = Literal["multiclass", "two_stage"]
CalibrationMethod = Literal["none", "temperature", "direction_shrink"]
FeatureGroup = Literal[
    "momentum",
    "mean_reversion",
    "volatility",
    "volume",
    "candle_shape",
    "calendar",
    "higher_timeframes",
    "cross_asset",
]
FEATURE_GROUPS: Final[tuple[FeatureGroup, ...]] = get_args(FeatureGroup)


class LabelSettings(Section):
    """The label, which is the prediction target.

    ``kind`` chooses the rule, the other keys belong to one rule each. ``threshold`` is a fraction
    of the close (0.002 = 0.2 %); ``k`` multiplies sigma * sqrt(horizon); ``floor`` is the smallest
    barrier or threshold, a fraction, and never below the round-trip cost of a trade.
    """

    affects: ClassVar[Effect] = "model"

    kind: LabelKind = "triple_barrier"
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.002
    k: Annotated[float, Field(gt=0, le=100)] = 1.0
    volatility_span_days: Annotated[float, Field(gt=0, le=30)] = 1.0
    floor: Annotated[float, Field(ge=0, lt=1)] = 0.004
    both_touched: Literal["hold", "lower_first"] = "hold"


class FeatureSettings(Section):
    """Which features are computed; FreqAI's ``indicator_periods_candles`` gives their spans.

    ``lead_pair`` is a pair of the pool, or its coin; where the default is none of them, their mean
    leads, and any other name that is not there is refused. Moves are measured in units of a
    volatility with a span of ``volatility_span_days``, and against the same time of day of the last
    ``season_days``: three times the one and once the other is how far features look back.
    """

    affects: ClassVar[Effect] = "predictions"

    groups: Annotated[tuple[FeatureGroup, ...], Strict(False), Field(min_length=1)] = FEATURE_GROUPS
    higher_timeframes: Annotated[Names, Field(max_length=10)] = ("1h", "4h")
    lead_pair: Annotated[str, Field(max_length=64)] = "BTC"
    volatility_span_days: Annotated[float, Field(gt=0, le=30)] = 1.0
    season_days: Annotated[int, Field(ge=1, le=30)] = 7


class ValidationSettings(Section):
    """How rows are held out inside a training window."""

    affects: ClassVar[Effect] = "model"

    embargo_candles: Annotated[int, Field(ge=0, le=100_000)] = 0
    min_rows: Annotated[int, Field(ge=50, le=10_000_000)] = 500
    min_class_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 20
    accuracy_warning: Fraction = 0.55


class ModelSettings(Section):
    """How a model is fitted.

    ``pool``: one model for the ``whitelist`` or one a ``pair``. ``pool_pairs``, if given, replace
    the whitelist as pool and as market of cross-asset features; a running bot has the candles of
    ``exchange.pair_whitelist`` only, so there they must be in it. ``row_step`` trains on every n-th
    candle (5 and 12 have no common divisor, so that every minute of the hour occurs); ``refit``
    trains again on all rows with ``refit_factor`` times the best number of rounds; ``seeds``
    averages that many boosters.
    """

    affects: ClassVar[Effect] = "model"

    kind: ModelKind = "two_stage"
    pool: Literal["pair", "whitelist"] = "whitelist"
    pool_pairs: Names = ()
    row_step: Annotated[int, Field(ge=1, le=1000)] = 5
    refit: bool = True
    refit_factor: Annotated[float, Field(ge=0.5, le=3)] = 1.1
    early_stopping_rounds: Annotated[int, Field(ge=1, le=100_000)] = 30
    seeds: Annotated[int, Field(ge=1, le=20)] = 1


class SelectionSettings(Section):
    """Feature selection; see ``training.feature_selection``.

    The features that add least to the gain of the trees, beyond ``gain_share`` of it, are dropped
    if that costs at most ``tolerance`` nats of log loss, at ``significance``; otherwise all are
    kept. About ``max_rows`` rows are used.
    """

    affects: ClassVar[Effect] = "model"

    enabled: bool = False
    gain_share: Annotated[float, Field(gt=0, lt=1)] = 0.95
    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.001
    significance: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    max_rows: Annotated[int, Field(ge=1000, le=10_000_000)] = 40_000


class BoosterSettings(Section):
    """LightGBM's parameters (FreqAI's ``model_training_parameters``); the usual aliases work."""

    affects: ClassVar[Effect] = "model"

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.05
    num_leaves: Annotated[int, Field(ge=2, le=4096)] = 15
    max_depth: Annotated[int, Field(ge=-1, le=64)] = -1
    min_child_samples: Annotated[int, Field(ge=1, le=10_000_000)] = 200
    feature_fraction: Annotated[float, Field(gt=0, le=1)] = 0.4
    bagging_fraction: Annotated[float, Field(gt=0, le=1)] = 0.7
    bagging_freq: Annotated[int, Field(ge=0, le=100_000)] = 1
    lambda_l1: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    lambda_l2: Annotated[float, Field(ge=0, le=1e6)] = 5.0
    min_gain_to_split: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    max_bin: Annotated[int, Field(ge=2, le=65535)] = 63
    rounds: Annotated[int, Field(ge=1, le=100_000)] = 600
    seed: Annotated[int, Field(ge=0, le=2_000_000_000)] = 42
    threads: Annotated[int, Field(ge=1, le=256)] = 2


class DirectionSettings(Section):
    """Parameters of the direction booster, buy against sell, in the kind ``two_stage``.

    On real candles direction is so faint that early stopping stops by chance, after 20 to 70
    rounds. A low learning rate with at least ``rounds`` rounds measured better for any number
    between 80 and 200; if there is more to learn, early stopping allows more.
    """

    affects: ClassVar[Effect] = "model"

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.02
    feature_fraction: Annotated[float, Field(gt=0, le=1)] = 0.2
    rounds: Annotated[int, Field(ge=1, le=100_000)] = 100


class CalibrationSettings(Section):
    """How raw probabilities are calibrated, on purged rows that trained no tree."""

    affects: ClassVar[Effect] = "model"

    method: CalibrationMethod = "direction_shrink"
    min_rows: Annotated[int, Field(ge=50, le=10_000_000)] = 1000
    initial_slope: Fraction = 0.45
