"""What followed each injection of a soak."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from typing import Final

import pandas as pd

from freqai_signals.live.decision_log import LiveRow
from freqai_signals.rehearsal.run_record import RunRecord
from freqai_signals.rehearsal.soak.plan import Injection
from freqai_signals.rehearsal.soak.soak_record import SoakRecord

Shown = list[tuple[float, float]]
"""Times that the bot's clock showed, and the close of the candle: seconds since 1970."""

_LOG_LINE: Final = re.compile(
    r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ - \S+ - (WARNING|ERROR|CRITICAL) - (.*)"
)
_NEVER: Final = float("inf")


@dataclass(frozen=True)
class Aftermath:
    """What followed one injection.

    Attributes
    ----------
    item
        The injection.
    began
        When it did, ms of market time; None if it never did.
    answer
        What answered then.
    injected
        Whether it was not refused.
    decided, trusted, recorded
        Minutes of market time from its end to the next decision, to the next prediction that the
        bot trusted, and to the next row that was written to the ledger; infinite without any, and
        ``recorded`` is None for a bot without a ledger.
    log
        Warnings and errors of the bot's log until the next one began: how many, and the first.
    """

    item: Injection
    began: int | None
    answer: str
    injected: bool
    decided: float
    trusted: float
    recorded: float | None
    log: str

    @property
    def end(self) -> float:
        """When it ended, ms of market time; never if it did not begin."""
        return _NEVER if self.began is None else self.began + self.item.stop - self.item.start

    def overdue(self, allowed: float) -> list[str]:
        """What the bot did not do again within this time (ms)."""
        return [name for name, minutes in self.signs.items() if minutes > allowed / 60_000]

    @property
    def signs(self) -> dict[str, float]:
        """Minutes to each sign of life that there can be."""
        found = {"decided": self.decided, "trusted": self.trusted}
        return found if self.recorded is None else {**found, "recorded": self.recorded}


def aftermaths(
    record: SoakRecord,
    rows: Sequence[LiveRow],
    recorded: Shown | None,
    log: str,
    candle_seconds: int,
) -> tuple[Aftermath, ...]:
    """What followed each injection, in the order of their numbers.

    Parameters
    ----------
    record
        Of the soak.
    rows
        The bot's decisions, in the order of writing.
    recorded
        When rows of the ledger were written, in that order; None without a ledger.
    log
        The bot's.
    candle_seconds
        Length of a candle.
    """
    times = true_times(shown_times(rows, candle_seconds), record.run)
    decided = sorted(times)
    trusted = sorted(time for row, time in zip(rows, times, strict=True) if row.trust == 1)
    kept = None if recorded is None else sorted(true_times(recorded, record.run))
    notes = {note.number: note for note in record.notes}
    warned = _warnings(log)
    begins = sorted(note.began for note in record.notes)
    found = []
    for item in record.plan:
        note = notes.get(item.number)
        if note is None:
            last = None if kept is None else _NEVER
            found.append(Aftermath(item, None, "never began", False, _NEVER, _NEVER, last, ""))
            continue
        end = (note.began + item.stop - item.start) / 1000
        later = [began for began in begins if began > note.began]
        until = (later[0] if later else record.run.stop_ms) / 1000
        texts = [text for moment, text in warned if note.began / 1000 <= moment < until]
        found.append(
            Aftermath(
                item=item,
                began=note.began,
                answer=note.answer,
                injected=note.injected,
                decided=_minutes_after(decided, end),
                trusted=_minutes_after(trusted, end),
                recorded=None if kept is None else _minutes_after(kept, end),
                log=f"{len(texts)}: {texts[0][:100]}" if texts else "",
            )
        )
    return tuple(found)


def shown_times(rows: Iterable[LiveRow], candle_seconds: int) -> Shown:
    """When the bot decided, as its clock showed."""
    opened = ((row, pd.Timestamp(row.date).timestamp()) for row in rows)
    return [(row.written, at + candle_seconds) for row, at in opened]


def true_times(shown: Shown, run: RunRecord) -> list[float]:
    """Times of the exchange of what the bot's own clock dated, in the order in which it was done.

    A clock that was ahead would make what was done under it look like what followed.
    """
    # A row for a candle of long ago was written after those before it were.
    newest = accumulate((closed for _, closed in shown), max)
    return [run.true_time(time, after) for (time, _), after in zip(shown, newest, strict=True)]


def _minutes_after(times: Sequence[float], end: float) -> float:
    place = bisect_left(times, end)
    return (times[place] - end) / 60 if place < len(times) else _NEVER


def _warnings(log: str) -> list[tuple[float, str]]:
    found = []
    for line in log.splitlines():
        match = _LOG_LINE.match(line)
        if match is not None:
            moment = datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
            found.append((moment.timestamp(), match[3]))
    return found
