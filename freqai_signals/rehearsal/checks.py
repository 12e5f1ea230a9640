"""Checks of a finished rehearsal for what a bot must never do."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.stats import theilslopes

from freqai_signals.rehearsal.incidents import Incidents

LEAST_HOURS: Final = 6.0
"""Market hours below which growth of memory may still be warm-up."""

MOST_GROWTH: Final = 0.005
"""Share of the largest resident size by which the bot may grow in a market hour."""

_EXIT_CANDLES: Final = 3
_SHOWN: Final = 3


@dataclass(frozen=True)
class Check:
    """Result of one check: its name, whether it passed, the numbers, and whether it was judged."""

    name: str
    passed: bool
    detail: str
    judged: bool = True

    def __str__(self) -> str:
        """One line for whoever reads the result."""
        verdict = "FAILED" if not self.passed else "Passed" if self.judged else "Not judged"
        return f"{verdict}: {self.name} ({self.detail})"


@dataclass(frozen=True)
class CheckContext:
    """What the checks need to know of a rehearsal; times in seconds since 1970.

    Attributes
    ----------
    stop
        Market time of its end.
    speed
        Times the clock.
    candle_seconds
        Length of a candle.
    horizon
        Candles after which a trade is closed; None without a time limit.
    incidents
        Injected errors of candles and exchange.
    """

    stop: int
    speed: float
    candle_seconds: int
    horizon: int | None
    incidents: Incidents

    def excused(self, first: float, last: float, more: Sequence[tuple[float, float]] = ()) -> float:
        """Seconds without exchange or bot, or in which its clock made all candles outdated.

        ``more`` spans, in ms, are excused as well.
        """
        ahead = [(start, stop) for start, stop, _ in self.incidents.ahead]
        spans = (*self.incidents.outages, *self.incidents.away, *ahead, *more)
        return overlap(spans, first, last)


def no_crash(exit_status: int, log: str, ours: Collection[str]) -> Check:
    """Whether the bot ran to the end, and no traceback passes through the package's files.

    Parameters
    ----------
    exit_status
        0, or 130 with which freqtrade ends on request.
    log
        The bot's.
    ours
        Parts of the paths of the package's files.
    """
    lines = [line.strip() for line in log.splitlines() if line.lstrip().startswith('File "')]
    errors = [line for line in lines if any(name in line for name in ours)]
    detail = f"exit status {exit_status}, {len(errors)} lines of tracebacks in our files"
    if errors:
        detail += f", first {errors[0]}"
    return Check("no crash", exit_status in (0, 130) and not errors, detail)


def no_duplicate_entry(trades: Sequence[Mapping[str, Any]]) -> Check:
    """Whether a pair never had two trades at once, nor two trades opened in the same second."""
    wrong = []
    for pair in sorted({trade["pair"] for trade in trades}):
        spans = sorted(
            (str(trade["open_date"]), str(trade["close_date"] or "9"), trade["id"])
            for trade in trades
            if trade["pair"] == pair
        )
        for (opened, closed, first), (again, _, second) in pairwise(spans):
            if again < closed or again == opened:
                wrong.append(f"{pair} trades {first} and {second}")
    return Check("no duplicate entry", not wrong, f"{len(trades)} trades{listed(wrong)}")


def no_missed_exit(
    trades: Sequence[Mapping[str, Any]],
    signals: Mapping[str, Collection[int]],
    context: CheckContext,
) -> Check:
    """Whether every trade was closed soon after its horizon and the first exit signal.

    Parameters
    ----------
    trades
        Rows of the bot's database, with their ``exit_orders``: while one stands, it is the market
        that does not reach its price.
    signals
        Pair to the times (closes of candles) of the bot's own exit signals: for longs under
        ``pair``, for shorts under ``pair short``.
    context
        Times in which no exit is possible are not counted; an order may take three candles.
    """
    wrong = []
    for trade in trades:
        opened = _seconds(trade["open_date"])
        closed = _seconds(trade["close_date"]) if trade["close_date"] else context.stop
        due = _due(trade, opened, signals, context)
        orders = [
            (1000 * _seconds(placed), 1000 * (_seconds(ended) if ended else context.stop))
            for placed, ended in trade.get("exit_orders", ())
        ]
        late = closed - due - context.excused(due, closed, orders)
        if due < closed and late > _EXIT_CANDLES * context.candle_seconds:
            wrong.append(f"{trade['pair']} trade {trade['id']} {late / 60:.0f} min late")
    closed_ones = sum(1 for trade in trades if trade["close_date"])
    detail = f"{closed_ones} of {len(trades)} trades closed{listed(wrong)}"
    return Check("no missed exit", not wrong, detail)


def flat_memory(memory: Sequence[tuple[float, float]]) -> Check:
    """Whether the bot's resident size stays where it is, after the first third of the time.

    Parameters
    ----------
    memory
        Market hours since the start and megabytes.
    """
    slope, largest = memory_slope(memory), max((size for _, size in memory), default=0.0)
    hours = memory[-1][0] if memory else 0.0
    detail = f"at most {largest:.0f} MB, {slope:+.2f} MB per market hour"
    if hours < LEAST_HOURS:
        return Check("flat memory", True, f"{detail}; {hours:.1f} h are too short", judged=False)
    passed = slope <= MOST_GROWTH * largest
    return Check("flat memory", passed, f"{detail} (allowed {MOST_GROWTH * largest:.2f})")


def memory_slope(memory: Sequence[tuple[float, float]]) -> float:
    """Megabytes that the bot grows in a market hour, after the first third of the time.

    The median slope between medians of quarters of an hour, so that a training's peak counts
    little.

    Examples
    --------
    >>> round(memory_slope([(h / 10, 400 + 0.2 * h) for h in range(120)]), 3)
    2.0
    """
    frame = pd.DataFrame(memory, columns=["hours", "size"])
    late = frame[frame["hours"] >= frame["hours"].max() / 3]
    sizes = late.groupby(np.floor(late["hours"] * 4))["size"].median()
    if len(sizes) < 3:
        return 0.0
    return float(theilslopes(sizes.to_numpy(), sizes.index.to_numpy(np.float64) / 4)[0])


def overlap(spans: Sequence[tuple[float, float]], first: float, last: float) -> float:
    """Seconds of a time that spans, in ms, cover; what several cover counts once."""
    covered = 0.0
    for start, stop in sorted((start / 1000, stop / 1000) for start, stop in spans):
        covered += max(0.0, min(last, stop) - max(first, start))
        first = max(first, min(last, stop))
    return covered


def _due(
    trade: Mapping[str, Any],
    opened: float,
    signals: Mapping[str, Collection[int]],
    context: CheckContext,
) -> float:
    """Latest time at which horizon or signals close a trade."""
    name, candle = f"{trade['pair']}{' short' * trade['is_short']}", context.candle_seconds
    given = [float(time) for time in signals.get(name, ()) if time > opened]
    # It holds for a candle; whoever was away in that time finds the next candle's in its place.
    times = [time for time in given if not context.excused(time, time + candle)]
    if context.horizon is not None:
        times.append(opened + context.horizon * candle)
    return min(times, default=float("inf"))


def listed(wrong: Sequence[str]) -> str:
    """The first problems of a check, as the end of its detail; empty without any."""
    more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    return f"; {', '.join(wrong[:_SHOWN])}{more}" if wrong else ""


def _seconds(date: Any) -> float:
    return pd.Timestamp(date, tz="UTC").timestamp()
