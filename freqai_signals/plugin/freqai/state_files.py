"""FreqAI's own files, made safe: what a crash damaged is set aside, what is written is whole."""

import json
import logging
import pickle
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

logger = logging.getLogger(__name__)

HISTORY_FILE: Final = "historic_predictions.pkl"
HISTORY_BACKUP: Final = "historic_predictions.backup.pkl"
INPUTS_FILE: Final = "signal_inputs.json"
"""What the models of an identifier were made from, part by part and pair by pair."""

POOL_PART: Final = "pool"
COST_PART: Final = "round-trip cost of "
"""Parts of what a model is made from: pairs between blanks; the cost of the pair that follows."""

_FEWEST_OF_A_MARKET: Final = 2

_FRAME_PARTS: Final = frozenset(
    (module, name)
    for module, names in {
        "builtins": "slice bytearray bytes",
        "datetime": "timedelta timezone datetime date",
        "numpy": "dtype ndarray",
        "numpy._core.multiarray": "_reconstruct scalar",
        "numpy.core.multiarray": "_reconstruct scalar",
        "numpy._core.numeric": "_frombuffer",
        "numpy.core.numeric": "_frombuffer",
        "pandas": "DataFrame Series Index RangeIndex DatetimeIndex DatetimeTZDtype StringDtype "
        "BooleanDtype Int64Dtype Float64Dtype Categorical CategoricalDtype Timestamp",
        "pandas.arrays": "ArrowStringArray BooleanArray DatetimeArray FloatingArray IntegerArray "
        "StringArray NumpyExtensionArray",
        "pandas._libs.arrays": "__pyx_unpickle_NDArrayBacked",
        "pandas._libs.internals": "_unpickle_block",
        "pandas._libs.tslibs.timestamps": "_unpickle_timestamp",
        "pandas.core.indexes.base": "_new_Index",
        "pandas.core.indexes.datetimes": "_new_DatetimeIndex",
        "pandas.core.internals.managers": "BlockManager",
        "pyarrow.lib": "_restore_array py_buffer type_for_alias",
    }.items()
    for name in names.split()
)
"""All that a dictionary of frames is pickled as; newer FreqAI may add to it, see the log."""

_JSON_FILES: Final = ("pair_dictionary.json", "global_metadata.json", "metric_tracker.json")


def repair_state(folder: Path) -> None:
    """Set damaged files of an identifier aside, before FreqAI reads them and fails.

    FreqAI writes them in place, so a kill can leave half a file; the backup of the historic
    predictions takes the place of a damaged original. What is set aside is named in the log and
    kept beside as ``*.damaged``.
    """
    for name in _JSON_FILES:
        _checked(folder / name, lambda path: json.loads(path.read_text()))
    # Whether or not it is needed: FreqAI would read a damaged backup just as trustingly.
    backup = _checked(folder / HISTORY_BACKUP, _unpickle)
    if not _checked(folder / HISTORY_FILE, _unpickle) and backup:
        logger.warning("The backup of %s takes its place", HISTORY_FILE)
        shutil.copy(folder / HISTORY_BACKUP, folder / HISTORY_FILE)


def with_columns(history: pd.DataFrame, names: Mapping[str, float]) -> pd.DataFrame:
    """Historic predictions with every column that will be appended; FreqAI raises for others.

    Parameters
    ----------
    history
        What was stored, perhaps by an earlier version or another model.
    names
        Column to the value of rows that lack it.
    """
    missing = {name: value for name, value in names.items() if name not in history}
    return history.assign(**missing) if missing else history


def changed_inputs(folder: Path, pair: str, inputs: Mapping[str, str]) -> list[str]:
    """Parts that differ from those which a pair's stored model was made from; empty if none do.

    A pair that joins or leaves a pool is no such part, as long as two stay: the model says of each
    pair what it learnt from all, so it serves until the next one is trained on schedule, and the
    log says so. A pool of one is another thing, since the pair is its own market; and so is one
    that another pair leads, since features of the lead pair become those of another.
    """
    stored = _read_inputs(folder).get(pair)
    if not isinstance(stored, dict):
        return ["nothing is known about it"]
    was, now = (set(str(parts.get(POOL_PART, "")).split()) for parts in (stored, inputs))
    moved = {POOL_PART, *(f"{COST_PART}{name}" for name in was ^ now)}
    ignored = moved if min(len(was), len(now)) >= _FEWEST_OF_A_MARKET else set()
    changed = {
        name for name in stored.keys() | inputs.keys() if stored.get(name) != inputs.get(name)
    }
    if was != now and changed <= ignored:
        logger.info(
            "The pool of %s has changed (joined: %s; left: %s); its present model serves until the "
            "next training", pair, ", ".join(sorted(now - was)) or "none",
            ", ".join(sorted(was - now)) or "none",
        )  # fmt: skip
    return sorted(changed - ignored)


def all_inputs(folder: Path, pair: str, inputs: Mapping[str, str]) -> str:
    """Text of the inputs file with those of one pair replaced."""
    return json.dumps(_read_inputs(folder) | {pair: dict(inputs)}, indent=1, sort_keys=True)


def _read_inputs(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / INPUTS_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _checked(path: Path, read: Callable[[Path], Any]) -> bool:
    """Whether a file is there and can be read; one that cannot is set aside."""
    if not path.is_file():
        return False
    try:
        found = read(path)
    # Unpickling damaged bytes may raise nearly anything.
    except Exception as error:  # noqa: BLE001
        found = None
        logger.warning("%s is damaged (%s) and set aside", path, error)
    if isinstance(found, dict):
        return True
    path.replace(path.with_name(f"{path.name}.damaged"))
    return False


class _FrameUnpickler(pickle.Unpickler):
    """Builds frames and nothing else: whoever may write a pickle could run code with another."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _FRAME_PARTS:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a table of predictions")
        return super().find_class(module, name)


def _unpickle(path: Path) -> Any:
    with path.open("rb") as file:
        return _FrameUnpickler(file).load()
