"""Judgement of a soak: the checks of a rehearsal, and what followed each injection."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from freqai_signals.config import settings_from_config
from freqai_signals.files import merged_config
from freqai_signals.ledger.damage import sqlite_file
from freqai_signals.ledger.database import ledger_url
from freqai_signals.ledger.ledger import Ledger
from freqai_signals.ledger.proof.verification import verify
from freqai_signals.live.decision_log import LiveRow
from freqai_signals.rehearsal.bot import log_of, record_of
from freqai_signals.rehearsal.checks import LAST_SECONDS, Check
from freqai_signals.rehearsal.ledger_view import ledger_files
from freqai_signals.rehearsal.outcome import Outcome, judged
from freqai_signals.rehearsal.soak.plan import Injection
from freqai_signals.rehearsal.soak.soak_record import SoakRecord
from freqai_signals.settings import SignalSettings

_ALLOWED_CANDLES: Final = 14
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
    decided, trusted, recorded
        Minutes of market time from its end to the next decision, to the next prediction that the
        bot trusted, and to the next row that was written to the ledger; infinite without any.
    log
        Warnings and errors of the bot's log until the next one began: how many, and the first.
    """

    item: Injection
    began: int | None
    answer: str
    decided: float
    trusted: float
    recorded: float
    log: str


@dataclass(frozen=True)
class SoakOutcome:
    """Result of a soak: that of a rehearsal with more checks, and what followed."""

    outcome: Outcome
    record: SoakRecord
    followed: tuple[Aftermath, ...]

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
    followed = aftermaths(
        record, list(record_of(folder).rows()), _recorded(folder, settings), log_of(folder)
    )
    checks = (
        no_dead_thread(record, followed, log_of(folder), settings.candle_seconds),
        ledger_stands(folder, settings),
    )
    return SoakOutcome(replace(found, checks=(*found.checks, *checks)), record, followed)


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
    decided = sorted(row.written for row in rows)
    trusted = sorted(row.written for row in rows if row.trust == 1)
    kept = sorted(recorded)
    notes = {note.number: note for note in record.notes}
    warned = [(moment, text) for moment, text in _warnings(log)]
    begins = sorted(note.began for note in record.notes)
    found = []
    for item in record.plan:
        note = notes.get(item.number)
        if note is None:
            found.append(Aftermath(item, None, "never began", _NEVER, _NEVER, _NEVER, ""))
            continue
        end = (note.began + item.stop - item.start) / 1000
        later = [began for began in begins if began > note.began]
        until = (later[0] if later else record.run.stop_ms) / 1000
        texts = [text for moment, text in warned if note.began / 1000 <= moment < until]
        summary = f"{len(texts)}: {texts[0][:100]}" if texts else ""
        after = [_minutes_after(series, end) for series in (decided, trusted, kept)]
        found.append(
            Aftermath(item, note.began, note.answer, after[0], after[1], after[2], summary)
        )
    return tuple(found)


def no_dead_thread(
    record: SoakRecord, followed: Sequence[Aftermath], log: str, candle_seconds: int
) -> Check:
    """Whether after each injection the bot decided, trusted a model and wrote rows again.

    The threads that decide, train and write show by their work that they live. Fourteen candles are
    allowed, or two minutes of the wall clock, in which a bot starts and trains.
    """
    allowed = max(_ALLOWED_CANDLES * candle_seconds, 2 * LAST_SECONDS * record.run.speed) / 60
    wrong = [f"{name} ended by an error" for name in _THREAD_ERROR.findall(log)]
    for item in followed:
        end = (item.began or 0) / 60_000 + (item.item.stop - item.item.start) / 60_000
        if item.began is None or end + allowed > record.run.stop_ms / 60_000:
            continue
        for name in ("decided", "trusted", "recorded"):
            if getattr(item, name) > allowed:
                wrong.append(
                    f"not {name} within {allowed:.0f} min of {item.item.number} {item.item.kind}"
                )
    slowest = max((item.trusted for item in followed if item.trusted < _NEVER), default=0.0)
    detail = (
        f"after each injection decided, trusted and recorded again, after {slowest:.0f} min at most"
    )
    if wrong:
        detail = f"{len(wrong)} problems: {'; '.join(wrong[:3])}"
    return Check("no dead thread", not wrong, detail)


def ledger_stands(folder: Path, settings: SignalSettings) -> Check:
    """Whether the chain of hashes of every ledger that the bot wrote is whole."""
    rows, problems = 0, []
    urls = _ledgers(folder, settings)
    for url in urls:
        with closing(Ledger(url, read_only=True)) as ledger:
            found = verify(ledger)
        rows += found.rows
        problems += [
            f"{item['bot']} {item['number']}: {item['problem']}" for item in found.problems
        ]
    detail = f"{rows} rows in {len(urls)} ledgers"
    return Check("chain of the ledger", not problems, "; ".join([detail, *problems[:3]]))


def _ledgers(folder: Path, settings: SignalSettings) -> list[str]:
    url = ledger_url(settings.ledger, folder / "user_data")
    file = sqlite_file(url)
    if file is None:
        return [url]
    return [f"sqlite:///{path}" for path in ledger_files(file, folder / "user_data")]


def _recorded(folder: Path, settings: SignalSettings) -> list[int]:
    times: list[int] = []
    for url in _ledgers(folder, settings):
        with closing(Ledger(url, read_only=True)) as ledger:
            times += [int(time) for time in ledger.rows("predictions")["recorded"]]
    return times


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
