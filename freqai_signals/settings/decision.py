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
    """Of one side; null uses the exchange's [fraction]."""
    liquidity: Literal["taker", "maker"] = "taker"
    """Which of the exchange's fees."""
    slippage: Annotated[float, Field(ge=0, lt=0.1)] = 0.0
    """Of one side, beside the fee [fraction]."""
    funding: Annotated[float, Field(ge=0, lt=0.1)] = 0.0001
    """Funding that a futures position pays every eight hours [fraction]."""


class DecisionSettings(Section):
    """When a prediction becomes a signal; values are fractions or counts of candles.

    A signal needs ``minimum_confidence`` and at least the ``weak`` tier. From
    ``reference_confidence`` up, repeats are counted exactly; keep it fixed while comparing
    thresholds, then raising one never adds a signal (see ``signals.repeats``). The memory of
    emitted signals is reset every ``resync_candles``, counted from 1970. After a stop a pair pauses
    for ``cooldown_candles``, with freqtrade's StoplossGuard for at least one candle.
    """

    affects: ClassVar[Effect] = "nothing"

    weak: Fraction = 0.90
    """Confidence from which a signal is weak."""
    medium: Fraction = 0.97
    """Confidence from which it is medium."""
    strong: Fraction = 0.99
    """Confidence from which it is strong."""
    minimum_confidence: Fraction = 0.90
    """Confidence that a buy or sell needs."""
    reference_confidence: Fraction = 0.90
    """Confidence from which repeats are counted exactly; keep it while thresholds are compared."""
    hold_confidence: Fraction = 0.85
    """Confidence from which a predicted hold is a signal to do nothing."""
    expected_value_rule: bool = True
    """Whether a signal needs an expected return after costs above the margin."""
    expected_value_margin: Annotated[float, Field(ge=-1, le=1)] = 0.0
    """That margin [fraction]."""
    repeat_window_candles: Annotated[int, Field(ge=0, le=100_000)] = 6
    """Candles in which the same signal is not repeated [candles]."""
    repeat_confidence_step: Fraction = 0.10
    """Unless it is so much more confident."""
    cooldown_candles: Annotated[int, Field(ge=0, le=100_000)] = 0
    """Pause of a pair after its stop; 0 is one candle, by freqtrade's StoplossGuard [candles]."""
    resync_candles: Annotated[int, Field(ge=1, le=1_000_000)] = 288
    """Memory of emitted signals is reset so often, counted from 1970 [candles]."""

    @property
    def lowest_confidence(self) -> float:
        """Confidence that a signal needs: the higher of the minimum and the weak tier."""
        return max(self.minimum_confidence, self.weak)

    @model_validator(mode="after")
    def _tiers_are_ordered(self) -> "DecisionSettings":
        if not self.weak <= self.medium <= self.strong:
            raise ValueError(
                f"tiers must satisfy weak <= medium <= strong, got weak={self.weak}, "
                f"medium={self.medium}, strong={self.strong}"
            )
        return self


class SizingSettings(Section):
    """Stake of a trade. ``fixed`` uses freqtrade's stake; ``kelly`` scales it with the edge.

    ``kelly_fraction`` of the full Kelly share of the wallet, at most ``maximum_stake_share``.
    ``leverage`` applies to futures only and never exceeds what the exchange allows.
    """

    affects: ClassVar[Effect] = "nothing"

    method: Literal["fixed", "kelly"] = "fixed"
    """`fixed` is freqtrade's stake, `kelly` scales it with the edge."""
    kelly_fraction: Annotated[float, Field(gt=0, le=1)] = 0.25
    """Share of the full Kelly stake [fraction]."""
    maximum_stake_share: Annotated[float, Field(gt=0, le=1)] = 0.20
    """Share of the wallet, at most [fraction]."""
    leverage: Annotated[float, Field(ge=1, le=20)] = 1.0
    """On futures, and never more than the exchange allows."""


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
    """Leave at the label's horizon."""
    opposite_signal: bool = True
    """Leave on a trusted opposite prediction."""
    opposite_confidence: Fraction = 0.65
    """Confidence that it needs."""
    stop_multiple: Annotated[float, Field(gt=0, le=1000)] | None = 3.0
    """Stop, null for none [barrier widths]."""
    profit_multiple: Annotated[float, Field(gt=0, le=1000)] | None = None
    """Profit barrier, null for none [barrier widths]."""
