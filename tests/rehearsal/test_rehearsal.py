"""The real bot on accelerated time."""

import datetime as dt
import itertools
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from freqai_signals.config import POOL_FILE
from freqai_signals.ledger.ledger import Ledger
from freqai_signals.live.decision_log import LiveRecord
from freqai_signals.rehearsal.execution import rehearse
from freqai_signals.rehearsal.outcome import judged
from freqai_signals.rehearsal.run_record import RunRecord
from freqai_signals.rehearsal.scenario import Rehearsal
from freqai_signals.rehearsal.summary import print_outcome
from freqai_signals.sandbox.market.market_files import Market, ensure_market
from freqai_signals.sandbox.market.spec import MarketSpec
from tests.rehearsal.conftest import CODE, tuned_code

pytestmark = pytest.mark.skipif(
    shutil.which("faketime") is None, reason="faketime is not installed"
)


@pytest.mark.live
def test_live_equals_history_though_requests_fail(
    market: Market, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hours of what a rehearsal plans itself; CI runs a soak instead."""
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
        code=tuned_code(tmp_path),
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


@pytest.mark.rehearsal
def test_live_equals_history_while_pairs_come_and_go(tmp_path: Path, config: Path) -> None:
    """Two of four pairs are traded, every hour others; two are never in the pool of the start."""
    pairs = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT")
    market = ensure_market(MarketSpec(pairs=pairs, days=50), tmp_path / "market")
    request = Rehearsal(
        config=(config,),
        folder=tmp_path / "rehearsal",
        # The bot needs a while to come up, on a busy machine an hour of the market.
        days=4.2 / 24,
        speed=40.0,
        datadir=market.folder,
        pairs=pairs,
        rotate=2,
        start=dt.datetime(2023, 2, 12, 6, 3, tzinfo=dt.UTC),
        code=CODE,
    )
    outcome = rehearse(request, lambda line: None)
    print_outcome(outcome)
    assert outcome.parity.mismatches == (), outcome.parity.mismatches[:5]
    assert [check for check in outcome.checks if not check.passed] == []
    log = (request.folder / "bot.log").read_text()
    assert "Traceback" not in log
    user_data = request.folder / "user_data"
    pool = json.loads((user_data / "models" / "rehearsal" / POOL_FILE).read_text())["pairs"]
    assert len(pool) == 2, "the pairs of the hour in which the bot came up"
    ledger = Ledger(f"sqlite:///{user_data / 'signals' / 'ledger.sqlite'}", read_only=True)
    rows = ledger.rows("predictions")
    decided = LiveRecord(request.folder / "record.jsonl").rows()
    trust = {(row.pair, int(pd.Timestamp(row.date).timestamp())): row.trust for row in decided}
    start = 1000 * min(candle for (_, candle), value in trust.items() if value == 1)
    stays = _stays(outcome.run.incidents.absent, pairs, outcome.run)
    joined = {pair: first // 300_000 * 300 for pair, first, _ in stays if first > start}
    assert {*joined} - {*pool}, "nobody joined who was not in the pool"
    for pair, candle in joined.items():
        assert trust[pair, candle] == 1, f"{pair} is not served at its first candle"
    live = rows[(rows["kind"] == "live") & (rows["model_version"] != "none")]
    new = live.sort_values("candle").groupby("pair")["new_pair"].unique()
    for pair in {*joined} - {*pool}:
        assert new[pair][0] == 1, f"{pair} was in no training"
    first = min({*joined} - {*pool}, key=lambda pair: joined[pair])
    assert new[first].tolist() == [1, 0], "it has trained the model of its last candles"
    assert all(new[pair].tolist() == [0] for pair in pool)


def _stays(
    absent: tuple[tuple[str, int, int], ...], pairs: tuple[str, ...], run: RunRecord
) -> list[tuple[str, int, int]]:
    """Pair and span of market time (ms) in which it was listed."""
    stays = []
    for pair in pairs:
        away = sorted((first, last) for name, first, last in absent if name == pair)
        edges = [(run.start_ms, run.start_ms), *away, (run.stop_ms, run.stop_ms)]
        stays += [(pair, a[1], b[0]) for a, b in itertools.pairwise(edges) if a[1] < b[0]]
    return stays


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
