"""Model files: one archive of text and arrays, no pickle, bit-identical predictions.

The file is a zip archive: ``card.json``, one LightGBM text per booster, ``arrays.npz`` (NumPy,
pickle switched off) and ``manifest.json`` with the SHA-256 of every other member. Reading checks
them all before anything is built.
"""

import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from freqai_signals.dataset.holdout import Holdout
from freqai_signals.drift import training_reference
from freqai_signals.files import write_atomically
from freqai_signals.model import booster
from freqai_signals.model.calibration import Calibrator, DirectionHistory
from freqai_signals.model.card import ModelCard
from freqai_signals.model.ensemble import Head
from freqai_signals.model.reference import ClassReturns, MarginReference, NoveltyReference
from freqai_signals.model.signal_model import Fit, SignalModel
from freqai_signals.settings import ModelKind

FORMAT: Final = 5
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_HOLDOUT: Final = tuple(item.name for item in fields(Holdout))


# What zipfile, zlib, struct and json raise for damaged files.
_UNREADABLE: Final = (
    *(zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError),
    *(KeyError, TypeError, ValueError, EOFError, OSError, OverflowError),
)


class ArtefactError(ValueError):
    """A model file is missing a part, damaged, or of another format; the message names it."""


def to_bytes(model: SignalModel) -> bytes:
    """The model as the bytes of one file; the same model gives the same bytes."""
    members = {
        "card.json": model.card.to_json().encode(),
        "model.json": json.dumps(_description(model), sort_keys=True).encode(),
        "arrays.npz": _pack(_arrays(model)),
        **(_texts(model.fit.heads) if model.fit else {}),
    }
    manifest = {"format": FORMAT, "sha256": {name: _sha(data) for name, data in members.items()}}
    members["manifest.json"] = json.dumps(manifest, sort_keys=True).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, data in sorted(members.items()):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def from_bytes(data: bytes, name: str = "model") -> SignalModel:
    """Read what :func:`to_bytes` wrote.

    Parameters
    ----------
    data
        Contents of a model file.
    name
        Its name in error messages.

    Raises
    ------
    ArtefactError
        If a part is missing or differs from its checksum.
    """
    try:
        members = _members(data)
        manifest = json.loads(members["manifest.json"])
        if manifest["format"] != FORMAT:
            raise ArtefactError(
                f"{name}: model file format {manifest['format']}, this version reads {FORMAT}; "
                "train again or use the version that wrote it"
            )
        for member, expected in manifest["sha256"].items():
            if _sha(members[member]) != expected:
                raise ArtefactError(f"{name}: {member} does not match its checksum")
        return _build(members)
    except ArtefactError:
        raise
    except _UNREADABLE as e:
        raise ArtefactError(f"{name}: not a readable model file ({type(e).__name__}: {e})") from e


def write(model: SignalModel, path: Path) -> None:
    """Store a model atomically: a reader sees either the complete file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, to_bytes(model))


def read(path: Path) -> SignalModel:
    """Load a model file.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ArtefactError
        If it is damaged.
    """
    return from_bytes(path.read_bytes(), str(path))


def _description(model: SignalModel) -> dict[str, Any]:
    fit = model.fit
    return {
        "names": list(model.names),
        "trained_until": model.trained_until,
        "heads": [[head.kind, len(head.boosters)] for head in fit.heads] if fit else [],
        "calibration": [fit.calibrator.method, fit.calibrator.values] if fit else [],
        "places": [fit.novelty.usual, fit.novelty.limit] if fit else [],
    }


def _arrays(model: SignalModel) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {
        "history_event_end": model.history.event_end,
        "history_log_odds": model.history.log_odds,
        "history_bought": model.history.bought,
        **{f"holdout_{name}": getattr(model.holdout, name) for name in _HOLDOUT},
        **training_reference.to_arrays(model.drift),
    }
    if model.fit:
        arrays |= {
            "margins": model.fit.margins.quantiles,
            "centre": model.fit.novelty.centre,
            "half_width": model.fit.novelty.half_width,
            "return_mean": model.fit.class_returns.mean,
            "return_square": model.fit.class_returns.square,
            "return_count": model.fit.class_returns.count,
            "prior": model.fit.prior,
        }
    return arrays


def _texts(heads: Sequence[Head]) -> dict[str, bytes]:
    """LightGBM's text of every booster by file name."""
    return {
        _booster_name(i, j): booster.to_text(fitted).encode()
        for i, head in enumerate(heads)
        for j, fitted in enumerate(head.boosters)
    }


def _booster_name(head: int, place: int) -> str:
    return f"booster_{head}_{place}.txt"


def _build_heads(
    described: Sequence[tuple[ModelKind, int]], members: Mapping[str, bytes]
) -> tuple[Head, ...]:
    return tuple(
        Head(
            kind,
            tuple(
                booster.from_text(members[_booster_name(i, j)].decode()) for j in range(boosters)
            ),
        )
        for i, (kind, boosters) in enumerate(described)
    )


def _build(members: Mapping[str, bytes]) -> SignalModel:
    description = json.loads(members["model.json"])
    with np.load(io.BytesIO(members["arrays.npz"]), allow_pickle=False) as loaded:
        arrays = {name: loaded[name] for name in loaded.files}
    history = DirectionHistory(
        arrays["history_event_end"], arrays["history_log_odds"], arrays["history_bought"]
    )
    card = ModelCard.from_json(members["card.json"].decode())
    fit = _build_fit(description, arrays, members) if description["heads"] else None
    names = tuple(description["names"])
    holdout = Holdout(**{name: arrays[f"holdout_{name}"] for name in _HOLDOUT})
    drift = training_reference.from_arrays(arrays)
    return SignalModel(card, names, history, fit, description["trained_until"], holdout, drift)


def _build_fit(
    description: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], members: Mapping[str, bytes]
) -> Fit:
    method, values = description["calibration"]
    usual, limit = description["places"]
    return Fit(
        heads=_build_heads(description["heads"], members),
        calibrator=Calibrator(method, tuple(tuple(row) for row in values)),
        margins=MarginReference(arrays["margins"]),
        novelty=NoveltyReference(arrays["centre"], arrays["half_width"], usual, limit),
        class_returns=ClassReturns(
            arrays["return_mean"], arrays["return_square"], arrays["return_count"]
        ),
        prior=arrays["prior"],
    )


def _pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
