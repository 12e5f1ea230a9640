"""The columns that the model returns to freqtrade: class, probabilities, confidence, return."""

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
    r"""Predict every row and return the columns of the contract.

    ``confidence`` is the share of the model's hold-out rows whose margin
    \\|proba_buy - proba_sell\\| is smaller than this row's, times a factor for novelty: 1 for
    distances that 95 % of training rows do not exceed, falling to 0 where a row is out of
    distribution. 0.97 means a larger margin than 97 % of the hold-out rows.

    Parameters
    ----------
    model
        None or an abstaining model gives abstaining rows.
    features
        One row a candle: the model's features, and ``return_scale``, without which a row is not
        trusted. Other columns are ignored.
    round_trip_cost
        Fees and slippage of entry and exit, a fraction.
    traded
        Shape ``(n,)``: false where the candle has no volume (a halt, or a gap that freqtrade
        filled); such a row is not trusted. None means that all have.

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
        confidence = percentile * model.fit.novelty.confidence_factor(prediction.distance)
        returns = model.fit.class_returns
        usual = shrunk_class_returns(returns.mean, returns.count)
        expected = expected_return(probabilities, usual, round_trip_cost, scale)
    columns = {
        # A number: names of classes break FreqAI's bookkeeping of them in later windows.
        LABEL_COLUMN: probabilities.argmax(axis=1).astype(np.float64),
        **dict(zip(PROBA_COLUMNS, probabilities.T, strict=True)),
        CONFIDENCE_COLUMN: confidence,
        EXPECTED_RETURN_COLUMN: expected,
        TRUST_COLUMN: trusted.astype(np.int64),
    }
    names = (*MODEL_COLUMNS, TRUST_COLUMN)
    return complete_outputs(pd.DataFrame({name: columns[name] for name in names}))


def _column(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """A column as numbers, NaN if the frame lacks it."""
    if name not in frame:
        return np.full(len(frame), np.nan)
    return frame[name].to_numpy(np.float64)


def window_facts(model: SignalModel | None) -> dict[str, float]:
    """Columns that are constant for all rows of a model; FreqAI repeats them on each row.

    By class: its share of the training rows (``prior_*``), its mean return (``usual_*``, shrunk)
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
    """Make FreqAI's frame satisfy the contract: all columns exist, untrusted rows abstain.

    FreqAI returns zeros (class sell!) before a backtest, in gaps and for expired models, and omits
    our columns while there is no model. Where ``do_predict`` is not 1 the row becomes hold,
    (0, 1, 0), confidence 0, expected return 0. FreqAI's ``*_mean`` and ``*_std`` columns have no
    meaning for probabilities and are dropped.
    """
    # Also true for NaN.
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
