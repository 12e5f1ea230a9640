"""Out-of-sample quality of probabilities and signals, with block-bootstrap errors.

Pure functions of :class:`Outcomes`. Outcomes of neighbouring candles overlap and volatility stays
for days, so standard errors resample blocks of days: all candles of a block, of all pairs, are
drawn together.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from freqai_signals import metrics
from freqai_signals.schema import SignalClass

BLOCK_DAYS: Final = 5
DRAWS: Final = 500
FEWEST_BLOCKS: Final = 5
"""With fewer blocks that hold rows an error would be too small; it is unknown."""

SHARES: Final = (0.10, 0.03, 0.01)
TIERS: Final = ("weak", "medium", "strong")

_MANY_CANDLES: Final = 10**9
"""More than there are candle numbers: a pair and a candle are one number."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Outcomes:
    """Trusted predictions of candles whose outcome is known, one row each.

    Attributes
    ----------
    pair
        Shape ``(n,)``, index of the pair.
    candle
        Shape ``(n,)``, candle number.
    day
        Shape ``(n,)``, days since 1970.
    label
        Shape ``(n,)``, what happened.
    realised
        Shape ``(n,)``, gross return of the label's event, a fraction.
    probabilities, prior
        Shape ``(n, 3)``, the model's and the class prior of its training window.
    confidence
        Shape ``(n,)``, in [0, 1].
    """

    pair: NDArray[np.int64]
    candle: NDArray[np.int64]
    day: NDArray[np.int64]
    label: NDArray[np.int8]
    realised: Floats
    probabilities: Floats
    prior: Floats
    confidence: Floats

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: NDArray[Any]) -> "Outcomes":
        """Some of the rows, by mask or position."""
        return Outcomes(*(getattr(self, item.name)[rows] for item in fields(self)))

    @classmethod
    def join(cls, parts: list["Outcomes"]) -> "Outcomes":
        """All rows of all parts."""
        names = [item.name for item in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    @property
    def side(self) -> NDArray[np.int64]:
        """+1 where buy is likelier than sell, else -1."""
        buys = self.probabilities[:, SignalClass.BUY] > self.probabilities[:, SignalClass.SELL]
        return np.where(buys, 1, -1)

    @property
    def margin(self) -> Floats:
        """Absolute difference of buy and sell probability."""
        sides = self.probabilities[:, SignalClass.BUY] - self.probabilities[:, SignalClass.SELL]
        return np.abs(sides)


@dataclass(frozen=True)
class Estimate:
    """A number and its standard error; NaN where there is nothing, or too little, to estimate."""

    value: float
    error: float

    def text(self, scale: float = 1.0, digits: int = 4) -> str:
        """Value and error as shown in tables."""
        if not np.isfinite(self.value):
            return "-"
        value = f"{self.value * scale:.{digits}f}"
        if not np.isfinite(self.error):
            return f"{value} ± unknown"
        return f"{value} ± {self.error * scale:.{digits}f}"


def ratio(above: Floats, below: Floats, day: NDArray[np.int64]) -> Estimate:
    """Sum of ``above`` over sum of ``below`` with the error of resampled blocks of days.

    Parameters
    ----------
    above, below
        Shape ``(n,)``, per row.
    day
        Shape ``(n,)``, day of each row; equal ``day // BLOCK_DAYS`` are drawn together. The error
        is NaN where fewer than :data:`FEWEST_BLOCKS` hold rows.

    Examples
    --------
    >>> ratio(np.ones(6), np.full(6, 2.0), np.arange(6) * 5)
    Estimate(value=0.5, error=0.0)
    >>> ratio(np.ones(2), np.full(2, 2.0), np.array([0, 5]))
    Estimate(value=0.5, error=nan)
    """
    if not len(above) or below.sum() == 0:
        return Estimate(float("nan"), float("nan"))
    _, block = np.unique(day // BLOCK_DAYS, return_inverse=True)
    sums = np.column_stack([np.bincount(block, weights=above), np.bincount(block, weights=below)])
    count = len(sums)
    value = float(sums[:, 0].sum() / sums[:, 1].sum())
    if (sums[:, 1] != 0).sum() < FEWEST_BLOCKS:
        return Estimate(value, float("nan"))
    draws = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), DRAWS) @ sums
    kept = draws[draws[:, 1] != 0]
    return Estimate(value, float(np.std(kept[:, 0] / kept[:, 1])))


def log_loss_skill(rows: Outcomes) -> Estimate:
    """1 - log loss / log loss of the training window's class prior."""
    ours = metrics.log_losses(rows.label, rows.probabilities)
    base = metrics.log_losses(rows.label, rows.prior)
    return ratio(base - ours, base, rows.day)


def advantage(rows: Outcomes, other: Outcomes) -> Estimate:
    """Skill that ``rows`` have more than ``other``, paired: the same candles, the same prior.

    The error is that of the difference, which is far smaller than that of either skill, because
    hard days are hard for both.
    """
    base = metrics.log_losses(rows.label, rows.prior)
    losses = [metrics.log_losses(part.label, part.probabilities) for part in (rows, other)]
    return ratio(losses[1] - losses[0], base, rows.day)


def on_common_rows(parts: Mapping[str, Outcomes]) -> dict[str, Outcomes]:
    """Of each variant the candles that all of them predicted, in one order.

    Variants whose labels differ there (another target) keep no place in the comparison, so only
    those with the labels of the first are returned.
    """
    keys = {name: rows.pair * _MANY_CANDLES + rows.candle for name, rows in parts.items()}
    common = functools.reduce(np.intersect1d, keys.values())
    found = {
        name: rows.take(np.intersect1d(keys[name], common, return_indices=True)[1])
        for name, rows in parts.items()
    }
    label = next(iter(found.values())).label
    return {name: rows for name, rows in found.items() if np.array_equal(rows.label, label)}


def brier_skill(rows: Outcomes) -> Estimate:
    """1 - Brier score / Brier score of the training window's class prior."""
    happened = np.eye(3)[rows.label.astype(np.intp)]
    ours = np.square(rows.probabilities - happened).sum(axis=1)
    base = np.square(rows.prior - happened).sum(axis=1)
    return ratio(base - ours, base, rows.day)


def direction_part(rows: Outcomes) -> Estimate:
    """Share of the prior's log loss that buy against sell, given a move, has saved."""
    moved = rows.label != SignalClass.HOLD
    saved = np.where(
        moved, _side_loss(rows.label, rows.prior) - _side_loss(rows.label, rows.probabilities), 0.0
    )
    return ratio(saved, metrics.log_losses(rows.label, rows.prior), rows.day)


def _side_loss(label: NDArray[np.int8], probabilities: Floats) -> Floats:
    """Minus log of P(side | move) given to the side that happened; of buy where nothing moved."""
    sides = np.maximum(probabilities[:, [SignalClass.SELL, SignalClass.BUY]], 1e-15)
    happened = np.where(label == SignalClass.SELL, sides[:, 0], sides[:, 1])
    return np.asarray(-np.log(happened / sides.sum(axis=1)))


def expectation(rows: Outcomes, share: float, cost: float) -> Estimate:
    """Mean return after costs of taking the likelier side in the rows with the largest margin.

    Parameters
    ----------
    rows
        All rows that could have been acted on.
    share
        Fraction of them that is.
    cost
        Of entering and leaving, a fraction.
    """
    count = max(round(share * len(rows)), 1)
    chosen = rows.take(np.argsort(-rows.margin, kind="stable")[:count])
    return ratio(chosen.side * chosen.realised - cost, np.ones(len(chosen)), chosen.day)


def tier_precision(
    rows: Outcomes, thresholds: tuple[float, float, float], acted: bool = True
) -> dict[str, dict[str, Any]]:
    """Precision of the likelier side in each tier of confidence.

    ``class_right`` counts holds as wrong, ``direction_right`` looks only at rows that moved;
    ``stated`` is what the probabilities promised for the latter, with ``rows`` and ``moved``
    the numbers behind the two. With ``acted`` only rows whose predicted class is buy or sell count,
    which is what the strategy acts on.
    """
    limits = (*thresholds, np.inf)
    out = {}
    for name, low, high in zip(TIERS, limits[:-1], limits[1:], strict=True):
        inside = (rows.confidence >= low) & (rows.confidence < high)
        if acted:
            inside &= rows.probabilities.argmax(axis=1) != SignalClass.HOLD
        out[name] = precision(rows.take(inside))
    return out


def precision(rows: Outcomes) -> dict[str, Any]:
    """Precision of the likelier side in the given rows; see :func:`tier_precision`."""
    right = (rows.label.astype(np.int64) - 1) == rows.side
    moved = rows.label != SignalClass.HOLD
    sides = rows.probabilities[:, [SignalClass.SELL, SignalClass.BUY]]
    stated = sides.max(axis=1) / np.maximum(sides.sum(axis=1), 1e-15)
    ones = np.ones(len(rows))
    return {
        "rows": len(rows),
        "moved": int(moved.sum()),
        "class_right": ratio(right * 1.0, ones, rows.day),
        "class_stated": float(sides.max(axis=1).mean()) if len(rows) else float("nan"),
        "direction_right": ratio((right & moved) * 1.0, moved * 1.0, rows.day),
        "stated": float(stated[moved].mean()) if moved.any() else float("nan"),
    }


def most_confident(rows: Outcomes, share: float = 0.02) -> dict[str, Any]:
    """Precision of the ``share`` of rows with the highest confidence, the larger margin first."""
    count = max(round(share * len(rows)), 1)
    return precision(rows.take(np.lexsort((-rows.margin, -rows.confidence))[:count]))


def measure_all(
    rows: Outcomes, thresholds: tuple[float, float, float], cost: float
) -> dict[str, Any]:
    """Every number of the benchmark for one set of rows."""
    return {
        "rows": len(rows),
        "skill": log_loss_skill(rows),
        "brier_skill": brier_skill(rows),
        "ece": metrics.expected_calibration_error(rows.label, rows.probabilities),
        "direction_part": direction_part(rows),
        "direction_auc": metrics.direction_auc(rows.label, rows.probabilities),
        "move_auc": metrics.move_auc(rows.label, rows.probabilities),
        "expectation": {f"{share:.0%}": expectation(rows, share, cost) for share in SHARES},
        "tiers": tier_precision(rows, thresholds),
        "top_2_percent": most_confident(rows),
    }
