"""A pairlist that changes every hour, as freqtrade's RemotePairList reads it from a file."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from freqai_signals.files import write_atomically

FILE: Final = "pairlist.json"

_HOUR_MS: Final = 3_600_000
_REFRESH_SECONDS: Final = 60
# Well inside a candle, so that it is certain which list a candle's close meets.
_PAST_THE_HOUR_MS: Final = 150_000


def rotating_pairlist(folder: Path, count: int) -> dict[str, Any]:
    """Freqtrade's config of a pairlist that follows the file in a rehearsal's folder."""
    url = f"file:///{(folder.resolve() / FILE).as_posix()}"
    return {
        "method": "RemotePairList",
        "mode": "whitelist",
        "number_assets": count,
        "refresh_period": _REFRESH_SECONDS,
        "pairlist_url": url,
    }


def listed(pairs: Sequence[str], count: int, start_ms: int, now_ms: int) -> tuple[str, ...]:
    """The pairs that are traded at a time: every hour the next one comes and the first one goes.

    Examples
    --------
    >>> listed(["A", "B", "C"], 2, start_ms=200_000, now_ms=4_000_000)
    ('B', 'C')
    """
    turn = _turn(now_ms) - _turn(start_ms)
    return tuple(pairs[(turn + i) % len(pairs)] for i in range(count))


def write_pairlist(folder: Path, pairs: Sequence[str]) -> None:
    """Write the file that the bot's pairlist follows."""
    content = {"pairs": list(pairs), "refresh_period": _REFRESH_SECONDS}
    write_atomically(folder / FILE, json.dumps(content).encode())


def absences(
    pairs: Sequence[str], count: int, start_ms: int, stop_ms: int
) -> tuple[tuple[str, int, int], ...]:
    """Pair and span (ms since 1970, without its last one) in which it is not listed."""
    turns = range(_turn(start_ms) + 1, _turn(stop_ms) + 1)
    changes = [turn * _HOUR_MS + _PAST_THE_HOUR_MS for turn in turns]
    return tuple(
        (pair, first, last)
        for first, last in pairwise([start_ms, *changes, stop_ms])
        for pair in pairs
        if pair not in listed(pairs, count, start_ms, first)
    )


def _turn(time_ms: int) -> int:
    return (time_ms - _PAST_THE_HOUR_MS) // _HOUR_MS
