"""Seconds of a newcomer's `make backtest` from nothing, and what they go to.

``python -m benchmarks.bench_newcomer`` or ``make bench``: clones this repository as it was
committed last, without its results and caches, installs it without pip's cache, and backtests.
Needs a package index; without one it says so and measures nothing. The seconds of the install are
those of the index and the network too.
"""

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


def timed(target: str, folder: Path) -> tuple[list[tuple[float, str]], float, int]:
    """Lines of a make target with their seconds, the seconds of all, and the exit status."""
    # As on a new machine: no package of an earlier install, and no options of this make.
    known = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    known.pop("MFLAGS", None)
    known.pop("PYTHONPATH", None)
    environment = {**known, "PIP_NO_CACHE_DIR": "1", "PYTHONUNBUFFERED": "1"}
    started, lines = time.monotonic(), []
    with subprocess.Popen(
        ["make", target], cwd=folder, env=environment, text=True, errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            lines.append((time.monotonic() - started, line))
    return lines, time.monotonic() - started, process.returncode


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "freqai-signals"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
        lines, seconds, status = timed("install", folder)
        said = "".join(line for _, line in lines)
        if status and NO_INDEX in said:
            print(f"skipped: a newcomer's install needs a package index\n{said[-300:]}")
            return
        if status:
            raise SystemExit(f"make install ended with {status}:\n{said[-2000:]}")
        parts = {"install": seconds}
        lines, seconds, status = timed("backtest", folder)
        if status:
            said = "".join(line for _, line in lines)
            raise SystemExit(f"make backtest ended with {status}:\n{said[-2000:]}")
        parts |= split(lines, seconds)
    table = Table("a newcomer's make backtest", "seconds")
    for part, took in (*parts.items(), ("all", sum(parts.values()))):
        table.add_row(part, f"{took:,.1f}")
    Console().print(table)
    save("newcomer", {}, parts=parts)


if __name__ == "__main__":
    main()
