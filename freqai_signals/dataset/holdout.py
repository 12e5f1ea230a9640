"""Out-of-sample predictions of a model on the end of its training window."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.metrics import Probabilities, class_prior

MAX_ROWS: Final = 200_000


@dataclass(frozen=True)
class Holdout:
    """Predictions of the early-stopped boosters for the purged tail of a training window.

    They are the only out-of-sample evidence before a model goes live: the serving boosters are
    refitted on all rows of the window. The number of rounds and, unless the calibration is
    ``direction_shrink`` or ``none``, the calibrator were chosen on these rows; no tree was.

    Attributes
    ----------
    start
        Shape ``(n,)``, candle numbers, ascending.
    pair
        Shape ``(n,)``, index into the card's pairs.
    label
        Shape ``(n,)``, realised class.
    probabilities
        Shape ``(n, 3)``, calibrated, float32.
    prior
        Shape ``(3,)``, class shares of the rows before the tail; empty without rows.
    """

    start: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    pair: NDArray[np.int16] = field(default_factory=lambda: np.empty(0, np.int16))
    label: NDArray[np.int8] = field(default_factory=lambda: np.empty(0, np.int8))
    probabilities: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 3), np.float32))
    prior: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def __len__(self) -> int:
        return len(self.start)

    @classmethod
    def of(
        cls,
        past: TrainingRows,
        tail: TrainingRows,
        calibrated: Probabilities,
        max_rows: int = MAX_ROWS,
    ) -> "Holdout":
        """Keep the newest ``max_rows`` rows of a tail, with all rows of each candle or none."""
        # The oldest candle may be incomplete and is dropped.
        first = tail.start[-max_rows] + 1 if len(tail) > max_rows else tail.start[0]
        kept = tail.start >= first
        return cls(
            tail.start[kept],
            tail.pair[kept],
            tail.label[kept],
            calibrated[kept].astype(np.float32),
            class_prior(past.label),
        )

    def rows_of(self, rows: TrainingRows) -> TrainingRows:
        """Select the rows of a training window that this hold-out covers, in its order.

        Raises
        ------
        ValueError
            If the rows are not those of the model's training window.
        """
        found = rows.take(rows.start >= self.start[0]) if len(self) else rows.take(rows.start < 0)
        if not (np.array_equal(found.start, self.start) and np.array_equal(found.pair, self.pair)):
            raise ValueError(
                f"these rows do not match the model's hold-out of {len(self)} rows: found "
                f"{len(found)}; pass the rows of the request that trained the model"
            )
        return found
