"""Every setting, with its type, its limits and its default: one frozen class a stage.

A new key goes into the class of its stage; ``config`` reads it from freqtrade's config by itself.
"""

import re
from typing import Annotated, Final, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    model_validator,
)

LabelKind = Literal["fixed", "volatility", "triple_barrier"]
ModelKind = Literal["multiclass", "two_stage"]
CalibrationMethod = Literal["auto", "none", "temperature", "vector", "isotonic", "direction_shrink"]
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

Fraction = Annotated[float, Field(ge=0, le=1)]
Names = Annotated[tuple[str, ...], Strict(False)]

_TIMEFRAME_SECONDS: Final = {"m": 60, "h": 3600, "d": 86400}


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class LabelSettings(_Section):
    """What is to be predicted.

    ``kind`` chooses the rule, the other keys belong to one rule each. ``threshold`` is a fraction
    of the close (0.002 = 0.2 %); ``k`` multiplies sigma * sqrt(horizon); ``floor`` is the smallest
    barrier or threshold, a fraction, and never below the round-trip cost of a trade.
    """

    kind: LabelKind = "triple_barrier"
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.002
    k: Annotated[float, Field(gt=0)] = 1.0
    volatility_span_days: Annotated[float, Field(gt=0, le=30)] = 1.0
    floor: Annotated[float, Field(ge=0, lt=1)] = 0.004
    both_touched: Literal["hold", "lower_first"] = "hold"


class FeatureSettings(_Section):
    """Which columns are computed; FreqAI's ``indicator_periods_candles`` gives their spans."""

    groups: Annotated[tuple[FeatureGroup, ...], Strict(False), Field(min_length=1)] = FEATURE_GROUPS
    higher_timeframes: Names = ("1h", "4h")
    lead_pair: str = "BTC"


class ValidationSettings(_Section):
    """How rows are held out inside a training window."""

    embargo_candles: Annotated[int, Field(ge=0)] = 0
    min_rows: Annotated[int, Field(ge=50)] = 500
    min_class_rows: Annotated[int, Field(ge=1)] = 20
    accuracy_warning: Fraction = 0.55


class ModelSettings(_Section):
    """How a model is fitted.

    ``row_step`` trains on every n-th candle (5 and 12 have no common divisor, so that every minute
    of the hour is seen); ``refit`` trains once more on all rows with
    ``refit_factor`` times the best number of rounds; ``seeds`` averages that many boosters.
    """

    kind: ModelKind = "two_stage"
    pool: Literal["pair", "whitelist"] = "whitelist"
    pool_pairs: Names = ()
    row_step: Annotated[int, Field(ge=1)] = 5
    refit: bool = True
    refit_factor: Annotated[float, Field(ge=0.5, le=3)] = 1.1
    early_stopping_rounds: Annotated[int, Field(ge=1)] = 30
    seeds: Annotated[int, Field(ge=1, le=20)] = 1


class CalibrationSettings(_Section):
    """How raw probabilities are made honest, on purged rows that trained no tree."""

    method: CalibrationMethod = "direction_shrink"
    min_rows: Annotated[int, Field(ge=50)] = 1000
    initial_slope: Fraction = 0.45


class CostSettings(_Section):
    """What a trade costs. ``fee`` is one side as a fraction; null takes the exchange's."""

    fee: Annotated[float, Field(ge=0, lt=0.1)] | None = None
    liquidity: Literal["taker", "maker"] = "taker"
    slippage: Annotated[float, Field(ge=0, lt=0.1)] = 0.0


class DecisionSettings(_Section):
    """When a prediction becomes a signal; the values are fractions or counts of candles.

    A signal needs ``minimum_confidence`` and at least the ``weak`` tier. From
    ``reference_confidence`` up, repeats and the share are counted exactly; keep it fixed while
    comparing thresholds, then raising one never adds a signal (see ``signals.emission``). Memory
    of emitted signals restarts every ``resync_candles``, counted from 1970.
    """

    weak: Fraction = 0.90
    medium: Fraction = 0.97
    strong: Fraction = 0.99
    minimum_confidence: Fraction = 0.90
    reference_confidence: Fraction = 0.90
    hold_confidence: Fraction = 0.85
    expected_value_rule: bool = True
    expected_value_margin: Annotated[float, Field(ge=-1, le=1)] = 0.0
    repeat_window_candles: Annotated[int, Field(ge=0)] = 6
    repeat_confidence_step: Fraction = 0.10
    cooldown_candles: Annotated[int, Field(ge=0)] = 0
    maximum_share: Annotated[float, Field(gt=0, le=1)] = 0.10
    maximum_share_window_candles: Annotated[int, Field(ge=1)] = 288
    resync_candles: Annotated[int, Field(ge=1)] = 288

    @property
    def lowest_confidence(self) -> float:
        """Confidence that a signal needs: the higher of the minimum and the weak tier."""
        return max(self.minimum_confidence, self.weak)

    @property
    def most_signals(self) -> int:
        """Signals that the share allows within its window."""
        return int(self.maximum_share * self.maximum_share_window_candles + 1e-9)

    @model_validator(mode="after")
    def _tiers_are_ordered(self) -> "DecisionSettings":
        if not self.weak <= self.medium <= self.strong:
            raise ValueError(
                f"tiers must satisfy weak <= medium <= strong, got weak={self.weak}, "
                f"medium={self.medium}, strong={self.strong}"
            )
        if self.most_signals < 1:
            raise ValueError(
                f"maximum_share={self.maximum_share} of maximum_share_window_candles="
                f"{self.maximum_share_window_candles} is less than one signal; raise either"
            )
        return self


class SizingSettings(_Section):
    """How much is staked. ``fixed`` leaves freqtrade's stake; ``kelly`` scales it by the edge.

    ``kelly_fraction`` of the full Kelly share of the wallet, never above ``maximum_stake_share``.
    ``leverage`` applies to futures only and never exceeds what the exchange allows.
    """

    method: Literal["fixed", "kelly"] = "fixed"
    kelly_fraction: Annotated[float, Field(gt=0, le=1)] = 0.25
    maximum_stake_share: Annotated[float, Field(gt=0, le=1)] = 0.20
    leverage: Annotated[float, Field(ge=1, le=20)] = 1.0


class ExitSettings(_Section):
    """When a trade ends. Multiples count label barrier widths (1 = the label's own barrier).

    A wide stop and an exit at the label's horizon measured best: stops at 1 / 2 / 3 widths cost
    15 / 9 / 4 bp a trade, and time exits grossed more than a profit barrier. Null switches a
    barrier off; 1.0 for both trades exactly what a triple-barrier label describes. An opposite
    prediction ends a trade from ``opposite_confidence`` up.
    """

    horizon: bool = True
    opposite_signal: bool = True
    opposite_confidence: Fraction = 0.65
    negative_expected_value: bool = False
    stop_multiple: Annotated[float, Field(gt=0)] | None = 3.0
    profit_multiple: Annotated[float, Field(gt=0)] | None = None


class BoosterSettings(_Section):
    """LightGBM's parameters (FreqAI's ``model_training_parameters``); the usual aliases work."""

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.05
    num_leaves: Annotated[int, Field(ge=2, le=4096)] = 15
    max_depth: int = -1
    min_child_samples: Annotated[int, Field(ge=1)] = 200
    feature_fraction: Annotated[float, Field(gt=0, le=1)] = 0.4
    bagging_fraction: Annotated[float, Field(gt=0, le=1)] = 0.7
    bagging_freq: Annotated[int, Field(ge=0)] = 1
    lambda_l1: Annotated[float, Field(ge=0)] = 0.0
    lambda_l2: Annotated[float, Field(ge=0)] = 5.0
    min_gain_to_split: Annotated[float, Field(ge=0)] = 0.0
    max_bin: Annotated[int, Field(ge=2, le=65535)] = 63
    rounds: Annotated[int, Field(ge=1, le=100_000)] = 600
    seed: Annotated[int, Field(ge=0)] = 42
    threads: Annotated[int, Field(ge=1, le=256)] = 2


class DirectionSettings(_Section):
    """Where the booster of buy against sell differs from the others (kind ``two_stage``).

    On real candles direction is so faint that early stopping stops by chance, after 20 to 70
    rounds. Slow boosting for at least ``rounds`` measured better anywhere between 80 and 200 of
    them; where there is more to learn, early stopping lets it go on.
    """

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.02
    feature_fraction: Annotated[float, Field(gt=0, le=1)] = 0.2
    rounds: Annotated[int, Field(ge=1, le=100_000)] = 100


class GateSettings(_Section):
    """Whether a new model may replace the serving one; see ``models.gate``.

    ``where``: asked in live retraining, in backtests as well (``always``), or never. A challenger
    is refused if its log loss (nats) exceeds the champion's by more than ``tolerance`` at
    ``significance``, or does not beat the class prior at ``prior_significance`` and by
    ``minimum_skill``: of models fitted to shuffled labels, 7 % would pass at 0.05, 0.2 % at 0.001.
    """

    where: Literal["live", "always", "never"] = "live"
    significance: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.002
    prior_significance: Annotated[float, Field(gt=0, lt=0.5)] = 0.001
    minimum_skill: Annotated[float, Field(ge=0, lt=1)] = 0.005
    minimum_days: Annotated[float, Field(ge=1)] = 3.0


class RegistrySettings(_Section):
    """Versions of models in ``folder`` ("": ``signals/registry`` in the user's data folder).

    The newest ``keep`` stay, beside those that serve, are pinned or were served last.
    """

    folder: str = ""
    keep: Annotated[int, Field(ge=2)] = 20


class LedgerSettings(_Section):
    """Where predictions and outcomes are kept: a SQLAlchemy URL, "" for SQLite beside the registry.

    Up to ``queue_rows`` wait while the database is away; a message waits at most ``wait_seconds``
    for its row to be written.
    """

    enabled: bool = True
    url: str = ""
    queue_rows: Annotated[int, Field(ge=100)] = 50_000
    wait_seconds: Annotated[float, Field(ge=0, le=30)] = 2.0


class DriftSettings(_Section):
    """When a pair is watched more closely, and what follows; see ``evaluation.health``.

    ``live_skill_floor`` is judged on ``live_skill_rows`` scored rows or more. From ``warning`` on
    ``confidence_step`` is added to the confidence that a signal needs. A pair is halted after
    ``halt_after_candles`` of drift, and improves a level after ``resume_candles`` without a reason.
    """

    enabled: bool = True
    live_skill_floor: Annotated[float, Field(ge=-10, lt=1)] = -0.05
    live_skill_rows: Annotated[int, Field(ge=50)] = 500
    stale_candles: Annotated[int, Field(ge=1)] = 3
    retrain_from: Literal["warning", "drift", "halted", "never"] = "drift"
    block_entries_from: Literal["warning", "drift", "halted", "never"] = "halted"
    confidence_step: Fraction = 0.02
    halt_after_candles: Annotated[int, Field(ge=1)] = 864
    resume_candles: Annotated[int, Field(ge=1)] = 144


class AlertSettings(_Section):
    """How often the operator is told: a repeat after ``cooldown_candles`` at the earliest.

    ``summarise_from`` pairs or more with the same news become one message. ``every_signal`` sends
    each emitted signal too.
    """

    enabled: bool = True
    cooldown_candles: Annotated[int, Field(ge=0)] = 72
    summarise_from: Annotated[int, Field(ge=2)] = 3
    every_signal: bool = False


class SignalSettings(_Section):
    """Everything the package needs to know; immutable and hashable by its JSON."""

    labels: LabelSettings = LabelSettings()
    features: FeatureSettings = FeatureSettings()
    validation: ValidationSettings = ValidationSettings()
    model: ModelSettings = ModelSettings()
    direction: DirectionSettings = DirectionSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    costs: CostSettings = CostSettings()
    decision: DecisionSettings = DecisionSettings()
    sizing: SizingSettings = SizingSettings()
    exits: ExitSettings = ExitSettings()
    gate: GateSettings = GateSettings()
    registry: RegistrySettings = RegistrySettings()
    ledger: LedgerSettings = LedgerSettings()
    drift: DriftSettings = DriftSettings()
    alerts: AlertSettings = AlertSettings()

    # FreqAI's and freqtrade's own keys.
    booster: BoosterSettings = BoosterSettings()
    timeframe: str = "5m"
    label_horizon_candles: Annotated[int, Field(ge=1, le=2000)] = 24
    indicator_periods_candles: Annotated[tuple[int, ...], Strict(False), Field(min_length=1)] = (
        6,
        12,
        36,
        144,
    )
    train_period_days: Annotated[int, Field(ge=1)] = 360
    validation_fraction: Annotated[float, Field(gt=0, lt=0.5)] = 0.15

    @property
    def candle_seconds(self) -> int:
        """Length of a base candle in seconds."""
        return timeframe_seconds(self.timeframe)

    @property
    def candles_per_day(self) -> int:
        """Base candles in 24 hours."""
        return 86400 // self.candle_seconds


def timeframe_seconds(timeframe: str) -> int:
    """Seconds of a timeframe such as ``5m``, ``1h`` or ``1d``.

    Examples
    --------
    >>> timeframe_seconds("5m"), timeframe_seconds("1h")
    (300, 3600)
    """
    match = re.fullmatch(r"(\d+)([mhd])", timeframe)
    if match is None or int(match[1]) == 0:
        raise ValueError(f"timeframe {timeframe!r} is not a number followed by m, h or d")
    return int(match[1]) * _TIMEFRAME_SECONDS[match[2]]
