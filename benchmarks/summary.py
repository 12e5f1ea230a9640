"""One table and one picture of what the benchmarks of speed have written.

``python -m benchmarks.summary``, the last step of ``make bench``: reads every file in
``benchmarks/results`` that holds timings, prints seconds, ratios and powers of the rows, and draws
``summary.png`` there. A ratio below 1 says that ours takes less than what it stands beside.
"""

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont

from benchmarks.harness import RESULTS
from freqai_signals.terminal import TableColumn, print_line, print_table

LINEAR: Final = 1.1
"""Largest power of the rows that counts as linear."""

WITHOUT_RIVALS: Final = {"decisions of one pair", "one candle of 100 pairs"}
"""Tables whose first line is no rival of the others."""

UNITS: Final = {
    "wall_seconds": "wall s",
    "cpu_seconds": "CPU s",
    "peak_megabytes": "peak MB",
    "start_seconds": "s to the first training",
}

WIDTH: Final = 1200
_LINE: Final = 24
_LONGEST: Final = 70
_BLUE, _GREY, _RED, _BLACK = "#2563a8", "#9aa3ad", "#b3372f", "#1c1f23"


@dataclass(frozen=True)
class Row:
    """One line of the summary: of ours, and of what it is compared with, if anything."""

    what: str
    ours: float
    beside: str = ""
    theirs: float | None = None
    ratio: float | None = None
    exponent: float | None = None

    def shown(self) -> dict[str, str]:
        return {
            "what": self.what,
            "ours": f"{self.ours:,.4g}",
            "beside": self.beside,
            "theirs": "" if self.theirs is None else f"{self.theirs:,.4g}",
            "ratio": "" if self.ratio is None else f"{self.ratio:.3f}",
            "power of the rows": "" if self.exponent is None else f"{self.exponent:.2f}",
        }


def rows_of(name: str, content: Mapping[str, Any]) -> Iterator[Row]:
    """What one file holds: backtests, parts of one command, tables of timings."""
    for run in content.get("runs", ()):
        for rival in [key.removeprefix("ours / ") for key in run if key.startswith("ours / ")]:
            for key, ratio in run[f"ours / {rival}"].items():
                what = f"{name}, {run['pairs']} pairs, {UNITS[key]}"
                yield Row(what, run["ours"][key], rival, run[rival][key], ratio)
    for part, seconds in content.get("parts", {}).items():
        yield Row(f"{name}: {part}", seconds)
    for title, timings in content["tables"].items():
        grown = content.get("exponents", {}).get(title, {})
        yield from _of_table(f"{name}, {title}", title not in WITHOUT_RIVALS, timings, grown)


def _of_table(
    title: str, rivals: bool, timings: Sequence[Mapping[str, Any]], grown: Mapping[str, float]
) -> Iterator[Row]:
    by_name = {timing["name"]: timing for timing in timings}  # of several sizes the last
    stock = any(name.startswith("stock, ") for name in by_name)
    for name, timing in by_name.items():
        if name in grown or not rivals or len(by_name) == 1:
            yield Row(f"{title}: {name}", timing["seconds"], exponent=grown.get(name))
            continue
        beside = name.replace("ours, ", "stock, ", 1) if stock else timings[0]["name"]
        if beside == name:
            continue
        other = by_name[beside]
        # What it would take for as many rows: slow rivals get fewer.
        theirs = other["seconds"] / other["rows"] * timing["rows"]
        ratio = timing["seconds"] / theirs
        yield Row(f"{title}: {name}", timing["seconds"], beside, theirs, ratio)


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """Contents of the files with timings, by name; those of other benchmarks are left out."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    return {
        name: content
        for name, content in found.items()
        if isinstance(content, dict) and {"tables", "machine"} <= set(content)
    }


def machine_of(name: str, content: Mapping[str, Any]) -> str:
    """A line on what a file was measured on, and how busy that was."""
    machine = content["machine"]
    load = [machine.get(key) for key in ("load_before", "load_after")]
    busy = ", ".join("?" if value is None else f"{value:.1f}" for value in load)
    return (
        f"{name}: {machine['cpu']}, {machine.get('cores', '?')} cores, Python {machine['python']}, "
        f"load before and after {busy}, written {content.get('written', '?')}"
    )


def draw(path: Path, machines: Sequence[str], rows: Sequence[Row]) -> None:
    """Write the picture: ratios on a logarithmic axis, then powers of the rows."""
    ratios = [row for row in rows if row.ratio]
    powers = [row for row in rows if row.exponent is not None]
    height = _LINE * (len(machines) + len(ratios) + len(powers) + 6)
    image = Image.new("RGB", (WIDTH, height), "white")
    pen = ImageDraw.Draw(image)
    for number, line in enumerate(machines):
        _text(pen, (20, 10 + _LINE * number), line)
    top = 10 + _LINE * (len(machines) + 1)
    logs = [(f"{row.what} / {row.beside}", math.log10(row.ratio or 1.0)) for row in ratios]
    title = "Ours through what it stands beside (left of the line: less), logarithmic"
    _bars(pen, top, title, [(what, log, f"{10**log:.3f}", log > 0) for what, log in logs], 0.0)
    title = f"Seconds grow with the rows to the power of (line: {LINEAR})"
    known = [(row.what, row.exponent or 0.0) for row in powers]
    bars = [(what, power, f"{power:.2f}", power > LINEAR) for what, power in known]
    _bars(pen, top + _LINE * (len(ratios) + 2), title, bars, LINEAR)
    image.save(path, optimize=True)


def _bars(
    pen: ImageDraw.ImageDraw, top: int, title: str,
    bars: Sequence[tuple[str, float, str, bool]], line: float,
) -> None:  # fmt: skip
    """Bars from 0, with a vertical line; each has a name, a value, its text, and may be red."""
    _text(pen, (20, top), title, 16)
    values = [0.0, line, *(value for _, value, _, _ in bars)]
    left, right, low = 620, WIDTH - 90, min(values)
    scale = (right - left) / ((max(values) - low) or 1.0)
    for number, (name, value, text, bad) in enumerate(bars, start=1):
        y = top + _LINE * number + 4
        ends = sorted((left - low * scale, left + (value - low) * scale))
        pen.rectangle((ends[0], y, ends[1], y + 14), fill=_RED if bad else _BLUE)
        _text(pen, (20, y), name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}...", 13)
        _text(pen, (right + 12, y), text, 13)
    x = left + (line - low) * scale
    pen.line((x, top + _LINE, x, top + _LINE * (len(bars) + 1)), fill=_GREY, width=2)


def _text(pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int = 14) -> None:
    pen.text(place, text, fill=_BLACK, font=ImageFont.load_default(size))


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=RESULTS)
    folder: Path = parser.parse_args(words).folder
    contents = read(folder)
    if not contents:
        raise SystemExit(f"no timings in {folder}: `make bench` writes them")
    rows = [row for name, content in contents.items() for row in rows_of(name, content)]
    machines = [machine_of(name, content) for name, content in contents.items()]
    numbers = {"ours", "theirs", "ratio", "power of the rows"}
    columns = [TableColumn(name, is_number=name in numbers) for name in Row("", 0.0).shown()]
    print_table("Seconds where nothing else stands", [row.shown() for row in rows], None, columns)
    for line in machines:
        print_line(line)
    draw(folder / "summary.png", machines, rows)
    print_line(f"picture: {folder / 'summary.png'}")


if __name__ == "__main__":
    main()
