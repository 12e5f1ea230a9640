"""Fixtures that all tests share."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings

from freqai_signals.dataset.rows import TrainingRows
from freqai_signals.model.signal_model import SignalModel
from freqai_signals.sandbox.market.market_files import Market, ensure_market
from freqai_signals.sandbox.market.spec import MarketSpec
from freqai_signals.settings import timeframe_seconds
from freqai_signals.training.fit import Request, train
from tests.model_rows import make_rows, small
from tests.prediction_frames import frame_of, random_frame

REPO = Path(__file__).resolve().parents[1]

# LightGBM's idle threads otherwise spin, which on a busy machine slows training by a factor of 100.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

settings.register_profile(
    "local", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.register_profile("ci", settings.get_profile("local"), derandomize=True, print_blob=True)
settings.register_profile("fuzz", settings.get_profile("local"), max_examples=1000)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "local")
)


@pytest.fixture(scope="session")
def repo() -> Path:
    """Root of the work tree."""
    return REPO


def real_candles() -> Path:
    """Where real candles would be."""
    named = os.environ.get("FREQAI_SIGNALS_DATA")
    return Path(named) if named else REPO.parent / "shared" / "data" / "binance"


@pytest.fixture(scope="session")
def real_data_dir() -> Path:
    """Folder with freqtrade feather files of real candles; the test is skipped without them."""
    folder = real_candles()
    if not any(folder.glob("*-5m.feather")):
        pytest.skip(f"no *-5m.feather in {folder}; name a folder in FREQAI_SIGNALS_DATA")
    return folder


def random_walk(rows: int = 500, seed: int = 0, timeframe: str = "5m") -> pd.DataFrame:
    """Consistent candles of a random walk, columns and types as freqtrade loads them."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.standard_t(5, rows) * 0.001))
    opening = np.concatenate([[100.0], close[:-1]])
    wick = np.abs(rng.normal(0, 0.0005, (2, rows)))
    start = pd.Timestamp("2023-01-01", tz="UTC")
    date = pd.date_range(start, periods=rows, freq=f"{timeframe_seconds(timeframe)}s", unit="ms")
    return pd.DataFrame(
        {
            "date": date,
            "open": opening,
            "high": np.maximum(opening, close) * (1 + wick[0]),
            "low": np.minimum(opening, close) * (1 - wick[1]),
            "close": close,
            "volume": rng.lognormal(3, 0.6, rows),
        }
    )


@pytest.fixture(scope="session")
def candles() -> Callable[..., pd.DataFrame]:
    """``candles(rows=500, seed=0, timeframe="5m")`` makes small random-walk candles."""
    return random_walk


@pytest.fixture(scope="session")
def rows() -> TrainingRows:
    return make_rows()


@pytest.fixture(params=["multiclass", "two_stage"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def trained(rows: TrainingRows, kind: str) -> SignalModel:
    return train(Request(rows, small({"kind": kind})))


@pytest.fixture(scope="session")
def predictions() -> Callable[..., pd.DataFrame]:
    """``predictions("BBhS", confidence=.95, expected=.01)``: one row per letter."""
    return frame_of


@pytest.fixture(scope="session")
def many_predictions() -> Callable[..., pd.DataFrame]:
    """``many_predictions(rows, seed)``: random rows with runs, gaps and bad rows."""
    return random_frame


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    return ensure_market(
        MarketSpec(pairs=("BTC/USDT", "ETH/USDT"), days=300), tmp_path_factory.mktemp("market")
    )


@pytest.fixture(scope="session")
def edgeless(tmp_path_factory: pytest.TempPathFactory) -> Market:
    spec = MarketSpec(pairs=("BTC/USDT",), days=40, edge=0.0)
    return ensure_market(spec, tmp_path_factory.mktemp("edgeless"))


@pytest.fixture(scope="session")
def folder(market: Market) -> Path:
    return market.folder
