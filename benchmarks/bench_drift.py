"""False alarms, detection times and cost of all that can raise a level or ask for a training.

``python -m benchmarks.bench_drift --datadir FOLDER --timerange 20240101-20241226``; without a
folder on the simulated market. Models are trained one after the other on the window before each
month, and moved over that month candle by candle: as it was (every alarm is false), and with one
change (days until it is found). ``--cache`` keeps the models, the slow part.
"""

import argparse
import json
from collections import defaultdict
from itertools import count
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.stats import chi2

from benchmarks.bench_quality import RETRAIN_DAYS, SIMULATED_TIMERANGE
from benchmarks.harness import ONE_CORE, Timing, measure, print_table, save
from benchmarks.monitoring import replay
from benchmarks.monitoring.served import PairRows, Served, more_volatile, served_models
from benchmarks.quality.data import Source, load
from benchmarks.quality.variants import changed
from benchmarks.quality.walk import Span
from freqai_signals.config import settings_from_config
from freqai_signals.dataset.pair_tables import thinned
from freqai_signals.drift.monitors import PairDrift
from freqai_signals.drift.training_reference import WINDOW_DAYS
from freqai_signals.metrics import skill
from freqai_signals.settings import SignalSettings

CHANGES: Final = {
    "prior only": replay.prior_only,
    "predictions shuffled": replay.shuffled,
    "directions swapped": replay.swapped,
    "direction lost": replay.no_direction,
}
VOLATILITIES: Final = (2.0, 5.0)
STARTS: Final = (0, 10, 20)
"""Days of each model's window on which a change begins."""
AROUND: Final = (4, 10)
"""Days before and after a change of volatility."""
EVERY: Final = 6
"""Volatility is changed for every so many models: all features are computed again."""
TARGET_DAYS: Final = 10


def false_alarms(served: list[Served], settings: SignalSettings) -> dict[str, Any]:
    """Alarms of each kind, a pair and year; one of the pool counts for each of its pairs."""
    pairs = len(served[0].pairs)
    days = sum(one.stop - one.first for one in served) / settings.candles_per_day
    years = days * pairs / 365
    counts: dict[str, int] = defaultdict(int)
    for one in served:
        for rows in one.pairs:
            for name, found in replay.monitor_alarms(one, rows, settings).items():
                counts[name] += len(found)
    alarms: dict[str, dict[str, Any]] = {
        name: {"count": n, "per_pair_year": n / years, "interval": _rate_interval(n, years)}
        for name, n in counts.items()
    }
    healthy = [d for one in served for d in replay.quality_days(one, replay.unchanged, settings)]
    # All pairs alarm at once, so there are only as many years of evidence as the pool has.
    of_pool = years / pairs
    for name in replay.TESTS:
        n = len(replay.alarm_days(healthy, name))
        interval = _rate_interval(n, of_pool)
        alarms[f"live {name}"] = {"count": n, "per_pair_year": n / of_pool, "interval": interval}
    together = sum(item["per_pair_year"] for item in alarms.values())
    return {"pair_years": years, "alarms": alarms, "together_per_pair_year": together}


def _rate_interval(number: int, years: float) -> tuple[float, float]:
    """95 % interval of a Poisson rate."""
    low = chi2.ppf(0.025, 2 * number) / 2 if number else 0.0
    return float(low / years), float(chi2.ppf(0.975, 2 * (number + 1)) / 2 / years)


def quality_delays(served: list[Served], settings: SignalSettings) -> dict[str, Any]:
    """Days until the test of live quality finds each change, by start."""
    healthy = [replay.quality_days(one, replay.unchanged, settings) for one in served]
    year = [day for days in healthy for day in days]
    begins = np.cumsum([0, *(len(days) for days in healthy)])[:-1]
    found = {}
    for name, change in CHANGES.items():
        broken = [day for one in served for day in replay.quality_days(one, change, settings)]
        table = [
            [
                min(replay.days_until_alarm(year, broken, begin + start, test)
                    for test in replay.TESTS)
                for start in STARTS
                if begin + start + TARGET_DAYS <= len(year)
            ]
            for begin in begins.tolist()
        ]  # fmt: skip
        found[name] = summary(table)
    return found


def volatility_delays(
    source: Source, served: list[Served], settings: SignalSettings, times: float
) -> dict[str, Any]:
    """Days until any monitor of a pair finds larger moves, and the skill that the models keep."""
    table, skills = [], []
    for one in served[::EVERY]:
        changed_rows = more_volatile(source, settings, one, times, AROUND)
        delays = []
        for rows in changed_rows.pairs:
            alarms = replay.monitor_alarms(changed_rows, rows, settings)
            after = [c for found in alarms.values() for c in found if c >= changed_rows.first]
            first = min(after, default=np.inf)
            delays.append(float(first - changed_rows.first) / settings.candles_per_day)
            skills.append(skill_since(one, rows, changed_rows.first))
        table.append(delays)
    return summary(table) | {"skill": float(np.mean(skills)), "lowest_skill": min(skills)}


def skill_since(served: Served, rows: PairRows, first: int) -> float:
    """Skill against the model's prior from a candle on."""
    assert served.model.fit is not None
    later = rows.candle >= first
    return skill(rows.label[later], rows.proba[later], served.model.fit.prior)


def summary(table: list[list[float]]) -> dict[str, Any]:
    """Median and share within the target, with 95 % intervals from drawing whole models again."""
    groups = [np.array(row) for row in table if row]
    rng = np.random.default_rng(0)
    drawn = [
        np.concatenate([groups[i] for i in rng.integers(0, len(groups), len(groups))])
        for _ in range(2000)
    ]
    delays = np.concatenate(groups)

    def interval(values: list[float]) -> tuple[float, float]:
        low, high = np.quantile(values, (0.025, 0.975), method="inverted_cdf")
        return float(low), float(high)

    return {
        "changes": len(delays),
        "median_days": float(np.median(delays)),
        "median_interval": interval([float(np.median(d)) for d in drawn]),
        "within_target": float((delays <= TARGET_DAYS).mean()),
        "within_target_interval": interval([float((d <= TARGET_DAYS).mean()) for d in drawn]),
        "longest_days": float(delays.max()),
    }


def cost_of_a_candle(served: Served, settings: SignalSettings) -> Timing:
    """A hundred pairs update with one candle and one outcome and return their states."""
    rows, step = served.pairs[0], settings.row_step
    pairs = [PairDrift(served.model.drift) for _ in range(100)]
    counter = count()

    def candle() -> None:
        number = next(counter)
        row = number % len(rows.label)
        for watched in pairs:
            watched.update_candle(number * step, rows.features[row])
            watched.update_outcome(number * step, int(rows.label[row]))
            _ = watched.states

    for _ in range(WINDOW_DAYS * settings.candles_per_day // step):
        candle()
    return measure("100 pairs, one candle", candle, 100, 20, ONE_CORE)


def main() -> None:
    arguments = _arguments()
    config = json.loads(Path("config.json").read_text())
    settings = changed(settings_from_config(config), {"booster": {"threads": 1}})
    pairs = arguments.pairs or config["exchange"]["pair_whitelist"]
    settings = thinned(settings, len(pairs))
    source = load(arguments.datadir, pairs, settings.timeframe)
    span = Span.of(arguments.timerange or SIMULATED_TIMERANGE, settings, RETRAIN_DAYS)
    served = served_models(source, settings, span, arguments.cache)

    alarms = false_alarms(served, settings)
    print(f"\nfalse alarms a pair and year, on {alarms['pair_years']:.2f} pair-years")
    for name, found in alarms["alarms"].items():
        low, high = found["interval"]
        print(
            f"{name:22} {found['count']:3}  {found['per_pair_year']:.2f} ({low:.2f} to {high:.2f})"
        )
    print(f"all together {alarms['together_per_pair_year']:.2f}")
    delays = quality_delays(served, settings)
    for times in VOLATILITIES:
        name = f"volatility x {times:g}"
        delays[name] = volatility_delays(source, served, settings, times)
    print(f"\ndays until found, and share within {TARGET_DAYS} days")
    for name, found in delays.items():
        low, high = found["median_interval"]
        least, most = found["within_target_interval"]
        print(
            f"{name:22} median {found['median_days']:.1f} ({low:.1f} to {high:.1f}), "
            f"{found['within_target']:.0%} ({least:.0%} to {most:.0%}), "
            f"longest {found['longest_days']:.1f}, of {found['changes']}"
            + (f", skill {found['skill']:.3f}" if "skill" in found else "")
        )
    timings = [cost_of_a_candle(served[0], settings)]
    print_table("cost of a candle", timings)
    save("drift", {"cost of a candle": timings}, false_alarms=alarms, delays=delays)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datadir", type=Path, help="freqtrade's candles; else simulated")
    parser.add_argument("--timerange", default="", help="YYYYMMDD-YYYYMMDD that models serve")
    parser.add_argument("--pairs", nargs="*", help="default: the config's whitelist")
    parser.add_argument("--cache", type=Path, help="folder for models, of one data folder and code")
    arguments = parser.parse_args()
    if arguments.datadir is not None and not arguments.timerange:
        parser.error("--datadir needs --timerange, with a training window before it")
    return arguments


if __name__ == "__main__":
    main()
