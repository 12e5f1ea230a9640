"""Which candles of an exchange have closed, whatever this machine's clock says."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from freqai_signals.live.alerts import Ahead

_SECOND: Final = 1000
_AT_ONCE: Final = 2
_A_CANDLE: Final = 6
_ATTRIBUTE: Final = "signal_clock"


class ExchangeClock:
    """Time by an exchange's clock where this machine's is ahead of it, asked for once a candle.

    Parameters
    ----------
    api
        ccxt's exchange; without ``fetch_time`` this machine's clock counts.
    candle_seconds
        Length of a candle.
    now
        Seconds since 1970 by this machine's clock.
    """

    def __init__(self, api: Any, candle_seconds: int, now: Callable[[], float] = time.time) -> None:
        self._api = api
        self._candle_ms = candle_seconds * _SECOND
        self._now = now
        # ccxt's exchange is for one thread only.
        self._thread = threading.get_ident()
        self._asked, self._left = -1, 0
        self._ahead_ms = 0
        self._pairs: dict[tuple[Any, ...], bool] = {}

    @property
    def ahead(self) -> Ahead:
        """What is ahead of the exchange's time now."""
        pairs = {key[0] for key, is_ahead in list(self._pairs.items()) if is_ahead}
        return Ahead(frozenset(pairs), self._ahead_ms / _SECOND)

    def time_ms(self, machine_ms: float | None = None) -> int:
        """Time by both clocks, the earlier one; of a time by this machine's, or of now."""
        given = int(self._now() * _SECOND if machine_ms is None else machine_ms)
        number = given // self._candle_ms
        if threading.get_ident() == self._thread:
            if number != self._asked:
                self._asked, self._left = number, _A_CANDLE
            self._ask()
        return given - self._ahead_ms

    def opened(
        self, key: tuple[Any, ...], ticks: Sequence[Sequence[Any]], now: int
    ) -> list[Sequence[Any]]:
        """Those of a pair's candles that have opened by ``now``, milliseconds since 1970.

        freqtrade drops no more than the last one. Behind a candle of tomorrow it would keep the
        open one, fill the time up to tomorrow and ask for no candle until then.
        """
        # An answer may take long enough for the next candle to open; nothing is wrong with that.
        self._pairs[key] = any(tick[0] > now + self._candle_ms for tick in ticks)
        return [tick for tick in ticks if tick[0] <= now]

    def _ask(self) -> None:
        """Ask until it is known; a clock just put ahead would show an open candle as closed.

        Not for ever: a hundred pairs would wait for an exchange that leaves this unanswered.
        """
        for _ in range(_AT_ONCE):
            if self._left:
                self._left = 0 if self._told() else self._left - 1

    def _told(self) -> bool:
        if not hasattr(self._api, "fetch_time"):
            return True
        # ccxt's load_time_difference would keep what it finds, for signed requests.
        before = self._now() * _SECOND
        try:
            told = int(self._api.fetch_time())
        # Also NotSupported and answers of any kind; what was known before counts on.
        except Exception:  # noqa: BLE001
            return False
        # Read by the exchange between both: the difference is at least that before, and at most
        # that after, with which no open candle is taken for a closed one if the answer is slow.
        least, most = before - told, self._now() * _SECOND - told
        # freqtrade asks a second after a close: a clock that is nearly right needs no correction.
        self._ahead_ms = int(most) if least >= _SECOND else 0
        return True


def clock_of(exchange: Any, candle_seconds: int) -> ExchangeClock:
    """The clock that a freqtrade exchange keeps, made at the first call."""
    found = getattr(exchange, _ATTRIBUTE, None)
    if found is None:
        found = ExchangeClock(getattr(exchange, "_api", None), candle_seconds)
        setattr(exchange, _ATTRIBUTE, found)
    return found
