"""Outcomes are those of the training labels, known when the horizon has closed, not before."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from freqai_signals.dataset.barriers import LabelRule, return_scale
from freqai_signals.dataset.labels import make_labels
from freqai_signals.dataset.rows import candle_numbers
from freqai_signals.ledger.ledger import Entry, Ledger
from freqai_signals.ledger.outcomes import resolve_outcomes
from freqai_signals.ledger.questions import unresolved
from freqai_signals.settings import SignalSettings
from tests.conftest import random_walk
from tests.ledger.ledger_rows import CANDLE, prediction, predictions, sqlite_url

HORIZON = 3
SETTINGS = SignalSettings.model_validate(
    {"labels": {"kind": "fixed", "threshold": 0.01}, "label_horizon_candles": HORIZON}
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(sqlite_url(tmp_path))
    yield opened
    opened.close()


def candles(close: list[float], first: int = 1000) -> pd.DataFrame:
    dates = pd.to_datetime(np.arange(first, first + len(close)) * CANDLE, unit="s", utc=True)
    return pd.DataFrame(
        {"date": dates, "open": close, "high": close, "low": close, "close": close, "volume": 1.0}
    )


def resolved(ledger: Ledger, frame: pd.DataFrame, settings: SignalSettings, cost: float) -> Entry:
    return resolve_outcomes(waiting(ledger), frame, settings, cost)


def waiting(ledger: Ledger) -> list[dict[str, Any]]:
    return unresolved(ledger, "bot", {"BTC/USDT": 0}).get("BTC/USDT", [])


def test_outcome_by_hand(ledger: Ledger) -> None:
    ledger.write([predictions(1000)])
    (row,) = resolved(ledger, candles([100, 100, 100, 102]), SETTINGS, 0).rows
    assert row["realised"] == 2
    assert row["event_end"] == (1003 + 1) * CANDLE
    assert row["gross"] == pytest.approx(0.02)
    assert row["net"] == pytest.approx(0.02 - 0.002)
    assert row["loss"] == pytest.approx(-math.log(0.5))
    assert row["prior_loss"] == pytest.approx(-math.log(0.25))


def test_sell_earns_what_the_price_lost_and_hold_nothing(ledger: Ledger) -> None:
    ledger.write([predictions(1000, predicted=0), predictions(1000, version="v2", predicted=1)])
    rows = resolved(ledger, candles([100, 100, 100, 98]), SETTINGS, 0).rows
    assert [row["net"] for row in rows] == [pytest.approx(0.02 - 0.002), 0.0]


def test_nothing_is_known_before_the_horizon_has_closed(ledger: Ledger) -> None:
    ledger.write([predictions(1000)])
    for count in range(1, HORIZON + 1):
        assert not resolved(ledger, candles([100.0] * count), SETTINGS, 0).rows


def test_resolved_rows_are_not_resolved_again(ledger: Ledger) -> None:
    ledger.write([predictions(1000, 1001)])
    frame = candles([100.0] * 5)
    first = resolved(ledger, frame, SETTINGS, 0)
    assert len(first) == 2
    ledger.write([first])
    assert not resolved(ledger, frame, SETTINGS, 0).rows


def test_outcome_that_can_never_be_known_is_marked_and_not_scored(ledger: Ledger) -> None:
    ledger.write([predictions(1000)])
    frame = candles([100.0] * 4)
    frame.loc[0, "volume"] = 0.0
    entry = resolved(ledger, frame, SETTINGS, 0)
    assert entry.rows[0]["realised"] is None
    ledger.write([entry])
    assert waiting(ledger) == []
    assert ledger.scored().empty


def test_rows_before_the_candles_wait(ledger: Ledger) -> None:
    ledger.write([predictions(900)])
    assert not resolved(ledger, candles([100.0] * 9), SETTINGS, 0).rows
    assert len(waiting(ledger)) == 1


@pytest.mark.parametrize("kind", ["fixed", "volatility", "triple_barrier"])
def test_outcomes_equal_the_labels_of_the_whole_history(ledger: Ledger, kind: str) -> None:
    settings = SignalSettings.model_validate({"labels": {"kind": kind, "threshold": 0.002}})
    frame = random_walk(3000)
    numbers = candle_numbers(frame["date"], CANDLE)
    places = [2000, 2001, 2300, 2950]
    ledger.write([Entry("predictions", [prediction(int(numbers[i])) for i in places])])
    labels = make_labels(frame, LabelRule(settings.labels, 24, 288, 0.002))
    rows = resolved(ledger, frame.iloc[500:], settings, 0.002).rows
    assert [row["realised"] for row in rows] == labels["&-signal"].iloc[places].tolist()
    np.testing.assert_allclose(
        [float(str(row["gross"])) for row in rows], labels["label_return"].iloc[places], atol=1e-12
    )
    scale = return_scale(frame["close"].to_numpy(), LabelRule(settings.labels, 24, 288, 0.002))
    moved = labels["label_return"].to_numpy()[places] / scale[places]
    np.testing.assert_allclose([float(str(row["moved"])) for row in rows], moved, rtol=1e-6)
    ends = numbers[labels["label_event_end"].iloc[places].astype(int)]
    assert [row["event_end"] for row in rows] == ((ends + 1) * CANDLE).tolist()
