"""Files: written whole or not at all, and configs read as freqtrade reads them."""

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import rapidjson


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, flush it to disk, and rename it into place.

    The rename itself is flushed too, so after the return neither a kill nor a power cut undoes it.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def feather(frame: pd.DataFrame) -> bytes:
    """The content of a feather file, to be written atomically."""
    content = BytesIO()
    frame.to_feather(content)
    return content.getvalue()


def keep_newest(groups: Iterable[Sequence[Path]], most_bytes: int) -> int:
    """Remove the oldest groups of files beyond a size; the bytes that were removed.

    Parameters
    ----------
    groups
        Files that are kept or removed together, such as a file and what describes it; a group is as
        old as its newest file. Those that are not there count nothing.
    most_bytes
        Of those that stay.
    """
    known = []
    for group in groups:
        found = []
        for path in group:
            # Another process may remove files meanwhile.
            with suppress(FileNotFoundError):
                found.append(path.stat())
        if found:
            newest = max(item.st_mtime for item in found)
            known.append((newest, sum(item.st_size for item in found), list(group)))
    surplus, removed = sum(size for _, size, _ in known) - most_bytes, 0
    for _, size, group in sorted(known, key=lambda item: item[0]):
        if removed >= surplus:
            break
        for path in group:
            path.unlink(missing_ok=True)
        removed += size
    return removed


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def merged_config(paths: Sequence[Path], depth: int = 0) -> dict[str, Any]:
    """Contents of config files as freqtrade merges them; later files win.

    Comments and trailing commas are allowed. A file wins over those in its ``add_config_files``,
    which are relative to it.

    Raises
    ------
    ValueError
        If a file is missing or no JSON object; the message names it.
    OSError
        If it cannot be read.
    """
    if depth > 5:  # freqtrade's own limit
        raise ValueError(f"{paths[0]}: add_config_files are nested more than 5 deep")
    config: dict[str, Any] = {}
    mode = rapidjson.PM_COMMENTS | rapidjson.PM_TRAILING_COMMAS
    for path in paths:
        try:
            content = rapidjson.loads(path.read_text(), parse_mode=mode)
        except FileNotFoundError:
            raise ValueError(f"{path}: there is no such config file") from None
        except ValueError as error:
            raise ValueError(f"{path} is not JSON: {error}") from error
        if not isinstance(content, dict):
            raise ValueError(f"{path} must hold a JSON object {{...}}")
        added = [path.resolve().parent / name for name in content.get("add_config_files", ())]
        config = merged(merged(config, merged_config(added, depth + 1)), content)
    return config


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Two configs, section by section; other values of ``over`` replace those of ``base``.

    Examples
    --------
    >>> merged({"exchange": {"name": "binance", "pairs": [1]}}, {"exchange": {"pairs": [2]}})
    {'exchange': {'name': 'binance', 'pairs': [2]}}
    """
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        nested = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[key] = merged(below, value) if nested else value  # type: ignore[arg-type]
    return result
