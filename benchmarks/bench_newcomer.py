"""Seconds of a newcomer's `make backtest` from nothing, and what they go to.

``python -m benchmarks.bench_newcomer`` or ``make bench``: clones this repository as it was
committed last, without its results and caches, installs it without pip's cache, and backtests.
Needs a package index; without one it says so and measures nothing. The seconds of the install are
those of the index and the network too.
"""

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.harness import save

ROOT: Final = Path(__file__).resolve().parents[1]

BEGINS: Final = {
    "simulate": "Simulating ",
    "import": "Serving ",
    "load candles": "Loading data from ",
    "features, training": "Running backtesting for Strategy",
    "trade": "Backtesting with data from ",
    "report": "Result for strategy ",
}
"""What a line says with which each part of `make backtest` begins, in their order."""

NO_INDEX: Final = "(from versions: none)"
"""What pip says when it has found no file at all of a package, as without an index."""


def split(lines: Iterable[tuple[float, str]], end: float) -> dict[str, float]:
    """Seconds of each part; what comes before the first mark belongs to the first part.

    Parameters
    ----------
    lines
        Seconds since the start, and the line that was printed then.
    end
        Seconds until the command ended.

    Raises
    ------
    ValueError
        If a part did not begin.
    """
    begins: dict[str, float] = {}
    waiting = list(BEGINS)
    for seconds, line in lines:
        if waiting and BEGINS[waiting[0]] in line:
            begins[waiting.pop(0)] = seconds if begins else 0.0
    if waiting:
        raise ValueError(f"no line says {BEGINS[waiting[0]]!r}, with which {waiting[0]!r} begins")
    stops = [*list(begins.values())[1:], end]
    return {name: stop - begins[name] for name, stop in zip(begins, stops, strict=True)}


def timed(target: list[str], folder: Path) -> tuple[list[tuple[float, str]], float]:
    """Lines of a make target with their seconds, and the seconds of all.

    Raises
    ------
    RuntimeError
        If it fails; says what it printed last.
    """
    # As on a new machine: no package of an earlier install, and no options of this make.
    known = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    known.pop("MFLAGS", None)
    known.pop("PYTHONPATH", None)
    environment = {**known, "PIP_NO_CACHE_DIR": "1", "PYTHONUNBUFFERED": "1"}
    started, lines = time.monotonic(), []
    with subprocess.Popen(
        ["make", *target], cwd=folder, env=environment, text=True, errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            lines.append((time.monotonic() - started, line))
    seconds, said = time.monotonic() - started, "".join(line for _, line in lines)
    if process.returncode:
        raise RuntimeError(f"make {target[0]} ended with {process.returncode}:\n{said[-2000:]}")
    return lines, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--options", nargs="*", default=[], metavar="NAME=VALUE", help="of `make backtest`"
    )
    options: list[str] = parser.parse_args().options
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "freqai-signals"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
        try:
            _, install = timed(["install"], folder)
        except RuntimeError as error:
            if NO_INDEX not in str(error):
                raise
            print(f"skipped: a newcomer's install needs a package index\n{str(error)[-300:]}")
            return
        parts = {"install": install, **split(*timed(["backtest", *options], folder))}
    table = Table("a newcomer's make backtest", "seconds")
    for part, took in (*parts.items(), ("all", sum(parts.values()))):
        table.add_row(part, f"{took:,.1f}")
    Console().print(table)
    save("newcomer", {}, parts=parts, options=options)


if __name__ == "__main__":
    main()
