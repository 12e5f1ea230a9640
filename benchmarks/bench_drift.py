"""False alarms, detection delays and cost of the drift monitors on a simulated market.

``python -m benchmarks.bench_drift`` or ``make bench``. Features follow a persistent volatility that
all pairs share in part and a short-lived drift; outcomes of neighbouring candles overlap. A model
that predicts the true probabilities gives the reference of 240 days and is then monitored: without
any change (false alarms), and with one planted change (share of pairs that detect it, and delay).
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy import special
from scipy.signal import lfilter

from benchmarks.harness import ONE_CORE, Timing, measure, print_table, save
from freqai_signals.dataset.holdout import Holdout
from freqai_signals.dataset.rows import TrainingRows, unknown_trades
from freqai_signals.drift.monitors import PairDrift
from freqai_signals.drift.training_reference import WINDOW_DAYS, DriftReference, drift_reference
from freqai_signals.metrics import class_prior, log_losses
from freqai_signals.settings import SignalSettings

SETTINGS = SignalSettings()
PER_DAY = SETTINGS.candles_per_day
STEP = SETTINGS.model.row_step
TRAIN_DAYS = 240
PAIRS = 5
NAMES = tuple(f"%-f{i}" for i in range(9))
EDGE = 0.6


@dataclass(frozen=True)
class World:
    """Rows of one pair: features, the model's probabilities, labels."""

    features: NDArray[np.float32]
    probabilities: NDArray[np.float64]
    label: NDArray[np.int8]


def autoregressive(rng: np.random.Generator, rows: int, memory: float) -> NDArray[np.float64]:
    """A stationary series with unit variance."""
    noise = rng.normal(size=rows) * np.sqrt(1 - memory**2)
    noise[0] = rng.normal()
    return np.asarray(lfilter([1.0], [1.0, -memory], noise))


def simulate(
    rng: np.random.Generator, days: int, shared: NDArray[np.float64], flip: int | None = None
) -> World:
    """One pair; from row ``flip`` on the edge has the opposite sign, unknown to the model."""
    rows = days * PER_DAY
    volatility = np.sqrt(0.7) * shared + np.sqrt(0.3) * autoregressive(rng, rows, 0.998)
    lean = autoregressive(rng, rows, 0.93)
    slow = autoregressive(rng, rows, 0.99)
    season = np.sin(2 * np.pi * np.arange(rows) / PER_DAY)
    features = np.column_stack(
        [
            volatility + 0.3 * rng.normal(size=rows), lean, slow, season,
            lean * np.exp(0.4 * volatility), slow + rng.normal(size=rows),
            rng.standard_t(5, rows), volatility + season, np.exp(0.4 * volatility),
        ]
    ).astype(np.float32)  # fmt: skip

    def classes(edge: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(
            special.softmax(
                np.column_stack([-edge * lean, 0.3 - 0.4 * volatility, edge * lean]), axis=1
            )
        )

    real = np.full(rows, EDGE)
    if flip is not None:
        real[flip:] = -EDGE
    # Outcomes of neighbouring rows share candles: a persistent random number decides them.
    draw = special.ndtr(autoregressive(rng, rows, 0.95))
    label = (draw[:, None] > np.cumsum(classes(real), axis=1)[:, :2]).sum(axis=1).astype(np.int8)
    return World(features, classes(np.full(rows, EDGE)), label)


def learn(rng: np.random.Generator) -> tuple[DriftReference, NDArray[np.float64]]:
    """Reference of a model trained on five pairs, and its class prior."""
    shared = autoregressive(rng, TRAIN_DAYS * PER_DAY, 0.998)
    worlds = [simulate(rng, TRAIN_DAYS, shared) for _ in range(PAIRS)]
    candles = np.arange(0, TRAIN_DAYS * PER_DAY, STEP)
    start = np.repeat(candles, PAIRS)
    stacked = [
        np.stack([getattr(w, name)[candles] for w in worlds], axis=1)
        for name in ("features", "probabilities", "label")
    ]
    features, probabilities, label = (
        values.reshape(len(start), *values.shape[2:]) for values in stacked
    )
    pair = np.tile(np.arange(PAIRS, dtype=np.int16), len(candles))
    rows = TrainingRows(
        features, NAMES, label, start, start + 24, np.zeros(len(start)),
        unknown_trades(len(start)), pair,
        tuple(map(str, range(PAIRS))),
    )  # fmt: skip
    tail = start >= int(0.85 * TRAIN_DAYS * PER_DAY)
    held = Holdout(
        start[tail], pair[tail], label[tail], probabilities[tail].astype(np.float32),
        class_prior(label[~tail]),
    )  # fmt: skip
    found = drift_reference(rows, held, NAMES, SETTINGS)
    assert found is not None
    return found, class_prior(label[~tail])


def watch(
    reference: DriftReference, prior: NDArray[np.float64], world: World
) -> dict[str, list[int]]:
    """Candles at which each monitor detected drift."""
    watched = PairDrift(reference)
    excess = log_losses(world.label, world.probabilities) - log_losses(
        world.label, np.broadcast_to(prior, world.probabilities.shape)
    )
    alarms: dict[str, list[int]] = {state.detector: [] for state in watched.states}
    before: dict[str, bool] = dict.fromkeys(alarms, False)
    for candle in range(len(world.label)):
        if candle % STEP == 0:
            watched.update_candle(candle, world.features[candle], world.probabilities[candle])
        if candle >= 24:
            done = candle - 24
            watched.update_outcome(done, int(world.label[done]), float(excess[done]))
        if candle % 12 == 0:
            for state in watched.states:
                if state.drift and not before[state.detector]:
                    alarms[state.detector].append(candle)
                before[state.detector] = state.drift
    return alarms


def shifted(world: World, change: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> World:
    return replace(world, features=change(world.features.copy()))


def mean_shift(row: int) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    def change(values: NDArray[np.float32]) -> NDArray[np.float32]:
        values[row:, 5] += 2 * values[:row, 5].std()
        return values

    return change


def variance_shift(row: int) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    def change(values: NDArray[np.float32]) -> NDArray[np.float32]:
        values[row:, 6] *= 3
        return values

    return change


def level_shift(row: int) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    def change(values: NDArray[np.float32]) -> NDArray[np.float32]:
        values[row:, 8] *= 5
        return values

    return change


def of_one_model(seed: int, days: int) -> tuple[Counter[str], dict[str, list[float]]]:
    """Alarms without any change, and days until each planted change is detected (inf: never)."""
    quiet = 10 * PER_DAY
    rng = np.random.default_rng(seed)
    reference, prior = learn(rng)
    shared = autoregressive(rng, days * PER_DAY, 0.998)
    false_alarms: Counter[str] = Counter()
    delays: dict[str, list[float]] = defaultdict(list)
    for _ in range(PAIRS):
        world = simulate(rng, days, shared)
        for name, found in watch(reference, prior, world).items():
            false_alarms[name] += len(found)
        cases = {
            "mean +2 sd": ("features", shifted(world, mean_shift(quiet))),
            "variance x9": ("features", shifted(world, variance_shift(quiet))),
            "volatility x5": ("features", shifted(world, level_shift(quiet))),
            "edge flipped": ("losses", simulate(rng, days, shared, flip=quiet)),
        }
        for name, (detector, changed) in cases.items():
            after = [c for c in watch(reference, prior, changed)[detector] if c >= quiet]
            delays[name].append((after[0] - quiet) / PER_DAY if after else np.inf)
    return false_alarms, delays


def false_alarms_and_delays(models: int, days: int, processes: int) -> dict[str, Any]:
    """Results of several models with five pairs each."""
    found = Parallel(n_jobs=processes)(delayed(of_one_model)(seed, days) for seed in range(models))
    false_alarms: Counter[str] = Counter()
    for counted, _ in found:
        false_alarms.update(counted)
    delays = {name: [day for _, each in found for day in each[name]] for name in found[0][1]}
    pair_days = models * PAIRS * days
    return {
        "false_alarms_per_100_pair_days": {
            name: 100 * number / pair_days for name, number in false_alarms.items()
        },
        "pair_days": pair_days,
        "delays": {
            name: {
                "found": float(np.isfinite(values).mean()),
                "median_days": float(np.median(values)),
                "worst_days": float(np.max(values)),
            }
            for name, values in delays.items()
        },
    }


def cost_of_a_candle() -> Timing:
    """A hundred pairs update with one candle and one outcome and return their states."""
    reference, _ = learn(np.random.default_rng(0))
    shared = autoregressive(np.random.default_rng(2), 4 * PER_DAY, 0.998)
    world = simulate(np.random.default_rng(1), 4, shared)
    pairs = [PairDrift(reference) for _ in range(100)]
    counter = count()

    def candle() -> None:
        number = next(counter) * STEP
        row = number % len(world.label)
        for watched in pairs:
            watched.update_candle(number, world.features[row], world.probabilities[row])
            watched.update_outcome(number, int(world.label[row]), 0.1)
            _ = watched.states

    for _ in range(WINDOW_DAYS * PER_DAY // STEP):
        candle()
    return measure("100 pairs, one candle", candle, 100, 20, ONE_CORE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=4)
    parser.add_argument("--days", type=int, default=40)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    found = false_alarms_and_delays(arguments.models, arguments.days, arguments.processes)
    rates = found["false_alarms_per_100_pair_days"]
    print(f"false drift alarms per 100 pair-days, {found['pair_days']} drift-free pair-days:")
    print({name: round(rate, 3) for name, rate in rates.items()},
          "total", round(sum(rates.values()), 3))  # fmt: skip
    for name, numbers in found["delays"].items():
        print(f"{name:14} {numbers}")
    timings = [cost_of_a_candle()]
    print_table("cost of a candle", timings)
    save("drift", {"cost of a candle": timings}, **found)


if __name__ == "__main__":
    main()
