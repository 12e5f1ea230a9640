"""What a running bot asks about its pairs, on SQLite and on PostgreSQL."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from freqai_signals.ledger.ledger import Entry, Ledger
from freqai_signals.ledger.live_quality import quality_of
from freqai_signals.ledger.questions import (
    RecentQuality,
    known_outcomes,
    recent_quality,
    unresolved,
)
from tests.ledger.ledger_rows import (
    CANDLE,
    outcome,
    postgres_url,
    prediction,
    predictions,
    sqlite_url,
)

BTC, ETH, SOL = "BTC/USDT", "ETH/USDT", "SOL/USDT"


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(sqlite_url(tmp_path) if request.param == "sqlite" else postgres_url())
    yield opened
    opened.close()


def candles(rows: "dict[str, list[dict[str, object]]]") -> dict[str, list[object]]:
    return {pair: [row["candle"] for row in found] for pair, found in rows.items()}


def test_unresolved_rows_are_a_bots_live_ones_without_outcome(ledger: Ledger) -> None:
    ledger.write([predictions(1, 2, 3), predictions(4, kind="gap"), predictions(5, bot="other")])
    ledger.write([Entry("outcomes", [outcome(1)])])
    assert candles(unresolved(ledger, "bot", {BTC: 0})) == {BTC: [600, 900]}
    assert candles(unresolved(ledger, "bot", {BTC: 700})) == {BTC: [900]}
    assert candles(unresolved(ledger, "bot", {BTC: 0}, until=600)) == {BTC: [600]}
    assert candles(unresolved(ledger, "other", {BTC: 0})) == {BTC: [1500]}


def test_each_pair_is_asked_about_from_its_own_candle_on(ledger: Ledger) -> None:
    for pair in (BTC, ETH, SOL, "XRP/USDT"):
        ledger.write([predictions(1, 2, 3, pair=pair)])
        ledger.write([Entry("outcomes", [outcome(n, pair=pair) for n in (7, 8, 9)])])
    since = {BTC: 2 * CANDLE, ETH: 3 * CANDLE, SOL: 2 * CANDLE}
    assert candles(unresolved(ledger, "bot", since)) == {
        BTC: [600, 900], ETH: [900], SOL: [600, 900],
    }  # fmt: skip
    since = {BTC: 8 * CANDLE, ETH: 9 * CANDLE}
    assert candles(known_outcomes(ledger, ["v1"], since)) == {BTC: [2400, 2700], ETH: [2700]}


def test_outcomes_are_those_of_the_models_oldest_first(ledger: Ledger) -> None:
    others = [outcome(2, pair=ETH), outcome(2, version="v2")]
    ledger.write([Entry("outcomes", [outcome(3), *others, outcome(1), outcome(2)])])
    assert candles(known_outcomes(ledger, ["v1"], {BTC: 0})) == {BTC: [300, 600, 900]}
    (row,) = known_outcomes(ledger, ["v1", "v3"], {BTC: 700})[BTC]
    assert row == {"pair": BTC, "candle": 900, "model_version": "v1", "realised": 2}
    assert len(known_outcomes(ledger, ["v1", "v2"], {BTC: 0})[BTC]) == 4


def test_a_grown_ledger_is_not_read_from_end_to_end(tmp_path: Path) -> None:
    ledger = Ledger(sqlite_url(tmp_path))
    seen: list[str] = []
    records = ledger.records

    def explained(query: object) -> list[dict[str, object]]:
        made = query.compile(ledger.engine, compile_kwargs={"literal_binds": True})  # type: ignore[attr-defined]
        with ledger.engine.connect() as connection:
            plan = connection.execute(text(f"EXPLAIN QUERY PLAN {made}"))
            seen.extend(str(row[-1]) for row in plan)
        return records(query)

    ledger.records = explained  # type: ignore[method-assign,assignment]
    pairs = {f"P{i}/USDT": 1000 for i in range(100)}
    unresolved(ledger, "bot", pairs, 2000)
    known_outcomes(ledger, ["v1"], pairs)
    recent_quality(ledger, BTC, 1000)
    ledger.close()
    searched = [step for step in seen if step.startswith(("SEARCH", "SCAN"))]
    assert len(searched) == 5
    assert all("(pair=? AND candle" in step for step in searched), searched


def test_the_week_of_a_pair_is_that_of_all_its_rows(ledger: Ledger) -> None:
    assert recent_quality(ledger, BTC, 0).rows == 0
    assert math.isnan(RecentQuality().skill)
    kinds = ["live", "gap", "live", "live", "live", "live"]
    rows = [prediction(i, kind=kind, predicted=i % 3) for i, kind in enumerate(kinds)]
    known = [outcome(i, loss=-math.log(0.2 if i == 4 else 0.5), realised=2 * (i != 4),
                     prior_loss=-math.log(0.25)) for i in range(5)]  # fmt: skip
    unknown = outcome(5, realised=None)
    ledger.write([Entry("predictions", [*rows, prediction(3, pair=ETH)])])
    ledger.write([Entry("outcomes", [*known, unknown, outcome(3, pair=ETH)])])
    found = recent_quality(ledger, BTC, 2 * CANDLE)
    scored = ledger.scored(2 * CANDLE)
    wanted = quality_of(BTC, scored[scored["pair"] == BTC])
    assert found.rows == wanted.rows == 3
    assert found.skill == pytest.approx(wanted.skill, rel=1e-12)
    assert found.accuracy == wanted.accuracy == pytest.approx(1 / 3)
