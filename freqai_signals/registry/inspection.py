"""Verify, compare and export versions."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freqai_signals.files import write_atomically
from freqai_signals.metrics import candle_means, log_losses, mean_test
from freqai_signals.model import artefact, foreign
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.registry.registry import Registry
from freqai_signals.registry.versions import RegistryError
from freqai_signals.settings import timeframe_seconds


def verify(registry: Registry) -> list[dict[str, str]]:
    """Read every version: ``scope``, ``version`` and ``problem``, empty if it is intact."""
    found = []
    for scope in registry.scopes():
        for version in scope.versions:
            problem = ""
            try:
                registry.load(scope.name, version.version)
            except RegistryError as error:
                problem = str(error)
            found.append({"scope": scope.name, "version": version.version, "problem": problem})
    # ``scopes`` leaves out a folder whose pointer is damaged; its model files give it away.
    readable = {registry.path(scope.name) for scope in registry.scopes()}
    for folder in sorted(path for path in registry.folder.glob("*") if path.is_dir()):
        if folder not in readable and any(folder.glob("*.json")):
            found.append({"scope": folder.name, "version": "", "problem": "damaged pointer"})
    return found


def compare(registry: Registry, name: str, first: str, second: str) -> dict[str, Any]:
    """How two versions of a scope differ.

    Their purged tails are compared where they overlap, early-stopped boosters against early-stopped
    boosters, so neither is judged on rows it was trained on.

    Returns
    -------
    dict
        ``metrics`` and ``settings`` hold pairs of values where they differ; ``excess`` is the mean
        log loss of ``second`` minus that of ``first`` (nats) on ``common_rows``, with its
        ``standard_error``.
    """
    one, two = (registry.load(name, version) for version in (first, second))
    cards = [model.card for model in (one, two)]
    validation = [dict(card.metrics.get("validation", {})) for card in cards]
    return {
        "first": cards[0].version,
        "second": cards[1].version,
        "metrics": _differences(validation[0], validation[1]),
        "settings": _differences(_flat(cards[0].settings), _flat(cards[1].settings)),
        "features_changed": cards[0].features_digest != cards[1].features_digest,
        **_common(one, two),
    }


def export(registry: Registry, name: str, version: str, folder: Path) -> Path:
    """Write a version as plain files: LightGBM text, JSON, NumPy arrays. Returns their folder.

    The folder lies in ``folder``, and the files in it: the registry loads no version, and no member
    of a model file, whose name leads elsewhere.

    Raises
    ------
    RegistryError
        If the version is damaged or the files cannot be written.
    """
    model = registry.load(name, version)
    target = folder / model.card.version
    try:
        target.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(io.BytesIO(artefact.to_bytes(model))) as archive:
            for member in archive.namelist():
                write_atomically(target / member, archive.read(member))
    except OSError as error:
        raise RegistryError(f"{target} cannot be written: {error}") from error
    return target


def verify_path(path: Path) -> list[dict[str, str]]:
    """The same of a model file, or of the folder of an export, wherever it comes from."""
    try:
        data = _archived(path) if path.is_dir() else path.read_bytes()
        version, problem = foreign.checked(data, str(path)).card.version, ""
    except (OSError, artefact.ArtefactError) as error:
        version, problem = "", str(error)
    return [{"scope": str(path), "version": version, "problem": problem}]


def _archived(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.writestr(path.name, path.read_bytes())
    return buffer.getvalue()


def _common(one: SignalModel, two: SignalModel) -> dict[str, float]:
    # By name: a pair has another index in another pool.
    keys = [dict(zip(_keys(model), range(len(model.holdout)), strict=True)) for model in (one, two)]
    shared = [key for key in keys[0] if key in keys[1]]
    if not shared:
        return {"common_rows": 0.0}
    rows = [np.array([row_of[key] for key in shared]) for row_of in keys]
    losses = [
        # Both are judged on the first one's outcomes, even where the second was trained on other
        # labels.
        log_losses(one.holdout.label[rows[0]], model.holdout.probabilities[chosen].astype(float))
        for model, chosen in zip((one, two), rows, strict=True)
    ]
    start = one.holdout.start[rows[0]]
    days = _span_days(start, one)
    test = mean_test(candle_means(start, losses[1] - losses[0]), days)
    return {
        "common_rows": float(len(shared)),
        "excess": test.mean,
        "standard_error": test.standard_error,
    }


def _span_days(start: NDArray[np.int64], model: SignalModel) -> float:
    seconds = timeframe_seconds(str(model.card.settings["timeframe"]))
    return float(np.ptp(start) + 1) * seconds / 86400


def _keys(model: SignalModel) -> list[tuple[int, str]]:
    held = model.holdout
    return [
        (start, model.card.pairs[pair])
        for start, pair in zip(held.start.tolist(), held.pair.tolist(), strict=True)
    ]


def _flat(values: Any, above: str = "") -> dict[str, Any]:
    if not isinstance(values, dict):
        return {above: values}
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{above}.{key}" if above else str(key))
    return flat


def _differences(first: dict[str, Any], second: dict[str, Any]) -> dict[str, list[Any]]:
    return {
        name: [first.get(name), second.get(name)]
        for name in sorted(first.keys() | second.keys())
        if first.get(name) != second.get(name)
    }
