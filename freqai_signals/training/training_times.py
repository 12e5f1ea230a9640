"""How long trainings took on this machine, from which the time of the next ones is estimated."""

import json
import logging
from pathlib import Path
from statistics import median
from typing import Final

from freqai_signals.files import write_atomically

logger = logging.getLogger(__name__)

FILE: Final = "training_times.json"
"""In the folder of a model store. No part of a model, which is the same on any machine."""

_KEPT: Final = 50
_FEWEST: Final = 2


def keep_training_time(folder: Path, rows: int, seconds: float) -> None:
    """Remember a training; an error, such as a full disk, is left to those who need the file."""
    times = [*_read(folder), [rows, round(seconds, 3)]][-_KEPT:]
    try:
        write_atomically(folder / FILE, json.dumps(times).encode())
    except OSError as error:
        logger.debug("%s cannot be written: %s", folder / FILE, error)


def seconds_of_training(folder: Path, rows: float) -> tuple[float, int]:
    """Expected seconds of a training of so many rows, and from how many earlier ones.

    Parameters
    ----------
    folder
        Of a model store.
    rows
        Training rows.

    Returns
    -------
    tuple
        The median time a row of the half of all trainings that is nearest in size, times the rows;
        0 and 0 with fewer than two trainings.

    Examples
    --------
    >>> seconds_of_training(Path("none"), 1000)
    (0.0, 0)
    """
    known = sorted(_read(folder), key=lambda item: abs(item[0] - rows))
    if len(known) < _FEWEST:
        return 0.0, 0
    # A small training has a larger share of what does not grow with its rows.
    near = known[: max(_FEWEST, len(known) // 2)]
    return rows * median(seconds / count for count, seconds in near), len(near)


def _read(folder: Path) -> list[list[float]]:
    try:
        found = json.loads((folder / FILE).read_text())
    except (OSError, ValueError):
        return []
    pairs = [item for item in found if isinstance(item, list)] if isinstance(found, list) else []
    return [
        [float(rows), float(seconds)]
        for rows, seconds in (item for item in pairs if len(item) == 2)
        if isinstance(rows, int | float) and isinstance(seconds, int | float) and rows > 0
    ]
