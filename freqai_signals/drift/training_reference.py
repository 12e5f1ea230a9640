"""References of the drift monitors: distributions and live quality of a model's training window."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from freqai_signals.dataset.holdout import Holdout
from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.drift.distributions import DistributionReference, distribution_reference
from freqai_signals.drift.quality_reference import (
    QualityReference,
    candle_values,
    quality_reference,
)
from freqai_signals.schema import LABEL_COLUMN
from freqai_signals.settings import SignalSettings

WINDOW_DAYS: Final = 3
"""Days of live data that are compared with the reference."""

MONITORS: Final = ("features", "labels")
MAX_FEATURES: Final = 24
_LABEL_EDGES: Final = np.array([[0.5, 1.5]], dtype=np.float32)


@dataclass(frozen=True)
class DriftReference:
    """References of all monitors, and of the test of live quality; None with too few days."""

    features: DistributionReference | None
    labels: DistributionReference | None
    quality: QualityReference | None

    @property
    def unmonitored(self) -> tuple[str, ...]:
        """Names of the monitors without a reference."""
        return tuple(name for name in MONITORS if getattr(self, name) is None)


def drift_reference(
    rows: TrainingRows, held: Holdout, monitored: Sequence[str], settings: SignalSettings
) -> DriftReference | None:
    """Estimate the references of all monitors; None without a hold-out.

    Parameters
    ----------
    rows
        All rows of the training window.
    held
        The model's probabilities and outcomes on its hold-out.
    monitored
        Features to monitor, for example those with the largest gain.
    settings
        Candle length, row step, label horizon.
    """
    if not len(held):
        return None
    window = (WINDOW_DAYS * settings.candles_per_day, settings.row_step)
    columns = [rows.names.index(name) for name in monitored]
    all_rows = (rows.start, rows.pair)
    label = rows.label[:, None].astype(np.float32)
    features = distribution_reference(tuple(monitored), rows.features[:, columns], all_rows, window)
    labels = distribution_reference((LABEL_COLUMN,), label, all_rows, window, _LABEL_EDGES)
    prior = np.broadcast_to(held.prior, (len(held), 3))
    proba = held.probabilities.astype(np.float64)
    moved = held.rows_of(rows).realised_return
    quality = quality_reference(
        candle_values(held.start, held.label, moved, proba, prior), settings.candles_per_day
    )
    return DriftReference(
        features,
        labels.without_level() if labels is not None else None,
        quality,
    )


def to_arrays(reference: DriftReference | None) -> dict[str, NDArray[Any]]:
    """All numbers and names as arrays, for a file without pickle."""
    if reference is None:
        return {}
    return {
        f"drift_{part.name}_{item.name}": np.asarray(getattr(estimated, item.name))
        for part in fields(reference)
        for estimated in (getattr(reference, part.name),)
        if estimated is not None
        for item in fields(estimated)
    }


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> DriftReference | None:
    """Read the arrays of :func:`to_arrays`; None if there are none."""
    kinds: dict[str, Any] = dict.fromkeys(MONITORS, DistributionReference)
    parts: dict[str, Any] = {
        part: _part(arrays, f"drift_{part}_", kind)
        for part, kind in (kinds | {"quality": QualityReference}).items()
    }
    return DriftReference(**parts) if any(parts.values()) else None


def _part(arrays: Mapping[str, NDArray[Any]], prefix: str, kind: Any) -> Any:
    names = [item.name for item in fields(kind)]
    # Files of earlier versions lack some arrays: that part is then not monitored.
    if not all(f"{prefix}{name}" in arrays for name in names):
        return None
    return kind(**{name: _plain(arrays[f"{prefix}{name}"], name) for name in names})


def _plain(array: NDArray[Any], name: str) -> Any:
    if name == "names":
        return tuple(array.tolist())
    return array.item() if array.ndim == 0 else array
