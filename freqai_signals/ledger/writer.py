"""Write to the ledger without blocking the bot or failing with it.

Guarantees and limits:

- :meth:`LedgerWriter.record` returns True once the rows are durable. A signal's message is sent
  after that: whoever reads the message finds the row.
- It returns False after ``wait_seconds`` at most. Then the database is unreachable, locked or full;
  the rows wait in memory, the problem is logged once, the message is sent all the same, since
  trading comes first. The rows are written, in order, when the database answers again.
- Rows that still wait at the end, and the oldest rows beyond ``most``, are spilled to a file, which
  the next start reads. They are lost, and counted, if the process is killed or that file cannot be
  written either. Rows that were reported as durable are never lost, and a row that the database
  can never take is never reported as durable.
- Rows for which nobody waits are gathered for a quarter of a second: the pairs of a candle come
  one by one, and a transaction for each takes the interpreter from the thread that decides.
- A damaged SQLite file is set aside and a new one begun; one that was removed is made again.
- No error ends the thread that writes.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from freqai_signals.ledger.ledger import Entry, Ledger
from freqai_signals.ledger.spill import (
    first_line,
    forget,
    spill,
    take_in,
    without_counters,
    write_batch,
)

logger = logging.getLogger(__name__)

CLOSE_SECONDS: Final = 5.0
"""Longest wait for unwritten rows when a bot stops."""

_SHORTEST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 30.0
_ROWS_AT_ONCE: Final = 5_000
_GATHER_SECONDS: Final = 0.25
_REMEMBERED: Final = 1_000


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
    spill_path
        Where rows go that cannot be written; None drops them.
    repair
        Called with an error of the ledger; may repair it, and returns what it did or "".
    """

    def __init__(
        self,
        connect: Callable[[], Ledger],
        most: int = 50_000,
        wait_seconds: float = 2.0,
        spill_path: Path | None = None,
        repair: Callable[[Exception], str] = lambda error: "",
    ) -> None:
        self._connect = connect
        self._most = most
        self._wait_seconds = wait_seconds
        self._spill_path = spill_path
        self._repair = repair
        self._changed = threading.Condition()
        self._waiting: deque[tuple[int, Sequence[Entry]]] = deque()
        # Tickets of which a row was not written: done, but not durable.
        self._incomplete: deque[int] = deque(maxlen=_REMEMBERED)
        self._accepted = 0
        self._done = 0
        # The newest ticket that somebody waits for.
        self._urgent = 0
        self._stopping = False
        self.waiting_rows = 0
        self.lost_rows = 0
        self.problem = ""
        self.repaired = ""
        self._keeps_file = False
        self._taken_in = self._take_in()
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
            # Not while the database fails: a bot with a hundred pairs would wait a hundred times.
            if wait:
                self._await(lambda: self._done >= ticket or bool(self.problem), self._wait_seconds)
            elif len(self._waiting) == 1:
                self._changed.notify_all()
            return self._done >= ticket and ticket not in self._incomplete

    def flush(self, seconds: float) -> bool:
        """Wait until all rows are durable; False if that takes too long."""
        with self._changed:
            ticket = self._accepted
            return self._await(lambda: self._done >= ticket, seconds)

    @property
    def newest(self) -> int:
        """Number of the newest rows that were queued."""
        return self._accepted

    @property
    def settled(self) -> int:
        """Number of the newest rows that wait no more, nor do any before them."""
        return self._done

    def close(self, seconds: float = CLOSE_SECONDS) -> bool:
        """Write waiting rows and stop; False if some are left after ``seconds``: spilled."""
        finished = self.flush(seconds)
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(seconds)
        with self._changed:
            # What was taken in at the start is in the file still.
            left = [entries for ticket, entries in self._waiting if ticket > self._taken_in]
            if self.waiting_rows and not self._spill(left):
                logger.error("%d rows were not written to the ledger; lost", self.waiting_rows)
        return finished

    def _await(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait while all that is queued is written at once."""
        self._urgent = self._accepted
        self._changed.notify_all()
        return self._changed.wait_for(condition, seconds)

    def _run(self) -> None:
        ledger: Ledger | None = None
        pause = _SHORTEST_PAUSE
        while (batch := self._next()) is not None:
            try:
                if ledger is not None and not ledger.is_there():
                    _close(ledger)
                    ledger = None
                ledger = ledger or self._connect()
                incomplete = write_batch(ledger, batch)
            # Whatever it is, the rows wait and the operator hears of it; nobody restarts a thread.
            except Exception as error:  # noqa: BLE001
                _close(ledger)
                ledger = None
                self._warn_once(error)
                self._try_to_repair(error)
                self._sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                pause = _SHORTEST_PAUSE
                self._written(batch[-1][0], incomplete)
        _close(ledger)

    def _try_to_repair(self, error: Exception) -> None:
        try:
            self.repaired = self._repair(error) or self.repaired
        except OSError as failed:
            logger.warning("The ledger cannot be repaired: %s", failed)

    def _next(self) -> list[tuple[int, Sequence[Entry]]] | None:
        """The next batch for one transaction, by ticket; None when stopping.

        The batch stays in the queue until it is written.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            self._changed.wait_for(
                lambda: self._stopping or self._urgent > self._done, _GATHER_SECONDS
            )
            if self._stopping:
                return None
            batch: list[tuple[int, Sequence[Entry]]] = []
            rows = 0
            for ticket, entries in self._waiting:
                batch.append((ticket, entries))
                rows += sum(map(len, entries))
                if rows >= _ROWS_AT_ONCE:
                    break
            return batch

    def _warn_once(self, error: Exception) -> None:
        with self._changed:
            if not self.problem:
                logger.warning(
                    "The ledger cannot be written (%s); rows wait in memory, trading continues",
                    first_line(error),
                )
            self.problem = first_line(error)
            self._changed.notify_all()

    def _written(self, last: int, incomplete: Mapping[int, int]) -> None:
        with self._changed:
            while self._waiting and self._waiting[0][0] <= last:
                self._take_oldest()
            self._incomplete.extend(incomplete)
            self.lost_rows += sum(incomplete.values())
            self._done = last
            if last >= self._taken_in > 0 and self._spill_path is not None:
                if not self._keeps_file:
                    forget(self._spill_path)
                self._taken_in = 0
            if self.problem:
                logger.warning("The ledger can be written again; %d rows wait", self.waiting_rows)
            self.problem = ""
            self._changed.notify_all()

    def _take_oldest(self) -> Sequence[Entry]:
        entries = self._waiting.popleft()[1]
        self.waiting_rows -= sum(map(len, entries))
        return entries

    def _drop_oldest(self) -> None:
        dropped = []
        while self.waiting_rows > self._most and len(self._waiting) > 1:
            ticket = self._waiting[0][0]
            self._incomplete.append(ticket)
            entries = self._take_oldest()
            if ticket > self._taken_in:
                dropped.append(entries)
            else:
                # In the file already, where it has to stay.
                self._keeps_file = True
        if dropped and not self._spill([without_counters(entries) for entries in dropped]):
            if not self.lost_rows:
                logger.error("The ledger's queue is full; its oldest rows are dropped")
            self.lost_rows += sum(len(entry) for entries in dropped for entry in entries)

    def _spill(self, left: Sequence[Sequence[Entry]]) -> bool:
        """Whether rows that cannot be written now are on the disk, for the next start."""
        if self._spill_path is None:
            return False
        try:
            rows = spill(self._spill_path, left)
        except OSError as error:
            logger.warning("Rows of the ledger cannot be kept in %s: %s", self._spill_path, error)
            return False
        logger.warning("%d rows for the ledger are kept in %s", rows, self._spill_path)
        # Else the file would go with the rows that were taken in from it.
        self._keeps_file = True
        return True

    def _take_in(self) -> int:
        """Queue what an earlier run could not write; ticket of the last of it, 0 without any."""
        for entries in take_in(self._spill_path) if self._spill_path is not None else ():
            self._accepted += 1
            self._waiting.append((self._accepted, entries))
            self.waiting_rows += sum(map(len, entries))
        if self._accepted:
            logger.warning("%d rows of an earlier run are taken in", self.waiting_rows)
        return self._accepted

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopping or time.monotonic() >= until, timeout=seconds
            )


def _close(ledger: Ledger | None) -> None:
    if ledger is not None:
        ledger.close()
