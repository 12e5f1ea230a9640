"""The columns that the model returns to freqtrade: class, probabilities, confidence, value."""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.model.card import ModelCard
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.schema import (
    CONFIDENCE_COLUMN,
    EVENT_END_COLUMN,
    EXPECTED_RETURN_COLUMN,
    LABEL_COLUMN,
    MODEL_COLUMNS,
    MODEL_ID_COLUMN,
    PRIOR_COLUMNS,
    PROBA_COLUMNS,
    PROBA_MOVE_COLUMN,
    REALISED_RETURN_COLUMN,
    RETURN_SCALE_COLUMN,
    SCORE_COLUMN,
    SQUARE_COLUMNS,
    TRUST_COLUMN,
    USUAL_COLUMNS,
    SignalClass,
)
from freqai_signals.signals.expected_value import expected_return, shrunk_class_returns

_HOLD_COLUMN: Final = PROBA_COLUMNS[SignalClass.HOLD]
_NO_MODEL: Final = SignalModel(ModelCard(version="none", reason="no model yet"))


def model_outputs(
    model: SignalModel | None,
    features: pd.DataFrame,
    round_trip_cost: float,
    traded: NDArray[np.bool_] | None = None,
    scored: bool = False,
) -> pd.DataFrame:
    r"""Predict every row and express it in the contract's columns.

    ``confidence`` is the share of the model's purged validation rows whose margin
    \\|proba_buy - proba_sell\\| is smaller than this row's, times the row's familiarity: 1 for rows
    as close to the training rows as 95 % of those are, falling to 0 where a row counts as out of
    distribution. In words: "stronger than 97 % of what this model usually says".

    Parameters
    ----------
    model
        None or an abstaining model gives abstaining rows.
    features
        One row a candle: the model's features, and ``return_scale``, without which a row is not
        trusted. Other columns are ignored.
    round_trip_cost
        Fees and slippage of entering and leaving, a fraction.
    traded
        Shape ``(n,)``: false where nothing traded in the candle (a halt, or a hole that freqtrade
        filled); such a row is not trusted. None means all traded.
    scored
        Whether a label ensemble says what is predicted. Then the class is buy where its score is
        above 0 and sell below, ``confidence`` ranks the score's size instead of the margin, and the
        column ``score`` comes too. The probabilities stay those of the model's own label.

    Returns
    -------
    pandas.DataFrame
        Index 0 .. n - 1, the columns of ``schema.MODEL_COLUMNS`` and ``do_predict``, all finite.
        Row *t* uses row *t* of ``features`` only.
    """
    model = model or _NO_MODEL
    prediction = model.predict(features)
    scale = _column(features, RETURN_SCALE_COLUMN)
    trusted = prediction.trusted & (True if traded is None else traded) & (scale > 0)
    probabilities = np.where(trusted[:, None], prediction.probabilities, [0.0, 1.0, 0.0])
    score = np.where(trusted, prediction.score, 0.0)
    predicted = np.sign(score) + 1.0 if scored else probabilities.argmax(axis=1)
    confidence = np.zeros(len(features))
    expected = np.zeros(len(features))
    if model.fit is not None:
        percentile = model.fit.margins.percentile(probabilities)
        if scored and model.fit.ballot is not None:
            percentile = model.fit.ballot.percentile(score)
        confidence = np.where(
            trusted, percentile * model.fit.places.familiarity(prediction.distance), 0.0
        )
        returns = model.fit.class_returns
        usual = shrunk_class_returns(returns.mean, returns.count)
        expected = np.where(
            trusted,
            expected_return(probabilities, usual, round_trip_cost, scale, predicted),
            0.0,
        )
    columns = {
        LABEL_COLUMN: np.asarray(predicted, dtype=np.float64),
        **dict(zip(PROBA_COLUMNS, probabilities.T, strict=True)),
        CONFIDENCE_COLUMN: confidence,
        EXPECTED_RETURN_COLUMN: expected,
        SCORE_COLUMN: score,
        TRUST_COLUMN: trusted.astype(np.int64),
    }
    names = (*model_columns(scored), TRUST_COLUMN)
    return pd.DataFrame({name: columns[name] for name in names})


def model_columns(scored: bool) -> tuple[str, ...]:
    """What the model returns to FreqAI for every row, with or without a label ensemble."""
    return (*MODEL_COLUMNS, SCORE_COLUMN) if scored else MODEL_COLUMNS


def _column(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """A column as numbers, NaN where the frame lacks it."""
    if name not in frame:
        return np.full(len(frame), np.nan)
    return frame[name].to_numpy(np.float64)


def window_facts(model: SignalModel | None) -> dict[str, float]:
    """Numbers that hold for every row a model predicts; FreqAI repeats them on each.

    By class: its share of the training rows (``prior_*``), its usual return (``usual_*``, shrunk)
    and its mean squared return (``square_*``), both in units of ``return_scale``. ``model_id`` is
    the leading 48 bits of the model's key, exact as a float. All are 0 without a model.
    """
    zeros = np.zeros(3)
    prior, usual, square = zeros, zeros, zeros
    if model is not None and model.fit is not None:
        returns = model.fit.class_returns
        prior, square = model.fit.prior, returns.square
        usual = shrunk_class_returns(returns.mean, returns.count)
    key = model.card.key if model is not None else ""
    return {
        **dict(zip(PRIOR_COLUMNS, prior.tolist(), strict=True)),
        **dict(zip(USUAL_COLUMNS, usual.tolist(), strict=True)),
        **dict(zip(SQUARE_COLUMNS, square.tolist(), strict=True)),
        MODEL_ID_COLUMN: float(int(key[:12] or "0", 16)),
    }


def complete_outputs(frame: pd.DataFrame) -> pd.DataFrame:
    """Make FreqAI's frame keep the contract: all columns there, abstaining rows say so.

    FreqAI returns zeros (class sell!) before a backtest, in gaps, for expired models, and leaves
    our columns out while there is no model. Wherever ``do_predict`` is not 1 the row becomes hold,
    (0, 1, 0), confidence 0, expected return 0. ``proba_move`` is one minus hold, so 0 there.
    FreqAI's ``*_mean`` and ``*_std`` columns say nothing about probabilities and are dropped.
    """
    abstains = ~(frame.get(TRUST_COLUMN, pd.Series(0, index=frame.index)) == 1)
    values = dict(zip(PROBA_COLUMNS, (0.0, 1.0, 0.0), strict=True))
    values |= {LABEL_COLUMN: 1.0, CONFIDENCE_COLUMN: 0.0, EXPECTED_RETURN_COLUMN: 0.0}
    columns = {
        name: frame[name].where(~abstains, values[name]) if name in frame else values[name]
        for name in MODEL_COLUMNS
    }
    if SCORE_COLUMN in frame:
        columns[SCORE_COLUMN] = frame[SCORE_COLUMN].where(~abstains, 0.0)
    columns[PROBA_MOVE_COLUMN] = 1.0 - columns[_HOLD_COLUMN]
    trust = frame.get(TRUST_COLUMN, 0)
    dropped = [f"{name}_{what}" for name in model_columns(True) for what in ("mean", "std")]
    dropped += [EVENT_END_COLUMN, REALISED_RETURN_COLUMN]  # of the live frame's own labels
    return frame.drop(columns=dropped, errors="ignore").assign(**columns, **{TRUST_COLUMN: trust})
