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
    """Rule of the label."""
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.002
    """Of kind `fixed`: move of the close over the horizon that is a buy or sell [fraction]."""
    k: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Barrier or threshold in units of sigma * sqrt(horizon); not of kind `fixed`."""
    volatility_span_days: Annotated[float, Field(gt=0, le=30)] = 1.0
    """Span of the volatility sigma that scales the barriers [days]."""
    floor: Annotated[float, Field(ge=0, lt=1)] = 0.004
    """Smallest barrier or threshold, and never below the round-trip cost [fraction]."""


class FeatureSettings(Section):
    """Which features are computed; FreqAI's ``indicator_periods_candles`` gives their spans.

    ``lead_pair`` is a pair of the pool, or its coin; where the default is none of them, their mean
    leads, and any other name that is not there is refused. Moves are measured in units of a
    volatility with a span of ``volatility_span_days``, and against the same time of day of the last
    ``season_days``: three times the one and once the other is how far features look back.
    """

    affects: ClassVar[Effect] = "predictions"

    groups: Annotated[tuple[FeatureGroup, ...], Strict(False), Field(min_length=1)] = FEATURE_GROUPS
    """Groups of features that are computed."""
    higher_timeframes: Annotated[Names, Field(max_length=10)] = ("1h", "4h")
    """Longer timeframes, derived from base candles; FreqAI's longer `include_timeframes` where not
    given."""
    lead_pair: Annotated[str, Field(max_length=64)] = "BTC"
    """Pair of the pool, or its coin, whose moves are features of all; their mean where the default
    is no pool pair."""
    volatility_span_days: Annotated[float, Field(gt=0, le=30)] = 1.0
    """Span of the volatility that is the unit of moves; features look back three times as far
    [days]."""
    season_days: Annotated[int, Field(ge=1, le=30)] = 7
    """Days over which the same time of day is compared [days]."""


class ValidationSettings(Section):
    """How rows are held out inside a training window."""

    affects: ClassVar[Effect] = "model"

    embargo_candles: Annotated[int, Field(ge=0, le=100_000)] = 0
    """Candles left out around held-out rows, beside the purge by event end [candles]."""
    min_rows: Annotated[int, Field(ge=50, le=10_000_000)] = 500
    """Rows below which a window abstains [rows]."""
    min_class_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 20
    """Rows of each class below which a window abstains [rows]."""
    accuracy_warning: Fraction = 0.55
    """Accuracy on held-out rows below which the model's card says so [fraction]."""


class ModelSettings(Section):
    """How a model is fitted.

    ``pool``: one model for the ``whitelist`` or one a ``pair``. ``pool_pairs``, if given, replace
    the whitelist as pool and as market of cross-asset features; a running bot has the candles of
    ``exchange.pair_whitelist`` only, so there they must be in it. ``row_step`` trains on every n-th
    candle (7 and 12 have no common divisor, so that every minute of the hour occurs), and a large
    pool on fewer, so that no window has more than ``max_rows`` rows; ``refit`` trains again on all
    rows with ``refit_factor`` times the best number of rounds; ``seeds`` averages that many
    boosters.
    """

    affects: ClassVar[Effect] = "model"

    kind: ModelKind = "two_stage"
    """`two_stage`: move against hold, then buy against sell; `multiclass`: the three at once."""
    pool: Literal["pair", "whitelist"] = "whitelist"
    """One model for all pairs (`whitelist`) or one a `pair`."""
    pool_pairs: Names = ()
    """Pairs that train the model and are its market, whatever is traded; none: the whitelist."""
    row_step: Annotated[int, Field(ge=1, le=1000)] = 7
    """Trains on every n-th candle, but at most a label's horizon (or five candles) apart; no common
    divisor with 12, so that every minute of the hour occurs [candles]."""
    max_rows: Annotated[int, Field(ge=1000, le=1_000_000_000)] = 200_000
    """Rows of a window beyond which a pool's row_step grows, up to half a horizon [rows]."""
    refit: bool = True
    """Train again on all rows, the held-out ones included."""
    refit_factor: Annotated[float, Field(ge=0.5, le=3)] = 1.1
    """Rounds of the refit, times the best number."""
    early_stopping_rounds: Annotated[int, Field(ge=1, le=100_000)] = 30
    """Rounds without progress on held-out rows before boosting stops [rounds]."""
    seeds: Annotated[int, Field(ge=1, le=20)] = 1
    """Boosters of so many seeds, averaged."""


class SelectionSettings(Section):
    """Feature selection; see ``training.feature_selection``.

    The features that add least to the gain of the trees, beyond ``gain_share`` of it, are dropped
    if that costs at most ``tolerance`` nats of log loss, at ``significance``; otherwise all are
    kept. About ``max_rows`` rows are used.
    """

    affects: ClassVar[Effect] = "model"

    enabled: bool = False
    """Whether features that are not missed are left out."""
    gain_share: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Share of the gain of each booster that the kept features make up [fraction]."""
    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.001
    """Log loss that dropping may cost at most [nats]."""
    significance: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Level of the test that it does not cost more."""
    max_rows: Annotated[int, Field(ge=1000, le=10_000_000)] = 40_000
    """Rows that are used, about [rows]."""


class BoosterSettings(Section):
    """LightGBM's parameters (FreqAI's ``model_training_parameters``); the usual aliases work."""

    affects: ClassVar[Effect] = "model"

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.05
    """Share of each tree's answer that is added."""
    num_leaves: Annotated[int, Field(ge=2, le=4096)] = 15
    """Leaves of a tree, at most."""
    max_depth: Annotated[int, Field(ge=-1, le=64)] = -1
    """Depth of a tree, -1 without a limit."""
    min_child_samples: Annotated[int, Field(ge=1, le=10_000_000)] = 200
    """Rows of a leaf, at least [rows]."""
    feature_fraction: Annotated[float, Field(gt=0, le=1)] = 0.4
    """Features that a tree may use [fraction]."""
    bagging_fraction: Annotated[float, Field(gt=0, le=1)] = 0.7
    """Rows that a tree may use [fraction]."""
    bagging_freq: Annotated[int, Field(ge=0, le=100_000)] = 1
    """Rounds after which these rows are drawn again; 0 never [rounds]."""
    lambda_l1: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    """L1 penalty of leaf values."""
    lambda_l2: Annotated[float, Field(ge=0, le=1e6)] = 5.0
    """L2 penalty of leaf values."""
    min_gain_to_split: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    """Gain of a split, at least."""
    max_bin: Annotated[int, Field(ge=2, le=65535)] = 63
    """Bins of a feature's values, at most."""
    rounds: Annotated[int, Field(ge=1, le=100_000)] = 600
    """Trees at most; early stopping usually ends before [rounds]."""
    seed: Annotated[int, Field(ge=0, le=2_000_000_000)] = 42
    """Seed of all that is drawn."""
    threads: Annotated[int, Field(ge=1, le=256)] = 2
    """Threads of a booster trained alone (a bot's have one each); results do not depend on it."""


class DirectionSettings(Section):
    """Parameters of the direction booster, buy against sell, in the kind ``two_stage``.

    On real candles direction is so faint that early stopping stops by chance, after 20 to 70
    rounds. A low learning rate with at least ``rounds`` rounds measured better for any number
    between 80 and 200; if there is more to learn, early stopping allows more.
    """

    affects: ClassVar[Effect] = "model"

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.02
    """Share of each tree's answer that is added."""
    feature_fraction: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Features that a tree may use [fraction]."""
    rounds: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Trees at least [rounds]."""


class CalibrationSettings(Section):
    """How raw probabilities are calibrated, on purged rows that trained no tree."""

    affects: ClassVar[Effect] = "model"

    method: CalibrationMethod = "direction_shrink"
    """Map from raw to calibrated probabilities."""
    min_rows: Annotated[int, Field(ge=50, le=10_000_000)] = 1000
    """Held-out rows below which nothing is fitted [rows]."""
    initial_slope: Fraction = 0.45
    """Slope of buy against sell before later rows are known; 0 knows no direction."""
