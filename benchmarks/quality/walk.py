"""Walk-forward: train on a window, predict the days after it, move on.

A window holds only rows whose outcome was known at its end, so nothing that is predicted was
trained on, and every number in the benchmark is of later candles.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from freqtrade.configuration import TimeRange
from numpy.typing import NDArray

from benchmarks.harness import ONE_CORE
from benchmarks.quality import stock
from benchmarks.quality.data import ROUND_TRIP_COST
from benchmarks.quality.learners import learn
from benchmarks.quality.measures import Outcomes
from benchmarks.quality.variants import CLIMATOLOGY, Variant
from freqai_signals import metrics
from freqai_signals.dataset.pair_tables import Table, pair_parts, training_rows
from freqai_signals.dataset.pool_matrix import PoolMatrix
from freqai_signals.dataset.rows import TrainingRows, Window
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.registry.promotion import window_serving
from freqai_signals.report.data.climatology import climatology_within, volatility_and_time
from freqai_signals.schema import (
    CONFIDENCE_COLUMN,
    EVENT_END_COLUMN,
    LABEL_COLUMN,
    PROBA_COLUMNS,
    REALISED_RETURN_COLUMN,
    RETURN_SCALE_COLUMN,
    TRUST_COLUMN,
    SignalClass,
)
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.outputs import model_outputs
from freqai_signals.training.booster_store import MemoryStore
from freqai_signals.training.cluster import Cluster
from freqai_signals.training.fit import Boosters, Request, boosters_ahead, train

_REQUEST_KEY = "benchmark"


@dataclass(frozen=True)
class Span:
    """Candle numbers that are tested, and how often a model is trained on the way."""

    first: int
    stop: int
    retrain_candles: int

    @classmethod
    def of(cls, timerange: str, settings: SignalSettings, retrain_days: int) -> "Span":
        """The span of freqtrade's ``--timerange``, both ends of it given."""
        parsed = TimeRange.parse_timerange(timerange)
        if not parsed.startts or not parsed.stopts:
            raise SystemExit(f"--timerange needs both ends, YYYYMMDD-YYYYMMDD, got {timerange!r}")
        seconds = settings.candle_seconds
        return cls(
            parsed.startts // seconds,
            parsed.stopts // seconds,
            retrain_days * settings.candles_per_day,
        )

    def steps(self) -> list[tuple[int, int]]:
        """Start and end of each test window that one model predicts.

        Examples
        --------
        >>> Span(0, 5, 2).steps()
        [(0, 2), (2, 4), (4, 5)]
        """
        edges = [*range(self.first, self.stop, self.retrain_candles), self.stop]
        return list(itertools.pairwise(edges))


@dataclass(frozen=True)
class Walked:
    """Outcomes of a walk; mean ``trees`` and processor ``seconds`` of training all pairs once.

    Of what a cluster trained the seconds are not known: NaN.
    """

    outcomes: Outcomes
    trusted: float
    seconds: float
    trees: float
    models: int


@dataclass(frozen=True)
class _Step:
    predicted: list[Outcomes]
    candles: int
    seconds: float
    trees: int


def common_prior(
    rows: Outcomes, tables: Mapping[str, Table], span: Span, settings: SignalSettings
) -> Outcomes:
    """The same rows with one prior for all variants of a label.

    It is the class shares that the shipped recipe's training windows have, all pairs together, so
    that skills are about one baseline and their differences about nothing but probabilities.
    """
    prior = rows.prior.copy()
    for first, stop in span.steps():
        known = training_rows(tables, window_before(settings, first))
        prior[(rows.candle >= first) & (rows.candle < stop)] = metrics.class_prior(known.label)
    return replace(rows, prior=prior)


def walk(
    variant: Variant,
    tables: Mapping[str, Table],
    span: Span,
    candles: Mapping[str, pd.DataFrame] | None = None,
    cluster: Cluster | None = None,
) -> Walked:
    """Test a variant on the candles of the span; only climatology needs the candles.

    A cluster, if any, trains the boosters of ours; outcomes are the same.
    """
    if variant.stock:
        own = variant.settings.candles_per_day * stock.RETRAIN_DAYS
        span = Span(span.first, span.stop, min(own, span.retrain_candles))
    steps: list[_Step] = []
    groups = variant.groups(tuple(tables))
    for pairs in groups:
        if not variant.stock and not variant.learner:
            steps += _our_steps(variant, tables, pairs, span, cluster or Cluster())
            continue
        for first, stop in span.steps():
            if variant.stock:
                steps.append(_stock_step(variant, tables, pairs[0][0], (first, stop)))
            elif variant.learner == CLIMATOLOGY:
                assert candles is not None
                frame = candles[pairs[0][0]]
                steps.append(_climatology_step(variant, tables, pairs[0][0], frame, (first, stop)))
            else:
                steps.append(_learner_step(variant, tables, pairs[0], (first, stop)))
    outcomes = Outcomes.join([part for step in steps for part in step.predicted])
    count = len(span.steps())
    # A model for unseen pairs is one of all pairs but one; those of single pairs make one together.
    trainings = count * max(len(variant.unseen), 1)
    return Walked(
        outcomes,
        trusted=len(outcomes) / max(sum(step.candles for step in steps), 1),
        seconds=sum(step.seconds for step in steps) / trainings,
        trees=sum(step.trees for step in steps) / trainings,
        models=count,
    )


def _our_steps(
    variant: Variant,
    tables: Mapping[str, Table],
    pairs: tuple[tuple[str, ...], tuple[str, ...]],
    span: Span,
    cluster: Cluster,
) -> list[_Step]:
    trained, tested = pairs
    settings, store = variant.settings, MemoryStore()
    windows = [window_before(settings, first) for first, _ in span.steps()]
    # One matrix, whose slices the windows are: a cluster gets it once.
    whole = replace(windows[-1], first=windows[0].first)
    matrix = PoolMatrix(pair_parts({pair: tables[pair] for pair in trained}, whole))
    if cluster.threads:
        requests = [Request(matrix.window(window), settings) for window in windows]
        made = [boosters_ahead(request, i == 0, store) for i, request in enumerate(requests)]
        cluster.train([task for task in made if task is not None], shown=False)
    elsewhere = bool(store.unsaved)
    # The model trained last and the serving one differ only with a gate.
    newest: SignalModel | None = None
    serving: SignalModel | None = None
    steps = []
    for window, test_window in zip(windows, span.steps(), strict=True):
        rows = matrix.window(window)
        begin = ONE_CORE()
        newest = train(Request(rows, settings, newest), _REQUEST_KEY, Boosters(store))
        seconds = math.nan if elsewhere else ONE_CORE() - begin
        newest, serving = window_serving(newest, serving, rows, settings)
        steps.append(_our_step(serving, tables, tested, test_window, settings, seconds))
    return steps


def _our_step(
    model: SignalModel,
    tables: Mapping[str, Table],
    tested: tuple[str, ...],
    test_window: tuple[int, int],
    settings: SignalSettings,
    seconds: float,
) -> _Step:
    predicted, candles = [], 0
    for pair in tested:
        known = _known(tables[pair], pair, test_window)
        candles += len(known)
        frame = pd.DataFrame(known.features, columns=list(known.names))
        frame[RETURN_SCALE_COLUMN] = _label_column(tables[pair], known, RETURN_SCALE_COLUMN)
        outputs = model_outputs(model, frame, ROUND_TRIP_COST)
        prior = model.fit.prior if model.fit is not None else np.full(3, 1 / 3)
        part = _outcomes(
            known,
            tables,
            settings,
            (outputs[list(PROBA_COLUMNS)].to_numpy(), prior, outputs[CONFIDENCE_COLUMN].to_numpy()),
        )
        predicted.append(part.take(outputs[TRUST_COLUMN].to_numpy() == 1))
    trees = sum(
        fitted.booster.current_iteration() * fitted.booster.num_model_per_iteration()
        for head in (model.fit.heads if model.fit else ())
        for fitted in head.boosters
    )
    return _Step(predicted, candles, seconds, trees)


def _stock_step(
    variant: Variant, tables: Mapping[str, Table], pair: str, test_window: tuple[int, int]
) -> _Step:
    days = variant.settings.candles_per_day * variant.train_days
    # FreqAI does not purge: the outcomes of its last training rows lie in the test window.
    rows = _known(tables[pair], pair, (test_window[0] - days, test_window[0]))
    known = _known(tables[pair], pair, test_window)
    begin = ONE_CORE()
    model = stock.train(rows, variant.stock == "stopping")
    seconds = ONE_CORE() - begin
    probabilities = model.probabilities(known.features)
    part = _outcomes(
        known,
        tables,
        variant.settings,
        (probabilities, metrics.class_prior(rows.label), probabilities[:, [0, 2]].max(axis=1)),
    )
    return _Step([part], len(known), seconds, model.trees)


def _learner_step(
    variant: Variant,
    tables: Mapping[str, Table],
    pairs: tuple[str, ...],
    test_window: tuple[int, int],
) -> _Step:
    """Another learner on the very rows that ours is trained on."""
    settings = variant.settings
    rows = training_rows({p: tables[p] for p in pairs}, window_before(settings, test_window[0]))
    begin = ONE_CORE()
    model = learn(variant.learner, rows, settings)
    seconds = ONE_CORE() - begin
    parts = []
    for pair in pairs:
        known = _known(tables[pair], pair, test_window)
        parts.append(_stated(known, tables, settings, model.probabilities(known.features)))
    return _Step(parts, sum(map(len, parts)), seconds, model.trees)


def _climatology_step(
    variant: Variant,
    tables: Mapping[str, Table],
    pair: str,
    candles: pd.DataFrame,
    test_window: tuple[int, int],
) -> _Step:
    """What the report takes for climatology, fitted on the window that ours is trained on."""
    table, known = tables[pair], _known(tables[pair], pair, test_window)
    origin = int(table.numbers[0])
    window = window_before(variant.settings, test_window[0])
    begin = ONE_CORE()
    stated = climatology_within(
        volatility_and_time(candles),
        table.labels[LABEL_COLUMN].to_numpy(np.float64),
        table.labels[EVENT_END_COLUMN].to_numpy(np.float64),
        replace(window, first=max(window.first - origin, 0), stop=window.stop - origin),
        known.start - origin,
    )
    part = _stated(known, tables, variant.settings, stated)
    return _Step([part], len(known), ONE_CORE() - begin, 0)


def _stated(
    known: TrainingRows,
    tables: Mapping[str, Table],
    settings: SignalSettings,
    probabilities: NDArray[np.float64],
) -> Outcomes:
    """Outcomes of probabilities without a prior and a confidence of their own."""
    sure = probabilities[:, [SignalClass.SELL, SignalClass.BUY]].max(axis=1)
    return _outcomes(known, tables, settings, (probabilities, np.full(3, 1 / 3), sure))


def window_before(settings: SignalSettings, stop: int) -> Window:
    """The training window that ends at a candle."""
    days = settings.train_period_days
    first = stop - settings.candles_per_day * days
    return Window(first, stop, settings.label_horizon_candles, settings.row_step)


def _known(table: Table, pair: str, test_window: tuple[int, int]) -> TrainingRows:
    """Rows of a test window with a known outcome, also if that comes after the window's end."""
    last = int(table.numbers[-1])
    rows = training_rows({pair: table}, Window(test_window[0], last + 1))
    return rows.take(rows.start < test_window[1])


def _label_column(table: Table, known: TrainingRows, name: str) -> NDArray[np.float64]:
    """A column of the table's labels at the rows of one pair."""
    return table.labels[name].to_numpy(np.float64)[np.searchsorted(table.numbers, known.start)]


def _outcomes(
    known: TrainingRows,
    tables: Mapping[str, Table],
    settings: SignalSettings,
    predicted: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
) -> Outcomes:
    probabilities, prior, confidence = predicted
    (pair,) = known.pairs
    return Outcomes(
        pair=np.full(len(known), list(tables).index(pair), dtype=np.int64),
        candle=known.start,
        day=known.start // settings.candles_per_day,
        label=known.label,
        realised=_label_column(tables[pair], known, REALISED_RETURN_COLUMN),
        probabilities=probabilities,
        prior=np.tile(prior, (len(known), 1)),
        confidence=confidence,
    )
