"""What goes wrong when it is told to."""

import http.client
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient

from freqai_signals.sandbox.exchange.app import create_exchange
from freqai_signals.sandbox.exchange.clock import Clock
from freqai_signals.sandbox.exchange.faults import Faults, Kind
from freqai_signals.sandbox.exchange.server import serving
from freqai_signals.sandbox.market.market_files import Market

CANDLE_MS = 300_000
NEWEST = "/api/v3/klines?symbol=BTCUSDT&interval=5m&limit=3"

Ask = Callable[[Faults, int], TestClient]


@pytest.fixture(scope="module")
def opened(market: Market) -> int:
    return int(market.candles("BTC/USDT")["date"].iloc[1000].timestamp() * 1000)


@pytest.fixture
def ask(folder: Path) -> Ask:
    def client(faults: Faults, now_ms: int = 2**42) -> TestClient:
        clock = Clock(now_ms=lambda: now_ms)
        return TestClient(create_exchange(folder, clock, lambda line: None, faults))

    return client


def only(kind: Kind, **more: float) -> Faults:
    return Faults(share=1.0, kinds=(kind,), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("limit", 429, -1003), ("banned", 418, -1003), ("error", 500, -1000),
     ("unavailable", 503, -1001)],
)  # fmt: skip
def test_refusals_look_like_binances(ask: Ask, kind: Kind, status: int, code: int) -> None:
    answer = ask(only(kind, retry_after_seconds=7), 2**42).get("/api/v3/time")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers.get("Retry-After") == ("7" if status in (418, 429) else None)


@pytest.mark.parametrize("kind", ["slow", "timeout"])
def test_answers_come_late(ask: Ask, kind: Kind) -> None:
    began = time.monotonic()
    answer = ask(only(kind, slow_seconds=0.2, timeout_seconds=0.2), 2**42).get("/api/v3/time")
    assert answer.status_code == 200
    assert time.monotonic() - began >= 0.2


def test_a_dropped_connection_gives_no_answer(folder: Path) -> None:
    app = create_exchange(folder, Clock(), lambda line: None, only("drop"))
    with serving(app) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
        connection.request("GET", "/api/v3/time")
        with pytest.raises((http.client.HTTPException, OSError)):
            connection.getresponse().read()


def test_the_share_of_faults_is_kept_and_repeats_with_the_seed(ask: Ask) -> None:
    def statuses() -> list[int]:
        client = ask(Faults(share=0.3, kinds=("error",), seed=5), 2**42)
        return [client.get("/api/v3/time").status_code for _ in range(100)]

    first = statuses()
    assert 15 < first.count(500) < 45
    assert statuses() == first


def test_the_exchange_can_be_down_and_come_back(ask: Ask) -> None:
    faults = Faults(down=True)
    client = ask(faults, 2**42)
    assert client.get("/api/v3/exchangeInfo").status_code == 503
    faults.down = False
    assert client.get("/api/v3/exchangeInfo").status_code == 200
    assert faults.counts == {"unavailable": 1}


def newest(ask: Ask, faults: Faults, now_ms: int) -> list[int]:
    return [row[0] for row in ask(faults, now_ms).get(NEWEST).json()]


def test_a_missing_candle_never_comes(ask: Ask, opened: int) -> None:
    faults = Faults(missing={"BTC/USDT": {opened}})
    shown = newest(ask, faults, opened + CANDLE_MS + 1)
    assert shown == [opened - 2 * CANDLE_MS, opened - CANDLE_MS, opened + CANDLE_MS]


def test_a_late_candle_comes_later(ask: Ask, opened: int) -> None:
    faults = Faults(late_ms={"BTC/USDT": 20_000})
    assert newest(ask, faults, opened + 19_999)[-1] == opened - CANDLE_MS
    assert newest(ask, faults, opened + 20_000)[-1] == opened


def test_a_halt_stops_candles_and_price(ask: Ask, market: Market, opened: int) -> None:
    faults = Faults(halted={"BTC/USDT": opened})
    now = opened + 50 * CANDLE_MS
    assert newest(ask, faults, now)[-1] == opened - CANDLE_MS
    client = ask(faults, now)
    price = client.get("/api/v3/ticker/price?symbol=BTCUSDT").json()["price"]
    assert float(price) == market.candles("BTC/USDT")["close"].iloc[999]
    other = client.get("/api/v3/klines?symbol=ETHUSDT&interval=5m&limit=1").json()
    assert other[0][0] == now
