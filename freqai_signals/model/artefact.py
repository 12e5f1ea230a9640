"""Model files: one archive of text and arrays, no pickle, bit-identical predictions.

The file is a zip archive: ``card.json``, one LightGBM text per booster, ``arrays.npz`` (NumPy,
pickle switched off) and ``manifest.json`` with the SHA-256 of every other member. Reading checks
them all before anything is built.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from freqai_signals.dataset.holdout import Holdout
from freqai_signals.drift import training_reference
from freqai_signals.model import archive, booster
from freqai_signals.model.calibration import Calibrator
from freqai_signals.model.card import ModelCard
from freqai_signals.model.direction import DirectionHistory
from freqai_signals.model.ensemble import Head
from freqai_signals.model.reference import MarginReference, NoveltyReference
from freqai_signals.model.signal_model import Fit, SignalModel
from freqai_signals.model.trade_value import TradeHistory, TradeValue
from freqai_signals.settings import ModelKind

FORMAT: Final = 6
_HOLDOUT: Final = tuple(item.name for item in fields(Holdout))


class ArtefactError(ValueError):
    """A model file is missing a part, damaged, or of another format; the message names it."""


class ForeignArtefactError(ArtefactError):
    """A model file that this installation has not signed; it may be whole all the same."""


def to_bytes(model: SignalModel, key: bytes | None = None) -> bytes:
    """The model as the bytes of one file; the same model and key give the same bytes.

    Parameters
    ----------
    model
        Any, abstaining ones too.
    key
        Signs the file, so that :func:`from_bytes` can tell that it was written here.
    """
    members = {
        "card.json": model.card.to_json().encode(),
        "model.json": json.dumps(_description(model), sort_keys=True).encode(),
        archive.ARRAYS: archive.pack_arrays(_arrays(model)),
        **(_texts(model.fit.heads) if model.fit else {}),
    }
    return archive.pack(members, FORMAT, key)


def from_bytes(data: bytes, name: str = "model", key: bytes | None = None) -> SignalModel:
    """Read what :func:`to_bytes` wrote.

    LightGBM may hang on, or end the process with, a text made for that; checksums do not show it.
    Give a ``key``, or let :mod:`~freqai_signals.model.foreign` look at files from elsewhere first.

    Parameters
    ----------
    data
        Contents of a model file.
    name
        Its name in error messages.
    key
        If given, the file must be signed with it.

    Raises
    ------
    ForeignArtefactError
        If it is not signed with the key; nothing of it was built then.
    ArtefactError
        If anything is missing, unknown, larger than it may be, or differs from its checksum.
    """
    try:
        return _build(archive.unpack(data, FORMAT, key))
    except archive.ForeignError as e:
        raise ForeignArtefactError(f"{name}: {e}") from e
    except archive.ArchiveError as e:
        raise ArtefactError(f"{name}: {e}") from e
    # A file made for it can have zipfile, json, NumPy or LightGBM raise nearly anything.
    except Exception as e:
        raise ArtefactError(f"{name}: not a readable model file ({type(e).__name__}: {e})") from e


def booster_to_bytes(text: str, name: str, key: bytes | None = None) -> bytes:
    """A booster's text as the bytes of a file that knows its name, signed with ``key`` if given."""
    described = json.dumps({"booster": name}).encode()
    return archive.pack({_booster_name(0, 0): text.encode(), "model.json": described}, FORMAT, key)


def booster_from_bytes(data: bytes, name: str, key: bytes | None = None) -> booster.Fitted:
    """Read what :func:`booster_to_bytes` wrote.

    Raises
    ------
    ArtefactError
        If it is damaged, not signed with the key, or has another name.
    """
    try:
        members = archive.unpack(data, FORMAT, key)
        if json.loads(members["model.json"])["booster"] != name:
            raise archive.ArchiveError("holds another booster")
        return booster.from_text(members[_booster_name(0, 0)].decode())
    except Exception as e:
        raise ArtefactError(f"not a readable booster ({type(e).__name__}: {e})") from e


def read(path: Path, key: bytes | None = None) -> SignalModel:
    """Load a model file.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ArtefactError
        If it is damaged, or not signed with the key that was given.
    """
    return from_bytes(path.read_bytes(), str(path), key)


def _description(model: SignalModel) -> dict[str, Any]:
    fit = model.fit
    return {
        "names": list(model.names),
        "trained_until": model.trained_until,
        "heads": [[head.kind, len(head.boosters)] for head in fit.heads] if fit else [],
        "calibration": [fit.calibrator.method, fit.calibrator.values] if fit else [],
        "places": [fit.novelty.usual, fit.novelty.limit] if fit else [],
        "value": list(astuple(fit.value)) if fit else [],
        "spreads": dict(fit.spreads) if fit else {},
    }


def _arrays(model: SignalModel) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {
        "history_event_end": model.history.event_end,
        "history_log_odds": model.history.log_odds,
        "history_bought": model.history.bought,
        **{f"trades_{name}": values for name, values in model.trades.arrays().items()},
        **{f"holdout_{name}": getattr(model.holdout, name) for name in _HOLDOUT},
        **training_reference.to_arrays(model.drift),
    }
    if model.fit:
        arrays |= {
            "margins": model.fit.margins.quantiles,
            "centre": model.fit.novelty.centre,
            "half_width": model.fit.novelty.half_width,
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
    arrays = archive.unpack_arrays(members[archive.ARRAYS])
    history = DirectionHistory(
        arrays["history_event_end"], arrays["history_log_odds"], arrays["history_bought"]
    )
    card = ModelCard.from_json(members["card.json"].decode())
    fit = _build_fit(description, arrays, members) if description["heads"] else None
    names = tuple(description["names"])
    holdout = Holdout(**{name: arrays[f"holdout_{name}"] for name in _HOLDOUT})
    drift = training_reference.from_arrays(arrays)
    trades = TradeHistory(*(arrays[f"trades_{item.name}"] for item in fields(TradeHistory)))
    until = int(description["trained_until"])
    return SignalModel(card, names, history, fit, until, holdout, drift, trades)


def _build_fit(
    description: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], members: Mapping[str, bytes]
) -> Fit:
    method, values = description["calibration"]
    usual, limit = map(float, description["places"])
    return Fit(
        heads=_build_heads(description["heads"], members),
        calibrator=Calibrator(method, tuple(tuple(row) for row in values)),
        margins=MarginReference(arrays["margins"]),
        novelty=NoveltyReference(arrays["centre"], arrays["half_width"], usual, limit),
        prior=arrays["prior"],
        value=TradeValue(*description["value"]),
        spreads={str(pair): float(value) for pair, value in description["spreads"].items()},
    )
