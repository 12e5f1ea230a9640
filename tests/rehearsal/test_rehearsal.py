"""The real bot on accelerated time."""

import datetime as dt
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest

from freqai_signals.live.decision_log import LiveRecord
from freqai_signals.rehearsal.execution import rehearse
from freqai_signals.rehearsal.outcome import judged
from freqai_signals.rehearsal.scenario import Rehearsal
from freqai_signals.rehearsal.summary import print_outcome
from freqai_signals.sandbox.market.market_files import Market
from tests.rehearsal.conftest import CODE

pytestmark = pytest.mark.skipif(
    shutil.which("faketime") is None, reason="faketime is not installed"
)


@pytest.mark.rehearsal
def test_live_equals_history_though_requests_fail(
    market: Market, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strategies = tmp_path / "strategies"
    shutil.copytree(CODE[0], strategies, ignore=shutil.ignore_patterns("*.json"))
    found = {"buy": {"minimum_confidence": 0.5}, "sell": {"opposite_confidence": 0.5}}
    content = {"strategy_name": "LightGBMSignalStrategy", "params": found}
    (strategies / "LightGBMSignalStrategy.json").write_text(json.dumps(content))
    request = Rehearsal(
        config=(config,),
        folder=tmp_path / "rehearsal",
        # It ends while nothing is decided: some seconds after a candle's close.
        days=2.24 / 24,
        # A training has a minute and a half before the next one is due, a decision 7 seconds.
        speed=40.0,
        datadir=market.folder,
        faults=0.15,
        incidents=True,
        code=(strategies, CODE[1]),
    )
    outcome = rehearse(request, lambda line: None)
    print_outcome(outcome)
    parity = outcome.parity
    log = (tmp_path / "rehearsal" / "bot.log").read_text()
    assert parity.mismatches == (), parity.mismatches[:5]
    assert parity.predicted >= 20
    assert parity.models >= 2, "no retraining"
    assert "is at hand, none is trained" in log
    assert "Strategy Parameter: minimum_confidence = 0.5" in log
    assert [check.name for check in outcome.checks if not check.passed] == []
    assert outcome.passed
    told = capsys.readouterr().out
    assert "Parity: 100.00 %" in told
    assert "Passed: no lost ledger row" in told
    assert judged(request.folder).checks == outcome.checks
    assert sum(outcome.run.faults.values()) > 20
    # A candle that the bot was still deciding when it was asked to end has no row to lose.
    path = request.folder / "record.jsonl"
    text, last = path.read_text(), list(LiveRecord(path).rows())[-1]
    date = (pd.Timestamp(last.date) + pd.Timedelta("5min")).isoformat()
    for seconds, kept in ((-1, False), (1, True)):
        row = replace(last, date=date, written=outcome.run.stop_ms / 1000 + seconds)
        path.write_text(f"{text}{json.dumps(asdict(row))}\n")
        assert judged(request.folder).passed == kept


@pytest.mark.live
def test_futures_are_sold_short_with_leverage(market: Market, tmp_path: Path, config: Path) -> None:
    content = json.loads(config.read_text())
    content |= {"trading_mode": "futures", "margin_mode": "isolated"}
    content["exchange"]["pair_whitelist"] = ["BTC/USDT:USDT", "ETH/USDT:USDT"]
    content["freqai"]["signals"]["sizing"] = {"leverage": 2.0}
    config.write_text(json.dumps(content))
    request = Rehearsal(
        config=(config,),
        folder=tmp_path / "rehearsal",
        days=2.4 / 24,
        speed=60.0,
        datadir=market.folder,
        # Funding is paid at eight o'clock.
        start=dt.datetime(2023, 2, 12, 6, 3, tzinfo=dt.UTC),
        code=CODE,
    )
    outcome = rehearse(request, lambda line: None)
    assert outcome.parity.mismatches == ()
    assert outcome.parity.predicted >= 10
    shorts = [trade for trade in outcome.trades if trade["is_short"]]
    assert shorts
    assert {trade["leverage"] for trade in shorts} == {2.0}
    over_funding = [
        trade
        for trade in shorts
        if trade["open_date"] < "2023-02-12 07:55"
        and (trade["close_date"] or "2023-02-13") > "2023-02-12 08:05"
    ]
    assert all(trade["funding_fees"] for trade in over_funding)
    assert over_funding, [trade["open_date"] for trade in shorts]
    assert all(trade["stop_loss"] > trade["open_rate"] for trade in shorts)
    assert all(trade["liquidation_price"] > trade["open_rate"] for trade in shorts)
    requests = (tmp_path / "rehearsal" / "requests.log").read_text()
    for path in ("markPriceKlines", "fundingRate", "klines"):
        assert f"GET /fapi/v1/{path}" in requests
