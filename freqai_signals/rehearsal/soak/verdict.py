"""Verdict on a soak: the checks of a rehearsal, and of what followed each injection."""

import re
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from freqai_signals.config import settings_from_config
from freqai_signals.files import merged_config
from freqai_signals.ledger.ledger import Ledger
from freqai_signals.ledger.proof.verification import verify
from freqai_signals.live.decision_log import LiveRow
from freqai_signals.rehearsal.bot import log_of, record_of
from freqai_signals.rehearsal.checks import Check
from freqai_signals.rehearsal.ledger_view import ledger_urls
from freqai_signals.rehearsal.outcome import Outcome, judged
from freqai_signals.rehearsal.soak.aftermath import (
    Aftermath,
    Shown,
    aftermaths,
    shown_times,
    true_times,
)
from freqai_signals.rehearsal.soak.plan import Kind, allowed_ms
from freqai_signals.rehearsal.soak.soak_record import SoakRecord
from freqai_signals.settings import SignalSettings

_STORING: Final = re.compile(
    r"Model (?P<full>\S+) could not be stored: \[Errno 28\]|Model (?P<stored>\S+) is stored now"
    r"|(?P<start>Starting worker)"
)
_THREAD_ERROR: Final = re.compile(r"^Exception in thread \S+", re.M)


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
    record = SoakRecord.read(folder)
    found = judged(folder, blacklisted(record), lost_models(log_of(folder)))
    settings = settings_from_config(merged_config((folder / "config.json",)))
    rows, seconds = list(record_of(folder).rows()), settings.candle_seconds
    recorded = _recorded(folder, settings) if settings.ledger.enabled else None
    followed = aftermaths(record, rows, recorded, log_of(folder), seconds)
    allowed = allowed_ms(1000 * settings.candle_seconds, record.run.speed)
    checks = (
        never_ended(record),
        no_dead_thread(record, followed, log_of(folder), allowed),
        ledger_stands(folder, settings),
    )
    wrong = {(item.pair, item.date) for item in found.parity.mismatches}
    found = replace(found, checks=(*found.checks, *checks))
    suspected = suspects(record, followed, failure_times(record, rows, wrong, seconds), allowed)
    return SoakOutcome(found, record, followed, suspected)


def lost_models(log: str) -> frozenset[str]:
    """Versions that were in memory only when the bot ended, since the disk was full.

    The bot stores them as soon as there is room, so one that was not while it went on is not lost
    but forgotten, and not among these.
    """
    waiting: set[str] = set()
    lost: set[str] = set()
    for found in _STORING.finditer(log):
        if found["full"]:
            waiting.add(found["full"])
        elif found["stored"]:
            waiting.discard(found["stored"])
        else:
            lost |= waiting
            waiting.clear()
    return frozenset(lost)


def blacklisted(record: SoakRecord) -> tuple[tuple[str, int, int], ...]:
    """Pair and span (ms of market time) in which the blacklist of an injection left it out."""
    began = {note.number: note.began for note in record.notes if note.injected}
    return tuple(
        (item.pair, began[item.number], began[item.number] + item.stop - item.start)
        for item in record.plan
        if item.kind == Kind.BLACKLIST and item.number in began
    )


def failure_times(
    record: SoakRecord,
    rows: Sequence[LiveRow],
    wrong: Collection[tuple[str, str]],
    candle_seconds: int,
) -> list[float]:
    """Times (ms) at which the bot ended by itself, or decided one of these pairs and candles.

    It may decide a candle again hours later, after a config reload within a gap.
    """
    times = true_times(shown_times(rows, candle_seconds), record.run)
    decided = [
        1000 * time for row, time in zip(rows, times, strict=True) if (row.pair, row.date) in wrong
    ]
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
    slowest = max((max(item.signs.values()) for item in judged_ones), default=0.0)
    first, *names = {name: None for item in judged_ones for name in item.signs} or {"decided": None}
    signs = " and ".join([", ".join([first, *names[:-1]]), *names[-1:]])
    detail = f"{signs} again at most {slowest:.0f} min after each injection"
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


def _recorded(folder: Path, settings: SignalSettings) -> Shown:
    times: Shown = []
    for url in ledger_urls(settings, folder / "user_data"):
        with closing(Ledger(url, read_only=True)) as ledger:
            rows = ledger.rows("predictions").sort_values("number")
        closed = rows["candle"] + settings.candle_seconds
        times += zip(rows["recorded"].astype(float), closed.astype(float), strict=True)
    return times
