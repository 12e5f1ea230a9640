"""Judgement of a soak: the checks of a rehearsal, and what followed each injection."""

import re
from bisect import bisect_left
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from freqai_signals.config import settings_from_config
from freqai_signals.files import merged_config
from freqai_signals.ledger.ledger import Ledger
from freqai_signals.ledger.proof.verification import verify
from freqai_signals.live.decision_log import LiveRow
from freqai_signals.rehearsal.bot import log_of, record_of
from freqai_signals.rehearsal.checks import Check
from freqai_signals.rehearsal.incidents import Incidents
from freqai_signals.rehearsal.ledger_view import ledger_urls
from freqai_signals.rehearsal.outcome import Outcome, judged
from freqai_signals.rehearsal.soak.plan import Injection, allowed_ms
from freqai_signals.rehearsal.soak.soak_record import SoakRecord
from freqai_signals.settings import SignalSettings

_THREAD_ERROR: Final = re.compile(r"^Exception in thread \S+", re.M)
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
        bot trusted, and to the next row that was written to the ledger; infinite without any.
    log
        Warnings and errors of the bot's log until the next one began: how many, and the first.
    """

    item: Injection
    began: int | None
    answer: str
    injected: bool
    decided: float
    trusted: float
    recorded: float
    log: str

    @property
    def end(self) -> float:
        """When it ended, ms of market time; never if it did not begin."""
        return _NEVER if self.began is None else self.began + self.item.stop - self.item.start

    def overdue(self, allowed: float) -> list[str]:
        """What the bot did not do again within this time (ms)."""
        names = ("decided", "trusted", "recorded")
        return [name for name in names if getattr(self, name) > allowed / 60_000]


@dataclass(frozen=True)
class SoakOutcome:
    """Result of a soak.

    Attributes
    ----------
    outcome
        That of a rehearsal, with more checks.
    record
        What was planned and what happened.
    followed
        What followed each injection.
    suspects
        Numbers of the injections in whose aftermath something failed whose time is known: a candle
        unlike the history's, a bot that ended by itself or did not work again.
    """

    outcome: Outcome
    record: SoakRecord
    followed: tuple[Aftermath, ...]
    suspects: tuple[int, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed, and live equals history on at least one candle."""
        return self.outcome.passed


def judged_soak(folder: Path) -> SoakOutcome:
    """Check the finished soak of a folder.

    Raises
    ------
    ValueError
        If there is none.
    """
    record, found = SoakRecord.read(folder), judged(folder)
    settings = settings_from_config(merged_config((folder / "config.json",)))
    rows = list(record_of(folder).rows())
    followed = aftermaths(record, rows, _recorded(folder, settings), log_of(folder))
    allowed = allowed_ms(1000 * settings.candle_seconds, record.run.speed)
    checks = (
        never_ended(record),
        no_dead_thread(record, followed, log_of(folder), allowed),
        ledger_stands(folder, settings),
    )
    wrong = {(item.pair, item.date) for item in found.parity.mismatches}
    found = replace(found, checks=(*found.checks, *checks))
    suspected = suspects(record, followed, failure_times(record, rows, wrong), allowed)
    return SoakOutcome(found, record, followed, suspected)


def failure_times(
    record: SoakRecord, rows: Sequence[LiveRow], wrong: Collection[tuple[str, str]]
) -> list[float]:
    """Times (ms) at which the bot ended by itself, or decided one of these pairs and candles.

    It may decide a candle again hours later, after a config reload within a gap.
    """
    times = [row.written for row in rows if (row.pair, row.date) in wrong]
    decided = [1000 * time for time in _true_times(times, record.run.incidents)]
    return [*decided, *(time for time, _ in record.crashes)]


def suspects(
    record: SoakRecord, followed: Sequence[Aftermath], failures: Sequence[float], allowed: float
) -> tuple[int, ...]:
    """Numbers of the injections that may have caused a failure.

    Parameters
    ----------
    record
        Of the soak.
    followed
        What followed each injection.
    failures
        Times of failures, ms of market time.
    allowed
        Length of an aftermath in ms.
    """
    return tuple(
        item.item.number
        for item in followed
        if item.began is not None
        and (
            any(item.began <= time <= item.end + allowed for time in failures)
            or (_is_judged(record, item, allowed) and item.overdue(allowed))
        )
    )


def _is_judged(record: SoakRecord, item: Aftermath, allowed: float) -> bool:
    return item.end + allowed <= record.run.stop_ms


def aftermaths(
    record: SoakRecord, rows: Sequence[LiveRow], recorded: Sequence[int], log: str
) -> tuple[Aftermath, ...]:
    """What followed each injection, in the order of their numbers.

    Parameters
    ----------
    record
        Of the soak.
    rows
        The bot's decisions.
    recorded
        Times (seconds since 1970) at which rows of the ledger were written.
    log
        The bot's.
    """
    decided = _true_times([row.written for row in rows], record.run.incidents)
    trusted = _true_times([row.written for row in rows if row.trust == 1], record.run.incidents)
    kept = _true_times(recorded, record.run.incidents)
    notes = {note.number: note for note in record.notes}
    warned = _warnings(log)
    begins = sorted(note.began for note in record.notes)
    found = []
    for item in record.plan:
        note = notes.get(item.number)
        if note is None:
            found.append(Aftermath(item, None, "never began", False, _NEVER, _NEVER, _NEVER, ""))
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
                recorded=_minutes_after(kept, end),
                log=f"{len(texts)}: {texts[0][:100]}" if texts else "",
            )
        )
    return tuple(found)


def never_ended(record: SoakRecord) -> Check:
    """Whether the bot ended only when it was asked to, or killed, and well when it was asked."""
    found = [f"exit status {status}" for _, status in record.crashes]
    asked = [note.answer for note in record.notes if note.answer.startswith("exit status")]
    found += [f"{one} when asked" for one in asked if one.split()[-1] not in ("0", "130")]
    return Check("never ended by itself", not found, ", ".join([f"{len(found)} times", *found]))


def no_dead_thread(
    record: SoakRecord, followed: Sequence[Aftermath], log: str, allowed: float
) -> Check:
    """Whether after each injection the bot decided, trusted a model and wrote rows again.

    The threads that decide, train and write show by their work that they live.

    Parameters
    ----------
    record
        Of the soak.
    followed
        What followed each injection.
    log
        The bot's.
    allowed
        Market time (ms) until it must work; what ends later than that before the end, or never
        began, is not judged.
    """
    wrong = [f"{name} ended by an error" for name in _THREAD_ERROR.findall(log)]
    judged_ones = [item for item in followed if _is_judged(record, item, allowed)]
    wrong += [
        f"not {name} within {allowed / 60_000:.0f} min of {item.item.number} {item.item.kind}"
        for item in judged_ones
        for name in item.overdue(allowed)
    ]
    slowest = max((max(i.decided, i.trusted, i.recorded) for i in judged_ones), default=0.0)
    detail = f"decided, trusted and recorded again at most {slowest:.0f} min after each injection"
    if wrong:
        detail = f"{len(wrong)} problems: {'; '.join(wrong[:3])}"
    left = len(followed) - len(judged_ones)
    detail += f"; {left} not judged" if left else ""
    return Check("no dead thread", not wrong, detail, judged=bool(judged_ones))


def ledger_stands(folder: Path, settings: SignalSettings) -> Check:
    """Whether the chain of hashes of every ledger that the bot wrote is whole."""
    rows, problems = 0, []
    urls = ledger_urls(settings, folder / "user_data")
    for url in urls:
        with closing(Ledger(url, read_only=True)) as ledger:
            found = verify(ledger)
        rows += found.rows
        problems += [f"{one['bot']} {one['number']}: {one['problem']}" for one in found.problems]
    text = "; ".join([f"{rows} rows in {len(urls)} ledgers", *problems[:3]])
    return Check("chain of the ledger", not problems, text, judged=rows > 0)


def _recorded(folder: Path, settings: SignalSettings) -> list[int]:
    times: list[int] = []
    for url in ledger_urls(settings, folder / "user_data"):
        with closing(Ledger(url, read_only=True)) as ledger:
            times += [int(time) for time in ledger.rows("predictions")["recorded"]]
    return times


def _true_times(shown: Sequence[float], incidents: Incidents) -> list[float]:
    """Times of the exchange, in order, of what the bot's own clock dated.

    A clock that was ahead would make what was done under it look like what followed.
    """
    return sorted(time - incidents.lead(1000 * time) / 1000 for time in shown)


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
