"""What happens beside a decision when a dry or live bot has decided on a candle."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from freqai_signals.live.decision_log import LiveRecord
from freqai_signals.live.operation import LiveOperation
from freqai_signals.signals.health_limits import apply_health_limits


@dataclass(frozen=True)
class LiveCandle:
    """The newest candle of one pair in a running bot.

    Attributes
    ----------
    operation
        Of the bot.
    pair, cost
        Full name; its round-trip cost, a fraction.
    lowest
        Confidence that a buy or sell needs by the settings as they are now, tuned or not.
    """

    operation: LiveOperation
    pair: str
    cost: float
    lowest: float

    def limited(
        self, decided: pd.DataFrame, frame: pd.DataFrame, kept: pd.DataFrame
    ) -> tuple[pd.DataFrame, float]:
        """Decisions as far as the pair is trusted now, and the confidence that a signal needs.

        Parameters
        ----------
        decided
            What :func:`~freqai_signals.signals.decide.decide` returned for ``frame``.
        frame
            Candles with the model's columns.
        kept
            FreqAI's longer history of the pair, used where it reaches as far as ``frame``.
        """
        record = LiveRecord.from_environment()
        if record is not None:
            record.add(self.pair, frame.assign(**decided), self.cost)
        is_whole = len(kept) and kept["date"].iloc[-1] >= frame["date"].iloc[-1]
        health_limits = self.operation.judge(self.pair, kept if is_whole else frame, self.cost)
        asked = health_limits.confidence(self.lowest)
        return apply_health_limits(decided, frame, health_limits, self.lowest), asked

    def closed(self, frame: pd.DataFrame, send: Callable[[str], Any]) -> dict[str, float]:
        """Write down and tell what was decided; columns that FreqUI shows.

        Parameters
        ----------
        frame
            With predictions and decisions.
        send
            Sends a message to the operator.
        """
        self.operation.record(self.pair, frame, self.cost, send)
        return self.operation.columns(self.pair)
