"""A small simulated market that all tests of this room share."""

from pathlib import Path

import pytest

from freqai_signals.sandbox.market.market_files import Market, ensure_market
from freqai_signals.sandbox.market.spec import MarketSpec

PAIRS = ("BTC/USDT", "ETH/USDT")


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    return ensure_market(MarketSpec(pairs=PAIRS, days=300), tmp_path_factory.mktemp("market"))


@pytest.fixture(scope="session")
def edgeless(tmp_path_factory: pytest.TempPathFactory) -> Market:
    spec = MarketSpec(pairs=("BTC/USDT",), days=40, edge=0.0)
    return ensure_market(spec, tmp_path_factory.mktemp("edgeless"))


@pytest.fixture(scope="session")
def folder(market: Market) -> Path:
    return market.folder
