"""Why a prediction did not become a signal."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a prediction did not become a signal."""

    NONE = ""
    MISSING_COLUMNS = "missing_columns"
    UNTRUSTED = "untrusted"
    ORDINARY_SCORE = "ordinary_score"
    CALM = "calm"
    NO_EDGE = "no_edge"
    LOW_CONFIDENCE = "low_confidence"
    UNSURE_HOLD = "unsure_hold"
    REPEAT = "repeat"
    COOLDOWN = "cooldown"
    SHARE = "share"
