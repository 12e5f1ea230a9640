"""What past out-of-sample predictions were worth: the evidence that a model passes to the next."""

from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from freqai_signals.dataset.rows import TRADE_FACTS, TrainingRows
from freqai_signals.dataset.spread import mean_spread
from freqai_signals.dataset.trades import closed_by_opposite
from freqai_signals.metrics import Probabilities, margins
from freqai_signals.model.direction import DirectionHistory
from freqai_signals.model.signal_model import Fit, SignalModel
from freqai_signals.model.trade_value import TradeHistory
from freqai_signals.schema import RETURN_SCALE_COLUMN, SPREAD_COLUMN, SignalClass
from freqai_signals.settings import SignalSettings

_SCALE = TRADE_FACTS.index(RETURN_SCALE_COLUMN)
_SPREAD = TRADE_FACTS.index(SPREAD_COLUMN)


@dataclass(frozen=True)
class PastPredictions:
    """Directions and trades of rows that an earlier model predicted out of sample."""

    directions: DirectionHistory = field(default_factory=DirectionHistory)
    trades: TradeHistory = field(default_factory=TradeHistory)

    def extended(
        self,
        rows: TrainingRows,
        raw: Probabilities,
        signal: NDArray[np.intp],
        confidence: NDArray[np.float64],
        settings: SignalSettings,
    ) -> "PastPredictions":
        """With later rows: probabilities before calibration, class predicted and its confidence.

        Only these rows can close a trade, so of the strategy's candles every ``row_step``-th.
        """
        ends = rows.start + settings.label_horizon_candles
        returns = _returns(rows, signal, confidence, settings)
        return PastPredictions(
            self.directions.extended(rows.event_end, rows.label, raw),
            self.trades.extended(ends, raw, rows.trade[:, _SCALE], returns),
        )


def evidence_block(settings: SignalSettings) -> int:
    """Candles of a block of time whose outcomes, of all pairs, may depend on each other.

    A day, and at least five horizons: outcomes that reach from one block into the next are few.
    """
    return max(settings.candles_per_day, 5 * settings.label_horizon_candles)


def of_earlier_model(
    previous: SignalModel | None, rows: TrainingRows, settings: SignalSettings
) -> PastPredictions:
    """The previous model's evidence plus its predictions of rows after its training."""
    if previous is None:
        return PastPredictions()
    past = PastPredictions(previous.history, previous.trades)
    later = rows.take(rows.start > previous.trained_until)
    has_features = set(previous.names) <= set(later.names)
    if previous.fit is None or not has_features or not len(later):
        return past
    features, fit = later.columns(previous.names).features, previous.fit
    # Raw, since the slopes of calibration are fitted on them; the strategy acts on calibrated ones.
    raw = fit.raw(features)
    stated = fit.calibrator(raw)
    distance = fit.novelty.distance(features)
    confidence = fit.margins.percentile(stated) * fit.novelty.confidence_factor(distance)
    return past.extended(later, raw, stated.argmax(axis=1), confidence, settings)


def ranks(raw: Probabilities) -> NDArray[np.float64]:
    """Confidence where no model's reference is at hand: each margin's rank among the others."""
    size = margins(raw)
    return np.asarray(np.searchsorted(np.sort(size), size) / max(len(size), 1))


def pair_spreads(rows: TrainingRows) -> dict[str, float]:
    """Bid-ask spread of each pair over the rows; pairs of which no candle shows it are left out."""
    found = {
        name: mean_spread(rows.trade[rows.pair == i, _SPREAD]) for i, name in enumerate(rows.pairs)
    }
    return {name: spread for name, spread in found.items() if np.isfinite(spread)}


def _returns(
    rows: TrainingRows,
    signal: NDArray[np.intp],
    confidence: NDArray[np.float64],
    settings: SignalSettings,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gross returns of long and short; an opposite prediction among the rows closes a trade."""
    exits = settings.exits
    sure = (confidence >= exits.opposite_confidence) & exits.opposite_signal
    sells, buys = sure & (signal == SignalClass.SELL), sure & (signal == SignalClass.BUY)
    long, short = np.full((2, len(rows)), np.nan)
    for pair in np.unique(rows.pair):
        own = rows.pair == pair
        long[own], short[own] = closed_by_opposite(
            rows.start[own], rows.trade[own], sells[own], buys[own]
        )
    return long, short


def worth(fit: Fit) -> dict[str, dict[str, float]]:
    """What past predictions say of direction and trades, for the card; only finite numbers."""
    value, calibrator = fit.value, fit.calibrator
    direction: dict[str, float] = {}
    if calibrator.method == "direction_shrink":
        direction = dict(
            zip(("inner", "outer", "knot", "error"), calibrator.values[0], strict=True)
        )
    parts = {"direction": direction, "trade": asdict(value), "spread": dict(fit.spreads)}
    return {
        part: {
            name: float(number)
            for name, number in numbers.items()
            if number is not None and np.isfinite(number)
        }
        for part, numbers in parts.items()
    }


def worth_warnings(fit: Fit) -> tuple[str, ...]:
    """Why nothing is traded with a model, if so."""
    found = []
    if not fit.calibrator.has_direction:
        found.append(
            "past predictions show no direction: buy and sell are equally probable in every row, "
            "and nothing is traded"
        )
    if not fit.value.slope > 0:
        found.append(fit.value.text())
    return tuple(found)
