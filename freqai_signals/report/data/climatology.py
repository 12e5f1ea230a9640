"""What anybody knows who looks at the clock and at recent volatility: the baseline to beat.

A multinomial logistic regression on seven numbers of a pair's own candles, fitted on the training
window of the model that it is compared with. What a model knows beyond it is more than that calm
and lively hours come in a row.
"""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from freqai_signals.dataset.rows import Window
from freqai_signals.metrics import Labels, Probabilities, class_prior
from freqai_signals.schema import CLASS_COUNT

SPANS: Final = (12, 72, 288, 2016)
"""Candles over which volatility is taken: an hour, six, a day and a week of five minutes."""

_FEWEST_ROWS: Final = 100
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


def climatology(
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
        Shape ``(len(wanted), 3)``; the smoothed class shares of the window where a class is missing
        from it, rows are fewer than 100, or a number is not known yet.
    """
    place = np.arange(len(numbers))
    known = np.isfinite(labels) & np.isfinite(event_end) & np.isfinite(numbers).all(axis=1)
    ends = np.where(known, event_end, np.iinfo(np.int32).max).astype(np.int64)
    rows = known & window.holds(place, ends)
    happened: Labels = labels[rows].astype(np.int8)
    stated = np.tile(class_prior(happened), (len(wanted), 1))
    usable = np.isfinite(numbers[wanted]).all(axis=1)
    if len(happened) < _FEWEST_ROWS or len(np.unique(happened)) < CLASS_COUNT or not usable.any():
        return stated
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    model.fit(numbers[rows], happened)
    stated[usable] = model.predict_proba(numbers[wanted][usable])
    return np.asarray(stated)
