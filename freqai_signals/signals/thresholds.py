"""Which thresholds can be optimised, between which limits, and how they go into the settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from freqai_signals.settings import SignalSettings

_NEVER: Final = 1e9


@dataclass(frozen=True)
class Limits:
    """Range of one threshold.

    Attributes
    ----------
    low, high
        Inclusive.
    space
        freqtrade's hyperopt space: ``buy`` decides about entries, ``sell`` about exits.
    decimals
        Digits that matter.
    whole
        Whole numbers only, counts of candles.
    """

    low: float
    high: float
    space: Literal["buy", "sell"]
    decimals: int = 3
    whole: bool = False


class Thresholds:
    """The table of thresholds; names are those of the strategy's parameters.

    The tiers are given as shares of the way to 1, so that weak <= medium <= strong always holds:
    medium lies ``medium_step`` of the way from weak to 1, strong ``strong_step`` of the way from
    medium to 1. ``minimum_confidence`` also is the lower edge of the weak tier.
    """

    LIMITS: ClassVar[Mapping[str, Limits]] = {
        "minimum_confidence": Limits(0.5, 0.995, "buy"),
        "medium_step": Limits(0.0, 1.0, "buy"),
        "strong_step": Limits(0.0, 1.0, "buy"),
        "expected_value_margin": Limits(-0.005, 0.01, "buy", 4),
        "hold_confidence": Limits(0.5, 1.0, "buy"),
        "repeat_window_candles": Limits(0, 48, "buy", whole=True),
        "repeat_confidence_step": Limits(0.0, 0.3, "buy"),
        "cooldown_candles": Limits(0, 96, "buy", whole=True),
        "maximum_share": Limits(0.01, 0.5, "buy"),
        "opposite_confidence": Limits(0.0, 1.0, "sell"),
        "stop_multiple": Limits(0.5, 6.0, "sell", 2),
        "profit_multiple": Limits(0.5, 6.0, "sell", 2),
    }

    @staticmethod
    def default(settings: SignalSettings, name: str) -> float:
        """Value that leaves the settings as they are (a barrier that is off stays off)."""
        decision, exits = settings.decision, settings.exits
        weak = decision.lowest_confidence
        medium, strong = max(decision.medium, weak), max(decision.strong, decision.medium, weak)
        special = {
            "minimum_confidence": weak,
            "medium_step": (medium - weak) / (1 - weak) if weak < 1 else 0.0,
            "strong_step": (strong - medium) / (1 - medium) if medium < 1 else 0.0,
            "stop_multiple": exits.stop_multiple or _NEVER,
            "profit_multiple": exits.profit_multiple or _NEVER,
        }
        if name in special:
            return special[name]
        section = exits if name in type(exits).model_fields else decision
        return getattr(section, name)  # type: ignore[no-any-return]

    @staticmethod
    def apply(settings: SignalSettings, values: Mapping[str, float]) -> SignalSettings:
        """The settings with the given thresholds in place.

        Examples
        --------
        >>> shipped = SignalSettings()
        >>> names = Thresholds.LIMITS
        >>> values = {name: Thresholds.default(shipped, name) for name in names}
        >>> Thresholds.apply(shipped, values) == shipped
        True
        """
        values = {name: _exact(settings, name, value) for name, value in values.items()}
        weak = values["minimum_confidence"]
        medium = weak + values["medium_step"] * (1 - weak)
        strong = medium + values["strong_step"] * (1 - medium)
        steps = ("medium_step", "strong_step")
        exits = {n: v for n, v in values.items() if n in type(settings.exits).model_fields}
        for name in ("stop_multiple", "profit_multiple"):
            exits[name] = None if exits[name] >= _NEVER else exits[name]
        decision = {n: v for n, v in values.items() if n not in exits and n not in steps}
        decision |= {"weak": weak, "medium": round(medium, 9), "strong": round(strong, 9)}
        return settings.model_copy(
            update={
                "decision": settings.decision.model_copy(update=decision),
                "exits": settings.exits.model_copy(update=exits),
            }
        )


def _exact(settings: SignalSettings, name: str, value: float) -> float:
    """A value as it was before freqtrade rounded it, if it is the default."""
    default = Thresholds.default(settings, name)
    return default if value == round(default, Thresholds.LIMITS[name].decimals) else value
