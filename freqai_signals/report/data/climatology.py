"""What anybody knows who looks at the clock and at recent volatility: the baseline to beat.

A multinomial logistic regression on seven numbers of a pair's own candles, fitted on the training
window of the model that it is compared with. What a model knows beyond it is more than that calm
and lively hours come in a row.
"""

import itertools
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.rows import Window
from freqai_signals.metrics import Probabilities
from freqai_signals.schema import (
    CLASS_COUNT,
    EVENT_END_COLUMN,
    MODEL_ID_COLUMN,
    OUTCOME_COLUMN,
)
from freqai_signals.settings import SignalSettings
from freqai_signals.training.climatology_check import FITTED_ROWS, climatology

SPANS: Final = (12, 72, 288, 2016)
"""Candles over which volatility is taken: an hour, six, a day and a week of five minutes."""

BASELINE_COLUMNS: Final = ("climatology_sell", "climatology_hold", "climatology_buy")
"""What volatility and time alone state, in a backtest's record."""

_SMALLEST: Final = 1e-12


def volatility_and_time(candles: pd.DataFrame) -> NDArray[np.float64]:
    """The seven numbers of each candle, known at its close.

    Parameters
    ----------
    candles
        ``date`` (opening, UTC) and ``close``, oldest first, without holes.

    Returns
    -------
    numpy.ndarray
        Shape ``(n, 7)``: log of the root mean square log return over each of :data:`SPANS`, sine
        and cosine of the hour, 1 at the weekend. NaN until a span is full.
    """
    close = np.log(candles["close"].to_numpy(np.float64))
    change = pd.Series(np.diff(close, prepend=np.nan) ** 2)
    dates = pd.DatetimeIndex(candles["date"])
    angle = (dates.hour + dates.minute / 60.0).to_numpy(np.float64) * np.pi / 12.0
    mean = [change.rolling(span).mean().to_numpy(np.float64) for span in SPANS]
    return np.column_stack(
        [
            *(0.5 * np.log(np.maximum(values, _SMALLEST)) for values in mean),
            np.sin(angle),
            np.cos(angle),
            (dates.day_of_week >= 5).astype(np.float64),
        ]
    )


def climatology_within(
    numbers: NDArray[np.float64],
    labels: NDArray[np.float64],
    event_end: NDArray[np.float64],
    window: Window,
    wanted: NDArray[np.intp],
) -> Probabilities:
    """Class probabilities of some candles of a pair by the regression of one training window.

    Parameters
    ----------
    numbers
        Shape ``(n, 7)``, from :func:`volatility_and_time`.
    labels, event_end
        Shape ``(n,)``: class, and position of the candle at whose close it is known; NaN if not.
    window
        Positions to train on; a row takes part only if its outcome was known before the end.
    wanted
        Positions to state probabilities of.

    Returns
    -------
    numpy.ndarray
        Shape ``(len(wanted), 3)``.
    """
    place = np.arange(len(numbers))
    known = np.isfinite(labels) & np.isfinite(event_end) & np.isfinite(numbers).all(axis=1)
    ends = np.where(known, event_end, np.iinfo(np.int32).max).astype(np.int64)
    rows = known & window.holds(place, ends)
    return climatology(numbers[rows], labels[rows].astype(np.int8), numbers[wanted])


def climatology_of(frame: pd.DataFrame, settings: SignalSettings) -> Probabilities:
    """Climatology of each predicted row of a backtest's frame, shape ``(n, 3)``.

    Parameters
    ----------
    frame
        Candles of a pair with ``model_id`` (0 before the first prediction), ``outcome`` and
        ``label_event_end`` (position).
    settings
        Length of the window and horizon of the label: as those of the model, so that both know
        the same.

    Returns
    -------
    numpy.ndarray
        Fitted for each model on the candles before its first row; NaN in rows without a model and
        where the frame has no candles before them.
    """
    stated = np.full((len(frame), CLASS_COUNT), np.nan)
    if MODEL_ID_COLUMN not in frame or "close" not in frame:
        return stated
    ids = frame[MODEL_ID_COLUMN].fillna(0).to_numpy(np.float64)
    numbers = volatility_and_time(frame)
    days = settings.train_period_days * settings.candles_per_day
    edges = np.flatnonzero(np.diff(ids, prepend=0.0, append=0.0)).tolist()
    labels, ends = (frame[name].to_numpy(np.float64) for name in (OUTCOME_COLUMN, EVENT_END_COLUMN))
    for first, stop in itertools.pairwise(edges):
        if ids[first] <= 0 or first == 0:
            continue
        # A year of one-day windows would look at the whole frame 365 times.
        low = max(first - days, 0)
        part = slice(low, stop)
        step = max((first - low) // FITTED_ROWS, 1)
        stated[first:stop] = climatology_within(
            numbers[part],
            labels[part],
            ends[part] - low,
            Window(0, first - low, settings.label_horizon_candles, step),
            np.arange(first - low, stop - low),
        )
    return stated
