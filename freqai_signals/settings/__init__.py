"""Every setting with its type, limits and default: one frozen class a section.

A new key is added to the class of its section; ``config`` then reads it from freqtrade's config.
The text below a key says what it does, and its unit in brackets at the end; see ``key_reference``.
"""

import re
from math import gcd
from typing import Annotated, Final

from pydantic import Field, Strict

from freqai_signals.settings.decision import (
    CostSettings,
    DecisionSettings,
    ExitSettings,
    SizingSettings,
)
from freqai_signals.settings.monitoring import (
    AlertSettings,
    DriftSettings,
    GateSettings,
    LedgerSettings,
    RegistrySettings,
    StorageSettings,
)
from freqai_signals.settings.section import Effect, Section, StrictModel
from freqai_signals.settings.training import (
    FEATURE_GROUPS,
    BoosterSettings,
    CalibrationMethod,
    CalibrationSettings,
    DirectionSettings,
    FeatureGroup,
    FeatureSettings,
    LabelKind,
    LabelSettings,
    ModelKind,
    ModelSettings,
    SelectionSettings,
    ValidationSettings,
)
from freqai_signals.settings.tuning import TUNABLE_PARAMETERS, TunableParameter, TuningSettings

__all__ = [
    "FEATURE_GROUPS",
    "TUNABLE_PARAMETERS",
    "AlertSettings",
    "BoosterSettings",
    "CalibrationMethod",
    "CalibrationSettings",
    "CostSettings",
    "DecisionSettings",
    "DirectionSettings",
    "DriftSettings",
    "ExitSettings",
    "FeatureGroup",
    "FeatureSettings",
    "GateSettings",
    "LabelKind",
    "LabelSettings",
    "LedgerSettings",
    "ModelKind",
    "ModelSettings",
    "RegistrySettings",
    "SelectionSettings",
    "SignalSettings",
    "SizingSettings",
    "StorageSettings",
    "TunableParameter",
    "TuningSettings",
    "ValidationSettings",
    "timeframe_seconds",
]

DEFAULT_TIMEFRAME: Final = "5m"
"""Where neither the config nor the command line names one."""

_LEAST_STEP: Final = 5
_TIMEFRAME_SECONDS: Final = {"m": 60, "h": 3600, "d": 86400}


class SignalSettings(StrictModel):
    """All settings of the package, read-only."""

    labels: LabelSettings = LabelSettings()
    features: FeatureSettings = FeatureSettings()
    validation: ValidationSettings = ValidationSettings()
    selection: SelectionSettings = SelectionSettings()
    model: ModelSettings = ModelSettings()
    direction: DirectionSettings = DirectionSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    tuning: TuningSettings = TuningSettings()
    costs: CostSettings = CostSettings()
    decision: DecisionSettings = DecisionSettings()
    sizing: SizingSettings = SizingSettings()
    exits: ExitSettings = ExitSettings()
    gate: GateSettings = GateSettings()
    registry: RegistrySettings = RegistrySettings()
    storage: StorageSettings = StorageSettings()
    ledger: LedgerSettings = LedgerSettings()
    drift: DriftSettings = DriftSettings()
    alerts: AlertSettings = AlertSettings()

    # Read from keys of FreqAI and freqtrade.
    booster: BoosterSettings = BoosterSettings()
    timeframe: str = DEFAULT_TIMEFRAME
    """freqtrade's base timeframe."""
    label_horizon_candles: Annotated[int, Field(ge=1, le=2000)] = 24
    """How far the label looks ahead [candles]."""
    indicator_periods_candles: Annotated[
        tuple[Annotated[int, Field(ge=2, le=100_000)], ...],
        Strict(False),
        Field(min_length=1, max_length=20),
    ] = (6, 12, 36, 144)
    """Spans of the features [candles]."""
    train_period_days: Annotated[int, Field(ge=1, le=10_000)] = 360
    """Length of a training window [days]."""
    validation_fraction: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    """Newest rows of a window, held out for early stopping and calibration [fraction]."""

    workers: Annotated[int | None, Field(ge=1, le=1024)] = None
    """Trainings at a time, and pairs whose features a backtest makes at a time (four at most);
    None is one a core. No prediction depends on it."""

    @classmethod
    def sections(cls) -> dict[str, type[Section]]:
        """Every section by its name here."""
        fields = {name: field.annotation for name, field in cls.model_fields.items()}
        return {
            name: kind
            for name, kind in fields.items()
            if isinstance(kind, type) and issubclass(kind, Section)
        }

    def with_threads(self, threads: int) -> "SignalSettings":
        """The same with a number of LightGBM's threads, which changes no booster."""
        booster = self.booster.model_copy(update={"threads": threads})
        return self.model_copy(update={"booster": booster})

    @classmethod
    def without_effect_on(cls, what: Effect) -> set[str]:
        """Keys that do not affect models, or, for ``predictions``, affect nothing."""
        effects: tuple[Effect, ...] = ("model", "predictions", "nothing")
        weaker = effects[effects.index(what) + 1 :]
        found = {name for name, section in cls.sections().items() if section.affects in weaker}
        return found | {"workers"}

    @property
    def candle_seconds(self) -> int:
        """Length of a base candle in seconds."""
        return timeframe_seconds(self.timeframe)

    @property
    def candles_per_day(self) -> int:
        """Base candles in 24 hours."""
        # Exact: a timeframe that does not divide a day is refused.
        return 86400 // self.candle_seconds

    @property
    def row_step(self) -> int:
        """Candles between training rows: ``model.row_step``, or a shorter label's horizon.

        Wider steps leave out moves that no label covers. A horizon below 5 candles keeps 5, since
        rows would multiply.

        Examples
        --------
        >>> [SignalSettings(label_horizon_candles=n).row_step for n in (1, 5, 6, 7, 24)]
        [5, 5, 5, 7, 7]
        """
        widest = max(self.label_horizon_candles, _LEAST_STEP)
        if self.model.row_step <= widest:
            return self.model.row_step
        steps = range(widest, 0, -1)
        return next(step for step in steps if gcd(step, self.candles_per_day) == 1)


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
