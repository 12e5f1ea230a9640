"""One training against bare LightGBM on the same matrix, and windows over workers and a cluster.

``python -m benchmarks.bench_training`` or ``make bench``. Processor seconds show what is done
beside the trees; seconds of the clock, over workers, what a backtest waits for. The boosters are
the same bits in every row of the other tables. Dask's workers are processes of this machine here,
started before the clock is; what a network costs is not in these seconds.

Rows are drawn at random, more of them than a window of five pairs has, with more to learn: their
trees take longer. ``--datadir`` adds a window of real candles of the config's pairs.
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from unittest import mock

import joblib
import lightgbm
import numpy as np

from benchmarks.harness import ONE_CORE, Timing, measure, print_table, save
from benchmarks.quality import data
from benchmarks.quality.walk import window_before
from freqai_signals.config import settings_from_config
from freqai_signals.dataset.pair_tables import thinned, training_rows
from freqai_signals.dataset.rows import TrainingRows, unknown_trades
from freqai_signals.model import booster
from freqai_signals.settings import SignalSettings
from freqai_signals.training.booster_store import BoosterStore
from freqai_signals.training.boosting import WindowTask, fit_window
from freqai_signals.training.cluster import Cluster
from freqai_signals.training.fit import Request, boosters_ahead, train
from freqai_signals.training.sent_jobs import worker_versions
from freqai_signals.training.worker_processes import train_ahead

_LIGHTGBM: Final = {
    lightgbm.Dataset: ("construct",),
    lightgbm.Booster: ("__init__", "update", "eval_valid", "predict"),
}
"""Where a training calls it, but for texts."""


def synthetic_rows(count: int, features: int, first: int = 10_000) -> TrainingRows:
    """Rows of which some features tell moves from holds, and a few buys from sells."""
    rng = np.random.default_rng(first)
    matrix = rng.normal(size=(count, features)).astype(np.float32)
    scores = matrix[:, :10].sum(axis=1) / 4, matrix[:, 10:15].sum(axis=1) / 8
    move, buy = (rng.random(count) < 1 / (1 + np.exp(-score)) for score in scores)
    start = np.arange(first, first + count)
    return TrainingRows(
        features=matrix,
        names=tuple(f"%-f{i}" for i in range(features)),
        label=np.where(move, np.where(buy, 2, 0), 1).astype(np.int8),
        start=start,
        event_end=start + 24,
        realised_return=rng.normal(0, 1, count),
        trade=unknown_trades(count),
        pair=np.zeros(count, dtype=np.int16),
        pairs=("A/USDT",),
    )


def bare(task: WindowTask, heads: Any) -> None:
    """The trees of both boosters, early-stopped and refitted, on one data set of LightGBM's."""
    everything = np.ones(len(task.rows), dtype=np.bool_)
    moved = task.rows.label != 1
    binned = booster.BinnedRows(task.rows.features, task.split.past, task.settings.booster)
    targets = moved.astype(np.int8), (task.rows.label == 2).astype(np.int8)
    default, direction = task.settings.booster, task.settings.direction
    slower = default.model_copy(update=direction.model_dump(exclude={"rounds"}))
    places = zip(heads[0].boosters, targets, (everything, moved), (default, slower), strict=True)
    for fitted, target, rows, settings in places:
        params = booster.parameters(settings, booster.BINARY, 1)
        # With no hold-out to look at: what the number of rounds is known for costs trees only.
        for chosen in (rows & task.split.past, rows):
            booster.fit_rounds(binned.sample(chosen, target), params, fitted.best_rounds)


def against_bare(
    rows: TrainingRows, settings: SignalSettings, repeats: int
) -> dict[str, list[Timing]]:
    """Seconds of a training beside those of its trees, and of its boosters beside bare LightGBM.

    Bare LightGBM knows the best number of rounds, so it grows none to find that there is no better.
    The first training has boosters of its own for past predictions; a later one, whose window ends
    a hundredth of the rows later, has what the model before it predicted.
    """
    new, count = len(rows) // 100, len(rows)
    request = Request(rows.take(np.arange(count) < count - new), settings)
    later = Request(rows.take(np.arange(count) >= new), settings, train(request, "first"))
    with tempfile.TemporaryDirectory() as folder:
        task = boosters_ahead(request, False, BoosterStore(Path(folder)))
    assert task is not None
    task = WindowTask(task.rows, task.split, settings)
    heads = fit_window(task).stopped
    work = {
        "bare LightGBM, the best rounds": lambda: bare(task, heads),
        "boosters of a window": lambda: fit_window(task),
    }
    return {
        **_whole_and_trees("first training", request, repeats),
        **_whole_and_trees("later training", later, repeats),
        "boosters of one training, processor seconds": [
            measure(name, call, len(rows), repeats=repeats, clock=ONE_CORE)
            for name, call in work.items()
        ],
    }


def on_candles(datadir: Path, repeats: int) -> dict[str, list[Timing]]:
    """Seconds of trainings and their trees, on the last two weekly windows of the candles."""
    config = json.loads(Path("config.json").read_text())
    pairs = config["exchange"]["pair_whitelist"]
    settings = thinned(settings_from_config(config), len(pairs)).with_threads(1)
    made = data.tables(data.load(datadir, pairs, settings.timeframe), settings)
    end = max(int(table.numbers[-1]) for table in made.values())
    week = 7 * settings.candles_per_day
    before, last = (
        training_rows(made, window_before(settings, stop)) for stop in (end - week, end)
    )
    first = Request(before, settings)
    later = Request(last, settings, train(first, "first"))
    return {
        **_whole_and_trees(f"first training, {datadir.name}", first, repeats),
        **_whole_and_trees(f"later training, {datadir.name}", later, repeats),
    }


def _whole_and_trees(name: str, request: Request, repeats: int) -> dict[str, list[Timing]]:
    """By each clock: some of what is not trees has all cores."""
    costs = [_cost_of(lambda: train(request, "benchmark")) for _ in range(repeats)]

    def table(parts: dict[str, int]) -> list[Timing]:
        return [
            _summed(part, len(request.rows), [cost[place] for cost in costs])
            for part, place in parts.items()
        ]

    return {
        f"{name}, processor seconds": table({"its trees": 0, "all of LightGBM": 1, "all": 2}),
        f"{name}, seconds of the clock": table({"its trees": 3, "all": 4}),
    }


def _cost_of(call: Callable[[], object]) -> tuple[float, ...]:
    """Seconds of something: LightGBM's trees, LightGBM and all, by processor; trees, all, by clock.

    LightGBM has one thread in each call. Calls side by side have no seconds of the clock to add.
    """
    calls: list[tuple[str, float, float]] = []
    inside = threading.local()

    def timed(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*arguments: Any, **named: Any) -> Any:
            # A booster's start makes bins, if nobody has.
            if getattr(inside, "is_called", False):
                return method(*arguments, **named)
            inside.is_called = True
            worked, begin = time.thread_time(), time.perf_counter()
            try:
                return method(*arguments, **named)
            finally:
                inside.is_called = False
                calls.append((name, time.thread_time() - worked, time.perf_counter() - begin))

        return measured

    with ExitStack() as stack:
        for owner, names in _LIGHTGBM.items():
            for name in names:
                replaced = timed(name, getattr(owner, name))
                stack.enter_context(mock.patch.object(owner, name, replaced))
        worked, begin = ONE_CORE(), time.perf_counter()
        call()
        worked, passed = ONE_CORE() - worked, time.perf_counter() - begin
    trees = [(processor, clock) for name, processor, clock in calls if name == "update"]
    return (
        sum(processor for processor, _ in trees),
        sum(processor for _, processor, _ in calls),
        worked,
        sum(clock for _, clock in trees),
        passed,
    )


def _summed(name: str, rows: int, seconds: list[float]) -> Timing:
    return Timing(name, rows, statistics.median(seconds), min(seconds), max(seconds), len(seconds))


def over_workers(requests: list[Request], workers: list[int], repeats: int) -> list[Timing]:
    """Seconds of the clock for all boosters of the windows, starts of processes included."""
    return [
        _timed(f"{count} workers", requests, repeats, lambda tasks, n=count: train_ahead(tasks, n))
        for count in workers
    ]


def over_cluster(requests: list[Request], workers: list[int], repeats: int) -> list[Timing]:
    """The same for Dask workers with a thread each; rows are sent to each of them every time."""
    from distributed import Client, LocalCluster

    timings = []
    for count in workers:
        with ExitStack() as stack:
            made = stack.enter_context(
                LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=None)
            )
            stack.enter_context(Client(made)).run(worker_versions)
            address, name = made.scheduler_address, f"{count} Dask workers"

            def ahead(tasks: list[WindowTask], address: str = address) -> None:
                with Cluster(address) as cluster:
                    cluster.train(tasks)

            timings.append(_timed(name, requests, repeats, ahead))
    return timings


def _timed(
    name: str, requests: list[Request], repeats: int, ahead: Callable[[list[WindowTask]], object]
) -> Timing:
    seconds = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            store = BoosterStore(Path(folder))
            made = [boosters_ahead(request, False, store) for request in requests]
            tasks = [task for task in made if task is not None]
            begin = time.perf_counter()
            ahead(tasks)
            for task in tasks:
                fit_window(task)
            seconds.append(time.perf_counter() - begin)
    return _summed(name, sum(len(request.rows) for request in requests), seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="of a window")
    parser.add_argument("--features", type=int, default=115)
    parser.add_argument("--windows", type=int, default=4)
    parser.add_argument("--workers", type=int, nargs="*", default=None)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--datadir", type=Path, help="freqtrade's candles, to train on too")
    given = parser.parse_args()
    settings = SignalSettings()
    rows = synthetic_rows(given.rows * 101 // 100, given.features)
    tables = against_bare(rows, settings.with_threads(1), given.repeats)
    if given.datadir is not None:
        tables |= on_candles(given.datadir, given.repeats)
    for title, timings in tables.items():
        print_table(title, timings)
    windows = [
        Request(synthetic_rows(given.rows, given.features, 10_000 + 100 * i), settings)
        for i in range(given.windows)
    ]
    cores = int(joblib.cpu_count())
    counts = given.workers or sorted({1, 2, cores})
    title = f"{given.windows} windows, seconds"
    tables[title] = over_workers(windows, counts, given.repeats)
    print_table(title, tables[title])
    if find_spec("distributed") is None:
        print('Dask workers are left out: pip install "freqai-signals[cluster]"')
    else:
        title = f"{given.windows} windows on a cluster, seconds"
        tables[title] = over_cluster(windows, counts, given.repeats)
        print_table(title, tables[title])
        alone_seconds = counts[0] * tables[title][0].seconds
        for count, timing in zip(counts, tables[title], strict=True):
            efficiency = alone_seconds / (count * timing.seconds)
            print(f"{timing.name}: efficiency {efficiency:.2f} on {cores} cores")
    save("training", tables, features=given.features)


if __name__ == "__main__":
    main()
