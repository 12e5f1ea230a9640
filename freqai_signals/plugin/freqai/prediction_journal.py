"""Predictions since FreqAI's own file was last written: one line a row, appended and flushed.

FreqAI's file holds all predictions of all pairs, so writing it after each candle costs tens of
gigabytes a day. A line here costs one kilobyte.
"""

import json
import logging
import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

logger = logging.getLogger(__name__)

JOURNAL_FILE: Final = "historic_predictions.journal"
OLD_JOURNAL_FILE: Final = "historic_predictions.journal.old"
_DATE: Final = "date_pred"


def append(folder: Path, frames: Mapping[str, pd.DataFrame]) -> None:
    """Write rows of each pair and flush them to the disk.

    Raises
    ------
    OSError
        If that fails; a part may be written, which harms nothing.
    """
    lines = [_line(pair, row) for pair, frame in frames.items() for row in _rows(frame)]
    if not lines:
        return
    # Somebody may have removed it; predictions must survive a kill all the same.
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / JOURNAL_FILE).open("a") as file:
        # What a kill or a full disk has cut short must not swallow the next line.
        file.write("\n" + "\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())


def since(history: pd.DataFrame, date: pd.Timestamp) -> pd.DataFrame:
    """The rows of a candle and later ones, which usually is the last row."""
    dates = history[_DATE]
    return history.iloc[-1:] if dates.iloc[-1] == date else history[dates >= date]


def size(folder: Path) -> int:
    """Bytes of the journal."""
    path = folder / JOURNAL_FILE
    return path.stat().st_size if path.is_file() else 0


def rotate(folder: Path) -> None:
    """Begin a new journal, once FreqAI's file holds all; the old one goes with its backup."""
    if (folder / JOURNAL_FILE).is_file():
        (folder / JOURNAL_FILE).replace(folder / OLD_JOURNAL_FILE)


def merged(folder: Path, history: Mapping[str, pd.DataFrame], most: int) -> dict[str, pd.DataFrame]:
    """What FreqAI's file held with the rows of the journals: the last word on a candle stands.

    Parameters
    ----------
    folder
        Of the identifier.
    history
        Pair to its predictions.
    most
        Newest rows kept of a pair that has rows in a journal.
    """
    rows: dict[str, dict[int, dict[str, Any]]] = {}
    # In this order: the newer row of a candle replaces the older one.
    for name in (OLD_JOURNAL_FILE, JOURNAL_FILE):
        for pair, values in _read(folder / name):
            rows.setdefault(pair, {})[values[_DATE]] = values
    found = dict(history)
    for pair, by_date in rows.items():
        found[pair] = _joined(history.get(pair), by_date).tail(most).reset_index(drop=True)
    return found


def _joined(kept: pd.DataFrame | None, by_date: Mapping[int, dict[str, Any]]) -> pd.DataFrame:
    new = pd.DataFrame([by_date[date] for date in sorted(by_date)])
    new[_DATE] = pd.to_datetime(new[_DATE], unit="ms", utc=True)
    if kept is None or kept.empty or _DATE not in kept:
        return new
    # Concatenating dates of different units would give a column of Python objects.
    new[_DATE] = new[_DATE].astype(kept[_DATE].dtype)
    both = pd.concat([kept, new], ignore_index=True)
    both = both.drop_duplicates(_DATE, keep="last").sort_values(_DATE, kind="stable")
    names = [name for name in kept if both[name].dtype != kept[name].dtype]
    # A column that the journal lacks has holes now; FreqAI fills such rows with zeros too.
    whole = both.fillna(dict.fromkeys(names, 0))
    return whole.astype({name: kept[name].dtype for name in names}, errors="ignore")


def _rows(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    # pandas 3 keeps whatever unit the dates came with.
    dates = pd.DatetimeIndex(frame[_DATE]).as_unit("ms").asi8.tolist()
    # As objects: pandas takes milliseconds to make a dictionary of what is usually one row.
    values = frame.to_numpy(object).tolist()
    return [
        dict(zip(frame.columns, row, strict=True)) | {_DATE: date}
        for row, date in zip(values, dates, strict=True)
    ]


def _line(pair: str, row: Mapping[Any, Any]) -> str:
    text = json.dumps([pair, row], default=_plain, separators=(",", ":"))
    return f"{zlib.crc32(text.encode()):08x} {text}"


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)


def _read(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Pair and row of each whole line; the others are counted in the log."""
    try:
        # A line that was cut within a character fails its checksum and hides no other.
        lines = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return
    except OSError as error:
        logger.warning("Predictions in %s cannot be read: %s", path, error)
        return
    damaged = 0
    for line in filter(None, lines):
        digits, _, text = line.partition(" ")
        found = _row(text) if digits == f"{zlib.crc32(text.encode()):08x}" else None
        if found is None:
            damaged += 1
        else:
            yield found
    if damaged:
        logger.warning("%s: %d lines are damaged and left out", path, damaged)


def _row(text: str) -> tuple[str, dict[str, Any]] | None:
    """Pair and row of a line; None where it says nothing of a candle."""
    try:
        pair, values = json.loads(text)
        return (str(pair), values) if type(values[_DATE]) is int else None
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return None
