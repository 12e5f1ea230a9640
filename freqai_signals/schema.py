"""The words all other modules share: classes, column names, reasons. Imports nothing of ours."""

from enum import IntEnum
from typing import Final


class SignalClass(IntEnum):
    """Class of a label and of a prediction; the order is that of every probability array."""

    SELL = 0
    HOLD = 1
    BUY = 2


CLASS_COUNT: Final = len(SignalClass)

LABEL_COLUMN: Final = "&-signal"
"""The label while training, the predicted class in what the model returns."""

PROBA_COLUMNS: Final = ("proba_sell", "proba_hold", "proba_buy")
"""Calibrated probabilities in the order of :class:`SignalClass`; they sum to 1."""

CONFIDENCE_COLUMN: Final = "confidence"
EXPECTED_RETURN_COLUMN: Final = "expected_return"
TRUST_COLUMN: Final = "do_predict"

INCOMPLETE_MARKET: Final = 3
"""``do_predict`` where another pair's candle had not come yet; such a row abstains. 2 is FreqAI's
own word for a model that has expired."""

MODEL_COLUMNS: Final = (LABEL_COLUMN, *PROBA_COLUMNS, CONFIDENCE_COLUMN, EXPECTED_RETURN_COLUMN)
"""What the model returns for every row, in this order; FreqAI adds ``do_predict``."""

SCORE_COLUMN: Final = "score"
"""What a label ensemble says of direction: above 0 buy, below 0 sell. Only where there is one."""

VOTE_PREFIX: Final = "label_vote_"
"""Before the place of each label of an ensemble: its class, NaN where unknown."""

VOTES_END_COLUMN: Final = "label_votes_end"
"""Like the event end: when the last label of an ensemble is known."""

STRENGTH_COLUMN: Final = "signal_strength"
REASON_COLUMN: Final = "reject_reason"

EVENT_END_COLUMN: Final = "label_event_end"
"""Candle index (position in the frame) at whose close a label's outcome is known."""

REALISED_RETURN_COLUMN: Final = "label_return"
"""Gross return of a label's event, as a fraction of the price at the row's close."""

RETURN_SCALE_COLUMN: Final = "return_scale"
"""Size of the moves that a label is about, a fraction of the close, known at the row's close."""

FEATURE_PREFIX: Final = "%-"
"""FreqAI takes every column with ``%`` in its name as a feature."""

OHLCV: Final = ("open", "high", "low", "close", "volume")
