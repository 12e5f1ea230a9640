"""The models used in a backtest, read from the model store."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from freqai_signals.drift.distributions import DistributionReference
from freqai_signals.model import artefact
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.report.data.feature_shift import References
from freqai_signals.schema import MODEL_ID_COLUMN

if TYPE_CHECKING:
    from freqai_signals.report.data.backtest_record import Run

_KEY_DIGITS: Final = 12
"""Hexadecimal digits of a model's key that are stored with its rows."""


def key_digits(model_id: float) -> str:
    """Leading digits of the model's key, from a row's ``model_id``."""
    return f"{int(model_id):0{_KEY_DIGITS}x}"


def trained_on(folder: Path, key: bytes | None) -> References:
    """Asks the stored model of an id for the distributions of features that it was trained on."""

    @cache
    def reference_of(model_id: float) -> DistributionReference | None:
        # Read for this alone: all models of a long backtest would fill the memory.
        model = RunModels(folder, key).find(key_digits(model_id))
        return model.drift.features if model is not None and model.drift is not None else None

    return reference_of


@dataclass
class RunModels:
    """Models by the leading digits of their key, read at most once.

    Attributes
    ----------
    folder
        Of the model store.
    key
        A file that is not signed with it is not read; None reads whatever is complete.
    """

    folder: Path
    key: bytes | None = field(default=None, repr=False)
    _read: dict[str, SignalModel | None] = field(default_factory=dict)

    def find(self, digits: str) -> SignalModel | None:
        """The model, or None if it is no longer stored or its file is damaged."""
        if digits not in self._read:
            self._read[digits] = self._load(digits)
        return self._read[digits]

    def by_version(self, version: str) -> SignalModel | None:
        """One of those that were read, by the version on its card."""
        return next((m for m in self._read.values() if m and m.card.version == version), None)

    def of(self, run: "Run") -> Iterator[SignalModel]:
        """The models of a backtest that are still stored, each once."""
        frames = [frame for frame in run.frames.values() if len(frame)]
        used = {model_id for frame in frames for model_id in frame[MODEL_ID_COLUMN].unique()}
        for model_id in sorted(used):
            model = self.find(key_digits(model_id))
            if model is not None:
                yield model

    def _load(self, digits: str) -> SignalModel | None:
        for path in self.folder.glob(f"{digits}*.model"):
            try:
                return artefact.read(path, self.key)
            except (OSError, artefact.ArtefactError):
                continue
        return None
