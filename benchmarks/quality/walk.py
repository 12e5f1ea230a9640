"""Walk-forward: train on a window, predict the days after it, move on.

A window holds only rows whose outcome was known at its end, so nothing that is predicted was
trained on, and every number in the benchmark is of later candles.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from freqtrade.configuration import TimeRange
from numpy.typing import NDArray

from benchmarks.harness import ONE_CORE
from benchmarks.quality import stock
from benchmarks.quality.data import ROUND_TRIP_COST
from benchmarks.quality.measures import Outcomes
from benchmarks.quality.variants import Variant
from freqai_signals import metrics
from freqai_signals.dataset.pair_tables import Table, training_rows
from freqai_signals.dataset.rows import TrainingRows, Window
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.registry.promotion import window_serving
from freqai_signals.schema import (
    CONFIDENCE_COLUMN,
    PROBA_COLUMNS,
    REALISED_RETURN_COLUMN,
    RETURN_SCALE_COLUMN,
    TRUST_COLUMN,
)
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.outputs import model_outputs
from freqai_signals.training.fit import Request, train

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
        """First and end of each stretch that one model predicts.

        Examples
        --------
        >>> Span(0, 5, 2).steps()
        [(0, 2), (2, 4), (4, 5)]
        """
        edges = [*range(self.first, self.stop, self.retrain_candles), self.stop]
        return list(itertools.pairwise(edges))


@dataclass(frozen=True)
class Walked:
    """Outcomes of a walk; mean ``trees`` and processor ``seconds`` of training all pairs once."""

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


@dataclass(frozen=True)
class _Models:
    """The model trained last, and the one that serves: others only where the gate is asked."""

    newest: SignalModel | None = None
    serving: SignalModel | None = None


def walk(variant: Variant, tables: Mapping[str, Table], span: Span) -> Walked:
    """Test a variant on the candles of the span."""
    if variant.stock:
        own = variant.settings.candles_per_day * stock.RETRAIN_DAYS
        span = Span(span.first, span.stop, min(own, span.retrain_candles))
    steps: list[_Step] = []
    groups = variant.groups(tuple(tables))
    for pairs in groups:
        models = _Models()
        for first, stop in span.steps():
            if variant.stock:
                steps.append(_stock_step(variant, tables, pairs[0][0], (first, stop)))
            else:
                step, models = _our_step(variant, tables, pairs, (first, stop), models)
                steps.append(step)
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


def _our_step(
    variant: Variant,
    tables: Mapping[str, Table],
    pairs: tuple[tuple[str, ...], tuple[str, ...]],
    stretch: tuple[int, int],
    before: _Models,
) -> tuple[_Step, _Models]:
    trained, tested = pairs
    settings = variant.settings
    window = Window(
        stretch[0] - settings.candles_per_day * settings.train_period_days,
        stretch[0],
        settings.label_horizon_candles,
        settings.model.row_step,
    )
    rows = training_rows({pair: tables[pair] for pair in trained}, window)
    begin = ONE_CORE()
    newest = train(Request(rows, settings, before.newest), _REQUEST_KEY)
    seconds = ONE_CORE() - begin
    newest, model = window_serving(newest, before.serving, rows, settings)
    predicted, candles = [], 0
    for pair in tested:
        known = _known(tables[pair], pair, stretch)
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
    return _Step(predicted, candles, seconds, trees), _Models(newest, model)


def _stock_step(
    variant: Variant, tables: Mapping[str, Table], pair: str, stretch: tuple[int, int]
) -> _Step:
    days = variant.settings.candles_per_day * variant.train_days
    # FreqAI does not purge: the outcomes of its last training rows lie in the tested stretch.
    rows = _known(tables[pair], pair, (stretch[0] - days, stretch[0]))
    known = _known(tables[pair], pair, stretch)
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


def _known(table: Table, pair: str, stretch: tuple[int, int]) -> TrainingRows:
    """Candles of a stretch whose outcome is known by now, be it after the end of the stretch."""
    last = int(table.numbers[-1])
    rows = training_rows({pair: table}, Window(stretch[0], last + 1))
    return rows.take(rows.start < stretch[1])


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
