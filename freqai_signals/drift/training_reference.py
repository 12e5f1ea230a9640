"""Reference of the drift monitors: a model's features, predictions, labels and losses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from freqai_signals.dataset.holdout import Holdout
from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.drift.distributions import DistributionReference, distribution_reference
from freqai_signals.drift.page_hinkley import PageHinkley
from freqai_signals.metrics import log_losses, margins
from freqai_signals.schema import LABEL_COLUMN, PROBA_COLUMNS
from freqai_signals.settings import SignalSettings

WINDOW_DAYS: Final = 3
"""Days of live data that are compared with the reference."""

MOST_FEATURES: Final = 24
_FEWEST_BLOCKS: Final = 12
_LABEL_EDGES: Final = np.array([[0.5, 1.5]], dtype=np.float32)


@dataclass(frozen=True)
class LossReference:
    """A model's log loss minus the prior's on purged rows, in blocks of candles.

    Attributes
    ----------
    mean, spread
        Of the block means, nats.
    block_candles
        Length of a block.
    limit
        Page-Hinkley statistic that counts as drift; half of it is a warning.
    """

    mean: float
    spread: float
    block_candles: int
    limit: float


@dataclass(frozen=True)
class DriftReference:
    """References of all monitors; None where the training window was too short for one."""

    features: DistributionReference | None
    predictions: DistributionReference | None
    labels: DistributionReference | None
    losses: LossReference | None

    @property
    def unwatched(self) -> tuple[str, ...]:
        """Names of the parts that cannot be monitored."""
        return tuple(part.name for part in fields(self) if getattr(self, part.name) is None)


def loss_reference(holdout: Holdout, block_candles: int) -> LossReference | None:
    """Mean and spread of block means of losses; None with fewer than a dozen blocks."""
    loss = log_losses(holdout.label, holdout.probabilities.astype(np.float64))
    prior = np.broadcast_to(holdout.prior, (len(holdout), 3))
    excess = loss - log_losses(holdout.label, prior)
    by_pair = [
        block_means(holdout.start[mine], excess[mine], block_candles)
        for mine in (holdout.pair == pair for pair in np.unique(holdout.pair))
    ]
    means = np.concatenate([np.empty(0), *by_pair])
    if len(means) < _FEWEST_BLOCKS:
        return None
    mean, spread = float(means.mean()), max(float(means.std()), 1e-6)
    highest = 0.0
    for series in by_pair:
        test = PageHinkley(limit=np.inf)
        for value in series:
            test.update((float(value) - mean) / spread)
            highest = max(highest, test.statistic)
    return LossReference(mean, spread, block_candles, max(12.0, 1.5 * highest))


def block_means(
    start: NDArray[np.int64], values: NDArray[np.float64], block: int
) -> NDArray[np.float64]:
    """Means over blocks of candles, oldest first; empty blocks are left out."""
    _, group = np.unique(start // block, return_inverse=True)
    return np.asarray(np.bincount(group, weights=values) / np.bincount(group))


def drift_reference(
    rows: TrainingRows, held: Holdout, monitored: Sequence[str], settings: SignalSettings
) -> DriftReference | None:
    """Learn the references of all monitors; None without a purged tail.

    Parameters
    ----------
    rows
        All rows of the training window.
    held
        The model's probabilities and outcomes on its purged tail.
    monitored
        Features to monitor, for example those with most gain.
    settings
        Candle length, row step, label horizon.
    """
    if not len(held):
        return None
    window = (WINDOW_DAYS * settings.candles_per_day, settings.model.row_step)
    columns = [rows.names.index(name) for name in monitored]
    all_rows, tail_rows = (rows.start, rows.pair), (held.start, held.pair)
    outputs = prediction_columns(held.probabilities)
    label = rows.label[:, None].astype(np.float32)
    features = distribution_reference(tuple(monitored), rows.features[:, columns], all_rows, window)
    predictions = distribution_reference((*PROBA_COLUMNS, "margin"), outputs, tail_rows, window)
    labels = distribution_reference((LABEL_COLUMN,), label, all_rows, window, _LABEL_EDGES)
    losses = loss_reference(
        held, max(settings.label_horizon_candles, settings.candles_per_day // 4)
    )
    return DriftReference(
        features,
        predictions.of_bounded() if predictions is not None else None,
        labels.of_bounded() if labels is not None else None,
        losses,
    )


def prediction_columns(probabilities: NDArray[Any]) -> NDArray[np.float32]:
    """Monitored columns of predictions: three probabilities and the margin, shape ``(n, 4)``."""
    return np.column_stack([probabilities, margins(probabilities)]).astype(np.float32)


def to_arrays(reference: DriftReference | None) -> dict[str, NDArray[Any]]:
    """All numbers and names as arrays, for a file without pickle."""
    if reference is None:
        return {}
    return {
        f"drift_{part.name}_{item.name}": np.asarray(getattr(learnt, item.name))
        for part in fields(reference)
        for learnt in (getattr(reference, part.name),)
        if learnt is not None
        for item in fields(learnt)
    }


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> DriftReference | None:
    """Read the arrays of :func:`to_arrays`; None if there are none."""
    kinds: dict[str, Any] = dict.fromkeys(
        ("features", "predictions", "labels"), DistributionReference
    )
    parts: dict[str, Any] = {
        part: _part(arrays, f"drift_{part}_", kind)
        for part, kind in (kinds | {"losses": LossReference}).items()
    }
    return DriftReference(**parts) if any(parts.values()) else None


def _part(arrays: Mapping[str, NDArray[Any]], prefix: str, kind: Any) -> Any:
    names = [item.name for item in fields(kind)]
    # Models of earlier versions lack some: that part is not monitored.
    if not all(f"{prefix}{name}" in arrays for name in names):
        return None
    return kind(**{name: _plain(arrays[f"{prefix}{name}"], name) for name in names})


def _plain(array: NDArray[Any], name: str) -> Any:
    if name == "names":
        return tuple(array.tolist())
    return array.item() if array.ndim == 0 else array
