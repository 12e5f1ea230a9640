"""Models trained one after the other, and what each predicted on the days that it would serve."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.quality.data import ROUND_TRIP_COST, Source, tables
from benchmarks.quality.walk import Span
from freqai_signals.dataset.pair_tables import Table, row_memory, training_rows
from freqai_signals.dataset.rows import Window
from freqai_signals.model.artefact import from_bytes, to_bytes
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.schema import (
    LABEL_COLUMN,
    PROBA_COLUMNS,
    REALISED_RETURN_COLUMN,
    RETURN_SCALE_COLUMN,
    TRUST_COLUMN,
)
from freqai_signals.settings import SignalSettings
from freqai_signals.signals.outputs import model_outputs
from freqai_signals.training.fit import Request, train

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PairRows:
    """Trusted rows of one pair with a known outcome, oldest first."""

    pair: str
    candle: NDArray[np.int64]
    features: NDArray[np.float32]
    proba: NDArray[np.float64]
    label: NDArray[np.int8]
    moved: NDArray[np.float64]


@dataclass(frozen=True)
class Served:
    """A model, the candles that it serves, and its rows there."""

    model: SignalModel
    first: int
    stop: int
    pairs: list[PairRows]


def served_models(
    source: Source, settings: SignalSettings, span: Span, cache: Path | None
) -> list[Served]:
    """Train a model for each window of the span, or take it from the cache; predict its window."""
    made = tables(source, settings)
    found: list[Served] = []
    previous: SignalModel | None = None
    for first, stop in span.steps():
        file = cache / f"{first}.model" if cache is not None else None
        if file is not None and file.exists():
            model = from_bytes(file.read_bytes())
        else:
            window = Window(
                first - settings.candles_per_day * settings.train_period_days, first,
                settings.label_horizon_candles, settings.row_step,
            )  # fmt: skip
            model = train(Request(training_rows(made, window), settings, previous), "benchmark")
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(to_bytes(model))
        previous = model
        found.append(Served(model, first, stop, rows_of(model, made, first, stop)))
        print(f"model {len(found)} of {len(span.steps())}", flush=True)
    return found


def rows_of(model: SignalModel, made: dict[str, Table], first: int, stop: int) -> list[PairRows]:
    """What a model predicts on some candles."""
    assert model.drift is not None
    assert model.drift.features is not None
    return [_pair_rows(model, pair, table, first, stop) for pair, table in made.items()]


def _pair_rows(model: SignalModel, pair: str, table: Table, first: int, stop: int) -> PairRows:
    assert model.drift is not None
    assert model.drift.features is not None
    label = table.labels[LABEL_COLUMN].to_numpy(np.float64)
    returns, scale = (table.labels[name] for name in (REALISED_RETURN_COLUMN, RETURN_SCALE_COLUMN))
    moved = (returns / scale).to_numpy(np.float64)
    inside = (table.numbers >= first) & (table.numbers < stop) & np.isfinite(label)
    features = table.features[inside]
    frame = features.assign(**{RETURN_SCALE_COLUMN: table.labels[RETURN_SCALE_COLUMN][inside]})
    outputs = model_outputs(model, frame, ROUND_TRIP_COST)
    trusted = outputs[TRUST_COLUMN].to_numpy() == 1
    return PairRows(
        pair,
        table.numbers[inside][trusted],
        features[list(model.drift.features.names)].to_numpy(np.float32)[trusted],
        outputs[list(PROBA_COLUMNS)].to_numpy(np.float64)[trusted],
        label[inside][trusted].astype(np.int8),
        moved[inside][trusted],
    )


def more_volatile(
    source: Source, settings: SignalSettings, served: Served, times: float, days: tuple[int, int]
) -> Served:
    """The same candles with larger moves from a day on, predicted by the same model.

    Parameters
    ----------
    source, settings, served
        Candles, and the model that serves.
    times
        What every logarithmic return is multiplied with, within a candle too.
    days
        Days of the model's window before the change, and after it.
    """
    per_day, seconds = settings.candles_per_day, settings.candle_seconds
    change = served.first + days[0] * per_day
    stop = min(change + days[1] * per_day, served.stop)
    first = served.first - row_memory(settings) - per_day
    changed = {}
    for pair, candles in source.candles.items():
        number = candles["date"].dt.as_unit("s").astype("int64").to_numpy() // seconds
        last = stop + settings.label_horizon_candles + 1
        part = candles[(number >= first) & (number < last)].reset_index(drop=True)
        kept = number[(number >= first) & (number < last)]
        changed[pair] = _scaled(part, np.where(kept >= change, times, 1.0))
    made = tables(replace(source, candles=changed), settings)
    return Served(served.model, change, stop, rows_of(served.model, made, served.first, stop))


def _scaled(candles: pd.DataFrame, times: NDArray[np.float64]) -> pd.DataFrame:
    close = np.log(candles["close"].to_numpy(np.float64))
    before = np.concatenate([close[:1], close[:-1]])
    path = close[0] + np.cumsum(times * (close - before))
    base = np.concatenate([path[:1], path[:-1]])
    moved = {
        name: np.exp(base + times * (np.log(candles[name].to_numpy(np.float64)) - before))
        for name in ("open", "high", "low")
    }
    return candles.assign(close=np.exp(path), **moved)
