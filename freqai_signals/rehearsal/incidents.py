"""Planned incidents of a rehearsal: outages, late and missing candles."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from freqai_signals.sandbox.exchange.faults import UNPRICED, Faults, Spoiling

_HOUR_MS: Final = 3_600_000
_SINGLES: Final = 4
_GAP_CANDLES: Final = 6
_LATE_MS: Final = 90_000
_WAITING_CANDLES: Final = 12

NOTICED_MS: Final = 2000
"""Of the wall clock, in which a running process notices the time that it is shown."""


@dataclass(frozen=True)
class Incidents:
    """Planned incidents; spans are in ms since 1970, market time, without their last one.

    Attributes
    ----------
    outages
        Spans in which the exchange is down.
    late
        Pair, span, and by how much (ms) its candles are late.
    missing
        Pair to the openings of candles that are never served.
    spoiled
        Pair, opening and kind of candles that are served with wrong values.
    away
        Spans in which the bot did not run, or slept, up to its next decision.
    ahead
        Spans in which the bot's clock was ahead of the exchange's, and by how much (ms).
    removed
        Moments at which the folder with the ledger was removed.
    absent
        Pair and span in which the bot's pairlist leaves it out.
    """

    outages: tuple[tuple[int, int], ...] = ()
    late: tuple[tuple[str, int, int, int], ...] = ()
    missing: dict[str, list[int]] = field(default_factory=dict)
    absent: tuple[tuple[str, int, int], ...] = ()
    spoiled: tuple[tuple[str, int, Spoiling], ...] = ()
    away: tuple[tuple[int, int], ...] = ()
    removed: tuple[int, ...] = ()
    ahead: tuple[tuple[int, int, int], ...] = ()

    def unserved(self, pair: str) -> list[int]:
        """Openings of candles of a pair that came with no price, or never."""
        unpriced = [at for name, at, kind in self.spoiled if name == pair and kind in UNPRICED]
        return [*self.missing.get(pair, ()), *unpriced]

    def lead(self, shown_ms: float, earliest_ms: float) -> int:
        """By how much (ms) the bot's clock was ahead when it showed this time.

        Once it was put right it showed such times again: they are told apart by the true time
        before which it cannot have been.
        """
        return max(
            (
                by
                for start, stop, by in self.ahead
                if start + by <= shown_ms < stop + by and shown_ms - by >= earliest_ms
            ),
            default=0,
        )

    def soon_away(self, decided_ms: float, candle_ms: int) -> bool:
        """Whether the bot ended, or slept, before a decision had its row for certain.

        Rows wait while the ledger is away; no plan lets it be away for as long as twelve candles.
        """
        latest = decided_ms + _WAITING_CANDLES * candle_ms
        return any(start < latest and decided_ms < stop for start, stop in self.away)

    def begin(self, faults: Faults) -> None:
        """Hide the missing candles, and spoil others."""
        faults.missing = {pair: set(opened) for pair, opened in self.missing.items()}
        for pair, opened, kind in self.spoiled:
            faults.spoiled.setdefault(pair, {})[opened] = kind

    def apply(self, faults: Faults, now_ms: int) -> None:
        """Switch outages and delays on or off for a time."""
        faults.down = any(start <= now_ms < stop for start, stop in self.outages)
        faults.late_ms = {pair: by for pair, start, stop, by in self.late if start <= now_ms < stop}


def plan_incidents(
    pairs: Sequence[str], start_ms: int, stop_ms: int, candle_ms: int, seed: int = 0
) -> Incidents:
    """One of each kind in every day: an hour's outage, a gap, single missing candles, late ones.

    A shorter rehearsal has a shorter outage and fewer missing candles. No gap is as long as the
    time after which a silent pair counts as halted.

    Parameters
    ----------
    pairs
        The first one has the gap, the last one is late.
    start_ms, stop_ms
        Market time of the rehearsal.
    candle_ms
        Length of a candle.
    seed
        Seed of the times of single missing candles.
    """
    draw = random.Random(seed)
    missing: dict[str, list[int]] = {pair: [] for pair in pairs}
    outages, late = [], []
    day = min(stop_ms - start_ms, 24 * _HOUR_MS)
    for first in range(start_ms, stop_ms - day // 2, day):
        outage = first + 2 * day // 5
        outages.append((outage, outage + day // 24))
        late_from = first + 11 * day // 20
        late.append((pairs[-1], late_from, late_from + day // 12, _LATE_MS))
        gap = _candle(first + 3 * day // 4, candle_ms)
        length = max(1, _GAP_CANDLES * day // (24 * _HOUR_MS))
        missing[pairs[0]] += [gap + i * candle_ms for i in range(length)]
        for pair in pairs:
            count = max(1, _SINGLES * day // (24 * _HOUR_MS))
            times = [draw.randrange(first + day // 4, first + day) for _ in range(count)]
            missing[pair] += [_candle(time, candle_ms) for time in times]
    return Incidents(
        tuple(outages), tuple(late), {pair: sorted(set(opened)) for pair, opened in missing.items()}
    )


def _candle(time_ms: int, candle_ms: int) -> int:
    return time_ms - time_ms % candle_ms
