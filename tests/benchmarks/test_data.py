"""Which pairs a benchmark of quality measures."""

from types import SimpleNamespace

import pytest

from benchmarks.quality.data import load, market_files


def test_simulated_market_gives_the_pairs_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made = SimpleNamespace(candles=lambda pair, timeframe: (pair, timeframe))
    monkeypatch.setattr(market_files, "ensure_market", lambda spec, notify: made)
    found = load(None, ("SOL/USDT", "BTC/USDT"), "5m").candles
    assert found == {"BTC/USDT": ("BTC/USDT", "5m"), "SOL/USDT": ("SOL/USDT", "5m")}


def test_pair_that_the_simulated_market_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="DOGE/USDT: the simulated market has BTC/USDT"):
        load(None, ("BTC/USDT", "DOGE/USDT"), "5m")
