"""What a bot must never do, looked for in what a rehearsal left behind."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.stats import theilslopes

from freqai_signals.rehearsal.incidents import Incidents

LEAST_HOURS: Final = 6.0
"""Market hours below which growth of memory cannot be told from warming up."""

MOST_GROWTH: Final = 0.005
"""Share of the largest resident size by which the bot may grow in a market hour."""

LAST_SECONDS: Final = 60.0
"""Seconds of the wall clock, before the end, of candles that a busy machine need not decide."""

_EXIT_CANDLES: Final = 3
_LAST_CANDLES: Final = 3
_WITHHELD: Final = ("missing candle", "exchange away")
_SHOWN: Final = 3


@dataclass(frozen=True)
class Check:
    """One promise: its name, whether it was kept, and what was seen."""

    name: str
    kept: bool
    detail: str


@dataclass(frozen=True)
class Scene:
    """What the checks need of a rehearsal; times in seconds since 1970.

    Attributes
    ----------
    stop
        Market time of its end.
    speed
        Times the clock.
    candle_seconds
        Length of a candle.
    horizon
        Candles after which a trade leaves; None if time ends none.
    incidents
        What went wrong with candles and exchange.
    """

    stop: int
    speed: float
    candle_seconds: int
    horizon: int | None
    incidents: Incidents

    def away(self, first: float, last: float) -> float:
        """Seconds between two times in which the exchange answered nothing."""
        spans = [(start / 1000, stop / 1000) for start, stop in self.incidents.outages]
        return sum(max(0.0, min(last, stop) - max(first, start)) for start, stop in spans)


def no_crash(exit_status: int, log: str, ours: Collection[str]) -> Check:
    """Whether the bot ran to the end, and no traceback goes through a file of ours.

    Parameters
    ----------
    exit_status
        0, or 130 where freqtrade answers a request to end.
    log
        The bot's.
    ours
        What paths of our files contain.
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
    return Check("no duplicate entry", not wrong, f"{len(trades)} trades{_listed(wrong)}")


def no_missed_exit(
    trades: Sequence[Mapping[str, Any]], signals: Mapping[str, Collection[int]], scene: Scene
) -> Check:
    """Whether every trade was closed soon after its horizon, and after the first signal to leave.

    Parameters
    ----------
    trades
        Rows of the bot's database.
    signals
        Pair to the times (closes of candles) at which the bot itself had a signal against a trade:
        to leave longs under ``pair``, to leave shorts under ``pair short``.
    scene
        An hour without the exchange is not counted, for nobody can leave then; three candles are
        allowed for an order to be filled.
    """
    wrong = []
    for trade in trades:
        opened = _seconds(trade["open_date"])
        closed = _seconds(trade["close_date"]) if trade["close_date"] else scene.stop
        due = _due(trade, opened, signals, scene)
        late = closed - due - scene.away(due, closed)
        if due < closed and late > _EXIT_CANDLES * scene.candle_seconds:
            wrong.append(f"{trade['pair']} trade {trade['id']} {late / 60:.0f} min late")
    closed_ones = sum(1 for trade in trades if trade["close_date"])
    return Check(
        "no missed exit",
        not wrong,
        f"{closed_ones} of {len(trades)} trades closed{_listed(wrong)}",
    )


def no_lost_row(
    decided: Collection[tuple[str, int]], ledger: pd.DataFrame, pairs: Sequence[str], scene: Scene
) -> Check:
    """Whether every pair was decided to the end, and every candle has its row in the ledger.

    A candle is due from its pair's first decision on until shortly before the end: three candles,
    or what passes in ``LAST_SECONDS`` of the wall clock, if that is more. A candle that was not
    decided when it closed has a row too, written with the next decision. None follows the pair's
    last one: there only what the exchange withheld is excused.

    Parameters
    ----------
    decided
        Pair and opening of every candle that the bot decided.
    ledger
        Its table of predictions.
    pairs
        Whitelist.
    scene
        Candles that were not predicted live are told with their cause.
    """
    kinds = {
        (str(pair), int(candle)): str(kind)
        for pair, candle, kind in zip(ledger["pair"], ledger["candle"], ledger["kind"], strict=True)
    }
    times = {pair: [candle for name, candle in decided if name == pair] for pair in pairs}
    wrong = [f"{pair} never decided" for pair in pairs if not times[pair]]
    due = [(pair, candle) for pair in pairs for candle in _due_candles(times[pair], scene)]
    gaps = Counter(_cause(key, scene) for key in due if kinds.get(key) == "gap")
    lost, withheld = {key for key in decided if key not in kinds}, Counter[str]()
    for pair, candle in due:
        if (pair, candle) not in kinds:
            cause = _cause((pair, candle), scene)
            if candle > max(times[pair]) and cause in _WITHHELD:
                withheld[cause] += 1
            else:
                lost.add((pair, candle))
    wrong += [f"{pair} {_date(candle)}" for pair, candle in sorted(lost)]
    detail = f"{len(due)} candles, {len(decided)} decided"
    for words, causes in (("found later", gaps), ("withheld at the end", withheld)):
        told = ", ".join(f"{count} {cause}" for cause, count in sorted(causes.items()))
        detail += f"; {words}: {told}" if told else ""
    return Check("no lost ledger row", not wrong, detail + _listed(wrong))


def _due_candles(decided: Sequence[int], scene: Scene) -> range:
    """Openings of the candles that a pair had to decide, from its first one on."""
    if not decided:
        return range(0)
    spared = max(_LAST_CANDLES * scene.candle_seconds, int(LAST_SECONDS * scene.speed))
    # A candle is decided at its close.
    end = max(*decided, scene.stop - spared - scene.candle_seconds)
    return range(min(decided), end + 1, scene.candle_seconds)


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
        return Check("flat memory", True, f"{detail}; too short to judge")
    kept = slope <= MOST_GROWTH * largest
    return Check("flat memory", kept, f"{detail} (allowed {MOST_GROWTH * largest:.2f})")


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


def _due(
    trade: Mapping[str, Any],
    opened: float,
    signals: Mapping[str, Collection[int]],
    scene: Scene,
) -> float:
    """When a trade had to leave, as far as horizon and signals say."""
    name = f"{trade['pair']} short" if trade["is_short"] else trade["pair"]
    told = [float(time) for time in signals.get(name, ()) if time > opened]
    if scene.horizon is not None:
        told.append(opened + scene.horizon * scene.candle_seconds)
    return min(told, default=float("inf"))


def _cause(key: tuple[str, int], scene: Scene) -> str:
    """Why nobody decided a candle when it closed."""
    pair, candle = key
    close, after = candle + scene.candle_seconds, candle + 2 * scene.candle_seconds
    if 1000 * candle in scene.incidents.missing.get(pair, ()):
        return "missing candle"
    if scene.away(close - 1, after):
        return "exchange away"
    late = [span for span in scene.incidents.late if span[0] == pair]
    if any(start <= 1000 * after and 1000 * close < stop for _, start, stop, _ in late):
        return "late candle"
    return "bot behind"


def _listed(wrong: Sequence[str]) -> str:
    more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    return f"; {', '.join(wrong[:_SHOWN])}{more}" if wrong else ""


def _seconds(date: Any) -> float:
    return pd.Timestamp(date, tz="UTC").timestamp()


def _date(seconds: int) -> str:
    return f"{pd.Timestamp(seconds, unit='s'):%Y-%m-%d %H:%M}"
