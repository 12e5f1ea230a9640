"""Live quality by hand, by group, and rolling."""

import json
import math
from pathlib import Path

import pandas as pd
import pytest

from freqai_signals.ledger.ledger import Entry, Ledger
from freqai_signals.ledger.live_quality import live_quality, quality_of, rolling_quality
from tests.ledger.ledger_rows import outcome, prediction, sqlite_url


@pytest.fixture
def scored(tmp_path: Path) -> pd.DataFrame:
    """Four rows: probabilities (.2, .3, .5), prior (.25, .5, .25); what happened: 2, 2, 0, 1."""
    ledger = Ledger(sqlite_url(tmp_path))
    happened = [2, 2, 0, 1]
    rows = [
        prediction(1), prediction(2, strength=3), prediction(3, pair="ETH/USDT", version="v2"),
        prediction(4, signal="none", strength=0),
    ]  # fmt: skip
    outcomes = [
        outcome(
            int(row["candle"]) // 300, row["pair"], row["model_version"], realised=real,
            loss=-math.log([0.2, 0.3, 0.5][real]), prior_loss=-math.log([0.25, 0.5, 0.25][real]),
            net=0.01 * real,
        )
        for row, real in zip(rows, happened, strict=True)
    ]  # fmt: skip
    ledger.write([Entry("predictions", rows), Entry("outcomes", outcomes)])
    frame = ledger.scored()
    ledger.close()
    return frame


def test_numbers_by_hand(scored: pd.DataFrame) -> None:
    found = quality_of("total", scored)
    loss = -(2 * math.log(0.5) + math.log(0.2) + math.log(0.3)) / 4
    prior = -(3 * math.log(0.25) + math.log(0.5)) / 4
    assert found.rows == 4
    assert found.log_loss == pytest.approx(loss)
    assert found.skill == pytest.approx(1 - loss / prior)
    assert found.accuracy == found.claimed == 0.5
    assert found.ece == pytest.approx(0.0)
    assert found.coverage == 0.75
    assert found.precision["weak"] == 0.5
    assert found.precision["strong"] == 1.0
    assert math.isnan(found.precision["medium"])
    assert found.signals == {"weak": 2, "medium": 0, "strong": 1}
    assert found.net == pytest.approx(0.04 / 3)


def test_groups_are_pairs_and_models(scored: pd.DataFrame) -> None:
    found = live_quality(scored)
    assert [(item.name, item.rows) for item in found["pairs"]] == [("BTC/USDT", 3), ("ETH/USDT", 1)]
    assert [(item.name, item.rows) for item in found["models"]] == [("v1", 3), ("v2", 1)]
    assert found["total"][0].rows == 4


def test_without_rows_nothing_is_claimed(scored: pd.DataFrame) -> None:
    found = live_quality(scored.iloc[:0])
    assert found["pairs"] == []
    assert json.loads(json.dumps(found["total"][0].as_dict(), allow_nan=False))["skill"] is None


def test_rolling_quality_is_that_of_the_last_rows(scored: pd.DataFrame) -> None:
    rolling = rolling_quality(scored, 2)
    assert rolling["skill"].isna().tolist() == [True, False, False, False]
    last = quality_of("", scored.iloc[-2:])
    assert rolling["skill"].iloc[-1] == pytest.approx(last.skill)
    assert rolling["accuracy"].iloc[-1] == last.accuracy == 0.0
