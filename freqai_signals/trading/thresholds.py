"""Thresholds that hyperopt can optimise, their ranges, and how they change the settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from freqai_signals.settings import SignalSettings

_TIERS: Final = ("minimum_confidence", "medium_step", "strong_step")
_BARRIERS: Final = ("stop_multiple", "profit_multiple")


@dataclass(frozen=True)
class Limits:
    """Range of one threshold.

    Attributes
    ----------
    low, high
        Inclusive.
    space
        freqtrade's hyperopt space: ``buy`` for entries, ``sell`` for exits.
    decimals
        Digits after the point.
    integer
        Integers only, counts of candles.
    """

    low: float
    high: float
    space: Literal["buy", "sell"]
    decimals: int = 3
    integer: bool = False


class Thresholds:
    """The table of thresholds; names are those of the strategy's parameters.

    The tiers are parametrised as shares of the distance to 1, so that weak <= medium <= strong
    always holds: medium lies ``medium_step`` of the distance from weak to 1, strong ``strong_step``
    of the distance from medium to 1. ``minimum_confidence`` also is the lower edge of the weak
    tier. A barrier at the upper end of its range is disabled, so that a search can disable it.

    ``reference_confidence`` is not optimised and stays as configured for every minimum: only then
    does raising a threshold never add a signal (see ``signals.repeats``). With a minimum below
    it, a slightly more confident signal may follow a weaker one within the repeat window; above it,
    a signal may be a repeat of one that was too weak to be emitted.
    """

    LIMITS: ClassVar[Mapping[str, Limits]] = {
        "minimum_confidence": Limits(0.5, 0.995, "buy"),
        "medium_step": Limits(0.0, 1.0, "buy"),
        "strong_step": Limits(0.0, 1.0, "buy"),
        "expected_value_margin": Limits(-0.005, 0.01, "buy", 4),
        "hold_confidence": Limits(0.5, 1.0, "buy"),
        "repeat_window_candles": Limits(0, 48, "buy", integer=True),
        "repeat_confidence_step": Limits(0.0, 0.3, "buy"),
        "cooldown_candles": Limits(0, 96, "buy", integer=True),
        "opposite_confidence": Limits(0.0, 1.0, "sell"),
        "stop_multiple": Limits(0.5, 6.0, "sell", 2),
        "profit_multiple": Limits(0.5, 6.0, "sell", 2),
    }

    @staticmethod
    def default(settings: SignalSettings, name: str) -> float:
        """Value that leaves the settings unchanged (a disabled barrier stays disabled)."""
        decision, exits = settings.decision, settings.exits
        weak = decision.lowest_confidence
        medium, strong = max(decision.medium, weak), max(decision.strong, decision.medium, weak)
        special = {
            "minimum_confidence": weak,
            "medium_step": (medium - weak) / (1 - weak) if weak < 1 else 0.0,
            "strong_step": (strong - medium) / (1 - medium) if medium < 1 else 0.0,
        }
        if name in special:
            return special[name]
        section = exits if name in type(exits).model_fields else decision
        value = getattr(section, name)
        return float(Thresholds.LIMITS[name].high) if value is None else value

    @staticmethod
    def apply(settings: SignalSettings, values: Mapping[str, float]) -> SignalSettings:
        """The settings with the given thresholds.

        A value that equals its default after rounding to ``decimals``, as freqtrade does, leaves
        its setting unchanged; the three tiers count as one setting.

        Examples
        --------
        >>> shipped = SignalSettings()
        >>> values = {name: Thresholds.default(shipped, name) for name in Thresholds.LIMITS}
        >>> Thresholds.apply(shipped, values) is shipped
        True
        >>> raised = Thresholds.apply(shipped, values | {"minimum_confidence": 0.95})
        >>> raised.decision.weak, raised.decision.medium, raised.decision.strong
        (0.95, 0.985, 0.995)
        """
        changed = {n: v for n, v in values.items() if not _is_default(settings, n, v)}
        if not changed:
            return settings
        fields = type(settings.exits).model_fields
        exits: dict[str, float | None] = {n: v for n, v in changed.items() if n in fields}
        # The upper end of the range stands for a disabled barrier.
        for name in _BARRIERS:
            if name in exits and changed[name] >= Thresholds.LIMITS[name].high:
                exits[name] = None
        decision = {n: v for n, v in changed.items() if n not in exits and n not in _TIERS}
        if any(name in changed for name in _TIERS):
            decision |= _tiers(settings, values)
        return settings.model_copy(
            update={
                "decision": settings.decision.model_copy(update=decision),
                "exits": settings.exits.model_copy(update=exits),
            }
        )


class TunedSettings:
    """The settings with the thresholds of hyperopt or its parameter file.

    Parameters
    ----------
    settings
        Those of the config.
    """

    def __init__(self, settings: SignalSettings) -> None:
        self._configured = settings
        self._last: tuple[tuple[float, ...], SignalSettings] = ((), settings)

    def at(self, values: tuple[float, ...]) -> SignalSettings:
        """Settings at these values of ``Thresholds.LIMITS``, in its order."""
        # Callbacks ask in every candle, and values change once an epoch.
        if self._last[0] != values:
            named = dict(zip(Thresholds.LIMITS, values, strict=True))
            self._last = (values, Thresholds.apply(self._configured, named))
        return self._last[1]


def _tiers(settings: SignalSettings, values: Mapping[str, float]) -> dict[str, float]:
    weak, medium_step, strong_step = (
        Thresholds.default(settings, name)
        if _is_default(settings, name, values[name])
        else values[name]
        for name in _TIERS
    )
    medium = weak + medium_step * (1 - weak)
    strong = medium + strong_step * (1 - medium)
    tiers = {"weak": weak, "medium": round(medium, 9), "strong": round(strong, 9)}
    return {"minimum_confidence": weak, **tiers}


def _is_default(settings: SignalSettings, name: str, value: float) -> bool:
    """Whether a value is the default, exactly or after freqtrade's rounding."""
    default = Thresholds.default(settings, name)
    return value in (default, round(default, Thresholds.LIMITS[name].decimals))
