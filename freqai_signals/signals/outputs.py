"""The columns that the model returns to freqtrade: class, probabilities, confidence, return."""

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.model.card import ModelCard
from freqai_signals.model.signal_model import Prediction, SignalModel
from freqai_signals.schema import (
    ABSTAINING_ROW,
    CONFIDENCE_COLUMN,
    DIRECTION_ERROR_COLUMN,
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
    SPREAD_COLUMN,
    TRADE_COLUMNS,
    TRADE_COST_COLUMN,
    TRUST_COLUMN,
    VALUE_COLUMNS,
    SignalClass,
)
from freqai_signals.signals.column_arrays import Columns, with_columns
from freqai_signals.signals.expected_value import expected_return
from freqai_signals.signals.predictions import trusted_rows

_HOLD_COLUMN: Final = PROBA_COLUMNS[SignalClass.HOLD]
NO_MODEL: Final = SignalModel(ModelCard(version="none", reason="no model yet"))
"""Abstains, where there is none."""

_DROPPED: Final = frozenset(
    {f"{name}_{what}" for name in MODEL_COLUMNS for what in ("mean", "std")}
    # Of the live frame's own labels.
    | {EVENT_END_COLUMN, REALISED_RETURN_COLUMN, *TRADE_COLUMNS, SPREAD_COLUMN}
)


def model_outputs(
    model: SignalModel | None,
    features: pd.DataFrame,
    round_trip_cost: float,
    traded: NDArray[np.bool_] | None = None,
    pair: str = "",
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
        Fees, slippage and funding of entry and exit, a fraction; the model adds the spread.
    traded
        Shape ``(n,)``: false where the candle has no volume (a halt, or a gap that freqtrade
        filled); such a row is not trusted. None means that all have.
    pair
        Full name, for its spread; see :meth:`~freqai_signals.model.signal_model.Fit.spread`.

    Returns
    -------
    pandas.DataFrame
        Index 0 .. n - 1, the columns of ``schema.MODEL_COLUMNS`` and ``do_predict``, all finite.
        Row *t* uses row *t* of ``features`` only.
    """
    model = model or NO_MODEL
    columns, trust = output_columns(
        model, model.predict(features), return_scales(features), round_trip_cost, traded, pair
    )
    return pd.DataFrame({**columns, TRUST_COLUMN: trust})


def output_columns(
    model: SignalModel,
    prediction: Prediction,
    scale: NDArray[np.float64],
    round_trip_cost: float,
    traded: NDArray[np.bool_] | None = None,
    pair: str = "",
) -> tuple[Columns, NDArray[np.int64]]:
    """Columns of :func:`model_outputs` and ``do_predict``, from what the model has predicted.

    Parameters
    ----------
    model
        That of the prediction.
    prediction
        Of ``n`` rows.
    scale
        Shape ``(n,)``, return scales.
    round_trip_cost, traded, pair
        As for :func:`model_outputs`.
    """
    trusted = prediction.trusted & (True if traded is None else traded) & (scale > 0)
    probabilities = prediction.probabilities
    confidence, expected = np.zeros((2, len(scale)))
    if model.fit is not None:
        percentile = model.fit.margins.percentile(probabilities)
        confidence = percentile * model.fit.novelty.confidence_factor(prediction.distance)
        long = model.fit.value.mean(probabilities, scale)
        expected = expected_return(probabilities, long, trade_cost(model, pair, round_trip_cost))
    columns = {
        # A number: names of classes break FreqAI's bookkeeping of them in later windows.
        LABEL_COLUMN: probabilities.argmax(axis=1).astype(np.float64),
        **dict(zip(PROBA_COLUMNS, probabilities.T, strict=True)),
        CONFIDENCE_COLUMN: confidence,
        EXPECTED_RETURN_COLUMN: expected,
    }
    values = {
        name: np.where(trusted, columns[name], abstains)
        for name, abstains in ABSTAINING_ROW.items()
    }
    return values, trusted.astype(np.int64)


def return_scales(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Return scale of each row, NaN if the frame lacks it."""
    if RETURN_SCALE_COLUMN not in frame:
        return np.full(len(frame), np.nan)
    return frame[RETURN_SCALE_COLUMN].to_numpy(np.float64)


def trade_cost(model: SignalModel | None, pair: str, round_trip_cost: float) -> float:
    """Cost of a trade in a pair as a model's expected returns contain it, spread included."""
    spread = model.fit.spread(pair) if model is not None and model.fit is not None else 0.0
    return round_trip_cost + spread


def window_facts(
    model: SignalModel | None, pair: str = "", round_trip_cost: float = 0.0
) -> dict[str, float]:
    """Columns that are constant for all rows of a model and pair; FreqAI repeats them on each row.

    Shares of the training rows by class (``prior_*``); the slope in force and the two coefficients
    of the mean square of a trade (``trade_*``); ``direction_error``; ``trade_cost`` of the pair.
    ``model_id`` is the leading 48 bits of the model's key, exact as a float. All are 0 without a
    model.
    """
    prior, value, error, cost = np.zeros(3), np.zeros(3), 0.0, 0.0
    if model is not None and model.fit is not None:
        found = model.fit.value
        prior = model.fit.prior
        value = np.array([found.slope, found.square, found.square_move])
        error = model.fit.calibrator.direction_error
        cost = trade_cost(model, pair, round_trip_cost)
    key = model.card.key if model is not None else ""
    return {
        **dict(zip(PRIOR_COLUMNS, prior.tolist(), strict=True)),
        **dict(zip(VALUE_COLUMNS, value.tolist(), strict=True)),
        DIRECTION_ERROR_COLUMN: error,
        TRADE_COST_COLUMN: cost,
        MODEL_ID_COLUMN: float(int(key[:12] or "0", 16)),
    }


def complete_outputs(frame: pd.DataFrame, more: Columns | None = None) -> pd.DataFrame:
    """Make FreqAI's frame satisfy the contract: all columns exist, untrusted rows abstain.

    FreqAI returns zeros (class sell!) before a backtest, in gaps and for expired models, and omits
    our columns while there is no model. Where ``do_predict`` is not 1 the row becomes hold,
    (0, 1, 0), confidence 0, expected return 0. ``proba_move`` is one minus hold, so 0 there.
    FreqAI's ``*_mean`` and ``*_std`` columns have no meaning for probabilities and are dropped.

    Parameters
    ----------
    frame
        Is not modified.
    more
        Further columns to add.
    """
    trusted = trusted_rows(frame)
    columns: dict[str, Any] = {
        name: np.where(trusted, frame[name].to_numpy(), value) if name in frame else value
        for name, value in ABSTAINING_ROW.items()
    }
    columns[PROBA_MOVE_COLUMN] = 1.0 - columns[_HOLD_COLUMN]
    if TRUST_COLUMN not in frame:
        columns[TRUST_COLUMN] = 0
    return with_columns(frame, {**columns, **(more or {})}, _DROPPED)
