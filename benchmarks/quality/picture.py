"""The benchmark's results as a PNG: skill of every variant, reliability and tiers of the shipped.

Pillow draws it: freqtrade's own extras install it, plotly needs a browser to write a PNG.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.quality.measures import TIERS, Estimate, Outcomes

WIDTH: Final = 1000
_LINE: Final = 26
_BLUE, _GREY, _RED, _BLACK = "#2563a8", "#9aa3ad", "#b3372f", "#1c1f23"
_LOWEST: Final = -0.1
"""Skill at the left edge; worse bars end there in an arrow, next to their number."""
_LONGEST: Final = 42
"""Characters of a name that fit next to its bar."""


def draw(path: Path, title: str, results: Mapping[str, Mapping[str, Any]], rows: Outcomes) -> None:
    """Write the picture.

    Parameters
    ----------
    path
        Of the PNG.
    title
        First line.
    results
        Of all variants, the shipped one under ``ours``.
    rows
        Outcomes of the shipped variant.
    """
    bars = _LINE * (len(results) + 2)
    image = Image.new("RGB", (WIDTH, bars + 470), "white")
    pen = ImageDraw.Draw(image)
    _text(pen, (20, 14), title, 17)
    _bars(pen, 50, {name: found["all"]["skill"] for name, found in results.items()})
    _reliability(pen, (80, bars + 90), rows)
    _tiers(pen, (560, bars + 90), results["ours"]["all"]["tiers"])
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, optimize=True)


def reliability(
    probability: NDArray[np.float64], happened: NDArray[np.bool_], bins: int = 20
) -> list[tuple[float, float, int]]:
    """Mean probability, frequency and rows of each bin with at least 50 rows.

    Examples
    --------
    >>> reliability(np.full(60, 0.5), np.arange(60) < 15)
    [(0.5, 0.25, 60)]
    """
    place = np.minimum((probability * bins).astype(np.intp), bins - 1)
    points = []
    for i in range(bins):
        inside = place == i
        count = int(inside.sum())
        if count >= 50:
            point = float(probability[inside].mean()), float(happened[inside].mean())
            points.append((*point, count))
    return points


def _bars(pen: ImageDraw.ImageDraw, top: int, skills: Mapping[str, Estimate]) -> None:
    # An error that is not known is not drawn.
    reach = {name: 2 * float(np.nan_to_num(skill.error)) for name, skill in skills.items()}
    highest = max(0.02, *(skill.value + reach[name] for name, skill in skills.items()))
    left, right = 330, WIDTH - 130

    def across(value: float) -> float:
        share = (np.clip(value, _LOWEST, highest) - _LOWEST) / (highest - _LOWEST)
        return left + float(share) * (right - left)

    _text(pen, (20, top), "Log-loss skill on later candles (0 = class prior), ± 2 standard errors")
    for i, (name, skill) in enumerate(skills.items(), start=1):
        y = top + _LINE * i + 4
        colour = _RED if skill.value < 0 else _BLUE if name == "ours" else _GREY
        ends = sorted((across(0.0), across(skill.value)))
        pen.rectangle((ends[0], y, ends[1], y + 15), fill=colour)
        spread = across(skill.value - reach[name]), across(skill.value + reach[name])
        pen.line((spread[0], y + 8, spread[1], y + 8), fill=_BLACK, width=2)
        if skill.value < _LOWEST:
            pen.polygon(((left, y), (left, y + 15), (left - 9, y + 7.5)), fill=colour)
        _text(pen, (20, y), name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}...")
        _text(pen, (right + 12, y), skill.text(digits=3))


def _reliability(pen: ImageDraw.ImageDraw, corner: tuple[int, int], rows: Outcomes) -> None:
    x, y, side = *corner, 320
    _text(pen, (x - 60, y - 26), "Reliability of the shipped probabilities")
    pen.rectangle((x, y, x + side, y + side), outline=_GREY)
    pen.line((x, y + side, x + side, y), fill=_GREY)
    for kind, colour in enumerate((_RED, _BLACK, _BLUE)):
        points = reliability(rows.probabilities[:, kind], rows.label == kind)
        places = [(x + p * side, y + (1 - f) * side) for p, f, _ in points]
        pen.line(places, fill=colour, width=2)
        for px, py in places:
            pen.ellipse((px - 3, py - 3, px + 3, py + 3), fill=colour)
    for tick in (0.0, 0.5, 1.0):
        _text(pen, (x + int(tick * side) - 8, y + side + 6), f"{tick:g}")
        _text(pen, (x - 30, y + int((1 - tick) * side) - 8), f"{tick:g}")
    for i, (name, colour) in enumerate((("sell", _RED), ("hold", _BLACK), ("buy", _BLUE))):
        pen.rectangle((x + 14, y + 16 + 20 * i, x + 24, y + 26 + 20 * i), fill=colour)
        _text(pen, (x + 32, y + 12 + 20 * i), name)
    _text(pen, (x + 60, y + side + 24), "stated (across) and came true (up)")


_PRECISION: Final = (
    ("class_right", "class_stated", _GREY),
    ("direction_right", "stated", _BLUE),
)


def _tiers(
    pen: ImageDraw.ImageDraw, corner: tuple[int, int], tiers: Mapping[str, Mapping[str, Any]]
) -> None:
    x, y, height = corner[0], corner[1] + 24, 296
    _text(
        pen, (x - 30, corner[1] - 26), "Right in each tier: class (grey), direction if moved (blue)"
    )
    _text(pen, (x, y + height + 24), "dark line: what the probabilities stated", 13)
    pen.line((x, y + height, x + 380, y + height), fill=_GREY)
    for i, name in enumerate(TIERS):
        for j, (kind, said, colour) in enumerate(_PRECISION):
            right: Estimate = tiers[name][kind]
            if not np.isfinite(right.value):
                continue
            left, tall = x + 130 * i + 56 * j, right.value * height
            pen.rectangle((left, y + height - tall, left + 46, y + height), fill=colour)
            stated = y + height - tiers[name][said] * height
            pen.line((left - 3, stated, left + 49, stated), fill=_BLACK, width=2)
            above = int(min(y + height - tall, stated)) - 20
            _text(pen, (left + 4, above), f"{right.value:.3f}")
        _text(pen, (x + 130 * i, y + height + 6), f"{name}: {tiers[name]['rows']:,} rows", 12)


def _text(pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int = 14) -> None:
    pen.text(place, text, fill=_BLACK, font=ImageFont.load_default(size))
