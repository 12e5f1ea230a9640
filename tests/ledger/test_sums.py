"""Sums that the database makes are those of the rows."""

from pathlib import Path

import pandas as pd

from freqai_signals.ledger.ledger import Entry, Ledger
from freqai_signals.ledger.questions import loss_sums, signal_counts
from tests.ledger.ledger_rows import CANDLE, outcome, prediction, sqlite_url

DAY = 86_400


def test_losses_of_a_candle(tmp_path: Path) -> None:
    ledger = Ledger(sqlite_url(tmp_path))
    made, came = [], []
    for number in range(6):
        for pair, bot in (("A", "one"), ("B", "one"), ("C", "two")):
            made.append({**prediction(number), "pair": pair, "bot": bot})
            loss = 0.1 * number + ord(pair) / 100
            came.append({**outcome(number), "pair": pair, "loss": loss, "prior_loss": 1.1})
    # The last candle's outcome is not known yet.
    ledger.write([Entry("predictions", made), Entry("outcomes", came[:-3])])
    scored = ledger.scored(CANDLE)
    for bot in ("", "one"):
        rows = scored[scored["bot"] == bot] if bot else scored
        found = loss_sums(ledger, CANDLE, bot).set_index("candle")
        assert found.index.tolist() == [number * CANDLE for number in range(1, 5)]
        assert found["rows"].tolist() == [2 if bot else 3] * 4
        wanted = rows.groupby("candle")[["loss", "prior_loss"]].sum()
        pd.testing.assert_frame_equal(found[["loss", "prior_loss"]].astype(float), wanted)
    assert loss_sums(ledger, 9 * CANDLE).empty
    ledger.close()


def test_signals_of_a_day(tmp_path: Path) -> None:
    ledger = Ledger(sqlite_url(tmp_path))
    signal = {
        "pair": "A", "model_version": "v1", "strength": 2, "confidence": 0.9, "record": "{}",
    }  # fmt: skip
    at = [(DAY - 1, "buy"), (DAY, "buy"), (DAY + 300, "sell"), (DAY + 600, "buy"), (2 * DAY, "buy")]
    rows = [{**signal, "bot": "one", "candle": candle, "signal": kind} for candle, kind in at]
    rows += [{**signal, "bot": "two", "pair": "B", "candle": DAY, "signal": "sell"}]
    ledger.write([Entry("signals", rows)])
    assert signal_counts(ledger, "one", DAY, 2 * DAY) == {"buy": 2, "sell": 1}
    assert signal_counts(ledger, "none", DAY, 2 * DAY) == {}
    ledger.close()
