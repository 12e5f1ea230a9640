"""The columns that the model returns to freqtrade: class, probabilities, confidence, value."""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.model.card import ModelCard
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.schema import (
    ABSTAINING_ROW,
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
    probabilities = prediction.probabilities
    confidence = np.zeros(len(features))
    expected = np.zeros(len(features))
    if model.fit is not None:
        percentile = model.fit.margins.percentile(probabilities)
        confidence = percentile * model.fit.places.familiarity(prediction.distance)
        returns = model.fit.class_returns
        usual = shrunk_class_returns(returns.mean, returns.count)
        expected = expected_return(probabilities, usual, round_trip_cost, scale)
    columns = {
        LABEL_COLUMN: probabilities.argmax(axis=1).astype(np.float64),
        **dict(zip(PROBA_COLUMNS, probabilities.T, strict=True)),
        CONFIDENCE_COLUMN: confidence,
        EXPECTED_RETURN_COLUMN: expected,
        TRUST_COLUMN: trusted.astype(np.int64),
    }
    names = (*MODEL_COLUMNS, TRUST_COLUMN)
    return complete_outputs(pd.DataFrame({name: columns[name] for name in names}))


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
    (0, 1, 0), confidence 0, expected return 0. Its ``*_mean`` and ``*_std`` columns say nothing
    about probabilities and are dropped.
    """
    abstains = ~(frame.get(TRUST_COLUMN, pd.Series(0, index=frame.index)) == 1)
    columns = {
        name: frame[name].where(~abstains, value) if name in frame else value
        for name, value in ABSTAINING_ROW.items()
    }
    trust = frame.get(TRUST_COLUMN, 0)
    dropped = [f"{name}_{what}" for name in MODEL_COLUMNS for what in ("mean", "std")]
    dropped += [EVENT_END_COLUMN, REALISED_RETURN_COLUMN]  # of the live frame's own labels
    return frame.drop(columns=dropped, errors="ignore").assign(**columns, **{TRUST_COLUMN: trust})


def with_move(frame: pd.DataFrame) -> pd.DataFrame:
    """A complete frame with ``proba_move``: one minus hold, so 0 where the model abstains."""
    return frame.assign(**{PROBA_MOVE_COLUMN: 1.0 - frame[_HOLD_COLUMN]})
