"""The check of a finished rehearsal that no candle is lost: decided, or excused, and written."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

import pandas as pd

from freqai_signals.rehearsal.checks import Check, CheckContext, listed, overlap

LAST_SECONDS: Final = 60.0
"""Seconds of the wall clock by which a bot may be behind, also at the end."""

_LAST_CANDLES: Final = 3
_NOT_LISTED: Final = "not in the pairlist"
_DOWN: Final = "exchange down"
_BOT_AWAY: Final = "bot away"
_NOT_SERVED: Final = ("missing candle", _DOWN, _NOT_LISTED)
_AWAY: Final = (_DOWN, _BOT_AWAY, _NOT_LISTED)
_TOO_SLOW: Final = "bot too slow"
_LATE: Final = "late candle"
_UNKNOWABLE: Final = ("ledger removed",)
"""A ledger that begins anew does not know of candles that nobody has decided yet."""


def no_lost_row(
    decided: Collection[tuple[str, int]],
    ledger: pd.DataFrame,
    pairs: Sequence[str],
    context: CheckContext,
) -> Check:
    """Whether every pair was decided to the end, and every candle has its row in the ledger.

    A candle is due from its pair's first decision on until shortly before the end: three candles,
    or ``LAST_SECONDS`` of the wall clock, if that is more. A candle that was not decided when it
    closed gets its row with the next decision. Between two decisions of a pair, not more candles
    than that may lack one for no other reason than that the bot was slow. After the pair's last
    decision a missing row is excused only where the exchange did not serve the candle.

    Parameters
    ----------
    decided
        Pair and opening of every candle that the bot decided.
    ledger
        Its table of predictions.
    pairs
        Whitelist.
    context
        Incidents, from which the causes of candles without a live prediction are named.
    """
    kinds = {
        (str(pair), int(candle)): str(kind)
        for pair, candle, kind in zip(ledger["pair"], ledger["candle"], ledger["kind"], strict=True)
    }
    times = {pair: [candle for name, candle in decided if name == pair] for pair in pairs}
    wrong = _never_decided(decided, times, context)
    due = [(pair, candle) for pair in pairs for candle in _due_candles(times[pair], context)]
    wrong += [found for pair in pairs if (found := _too_slow(pair, times[pair], context))]
    gaps = [key for key in due if kinds.get(key) == "gap"]
    undecided = Counter(_cause(key, context) for key in gaps if key not in decided)
    # A kill takes the rows that waited while the ledger was away; the next decision finds them.
    again = Counter("decided" for key in gaps if key in decided)
    length = context.candle_seconds
    wrong += [
        f"{pair} {_date(candle)} written as a gap"
        for pair, candle in sorted({*gaps} & {*decided})
        if not context.incidents.soon_away(1000 * (candle + length), 1000 * length)
    ]
    lost, not_served = {key for key in decided if key not in kinds}, Counter[str]()
    for pair, candle in due:
        if (pair, candle) not in kinds:
            cause = _cause((pair, candle), context)
            if (candle > max(times[pair]) and cause in _NOT_SERVED) or cause in _UNKNOWABLE:
                not_served[cause] += 1
            else:
                lost.add((pair, candle))
    wrong += [f"{pair} {_date(candle)}" for pair, candle in sorted(lost)]
    detail = f"{len(due)} candles, {len(decided)} decided"
    told = {
        "not decided live": undecided,
        "written again after a restart": again,
        "without a row": not_served,
    }
    for words, causes in told.items():
        counts = ", ".join(f"{count} {cause}" for cause, count in sorted(causes.items()))
        detail += f"; {words}: {counts}" if counts else ""
    return Check("no lost ledger row", not wrong, detail + listed(wrong))


def _never_decided(
    decided: Collection[tuple[str, int]], times: dict[str, list[int]], context: CheckContext
) -> list[str]:
    # The first candle may have been decided late, when its close's pairlist was no more.
    first = min((candle for _, candle in decided), default=0) + context.candle_seconds
    always = [(pair, _due_candles([first], context)) for pair, found in times.items() if not found]
    return [
        f"{pair} never decided"
        for pair, candles in always
        if not decided or any(_cause((pair, candle), context) != _NOT_LISTED for candle in candles)
    ]


def _too_slow(pair: str, decided: Sequence[int], context: CheckContext) -> str:
    """Where the bot decided no candle of a pair for longer than it may be slow; empty if nowhere.

    It may be slow again after a time without exchange, bot, or a place in the pairlist. A candle
    that never came counts for nothing, and is no sign of life either; one that came late could be
    decided then.
    """
    kept, slow, most = {*decided}, list[int](), list[int]()
    for candle in _due_candles(decided, context):
        cause = "" if candle in kept else _cause((pair, candle), context)
        if cause in ("", *_AWAY):
            slow = []
        elif cause in (_TOO_SLOW, _LATE):
            slow = [*slow, candle]
            most = max(most, slow, key=len)
    if len(most) * context.candle_seconds <= _patience(context):
        return ""
    return f"{pair} {_date(most[0])} to {_date(most[-1])}: {len(most)} candles, {_TOO_SLOW}"


def _due_candles(decided: Sequence[int], context: CheckContext) -> range:
    """Openings of the candles for which a pair needs a decision, from its first one on."""
    if not decided:
        return range(0)
    # A candle is decided at its close.
    end = max(*decided, context.stop - _patience(context) - context.candle_seconds)
    return range(min(decided), end + 1, context.candle_seconds)


def _patience(context: CheckContext) -> int:
    """Market seconds that the bot may be behind."""
    return max(_LAST_CANDLES * context.candle_seconds, int(LAST_SECONDS * context.speed))


def _cause(key: tuple[str, int], context: CheckContext) -> str:
    """Why a candle was not decided when it closed."""
    pair, candle = key
    close, after = candle + context.candle_seconds, candle + 2 * context.candle_seconds
    incidents = context.incidents
    absent = [(start, stop) for name, start, stop in incidents.absent if name == pair]
    late = [span for span in incidents.late if span[0] == pair]
    causes = {
        _NOT_LISTED: any(start <= 1000 * close < stop for start, stop in absent),
        "missing candle": 1000 * candle in incidents.unserved(pair),
        _DOWN: overlap(incidents.outages, close - 1, after),
        _BOT_AWAY: overlap(incidents.away, close - 1, after),
        "ledger removed": any(1000 * candle <= at < 1000 * after for at in incidents.removed),
        _LATE: any(start <= 1000 * after and 1000 * close < stop for _, start, stop, _ in late),
    }
    return next((cause for cause, holds in causes.items() if holds), _TOO_SLOW)


def _date(seconds: int) -> str:
    return f"{pd.Timestamp(seconds, unit='s'):%Y-%m-%d %H:%M}"
