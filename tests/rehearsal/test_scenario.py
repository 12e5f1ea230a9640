"""Where a rehearsal lies in time."""

import json
from pathlib import Path

import pandas as pd

from freqai_signals.rehearsal.scenario import DAY_MS, Rehearsal, rehearsed_time
from freqai_signals.sandbox.market.market_files import Market


def test_a_rehearsal_ends_where_the_candles_of_its_trading_mode_end(
    market: Market, tmp_path: Path
) -> None:
    """Spot candles that go on for longer beside the futures do not count."""
    candles: pd.DataFrame = market.candles("BTC/USDT")
    (tmp_path / "futures").mkdir()
    candles.to_feather(tmp_path / "BTC_USDT-5m.feather")
    contract = candles.iloc[: -40 * 288].reset_index(drop=True)
    contract.to_feather(tmp_path / "futures" / "BTC_USDT_USDT-5m-futures.feather")
    starts = []
    for mode, pair in (("spot", "BTC/USDT"), ("futures", "BTC/USDT:USDT")):
        config = tmp_path / f"{mode}.json"
        content = {"trading_mode": mode, "exchange": {"pair_whitelist": [pair]}}
        config.write_text(json.dumps(content))
        clock, _ = rehearsed_time(Rehearsal((config,), tmp_path), tmp_path)
        starts.append(clock.start_ms)
    assert starts[0] - starts[1] == 40 * DAY_MS
