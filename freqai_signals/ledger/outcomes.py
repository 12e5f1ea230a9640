"""Outcomes of live predictions, once the end of their event is known."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from freqai_signals.dataset.barriers import LabelRule, width_and_scale
from freqai_signals.dataset.labels import label_columns
from freqai_signals.dataset.rows import candle_numbers
from freqai_signals.dataset.trades import trade_columns
from freqai_signals.ledger.ledger import Entry
from freqai_signals.ledger.sql_tables import OUTCOMES
from freqai_signals.metrics import log_losses
from freqai_signals.schema import PROBA_COLUMNS, TRADE_COLUMNS, SignalClass
from freqai_signals.settings import SignalSettings

_PRIORS: Final = ("prior_sell", "prior_hold", "prior_buy")
_PRICES: Final = ("open", "high", "low", "close", "volume")
_SIDES: Final = [TRADE_COLUMNS.index(name) for name in ("trade_short", "trade_long")]


def resolve_outcomes(
    waiting: Sequence[Mapping[str, Any]],
    candles: pd.DataFrame,
    settings: SignalSettings,
    cost: float,
) -> Entry:
    """Outcomes of one pair's predictions, as far as these candles determine them.

    Parameters
    ----------
    waiting
        Rows of :func:`~freqai_signals.ledger.questions.unresolved`, oldest first.
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
    if candles.empty or not waiting:
        return Entry(OUTCOMES.name, [])
    numbers = candle_numbers(candles["date"], settings.candle_seconds)
    oldest, newest = (
        int(number) * settings.candle_seconds
        for number in (numbers[0], numbers[-1] - settings.label_horizon_candles)
    )
    due = [row for row in waiting if oldest <= row["candle"] <= newest]
    if not due:
        return Entry(OUTCOMES.name, [])
    rule = LabelRule.of(settings, cost)
    chosen = _array(due, ["candle"]).astype(np.int64)[:, 0] // settings.candle_seconds
    first = int(np.searchsorted(numbers, chosen[0]))
    start = max(first - rule.memory, 0)
    # Arrays, not frames: a running bot does this for every pair while others wait their turn.
    prices = [candles[name].to_numpy(np.float64, na_value=np.nan)[start:] for name in _PRICES]
    width, scale = (values[first - start :] for values in width_and_scale(prices[3], rule))
    # Only a width looks back; outcomes of rows before the first that is due are not asked for.
    numbers, prices = numbers[first:], [values[first - start :] for values in prices]
    labels = label_columns(prices[1:], width, rule)
    trades = trade_columns(prices, width, rule.horizon, settings.exits)
    columns = np.vstack([labels, labels[2] / scale, trades[_SIDES]])
    places = np.minimum(np.searchsorted(numbers, chosen), len(numbers) - 1)
    found = np.where(numbers[places] == chosen, columns[:, places], np.nan)
    return Entry(OUTCOMES.name, _rows(due, found.T, numbers, settings))


def _rows(
    due: Sequence[Mapping[str, Any]],
    found: NDArray[np.float64],
    numbers: NDArray[np.int64],
    settings: SignalSettings,
) -> list[dict[str, object]]:
    known = np.logical_and.reduce(np.isfinite(found[:, :3]), axis=1)
    label = np.where(known, found[:, 0], SignalClass.HOLD).astype(np.int8)
    gross, moved = found[:, 2], found[:, 3]
    side = _array(due, ["predicted"])[:, 0] - int(SignalClass.HOLD)
    gain = np.where(side > 0, found[:, 5], found[:, 4])
    net = np.where(side == 0, 0.0, gain - _array(due, ["cost"])[:, 0])
    loss = log_losses(label, _array(due, PROBA_COLUMNS))
    of_prior = log_losses(label, _array(due, _PRIORS))
    rows: list[dict[str, object]] = []
    for i, prediction in enumerate(due):
        row = {name: prediction[name] for name in ("pair", "candle", "model_version", "bot")}
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


def _array(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> NDArray[np.float64]:
    return np.array([[row[name] for name in names] for row in rows], dtype=np.float64)
