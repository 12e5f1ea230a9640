"""Availability of candles: joining frames, missing history, late pairs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from weakref import ReferenceType, ref

import pandas as pd

from freqai_signals.settings import SignalSettings


def utc_now() -> pd.Timestamp:
    """Time of the clock."""
    return pd.Timestamp.now("UTC")


def opening(frame: pd.DataFrame, place: int = -1) -> int:
    """Opening of the candle at a place of a frame, the newest by default; seconds since 1970."""
    return int(frame["date"].array[place].timestamp())


_FirstAndLast = tuple[pd.Timestamp, pd.Timestamp] | tuple[None, None]
_DAY_NS: Final = 86_400 * 10**9


class Openings:
    """First and last opening of each pair's frame, read once a frame: every pair asks for all."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[ReferenceType[pd.DataFrame], _FirstAndLast]] = {}

    def reach(self, pair: str, frame: pd.DataFrame, first: pd.Timestamp) -> bool:
        """Whether a frame begins a day after a date at the latest; an empty one does not."""
        opened = self._of(pair, frame)[0]
        # Numbers: each pair asks this about all, and a sum of a date takes its time.
        return opened is not None and opened.value <= first.value + _DAY_NS

    def last(self, pair: str, frame: pd.DataFrame) -> pd.Timestamp | None:
        """Opening of the last candle; None of an empty frame."""
        return self._of(pair, frame)[1]

    def _of(self, pair: str, frame: pd.DataFrame) -> _FirstAndLast:
        kept = self._kept.get(pair)
        # A weak reference: after its frame is freed, a new one may have the same ``id``.
        if kept is None or kept[0]() is not frame:
            dates = frame.get("date", pd.Series())
            found = (dates.iloc[0], dates.iloc[-1]) if len(dates) else (None, None)
            kept = self._kept[pair] = ref(frame), found
        return kept[1]


def closed(frame: pd.DataFrame, now: pd.Timestamp, candle_seconds: int) -> pd.DataFrame:
    """The frame; where its last candle has not even begun, the candles that have closed by now.

    Candles ahead of the clock come from an exchange that is wrong, or before a clock that is: what
    they and flat candles up to them say of the time between is invented.

    Parameters
    ----------
    frame
        Closed candles as freqtrade has them, oldest first.
    now
        Time of the clock, UTC.
    candle_seconds
        Length of a candle; a clock may be wrong by as much and nothing is cut.
    """
    if frame.empty or opening(frame) <= now.timestamp():
        return frame
    return frame[frame["date"] <= now - pd.Timedelta(seconds=candle_seconds)]


def extended(kept: pd.DataFrame | None, recent: pd.DataFrame, candle_seconds: int) -> pd.DataFrame:
    """Append the newer candles of a recent frame to the candles kept so far.

    Parameters
    ----------
    kept
        freqtrade's frame of base candles, or None.
    recent
        A later frame, which may overlap the first or, after an outage, start after its end.
    candle_seconds
        Length of a candle.

    Returns
    -------
    pandas.DataFrame
        Without gaps between the two: as in freqtrade, missing candles are filled flat at the last
        close; volume 0 marks them. Kept candles are never replaced; the same frame object is
        returned if there is nothing new.
    """
    if kept is None or kept.empty:
        return recent
    if recent.empty:
        return kept
    last, step = kept["date"].iloc[-1], pd.Timedelta(seconds=candle_seconds)
    new = recent.iloc[pd.DatetimeIndex(recent["date"]).searchsorted(last, "right") :]
    # The frame itself, no copy: FeatureCache knows an unchanged market by the identity of its
    # frames.
    if new.empty:
        return kept
    if new["date"].dtype != kept["date"].dtype:
        # Concatenating dates of different units would give a column of Python objects.
        new = new.assign(date=new["date"].astype(kept["date"].dtype))
    follows = new["date"].iloc[0] <= last + step
    gap = [] if follows else [_filled_gap(kept, new["date"].iloc[0], candle_seconds)]
    joined: pd.DataFrame = pd.concat([kept, *gap, new], ignore_index=True)
    return joined


def _filled_gap(kept: pd.DataFrame, until: pd.Timestamp, candle_seconds: int) -> pd.DataFrame:
    """Flat candles between the last kept one and a date."""
    step = pd.Timedelta(seconds=candle_seconds)
    dates = pd.date_range(kept["date"].iloc[-1] + step, until - step, freq=step)
    close = float(kept["close"].iloc[-1])
    prices = dict.fromkeys(("open", "high", "low", "close"), close)
    return pd.DataFrame(
        {"date": pd.Series(dates).astype(kept["date"].dtype), **prices, "volume": 0.0}
    )


PATIENCE_CANDLES: Final = 12
"""A pair without a candle for this long counts as halted and no longer delays the others."""


def late_pairs(
    newest: Mapping[str, pd.Timestamp | None], date: pd.Timestamp, candle_seconds: int
) -> tuple[str, ...]:
    """Pairs with recent candles that lack the candle of a date, sorted; halted pairs do not count.

    Parameters
    ----------
    newest
        Pair to the date of its newest candle, None where it has none.
    date
        Open of the candle to be predicted.
    candle_seconds
        Length of a candle.

    Examples
    --------
    >>> noon = pd.Timestamp("2024-01-01 12:00", tz="UTC")
    >>> late_pairs({"A": noon, "B": noon - pd.Timedelta("5min"), "C": None}, noon, 300)
    ('B',)
    """
    oldest = date - PATIENCE_CANDLES * pd.Timedelta(seconds=candle_seconds)
    return tuple(
        sorted(pair for pair, last in newest.items() if last is not None and oldest <= last < date)
    )


@dataclass(frozen=True)
class Span:
    """First and last candle date (UTC)."""

    first: datetime
    last: datetime


def needed_span(
    start: datetime, stop: datetime, settings: SignalSettings, startup_candles: int
) -> Span:
    """Candles that a backtest needs, including training period and startup candles."""
    startup = timedelta(seconds=startup_candles * settings.candle_seconds)
    first = start - timedelta(days=settings.train_period_days) - startup
    return Span(first, stop - timedelta(seconds=settings.candle_seconds))


def coverage_problems(
    present: Mapping[str, Span | None], needed: Span, settings: SignalSettings
) -> list[str]:
    """Describe missing candles, one line a pair; empty if the backtest can run.

    Candles may end before ``needed``: freqtrade then backtests up to the last one. A pair that
    starts late is a problem only if no pair of the pool starts early enough, since it uses the
    pool's model; without a pool every pair needs the full history itself.

    Parameters
    ----------
    present
        Pair to the span of its base candles, None where there are none.
    needed
        From :func:`needed_span`.
    settings
        Timeframe and pool.
    """
    problems = [
        f"{pair}: no {settings.timeframe} candles; download them, set the data folder (make: "
        "DATADIR=) or remove the pair"
        for pair, span in present.items()
        if span is None
    ]
    spans = {pair: span for pair, span in present.items() if span is not None}
    late = {pair: span for pair, span in spans.items() if span.first > needed.first}
    # A pair that starts late uses the model of the pairs that do not.
    pooled = settings.model.pool == "whitelist" and len(late) < len(spans)
    problems += [
        f"{pair}: {settings.timeframe} candles are needed from {needed.first:%Y-%m-%d %H:%M} to "
        f"{needed.last:%Y-%m-%d %H:%M}, available from {span.first:%Y-%m-%d %H:%M} to "
        f"{span.last:%Y-%m-%d %H:%M}; download more, start the timerange later or lower "
        "freqai.train_period_days"
        for pair, span in ({} if pooled else late).items()
    ]
    problems += [
        f"{pair}: {settings.timeframe} candles end at {span.last:%Y-%m-%d %H:%M}, before the "
        f"backtest up to {needed.last:%Y-%m-%d %H:%M} begins; remove the pair or start earlier"
        for pair, span in spans.items()
        if span.last < needed.first + timedelta(days=settings.train_period_days)
    ]
    return problems


def has_gap(kept: pd.DataFrame | None, recent: pd.DataFrame, candle_seconds: int) -> bool:
    """Whether candles between the kept ones and the recent ones are unknown."""
    if kept is None or kept.empty or recent.empty:
        return False
    step = pd.Timedelta(seconds=candle_seconds)
    return bool(recent["date"].iloc[0] > kept["date"].iloc[-1] + step)
