"""Settings of trading on predictions: costs, thresholds, stakes, exits."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from freqai_signals.settings.section import Effect, Fraction, Section


class CostSettings(Section):
    """Costs of a trade, fractions. ``fee`` is that of one side; null uses the exchange's.

    ``slippage`` is added on each side; the bid-ask spread is not part of it but estimated from
    candles, pair by pair. ``funding`` is what a futures position is taken to pay every eight hours.
    """

    affects: ClassVar[Effect] = "nothing"

    fee: Annotated[float, Field(ge=0, lt=0.1)] | None = None
    liquidity: Literal["taker", "maker"] = "taker"
    slippage: Annotated[float, Field(ge=0, lt=0.1)] = 0.0
    funding: Annotated[float, Field(ge=0, lt=0.1)] = 0.0001


class DecisionSettings(Section):
    """When a prediction becomes a signal; values are fractions or counts of candles.

    A signal needs ``minimum_confidence`` and at least the ``weak`` tier. From
    ``reference_confidence`` up, repeats and the share are counted exactly; keep it fixed while
    comparing thresholds, then raising one never adds a signal (see ``signals.rate_limits``). The
    memory of emitted signals is reset every ``resync_candles``, counted from 1970. After a stop a
    pair pauses for ``cooldown_candles``, with freqtrade's StoplossGuard for at least one candle.
    """

    affects: ClassVar[Effect] = "nothing"

    weak: Fraction = 0.90
    medium: Fraction = 0.97
    strong: Fraction = 0.99
    minimum_confidence: Fraction = 0.90
    reference_confidence: Fraction = 0.90
    hold_confidence: Fraction = 0.85
    expected_value_rule: bool = True
    expected_value_margin: Annotated[float, Field(ge=-1, le=1)] = 0.0
    repeat_window_candles: Annotated[int, Field(ge=0, le=100_000)] = 6
    repeat_confidence_step: Fraction = 0.10
    cooldown_candles: Annotated[int, Field(ge=0, le=100_000)] = 0
    maximum_share: Annotated[float, Field(gt=0, le=1)] = 0.10
    maximum_share_window_candles: Annotated[int, Field(ge=1, le=100_000)] = 288
    resync_candles: Annotated[int, Field(ge=1, le=1_000_000)] = 288

    @property
    def lowest_confidence(self) -> float:
        """Confidence that a signal needs: the higher of the minimum and the weak tier."""
        return max(self.minimum_confidence, self.weak)

    @property
    def most_signals(self) -> int:
        """Maximum number of signals within the window of the share."""
        # The product may lie just below an integer.
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


class SizingSettings(Section):
    """Stake of a trade. ``fixed`` uses freqtrade's stake; ``kelly`` scales it with the edge.

    ``kelly_fraction`` of the full Kelly share of the wallet, at most ``maximum_stake_share``.
    ``leverage`` applies to futures only and never exceeds what the exchange allows.
    """

    affects: ClassVar[Effect] = "nothing"

    method: Literal["fixed", "kelly"] = "fixed"
    kelly_fraction: Annotated[float, Field(gt=0, le=1)] = 0.25
    maximum_stake_share: Annotated[float, Field(gt=0, le=1)] = 0.20
    leverage: Annotated[float, Field(ge=1, le=20)] = 1.0


class ExitSettings(Section):
    """When a trade is closed. Multiples are in label barrier widths (1 = the label's own barrier).

    A wide stop and an exit at the label's horizon measured best: stops at 1 / 2 / 3 widths cost
    15 / 9 / 4 bp a trade, and time exits grossed more than a profit barrier. Null disables a
    barrier; 1.0 for both trades exactly what a triple-barrier label describes. An opposite
    prediction closes a trade from ``opposite_confidence`` up. Models learn what such a trade
    returns, so they are trained again when these change.
    """

    affects: ClassVar[Effect] = "model"

    horizon: bool = True
    opposite_signal: bool = True
    opposite_confidence: Fraction = 0.65
    negative_expected_value: bool = False
    stop_multiple: Annotated[float, Field(gt=0, le=1000)] | None = 3.0
    profit_multiple: Annotated[float, Field(gt=0, le=1000)] | None = None
