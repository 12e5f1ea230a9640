"""Checks of the candles on disk: present, long enough, whole, and worth learning from."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import numpy as np
import pandas as pd

from freqai_signals.dataset.barriers import LabelRule, barrier_width
from freqai_signals.dataset.candles import Span, coverage_problems, needed_span
from freqai_signals.dataset.labels import make_labels
from freqai_signals.dataset.pair_tables import thinned
from freqai_signals.preflight.findings import Finding, error, ok, warning
from freqai_signals.preflight.situation import Situation, is_named
from freqai_signals.schema import LABEL_COLUMN, SignalClass
from freqai_signals.settings import LabelSettings
from freqai_signals.signals.expected_value import held_hours, round_trip_cost
from freqai_signals.training.training_times import seconds_of_training

logger = logging.getLogger(__name__)

_Shares = Mapping[SignalClass, float]

_RARE_SHARE: Final = 0.05
_FACTORS: Final = (0.5, 2.0)
_MANY_HOLES: Final = 0.01
_SECONDS_A_WINDOW: Final = 6.0
_SECONDS_A_MILLION_ROWS: Final = 90.0
_SECONDS_OF_PREDICTION: Final = 2.0
_KILOBYTES_A_ROW: Final = 0.2
_MEGABYTES_A_MODEL: Final = 2.0


def candles_reach(situation: Situation) -> Iterator[Finding]:
    """Every pair has the candles that the backtest needs."""
    if situation.backtest is None or situation.read_span is None:
        return
    if 0 in situation.backtest:
        which = "start" if not situation.backtest[0] else "end"
        yield error(
            f"timerange: {situation.config.get('timerange')!r} has no {which}",
            "FreqAI lays training windows between the two",
            "give both, for example --timerange 20240601-20240801",
        )
        return
    spans: dict[str, Span | None] = {}
    for pair in situation.pairs if is_named(situation.pairs) else ():
        try:
            spans[pair] = situation.read_span(pair, situation.settings.timeframe)
        except ValueError as problem:
            yield error(f"{pair}: {problem}")
    start, stop = (datetime.fromtimestamp(seconds, UTC) for seconds in situation.backtest)
    needed = needed_span(start, stop, situation.settings, situation.startup_candles)
    problems = coverage_problems(spans, needed, situation.settings)
    yield from map(error, problems)
    if not problems:
        yield from _late_pairs(spans, needed, start)


def _late_pairs(
    spans: Mapping[str, Span | None], needed: Span, start: datetime
) -> Iterator[Finding]:
    """The pool predicts a pair that begins late; freqtrade trades it only later still."""
    for pair, span in spans.items():
        if span is not None and span.first > needed.first:
            traded = span.first + (start - needed.first)
            yield warning(
                f"{pair}: its first candle is of {span.first:%Y-%m-%d %H:%M}; the pool's model "
                "predicts it from the start, but freqtrade trades it only from "
                f"{traded:%Y-%m-%d %H:%M} on, train period and start-up after that candle"
            )


def candles_are_whole(situation: Situation) -> Iterator[Finding]:
    """What is on disk: from when to when, with which holes, in order."""
    read, settings = situation.read_candles, situation.settings
    if read is None or not is_named(situation.pairs):
        return
    missing = []
    for pair in situation.pairs:
        try:
            candles = read(pair)
        except ValueError as problem:
            yield warning(f"{pair}: {problem}")
            continue
        if candles is None or candles.empty:
            missing.append(pair)
            continue
        yield from _one_pair(pair, candles, settings.candle_seconds)
    if missing:
        yield warning(
            f"candles: none of {settings.timeframe} for {', '.join(missing)}",
            "a backtest needs them on disk; a running bot downloads them itself at its first start",
            _download(situation),
        )


def _one_pair(pair: str, candles: pd.DataFrame, seconds: int) -> Iterator[Finding]:
    dates = candles["date"]
    first, last = dates.min(), dates.max()
    expected = int((last - first).total_seconds() // seconds) + 1
    # Different dates, so that doubled rows do not make up for missing ones.
    holes = expected - dates.nunique()
    shown = f"{pair}: {len(candles):,} candles from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}"
    if not dates.is_monotonic_increasing:
        yield warning(f"{shown}, out of order", "other programs may take the last row for the end",
                      "download them again: freqtrade download-data --erase")  # fmt: skip
    if holes > _MANY_HOLES * expected:
        yield warning(
            f"{shown}, {holes:,} missing ({holes / expected:.1%})",
            "freqtrade fills holes with flat candles, which teach that nothing happens",
            "download them again, or leave the pair out",
        )
    else:
        yield ok(f"{shown}, {holes:,} missing")


def labels_are_balanced(situation: Situation) -> Iterator[Finding]:
    """Each class is there in each pair, and a trade can pay its costs."""
    settings, costs = situation.settings, situation.settings.costs
    fee = situation.exchange.taker_fee if situation.exchange else None
    # In the strategy's order: the key of costs, freqtrade's fee, the exchange's.
    known = situation.config.get("fee", fee) if costs.fee is None else costs.fee
    if situation.read_candles is None or known is None or not is_named(situation.pairs):
        return
    hours = held_hours(settings, str(situation.config.get("trading_mode", "spot")))
    cost = round_trip_cost(costs, float(known), float(known), hours)
    rule = LabelRule.of(settings, cost)
    for pair in situation.pool:
        try:
            candles = situation.read_candles(pair)
        except ValueError:
            continue
        if candles is None:
            continue
        recent = candles.sort_values("date").tail(
            settings.train_period_days * settings.candles_per_day
        )
        if len(recent) <= 10 * settings.label_horizon_candles:
            continue
        width = float(np.nanmedian(barrier_width(recent["close"].to_numpy(np.float64), rule)))
        shares = _shares(recent, rule)
        others = {
            factor: _shares(recent, replace(rule, settings=_scaled(settings.labels, factor)))
            for factor in (_FACTORS if min(shares.values()) < _RARE_SHARE else ())
        }
        yield _balance(pair, shares, width, cost, settings.labels, others)


def _shares(candles: pd.DataFrame, rule: LabelRule) -> _Shares:
    """Share of each class among rows whose outcome is known."""
    labels = make_labels(candles, rule)[LABEL_COLUMN].dropna()
    return {kind: float((labels == kind).mean()) if len(labels) else 0.0 for kind in SignalClass}


def _scaled(labels: LabelSettings, factor: float) -> LabelSettings:
    """Labels whose barriers or threshold are so many times as wide."""
    wider = {name: getattr(labels, name) * factor for name in ("k", "floor", "threshold")}
    return labels.model_copy(update=wider)


def _balance(
    pair: str,
    shares: _Shares,
    width: float,
    cost: float,
    labels: LabelSettings,
    others: Mapping[float, _Shares],
) -> Finding:
    shown = f"{pair}: {_told(shares)}; barrier {width:.2%}, costs of a trade {cost:.2%}"
    if width < 1.5 * cost:
        return warning(
            shown, "a trade that wins its barrier hardly pays its fees",
            "raise freqai.signals.labels.k or floor, or lengthen label_period_candles",
        )  # fmt: skip
    rare = [kind.name.lower() for kind, share in shares.items() if share < _RARE_SHARE]
    if not rare:
        return ok(shown)
    keys = ("threshold",) if labels.kind == "fixed" else ("k", "floor")
    changes = "; ".join(
        f"with {' and '.join(f'{key} {getattr(labels, key) * factor:g}' for key in keys)}: "
        f"{_told(other)}"
        for factor, other in others.items()
    )
    return warning(
        shown,
        f"{' and '.join(rare)} is rare, and hardly ever learnt",
        f"set freqai.signals.labels otherwise; {changes}",
    )


def _told(shares: _Shares) -> str:
    return ", ".join(f"{kind.name.lower()} {share:.0%}" for kind, share in shares.items())


def effort_is_known(situation: Situation) -> Iterator[Finding]:
    """How many windows a backtest trains, about how long that takes, and what it leaves on disk."""
    if situation.backtest is None or 0 in situation.backtest:
        return
    pairs = max(1, len(situation.pairs))
    settings, freqai = thinned(situation.settings, pairs), situation.freqai
    days = (situation.backtest[1] - situation.backtest[0]) / 86400
    windows = max(1, int(np.ceil(days / float(freqai.get("backtest_period_days") or 7))))
    # A pool trains one model a window, whatever its size.
    models = windows * (1 if settings.model.pool == "whitelist" else pairs)
    rows = settings.train_period_days * settings.candles_per_day * pairs / settings.row_step
    store = None if situation.user_data is None else situation.user_data / "signals" / "models"
    a_training, known = (0.0, 0) if store is None else seconds_of_training(store, rows)
    a_training = a_training or _SECONDS_A_WINDOW + _SECONDS_A_MILLION_ROWS * rows / 1e6
    sizes = [] if store is None else [file.stat().st_size / 1e6 for file in store.glob("*.model")]
    seconds = models * a_training + pairs * windows * _SECONDS_OF_PREDICTION
    disk = days * settings.candles_per_day * pairs * _KILOBYTES_A_ROW / 1000
    disk += models * (float(np.mean(sizes)) if sizes else _MEGABYTES_A_MODEL)
    basis = f"as {known} trainings took here" if known else "a rule of thumb, two cores"
    yield ok(
        f"effort: {windows} windows of {days:.0f} days in all, {models} trainings of about "
        f"{rows:,.0f} rows, roughly {max(1, round(seconds / 60)):,} minutes ({basis}) and "
        f"{max(1, round(disk)):,} MB"
    )


def _download(situation: Situation) -> str:
    settings = situation.settings
    days = settings.train_period_days + situation.startup_candles // settings.candles_per_day + 61
    return (
        f"freqtrade download-data --timeframes {settings.timeframe} --days {days} and your --config"
    )
