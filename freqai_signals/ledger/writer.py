"""Write to the ledger without blocking the bot or failing with it.

Guarantees and limits:

- :meth:`LedgerWriter.record` returns True once the rows are durable. A signal's message is sent
  after that: whoever reads the message finds the row.
- It returns False after ``wait_seconds`` at most. Then the database is unreachable, locked or full;
  the rows wait in memory, the problem is logged once, the message is sent all the same, since
  trading comes first. The rows are written, in order, when the database answers again.
- Rows in memory are lost if the process is killed meanwhile, and the oldest rows beyond ``most``
  are dropped and counted. Rows that were reported as durable are never lost.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from freqai_signals.ledger.database import LedgerError
from freqai_signals.ledger.ledger import Entry, Ledger

logger = logging.getLogger(__name__)

CLOSE_SECONDS: Final = 5.0
"""Longest wait for unwritten rows when a bot stops."""

_SHORTEST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 30.0
_ROWS_AT_ONCE: Final = 5_000
_IMPOSSIBLE: Final = (DataError, IntegrityError, ArithmeticError, KeyError, TypeError, ValueError)


class LedgerWriter:
    """A queue in front of a ledger, emptied by one thread.

    Parameters
    ----------
    connect
        Opens the ledger; called in the thread, again after a failure.
    most
        Rows that may wait.
    wait_seconds
        Longest that :meth:`record` waits for durability.
    """

    def __init__(
        self, connect: Callable[[], Ledger], most: int = 50_000, wait_seconds: float = 2.0
    ) -> None:
        self._connect = connect
        self._most = most
        self._wait_seconds = wait_seconds
        self._changed = threading.Condition()
        self._waiting: deque[tuple[int, Sequence[Entry]]] = deque()
        self._accepted = 0
        self._done = 0
        self._stopping = False
        self.waiting_rows = 0
        self.lost_rows = 0
        self.problem = ""
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    def record(self, entries: Sequence[Entry], wait: bool = False) -> bool:
        """Queue rows.

        Parameters
        ----------
        entries
            Written in one transaction.
        wait
            Wait for durability, as before a message; otherwise return at once.

        Returns
        -------
        bool
            Whether the rows are durable by now.
        """
        with self._changed:
            self._accepted += 1
            ticket = self._accepted
            self._waiting.append((ticket, entries))
            self.waiting_rows += sum(map(len, entries))
            self._drop_oldest()
            self._changed.notify_all()
            # Not while the database fails: a bot with a hundred pairs would wait a hundred times.
            if wait:
                self._changed.wait_for(
                    lambda: self._done >= ticket or self.problem, self._wait_seconds
                )
            return self._done >= ticket

    def flush(self, seconds: float) -> bool:
        """Wait until all rows are durable; False if that takes too long."""
        with self._changed:
            ticket = self._accepted
            return self._changed.wait_for(lambda: self._done >= ticket, seconds)

    def close(self, seconds: float = CLOSE_SECONDS) -> bool:
        """Write waiting rows and stop; False if rows are left after ``seconds``."""
        finished = self.flush(seconds)
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(seconds)
        if self.waiting_rows:
            logger.error("%d rows were not written to the ledger and are lost", self.waiting_rows)
        return finished

    def _run(self) -> None:
        ledger: Ledger | None = None
        pause = _SHORTEST_PAUSE
        while (found := self._next()) is not None:
            batch, last = found
            try:
                ledger = ledger or self._connect()
                _write(ledger, batch)
            except (SQLAlchemyError, OSError, LedgerError) as error:
                self._warn_once(error)
                _close(ledger)
                ledger = None
                self._sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                pause = _SHORTEST_PAUSE
                self._written(last)
        _close(ledger)

    def _next(self) -> tuple[list[Entry], int] | None:
        """The next batch for one transaction and its last ticket; None when stopping.

        The batch stays in the queue until it is written.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            if self._stopping:
                return None
            batch: list[Entry] = []
            rows = last = 0
            for ticket, entries in self._waiting:
                batch += entries
                last = ticket
                rows += sum(map(len, entries))
                if rows >= _ROWS_AT_ONCE:
                    break
            return batch, last

    def _warn_once(self, error: Exception) -> None:
        with self._changed:
            if not self.problem:
                logger.warning(
                    "The ledger cannot be written (%s); rows wait in memory, trading continues",
                    _first_line(error),
                )
            self.problem = _first_line(error)
            self._changed.notify_all()

    def _written(self, last: int) -> None:
        with self._changed:
            while self._waiting and self._waiting[0][0] <= last:
                self._take_oldest()
            self._done = last
            if self.problem:
                logger.warning("The ledger can be written again; %d rows wait", self.waiting_rows)
            self.problem = ""
            self._changed.notify_all()

    def _take_oldest(self) -> int:
        rows = sum(map(len, self._waiting.popleft()[1]))
        self.waiting_rows -= rows
        return rows

    def _drop_oldest(self) -> None:
        while self.waiting_rows > self._most and len(self._waiting) > 1:
            if not self.lost_rows:
                logger.error("The ledger's queue is full; its oldest rows are dropped")
            self.lost_rows += self._take_oldest()

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopping or time.monotonic() >= until, timeout=seconds
            )


def _write(ledger: Ledger, batch: list[Entry]) -> None:
    """Write a batch; log a row that can never be written, and write the rest."""
    try:
        ledger.write(batch)
    except _IMPOSSIBLE as error:
        if len(batch) == 1 and len(batch[0]) == 1:
            logger.error("The ledger refuses a row (%s): %s", _first_line(error), batch)
            return
        for entry in batch:
            for row in entry.rows:
                _write(ledger, [Entry(entry.table, [row])])


def _close(ledger: Ledger | None) -> None:
    if ledger is not None:
        ledger.close()


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
