"""A market and a small config for rehearsals."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from freqai_signals.sandbox.market.market_files import Market, ensure_market
from freqai_signals.sandbox.market.spec import MarketSpec
from tests.conftest import REPO

PAIRS = ("BTC/USDT", "ETH/USDT")
CODE = (REPO / "strategies", REPO / "freqai_models")


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    return ensure_market(MarketSpec(pairs=PAIRS, days=50), tmp_path_factory.mktemp("market"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Trains in a second, retrains every hour, acts on many candles."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps(small_config()))
    return path


def our_errors(log: str) -> list[str]:
    """Lines of tracebacks that name our code; freqtrade has some of its own while it ends."""
    return re.findall(r'File "\S*/(?:strategies|freqai_models|freqai_signals)/.*', log)


def small_config() -> dict[str, Any]:
    config = json.loads((REPO / "config.json").read_text())
    config["exchange"]["pair_whitelist"] = list(PAIRS)
    config["freqai"] |= {
        "identifier": "rehearsal",
        "train_period_days": 20,
        "live_retrain_hours": 1,
        "expiration_hours": 6,
        "model_training_parameters": {"rounds": 50, "threads": 2},
    }
    config["freqai"]["signals"]["decision"] |= {
        "weak": 0.6,
        "medium": 0.7,
        "strong": 0.8,
        "minimum_confidence": 0.6,
        "reference_confidence": 0.6,
        "expected_value_rule": False,
    }
    # The bot's seconds are short ones on accelerated time.
    config["freqai"]["signals"]["ledger"] = {"wait_seconds": 30}
    # Twenty days rarely prove an edge, and these rehearsals are about what a bot does with one.
    config["freqai"]["signals"]["gate"] = {"where": "never"}
    config["freqai"]["signals"]["features"]["groups"] = [
        "momentum", "volatility", "calendar", "cross_asset",
    ]  # fmt: skip
    return dict(config)


def tuned_code(folder: Path) -> tuple[Path, Path]:
    """Folders of strategy and model, with thresholds that hyperopt found, one of them 0.5."""
    strategies = folder / "strategies"
    shutil.copytree(CODE[0], strategies, ignore=shutil.ignore_patterns("*.json"))
    found = {"buy": {"minimum_confidence": 0.5}, "sell": {"opposite_confidence": 0.5}}
    content = {"strategy_name": "LightGBMSignalStrategy", "params": found}
    (strategies / "LightGBMSignalStrategy.json").write_text(json.dumps(content))
    return strategies, CODE[1]
