"""The words all other modules share: classes, column names, reasons. Imports nothing of ours."""

from enum import IntEnum, StrEnum
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

PROBA_MOVE_COLUMN: Final = "proba_move"
"""Probability of a move either way, one minus that of hold; not returned by the model but made of
what it returns."""

CONFIDENCE_COLUMN: Final = "confidence"
EXPECTED_RETURN_COLUMN: Final = "expected_return"
TRUST_COLUMN: Final = "do_predict"

INCOMPLETE_MARKET: Final = 3
"""``do_predict`` where another pair's candle had not come yet; such a row abstains. 2 is FreqAI's
own word for a model that has expired."""

MODEL_COLUMNS: Final = (LABEL_COLUMN, *PROBA_COLUMNS, CONFIDENCE_COLUMN, EXPECTED_RETURN_COLUMN)
"""What the model returns for every row, in this order; FreqAI adds ``do_predict``."""

ABSTAINING_ROW: Final = dict(zip(MODEL_COLUMNS, (1.0, 0.0, 1.0, 0.0, 0.0, 0.0), strict=True))
"""What those columns hold wherever ``do_predict`` is not 1: hold, and nothing to act on."""

STRENGTH_COLUMN: Final = "signal_strength"
REASON_COLUMN: Final = "reject_reason"

EVENT_END_COLUMN: Final = "label_event_end"
"""Candle index (position in the frame) at whose close a label's outcome is known."""

REALISED_RETURN_COLUMN: Final = "label_return"
"""Gross return of a label's event, as a fraction of the price at the row's close."""

TRADE_COLUMNS: Final = (
    "trade_entry",
    "trade_long",
    "trade_short",
    "trade_long_candles",
    "trade_short_candles",
)
"""What a trade of the strategy on each row returns: entry price, gross return of a long and of a
short (fractions), and the candles that each is held; see ``dataset.trades``."""

SPREAD_COLUMN: Final = "spread_square"
"""Squared bid-ask spread of the day before, estimated from candles; see ``dataset.spread``."""

RETURN_SCALE_COLUMN: Final = "return_scale"
"""Size of the moves that a label is about, a fraction of the close, known at the row's close."""

FEATURE_PREFIX: Final = "%-"
"""FreqAI takes every column with ``%`` in its name as a feature."""

OUTCOME_COLUMN: Final = "outcome"
"""Class that came true, NaN where it is not known yet."""

BARRIER_COLUMN: Final = "barrier_width"
"""Distance of the label's barriers from the close, a fraction, known at the row's close."""

THRESHOLD_COLUMN: Final = "confidence_threshold"
"""Lowest confidence that a signal needs, drawn by FreqUI."""

# What a window's model knows of its training rows, one value for the whole window.
PRIOR_COLUMNS: Final = ("prior_sell", "prior_hold", "prior_buy")
VALUE_COLUMNS: Final = ("trade_slope", "trade_square", "trade_square_move")
"""Of :class:`~freqai_signals.model.trade_value.TradeValue`: the slope in force, 0 without a proven
edge, and the two coefficients of the mean square."""
TRADE_RETURN_COLUMN: Final = "trade_return"
"""What a trade on the predicted class returned before costs, a fraction; 0 for a hold."""
DIRECTION_ERROR_COLUMN: Final = "direction_error"
"""Standard error of the direction's slope as a share of the slope."""
TRADE_COST_COLUMN: Final = "trade_cost"
"""Round-trip cost of the pair, spread included, that ``expected_return`` contains; a fraction."""
MODEL_ID_COLUMN: Final = "model_id"

DECISION_SIGNAL_COLUMN: Final = "signal"
TAG_COLUMN: Final = "signal_tag"
DECISION_COLUMNS: Final = (DECISION_SIGNAL_COLUMN, STRENGTH_COLUMN, REASON_COLUMN, TAG_COLUMN)

TOTAL: Final = "all pairs"
"""Stands in a column of pairs for all of them together."""

DATE_COLUMN: Final = "date"
OHLCV: Final = ("open", "high", "low", "close", "volume")

NEEDED_COLUMNS: Final = (DATE_COLUMN, *MODEL_COLUMNS, TRUST_COLUMN)
"""Without one of these a row of predictions cannot be read."""

# What another bot's producer sends; see trading/producer.
DIRECTION_COLUMNS: Final = ("enter_long", "enter_short", "exit_long", "exit_short")

TAGS: Final = {"enter_tag": "producer_enter_tag", "exit_tag": "producer_exit_tag"}
"""Tag to the column that keeps it: freqtrade empties tags before it asks for entries and exits."""

CONSUMED_COLUMNS: Final = (
    *MODEL_COLUMNS,
    TRUST_COLUMN,
    STRENGTH_COLUMN,
    BARRIER_COLUMN,
    REASON_COLUMN,
    *DIRECTION_COLUMNS,
    *TAGS.values(),
)


class Reason(StrEnum):
    """Why a prediction did not become a signal."""

    NONE = ""
    MISSING_COLUMNS = "missing_columns"
    UNTRUSTED = "untrusted"
    NO_DIRECTION = "no_direction"
    UNPROVEN_EDGE = "unproven_edge"
    NO_EDGE = "no_edge"
    LOW_CONFIDENCE = "low_confidence"
    UNSURE_HOLD = "unsure_hold"
    REPEAT = "repeat"
    COOLDOWN = "cooldown"


REASON_CODES: Final = {
    str(Reason.UNTRUSTED): 1,
    str(Reason.NO_DIRECTION): 2,
    str(Reason.UNPROVEN_EDGE): 3,
    str(Reason.NO_EDGE): 4,
    str(Reason.LOW_CONFIDENCE): 5,
    str(Reason.UNSURE_HOLD): 6,
    str(Reason.REPEAT): 7,
    str(Reason.COOLDOWN): 8,
    "warning": 10,
    "drift": 10,
    "halted": 10,
    str(Reason.MISSING_COLUMNS): 11,
}
"""Reason to the number that charts draw, in the order of the rules; 10 is the pair's level."""
