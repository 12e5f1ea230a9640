"""Read the ledger without blocking the bot or failing with it."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from freqai_signals.ledger.database import LedgerError
from freqai_signals.ledger.ledger import Ledger

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_REST_SECONDS: Final = 30.0
_SHORTEST_WAIT: Final = 0.2


class LedgerReader:
    """Runs each query in a thread of its own and waits for it no longer than allowed.

    Parameters
    ----------
    connect
        Opens the ledger; called in the thread, again after a failure.
    wait_seconds
        Longest wait for an answer; 0 still waits 0.2 s, else no outcome would ever be read.
    clock
        Monotonic seconds.
    repair
        Called with an error of the ledger, in the thread that asked; may repair it.
    """

    def __init__(
        self,
        connect: Callable[[], Ledger],
        wait_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        repair: Callable[[Exception], str] = lambda error: "",
    ) -> None:
        self._connect = connect
        self._repair = repair
        self._wait_seconds = max(wait_seconds, _SHORTEST_WAIT)
        self._clock = clock
        self._ledger: Ledger | None = None
        self._thread: threading.Thread | None = None
        self._rests_until = float("-inf")
        self.problem = ""

    def ask(self, question: Callable[[Ledger], Answer], otherwise: Answer) -> Answer:
        """The answer, or ``otherwise`` if the database is unreachable; then it rests for a while.

        While it rests, ``otherwise`` is returned at once. Errors that are not the database's are
        raised.
        """
        slow = self._thread is not None and self._thread.is_alive()
        if slow or self._clock() < self._rests_until:
            return otherwise
        answers: SimpleQueue[Answer | Exception] = SimpleQueue()
        self._thread = threading.Thread(
            target=self._answer, args=(question, answers), name="ledger-reader", daemon=True
        )
        self._thread.start()
        try:
            answer = answers.get(timeout=self._wait_seconds)
        except Empty:
            self._rest(f"no answer within {self._wait_seconds:g} s")
            return otherwise
        # It has answered and only needs to end: the next question need not wait for that.
        self._thread = None
        if isinstance(answer, SQLAlchemyError | OSError | LedgerError):
            self.close()
            self._rest((str(answer) or type(answer).__name__).splitlines()[0])
            return otherwise
        if isinstance(answer, Exception):
            raise answer
        self.problem = ""
        return answer

    def close(self) -> None:
        """Give back the connection."""
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            ledger.close()

    def _answer(
        self, question: Callable[[Ledger], Answer], answers: "SimpleQueue[Answer | Exception]"
    ) -> None:
        try:
            answers.put(question(self._opened()))
        # Passed on and raised in the caller's thread.
        except Exception as error:  # noqa: BLE001
            answers.put(error)
            with suppress(OSError):
                self._repair(error)

    def _opened(self) -> Ledger:
        if self._ledger is not None and not self._ledger.is_there():
            self.close()
        if self._ledger is None:
            try:
                self._ledger = self._connect()
            except (SQLAlchemyError, OSError, LedgerError):
                raise
            # A ledger that cannot be opened is away, whatever its driver calls it.
            except Exception as error:
                raise LedgerError(repr(error)) from error
        return self._ledger

    def _rest(self, problem: str) -> None:
        if not self.problem:
            logger.warning("The ledger cannot be read (%s); trading continues", problem)
        self.problem = problem
        self._rests_until = self._clock() + _REST_SECONDS
