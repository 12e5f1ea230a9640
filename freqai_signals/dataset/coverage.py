"""Whether the candles at hand reach from the start of training to the end of a backtest."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from freqai_signals.settings import SignalSettings


@dataclass(frozen=True)
class Span:
    """First and last candle date (UTC)."""

    first: datetime
    last: datetime


def needed_span(
    start: datetime, stop: datetime, settings: SignalSettings, startup_candles: int
) -> Span:
    """Candles a backtest needs: from train period and start-up before ``start`` to ``stop``."""
    startup = timedelta(seconds=startup_candles * settings.candle_seconds)
    first = start - timedelta(days=settings.train_period_days) - startup
    return Span(first, stop - timedelta(seconds=settings.candle_seconds))


def coverage_problems(
    present: Mapping[str, Span | None], needed: Span, settings: SignalSettings
) -> list[str]:
    """What is missing, one line a pair; empty if nothing is.

    The end may be short of ``needed``: freqtrade then backtests up to the last candle. A pair that
    begins late is a problem only if no pair of the pool begins early enough, since the pool's model
    serves it; without a pool every pair must reach back by itself.

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
        f"{pair}: no {settings.timeframe} candles; download them, name their folder (make: "
        "DATADIR=) or take the pair out"
        for pair, span in present.items()
        if span is None
    ]
    spans = {pair: span for pair, span in present.items() if span is not None}
    late = {pair: span for pair, span in spans.items() if span.first > needed.first}
    pooled = settings.model.pool == "whitelist" and len(late) < len(spans)
    problems += [
        f"{pair}: {settings.timeframe} candles are needed from {needed.first:%Y-%m-%d %H:%M} to "
        f"{needed.last:%Y-%m-%d %H:%M}, present from {span.first:%Y-%m-%d %H:%M} to "
        f"{span.last:%Y-%m-%d %H:%M}; download more, start the timerange later or lower "
        "freqai.train_period_days"
        for pair, span in ({} if pooled else late).items()
    ]
    problems += [
        f"{pair}: {settings.timeframe} candles end at {span.last:%Y-%m-%d %H:%M}, before the "
        f"backtest up to {needed.last:%Y-%m-%d %H:%M} begins; take the pair out or start earlier"
        for pair, span in spans.items()
        if span.last < needed.first + timedelta(days=settings.train_period_days)
    ]
    return problems
