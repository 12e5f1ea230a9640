"""Shared by all benchmarks: repeated timing, a table of ratios, growth with the rows, a JSON file.

A benchmark times rivals side by side in one run, so that their ratio holds on any machine even
where the seconds do not.
"""

import json
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

RESULTS: Final = Path(__file__).parent / "results"

ONE_CORE: Final = time.process_time
"""Processor seconds, summed over threads, which do not depend on the load of the machine."""

_LOAD_BEFORE: Final = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
"""Processes that ran or waited, a minute's mean, when the benchmark began."""


@dataclass(frozen=True)
class Timing:
    """Median seconds of one variant over ``rows`` rows, with the fastest and slowest repeat."""

    name: str
    rows: int
    seconds: float
    fastest: float
    slowest: float
    repeats: int

    @property
    def rows_per_second(self) -> float:
        return self.rows / self.seconds


def measure(
    name: str,
    work: Callable[[], object],
    rows: int,
    repeats: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> Timing:
    """Time ``work`` after one unmeasured call that warms caches and imports."""
    work()
    seconds = []
    for _ in range(repeats):
        begin = clock()
        work()
        seconds.append(clock() - begin)
    return Timing(name, rows, statistics.median(seconds), min(seconds), max(seconds), repeats)


def exponents(timings: Sequence[Timing]) -> dict[str, float]:
    """Power of the rows with which seconds grow, for each name with several numbers of rows.

    Least squares through the logarithms: 1 is linear, 2 quadratic.

    Examples
    --------
    >>> exponents([Timing("a", n, 3e-6 * n, 0, 0, 1) for n in (100, 200, 400)])
    {'a': 1.0}
    """
    found = {}
    for name in dict.fromkeys(timing.name for timing in timings):
        points = [(math.log(t.rows), math.log(t.seconds)) for t in timings if t.name == name]
        if len({rows for rows, _ in points}) > 1:
            slope, _ = statistics.linear_regression(*zip(*points, strict=True))
            found[name] = round(slope, 3)
    return found


def print_table(title: str, timings: Sequence[Timing]) -> None:
    """Print rows per second of each, its speed relative to the first one, and how it grows."""
    base = timings[0].rows_per_second
    print(f"\n{title}")
    print(f"{'':34}{'rows':>10}{'seconds':>12}{'rows/s':>14}{'times first':>13}")
    for timing in timings:
        print(
            f"{timing.name:34}{timing.rows:>10,}{timing.seconds:>12.4f}"
            f"{timing.rows_per_second:>14,.0f}{timing.rows_per_second / base:>12.1f}x"
        )
    for name, exponent in exponents(timings).items():
        print(f"{name}: seconds grow with the rows to the power of {exponent:.2f}")


def save(name: str, tables: dict[str, Sequence[Timing]], **facts: Any) -> Path:
    """Write timings, machine, load and facts to ``results/<name>.json`` and return its path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    content = {
        "machine": {
            "python": platform.python_version(),
            "cpu": _processor(),
            "cores": os.cpu_count(),
            "load_before": _LOAD_BEFORE,
            "load_after": load,
        },
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        **facts,
        "tables": {
            title: [{**asdict(item), "rows_per_second": item.rows_per_second} for item in timings]
            for title, timings in tables.items()
        },
        "exponents": {
            title: found for title, timings in tables.items() if (found := exponents(timings))
        },
    }
    path.write_text(json.dumps(content, indent=2) + "\n")
    print(f"\nwritten to {path}")
    return path


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
