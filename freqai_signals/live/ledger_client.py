"""A running bot's access to the ledger, which may be switched off or unreachable; never blocks."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

from freqai_signals.ledger.damage import is_damage, set_aside, sqlite_file
from freqai_signals.ledger.database import ledger_url
from freqai_signals.ledger.ledger import Entry, Ledger
from freqai_signals.ledger.reader import LedgerReader
from freqai_signals.ledger.writer import CLOSE_SECONDS, LedgerWriter
from freqai_signals.live.alerts import Alert, ledger_alert
from freqai_signals.registry.versions import slug
from freqai_signals.settings import LedgerSettings

T = TypeVar("T")


class LiveLedger:
    """Writer and reader of one bot.

    Parameters
    ----------
    settings
        Section ``ledger``.
    user_data
        Folder of the default ledger.
    bot
        Name of the bot in the ledger.
    clock
        See :class:`LedgerReader`.
    """

    def __init__(
        self, settings: LedgerSettings, user_data: Path, bot: str, clock: Callable[[], float]
    ) -> None:
        self.bot = bot
        self._writer: LedgerWriter | None = None
        self._reader: LedgerReader | None = None
        self._wait_seconds = settings.wait_seconds
        if settings.enabled:
            url, wait = ledger_url(settings, user_data), self._wait_seconds
            kept = user_data / "signals" / f"ledger-unwritten-{slug(bot)}.jsonl"
            repair = partial(_repair, url)
            self._writer = LedgerWriter(
                lambda: Ledger(url, detail_days=settings.detail_days),
                settings.queue_rows,
                wait,
                kept,
                repair,
            )
            self._reader = LedgerReader(lambda: Ledger(url), wait, clock, repair)

    @property
    def enabled(self) -> bool:
        """Whether there is a ledger."""
        return self._writer is not None

    def write(self, entries: list[Entry], wait: bool = False) -> None:
        """Queue rows with the bot's name in them; see :meth:`LedgerWriter.record`."""
        if self._writer is not None:
            named = [Entry(e.table, [{"bot": self.bot, **row} for row in e.rows]) for e in entries]
            self._writer.record(named, wait)

    @property
    def newest(self) -> int:
        """See :attr:`LedgerWriter.newest`; 0 without a ledger."""
        return 0 if self._writer is None else self._writer.newest

    @property
    def settled(self) -> int:
        """See :attr:`LedgerWriter.settled`; 0 without a ledger."""
        return 0 if self._writer is None else self._writer.settled

    def ask(self, question: Callable[[Ledger], T], otherwise: T) -> T:
        """The ledger's answer; see :meth:`LedgerReader.ask`."""
        return otherwise if self._reader is None else self._reader.ask(question, otherwise)

    def counters(self, named: Mapping[str, str]) -> Entry:
        """Rows that replace the bot's counters of these names."""
        rows = [{"bot": self.bot, "name": name, "content": text} for name, text in named.items()]
        return Entry("counters", rows)

    def counter(self, name: str) -> str | None:
        """Content of a counter; None if it cannot be read now."""
        if self._reader is None:
            return ""
        return self.ask(lambda ledger: ledger.counter(self.bot, name), None)

    def alerts(self) -> list[Alert]:
        """State of the ledger."""
        if self._writer is None or self._reader is None:
            return []
        problem = self._writer.problem or self._reader.problem
        found = ledger_alert(problem, self._writer.waiting_rows, self._writer.lost_rows)
        if not self._writer.repaired:
            return [found]
        repaired = Alert("ledger file", "", "damaged, a new one begins", 2, self._writer.repaired)
        return [found, repaired]

    def flush(self, seconds: float) -> bool:
        """Wait until all rows are durable; False if that takes too long."""
        return self._writer is None or self._writer.flush(seconds)

    def close(self) -> None:
        """Write waiting rows and close the database."""
        if self._writer is not None and self._reader is not None:
            self._writer.close(max(self._wait_seconds, CLOSE_SECONDS))
            self._reader.close()


def _repair(url: str, error: Exception) -> str:
    """Set a damaged SQLite file aside; where to, "" if it is not that."""
    path = sqlite_file(url)
    target = set_aside(path) if path is not None and is_damage(error) else None
    return f"kept as {target.name}" if target is not None else ""
