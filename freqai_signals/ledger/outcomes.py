"""Outcomes of live predictions, once the end of their event is known."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.barriers import LabelRule, width_and_scale
from freqai_signals.dataset.labels import make_labels
from freqai_signals.dataset.rows import candle_numbers
from freqai_signals.dataset.trades import trade_outcomes
from freqai_signals.ledger.ledger import Entry
from freqai_signals.ledger.sql_tables import OUTCOMES
from freqai_signals.metrics import log_losses
from freqai_signals.schema import (
    EVENT_END_COLUMN,
    LABEL_COLUMN,
    PROBA_COLUMNS,
    REALISED_RETURN_COLUMN,
    SignalClass,
)
from freqai_signals.settings import SignalSettings

_PRIORS = ["prior_sell", "prior_hold", "prior_buy"]
_OUTCOME = [LABEL_COLUMN, EVENT_END_COLUMN, REALISED_RETURN_COLUMN]


def resolve_outcomes(
    waiting: pd.DataFrame, candles: pd.DataFrame, settings: SignalSettings, cost: float
) -> Entry:
    """Outcomes of one pair's predictions, as far as these candles determine them.

    Parameters
    ----------
    waiting
        Rows of :meth:`~freqai_signals.ledger.ledger.Ledger.unresolved`.
    candles
        Closed candles, oldest first, without holes. Predictions from before their beginning wait
        for another call with more candles.
    settings
        Label, horizon and timeframe.
    cost
        Round-trip cost that the label's barriers respect, a fraction.

    Returns
    -------
    Entry
        Rows for ``outcomes``: class, close of the event's last candle (seconds since 1970), gross
        return of the event, the same in units of the row's return scale, return after cost of a
        trade on the predicted class (0 for hold), log loss of the prediction and of the class
        prior. The trade ends as the strategy's would, but for opposite predictions, of which a row
        does not know; None where a price in it is missing. All but the key are None where the
        outcome can never be known: no trade within the event, or a missing price.
    """
    if candles.empty or waiting.empty:
        return Entry(OUTCOMES.name, [])
    numbers = candle_numbers(candles["date"], settings.candle_seconds)
    predicted = _numbers(waiting, settings)
    due = waiting[(predicted >= numbers[0]) & (predicted <= _newest_due(numbers, settings))]
    if due.empty:
        return Entry(OUTCOMES.name, [])
    rule = LabelRule.of(settings, cost)
    start = max(int(np.searchsorted(numbers, _numbers(due, settings)[0])) - rule.memory, 0)
    part = candles.iloc[start:].reset_index(drop=True)
    labels = make_labels(part, rule)
    labels.index = pd.Index(numbers[start:])
    chosen = _numbers(due, settings)
    width, scale = width_and_scale(part["close"].to_numpy(np.float64), rule)
    labels["moved"] = labels[REALISED_RETURN_COLUMN] / scale
    found = labels.reindex(chosen)[[*_OUTCOME, "moved"]].to_numpy(np.float64)
    trades = trade_outcomes(part, width, rule.horizon, settings.exits).set_index(labels.index)
    gains = trades.reindex(chosen)[["trade_short", "trade_long"]].to_numpy(np.float64)
    return Entry(OUTCOMES.name, _rows(due, (found, gains), numbers[start:], settings))


def _rows(
    due: pd.DataFrame,
    outcome: tuple[NDArray[np.float64], NDArray[np.float64]],
    numbers: NDArray[np.int64],
    settings: SignalSettings,
) -> list[dict[str, object]]:
    found, gains = outcome
    known = np.asarray(np.isfinite(found[:, :3]).all(axis=1), dtype=np.bool_).reshape(-1)
    label = np.where(known, found[:, 0], SignalClass.HOLD).astype(np.int8)
    gross, moved = found[:, 2], found[:, 3]
    side = due["predicted"].to_numpy(np.int64) - int(SignalClass.HOLD)
    gain = np.where(side > 0, gains[:, 1], gains[:, 0])
    net = np.where(side == 0, 0.0, gain - due["cost"].to_numpy(np.float64))
    loss = log_losses(label, due[list(PROBA_COLUMNS)].to_numpy(np.float64))
    of_prior = log_losses(label, due[_PRIORS].to_numpy(np.float64))
    rows: list[dict[str, object]] = []
    for i, (candle, version) in enumerate(zip(due["candle"], due["model_version"], strict=True)):
        row: dict[str, object] = {
            "pair": due["pair"].iloc[0],
            "candle": int(candle),
            "model_version": str(version),
            "bot": str(due["bot"].iloc[0]),
        }
        names = ("realised", "event_end", "gross", "moved", "net", "loss", "prior_loss")
        values: tuple[object, ...] = (None,) * len(names)
        if known[i]:
            end = (int(numbers[int(found[i, 1])]) + 1) * settings.candle_seconds
            values = (
                int(label[i]), end, float(gross[i]), _or_none(moved[i]), _or_none(net[i]),
                float(loss[i]), float(of_prior[i]),
            )  # fmt: skip
        rows.append(row | dict(zip(names, values, strict=True)))
    return rows


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _newest_due(numbers: NDArray[np.int64], settings: SignalSettings) -> int:
    """Number of the newest candle whose whole horizon has closed."""
    return int(numbers[-1]) - settings.label_horizon_candles


def _numbers(due: pd.DataFrame, settings: SignalSettings) -> NDArray[np.int64]:
    return np.asarray(due["candle"].to_numpy(np.int64) // settings.candle_seconds)
