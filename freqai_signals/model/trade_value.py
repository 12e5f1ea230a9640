r"""Expected return of the trade that the strategy would make, learned from past predictions.

A model's calibrated margin times the row's return scale, :math:`x = (p_b - p_s)\, s`, is what a
long gains on average if it ends at the label's barriers and nowhere else. The strategy's trade does
not end there. So what its trades returned is regressed on *x* over rows that earlier models
predicted and had not been trained on, with one slope for long and short together, and the slope is
shrunk by its own uncertainty.
"""

import hashlib
import math
from dataclasses import dataclass, field, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import t as student_t

from freqai_signals.metrics import Probabilities, block_slope
from freqai_signals.model.calibration import Calibrator
from freqai_signals.model.direction import direction_log_odds
from freqai_signals.schema import SignalClass

Floats = NDArray[np.float64]

SIGNIFICANCE: Final = 0.05
"""One-sided level at which a slope counts as above 0."""

FEWEST_BLOCKS: Final = 20
"""Blocks of time without which no slope is fitted: with fewer its error is not known either."""

_DECISIVE_SHARE: Final = 0.25
"""Share of rows, those with the largest predicted moves, on which the slope is fitted. Only these
can exceed a cost, and on real candles they do not behave as the others do."""

_MOST_SCALES: Final = 10.0
"""Returns beyond so many return scales count as this: a bad tick must not move a mean."""

_MOST_ROWS: Final = 150_000


@dataclass(frozen=True)
class TradeHistory:
    """Past out-of-sample predictions with what trades on them returned, passed from model to model.

    Attributes
    ----------
    event_end
        Shape ``(n,)``, candle numbers by whose close the trade's outcome was known at the latest.
    move, log_odds
        Shape ``(n,)``, raw probability of a move, raw log-odds of buy against sell.
    scale
        Shape ``(n,)``, return scales, fractions.
    long, short
        Shape ``(n,)``, gross returns, fractions.
    """

    event_end: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    move: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    log_odds: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    scale: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    long: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    short: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))

    def __len__(self) -> int:
        return len(self.event_end)

    def extended(
        self,
        event_end: NDArray[np.int64],
        raw: Probabilities,
        scale: Floats,
        returns: tuple[Floats, Floats],
        max_rows: int = _MOST_ROWS,
    ) -> "TradeHistory":
        """The history plus later rows with known returns; the newest ``max_rows`` are kept.

        Parameters
        ----------
        event_end
            Shape ``(n,)``; rows that do not end after all of the history are left out.
        raw
            Shape ``(n, 3)``, probabilities before calibration.
        scale
            Shape ``(n,)``.
        returns
            Of long and short, shape ``(n,)`` each; NaN where not known.
        """
        last = self.event_end.max(initial=np.iinfo(np.int64).min)
        long, short = returns
        new = (event_end > last) & np.isfinite(long) & np.isfinite(short) & (scale > 0)
        limit = _MOST_SCALES * scale
        added = (
            event_end,
            1.0 - raw[:, SignalClass.HOLD],
            direction_log_odds(raw),
            scale,
            np.clip(long, -limit, limit),
            np.clip(short, -limit, limit),
        )
        joined = [
            np.concatenate([old, values[new].astype(old.dtype)])
            for old, values in zip(self.arrays().values(), added, strict=True)
        ]
        keep = np.sort(np.argsort(joined[0], kind="stable")[-max_rows:])
        return TradeHistory(*(values[keep] for values in joined))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def digest(self) -> str:
        """SHA-256 of all arrays, hexadecimal."""
        sha = hashlib.sha256()
        for values in self.arrays().values():
            sha.update(np.ascontiguousarray(values).data)
        return sha.hexdigest()

    def raw(self) -> Probabilities:
        """Probabilities before calibration, shape ``(n, 3)``."""
        move, buy = self.move.astype(np.float64), expit(self.log_odds.astype(np.float64))
        return np.column_stack([move * (1.0 - buy), 1.0 - move, move * buy])


@dataclass(frozen=True)
class TradeValue:
    """Mean and mean square of a trade's gross return, given probabilities and return scale.

    Attributes
    ----------
    slope
        In force: of the trade's return on the predicted move. 0 without a proven edge.
    estimate, error
        Slope on past predictions before the shrinkage, and its standard error; None and infinite if
        none could be fitted.
    square, square_move
        Mean square of a return in units of the return scale is ``square * p + square_move * p^2``
        with the probability *p* of a move.
    days, rows
        Days and rows of past predictions behind it.
    needed_days
        Days of such predictions after which the slope would count, were the estimate right; None
        if it is not above 0, or counts already.
    """

    slope: float = 0.0
    estimate: float | None = None
    error: float = math.inf
    square: float = 1.0
    square_move: float = 1.0
    days: float = 0.0
    rows: int = 0
    needed_days: float | None = None

    @classmethod
    def of(
        cls, history: TradeHistory, calibrator: Calibrator, block: int, candles_per_day: int
    ) -> "TradeValue":
        """Fit to past predictions, calibrated as the model that is being made calibrates.

        Parameters
        ----------
        history
            Known when the model is made.
        calibrator
            Of that model.
        block
            Candles of a block; several times as long as a trade.
        candles_per_day
            Candles in 24 hours.
        """
        blocks = np.unique(history.event_end // block)
        days = len(blocks) * block / candles_per_day
        if len(blocks) < FEWEST_BLOCKS:
            fewest = FEWEST_BLOCKS * block / candles_per_day
            return cls(days=days, rows=len(history), needed_days=fewest)
        probabilities, scale = calibrator(history.raw()), history.scale.astype(np.float64)
        predicted = margin(probabilities) * scale
        long = np.where(predicted > 0, history.long, -history.short).astype(np.float64)
        size = np.abs(predicted)
        chosen = (size >= np.quantile(size, 1.0 - _DECISIVE_SHARE)) & (size > 0)
        found = block_slope(predicted[chosen], long[chosen], history.event_end[chosen] // block)
        square, square_move = _squares(1.0 - probabilities[:, SignalClass.HOLD], long / scale)
        slope, needed = _shrunk(found.value, found.error, found.blocks, days)
        # Without a direction every prediction is 0, and no slope through it.
        value = found.value if math.isfinite(found.value) else None
        return cls(slope, value, found.error, square, square_move, days, len(history), needed)

    def mean(self, probabilities: Probabilities, scale: Floats | float) -> Floats:
        """Expected gross return of a long, shape ``(n,)``, a fraction; of a short its negative."""
        return self.slope * margin(probabilities) * scale

    def mean_square(self, probabilities: Probabilities, scale: Floats | float) -> Floats:
        """Expected squared gross return of either side, shape ``(n,)``."""
        move = 1.0 - probabilities[:, SignalClass.HOLD]
        return (self.square * move + self.square_move * np.square(move)) * np.square(scale)

    def text(self) -> str:
        """One line for a card, a log and an operator.

        Examples
        --------
        >>> print(TradeValue(days=3.0, rows=900, needed_days=20.0).text())
        no expected value yet: 3 days of past predictions, at least 20 are needed; nothing is traded
        """
        if self.estimate is None:
            needed = f", at least {self.needed_days:.0f} are needed" if self.needed_days else ""
            return (
                f"no expected value yet: {self.days:.0f} days of past predictions{needed}; "
                "nothing is traded"
            )
        found = f"{self.estimate:+.2f} ± {self.error:.2f} on {self.days:.0f} days"
        if self.slope > 0:
            return f"slope of realised on predicted trade return {found}, {self.slope:.2f} in force"
        more = "it is not above 0"
        if self.needed_days:
            more = f"about {self.needed_days:.0f} days would tell, were it right"
        return (
            f"slope of realised on predicted trade return {found} is not distinguishable from 0 "
            f"({more}); nothing is traded"
        )


def margin(probabilities: Probabilities) -> Floats:
    """Buy minus sell probability, shape ``(n,)``."""
    return np.asarray(probabilities[:, SignalClass.BUY] - probabilities[:, SignalClass.SELL])


def _shrunk(value: float, error: float, blocks: int, days: float) -> tuple[float, float | None]:
    """Breiman's garrote: 0 up to the critical value, then rising to the estimate itself."""
    if not (value > 0 and math.isfinite(error)):
        return 0.0, None
    critical = float(student_t.ppf(1.0 - SIGNIFICANCE, blocks - 1)) * error / value
    if critical < 1.0:
        return value * (1.0 - critical**2), None
    return 0.0, days * critical**2


def _squares(move: Floats, returns: Floats) -> tuple[float, float]:
    """Least squares coefficients of the mean square; not negative, so that no square ever is."""
    # By sums: a product of matrices may differ in its last bit with the number of threads.
    powers = [float(np.power(move, n).sum()) for n in (2, 3, 4)]
    line, bend = (float((np.power(move, n) * np.square(returns)).sum()) for n in (1, 2))
    determinant = powers[0] * powers[2] - powers[1] ** 2
    if determinant > 0:
        square = (line * powers[2] - bend * powers[1]) / determinant
        square_move = (bend * powers[0] - line * powers[1]) / determinant
        if square >= 0 and square_move >= 0:
            return square, square_move
        if square < 0:
            return 0.0, bend / powers[2]
    return (line / powers[0] if powers[0] > 0 else 1.0), 0.0
