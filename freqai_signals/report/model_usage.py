"""The models that spoke in a backtest, from the model store."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from freqai_signals.model import artefact
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.report.data.backtest_record import Run
from freqai_signals.schema import MODEL_ID_COLUMN

_KEY_DIGITS: Final = 12
"""Hexadecimal digits of a model's key that its rows carry."""


def key_digits(model_id: float) -> str:
    """Leading digits of the key of the model that a row's ``model_id`` stands for."""
    return f"{int(model_id):0{_KEY_DIGITS}x}"


@dataclass
class RunModels:
    """Models by the leading digits of their key, read at most once.

    Attributes
    ----------
    folder
        Of the model store.
    """

    folder: Path
    _read: dict[str, SignalModel | None] = field(default_factory=dict)

    def find(self, digits: str) -> SignalModel | None:
        """The model, or None if it is no longer there or its file is damaged."""
        if digits not in self._read:
            self._read[digits] = self._load(digits)
        return self._read[digits]

    def by_version(self, version: str) -> SignalModel | None:
        """One of those that were read, by the version on its card."""
        return next((m for m in self._read.values() if m and m.card.version == version), None)

    def of(self, run: Run) -> Iterator[SignalModel]:
        """Those of a backtest that are still there, each once."""
        frames = [frame for frame in run.frames.values() if len(frame)]
        spoke = {number for frame in frames for number in frame[MODEL_ID_COLUMN].unique()}
        for number in sorted(spoke):
            model = self.find(key_digits(number))
            if model is not None:
                yield model

    def _load(self, digits: str) -> SignalModel | None:
        for path in self.folder.glob(f"{digits}*.model"):
            try:
                return artefact.read(path)
            except (OSError, artefact.ArtefactError):
                continue
        return None


def group_table(run: Run, models: RunModels) -> pd.DataFrame:
    """How much the models of a backtest make of each feature group.

    Returns
    -------
    pandas.DataFrame
        A row per group, largest first: ``share``, of the total gain of a model's trees, mean over
        the models; ``least`` and ``most`` among them; and, where the choice of features was asked
        (``selection.enabled``), ``worth``: by how much the log loss of purged rows rose without the
        group's values (nats, mean). Empty if no model is at hand.
    """
    cards = [model.card for model in models.of(run) if model.card.groups]
    shares = pd.DataFrame([card.groups for card in cards]).fillna(0.0)
    if shares.empty:
        return pd.DataFrame()
    table = pd.DataFrame({"share": shares.mean(), "least": shares.min(), "most": shares.max()})
    worth = pd.DataFrame([card.selection.get("groups", {}) for card in cards])
    if not worth.empty and worth.columns.size:
        table["worth"] = worth.mean().reindex(table.index).astype(np.float64)
    return table.sort_values("share", ascending=False, kind="stable")
