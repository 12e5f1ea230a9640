from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from freqai_signals.sandbox.exchange.app import create_exchange
from freqai_signals.sandbox.exchange.clock import Clock
from freqai_signals.sandbox.market.market_files import Market, write_feather

WEEK_MS = 7 * 86_400_000


@pytest.fixture(scope="module")
def client(folder: Path) -> TestClient:
    return TestClient(create_exchange(folder, Clock(), lambda line: None))


def get(client: TestClient, path: str, **query: object) -> object:
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def opened(market: Market) -> list[int]:
    dates = market.candles("BTC/USDT")["date"]
    return [int(value) for value in dates.dt.as_unit("ms").astype("int64")]


def test_a_path_with_line_ends_and_escapes_is_one_printable_line(folder: Path) -> None:
    lines: list[str] = []
    client = TestClient(create_exchange(folder, Clock(), lines.append))
    client.get("/api/v3/x%0aGET%1b[31m", params={"symbol": "\x1b[2J"})
    (line,) = lines
    assert line.isprintable()


@pytest.mark.parametrize("symbols", ["5", "{}", "null", '["BTCUSDT", 5]', "[[]]", "[" * 9000])
def test_symbols_that_are_no_list_of_names_are_refused(client: TestClient, symbols: str) -> None:
    answer = client.get("/api/v3/ticker/24hr", params={"symbols": symbols})
    assert (answer.status_code, answer.json()["code"]) == (400, -1100)


def test_paging_through_candles_gives_the_file(client: TestClient, market: Market) -> None:
    rows: list[list[object]] = []
    start = 0
    while page := get(
        client, "/api/v3/klines", symbol="BTCUSDT", interval="5m", startTime=start, limit=1000
    ):
        assert isinstance(page, list)
        assert len(page) <= 1000
        rows += page
        start = page[-1][0] + 1
    candles = market.candles("BTC/USDT")
    assert [row[0] for row in rows] == opened(market)
    values = np.array([[float(str(value)) for value in row[1:6]] for row in rows])
    np.testing.assert_array_equal(values, candles.iloc[:, 1:].to_numpy())
    assert {row[6] - row[0] for row in rows} == {299_999}  # type: ignore[operator]
    assert {len(row) for row in rows} == {12}


def test_candle_defaults_are_binances(client: TestClient, market: Market) -> None:
    times = opened(market)
    latest = get(client, "/api/v3/klines", symbol="BTCUSDT", interval="5m")
    assert [row[0] for row in latest] == times[-500:]  # type: ignore[attr-defined]
    capped = get(client, "/api/v3/klines", symbol="BTCUSDT", interval="5m", limit=5000)
    assert len(capped) == 1000  # type: ignore[arg-type]
    until = get(client, "/api/v3/klines", symbol="BTCUSDT", interval="5m", endTime=times[9])
    assert [row[0] for row in until] == times[:10]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"symbol": "NOPE", "interval": "5m"}, -1121),
        ({"symbol": "BTCUSDT", "interval": "7m"}, -1120),
        ({"symbol": "BTCUSDT", "interval": "1m"}, -1120),
        ({"interval": "5m"}, -1102),
        ({"symbol": "BTCUSDT"}, -1102),
        ({"symbol": "BTCUSDT", "interval": "5m", "limit": "x"}, -1100),
        ({"symbol": "BTCUSDT", "interval": "5m", "limit": "0"}, -1130),
        ({"symbol": "BTCUSDT", "interval": "5m", "startTime": "-1"}, -1100),
    ],
)
def test_refusals_carry_binances_codes(
    client: TestClient, query: dict[str, str], code: int
) -> None:
    answer = client.get("/api/v3/klines", params=query)
    assert answer.status_code == 400
    assert answer.json()["code"] == code


def test_exchange_info_lists_symbols_with_their_rules(client: TestClient) -> None:
    info = get(client, "/api/v3/exchangeInfo")
    assert isinstance(info, dict)
    symbols = {item["symbol"]: item for item in info["symbols"]}
    assert set(symbols) == {"BTCUSDT", "ETHUSDT"}
    filters = {item["filterType"]: item for item in symbols["BTCUSDT"]["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
    assert symbols["BTCUSDT"]["status"] == "TRADING"


def test_prices_agree_with_each_other(client: TestClient, market: Market) -> None:
    close = market.candles("BTC/USDT")["close"].iloc[-1]
    price = get(client, "/api/v3/ticker/price", symbol="BTCUSDT")
    best = get(client, "/api/v3/ticker/bookTicker", symbol="BTCUSDT")
    day = get(client, "/api/v3/ticker/24hr", symbol="BTCUSDT")
    levels = get(client, "/api/v3/depth", symbol="BTCUSDT", limit=5)
    assert isinstance(price, dict)
    assert isinstance(best, dict)
    assert isinstance(day, dict)
    assert isinstance(levels, dict)
    assert float(price["price"]) == float(day["lastPrice"]) == close
    assert float(best["bidPrice"]) < close < float(best["askPrice"])
    assert levels["bids"][0][0] == best["bidPrice"]
    assert levels["asks"][0][0] == best["askPrice"]
    assert len(levels["bids"]) == 5
    last_day = market.candles("BTC/USDT").iloc[-288:]
    assert float(day["highPrice"]) == last_day["high"].max()
    assert float(day["volume"]) == pytest.approx(last_day["volume"].sum())


def test_tickers_come_for_all_some_or_one(client: TestClient) -> None:
    for name in ("24hr", "price", "bookTicker"):
        path = f"/api/v3/ticker/{name}"
        everything = get(client, path)
        some = get(client, path, symbols='["ETHUSDT"]')
        assert [item["symbol"] for item in everything] == ["BTCUSDT", "ETHUSDT"]  # type: ignore[attr-defined]
        assert [item["symbol"] for item in some] == ["ETHUSDT"]  # type: ignore[attr-defined]
        assert client.get(path, params={"symbol": "NOPE"}).json()["code"] == -1121
        assert client.get(path, params={"symbols": "[NOPE"}).json()["code"] == -1100


def test_what_is_not_there_is_said_so(client: TestClient) -> None:
    answer = client.get("/api/v3/account")
    assert answer.status_code == 404
    assert "/api/v3/account" in answer.json()["msg"]


def test_time_can_be_moved(market: Market) -> None:
    times = opened(market)
    now = times[1000] + WEEK_MS + 299_999
    clock = Clock(now_ms=lambda: now, shift_ms=WEEK_MS)
    client = TestClient(create_exchange(market.folder, clock, lambda line: None))
    rows = get(client, "/api/v3/klines", symbol="BTCUSDT", interval="5m", limit=2)
    assert [row[0] for row in rows] == [times[999] + WEEK_MS, times[1000] + WEEK_MS]  # type: ignore[attr-defined]
    assert get(client, "/api/v3/time") == {"serverTime": now}
    price = get(client, "/api/v3/ticker/price", symbol="BTCUSDT")
    assert isinstance(price, dict)
    assert float(price["price"]) == market.candles("BTC/USDT")["close"].iloc[1000]


def test_requests_are_logged(folder: Path) -> None:
    lines: list[str] = []
    client = TestClient(create_exchange(folder, Clock(), lines.append))
    client.get("/api/v3/klines", params={"symbol": "NOPE", "interval": "5m"})
    assert lines[0].startswith("GET /api/v3/klines?symbol=NOPE&interval=5m 400 ")
    assert lines[0].endswith(" ms")


def test_a_file_damaged_meanwhile_is_named(market: Market, tmp_path: Path) -> None:
    candles = market.candles("BTC/USDT").iloc[:300].reset_index(drop=True)
    write_feather(candles, tmp_path / "BTC_USDT-5m.feather")
    client = TestClient(create_exchange(tmp_path, Clock(), lambda line: None))
    (tmp_path / "BTC_USDT-5m.feather").write_bytes(b"ARROW1")
    answer = client.get("/api/v3/klines", params={"symbol": "BTCUSDT", "interval": "5m"})
    assert answer.status_code == 500
    assert "BTC_USDT-5m.feather is damaged" in answer.json()["msg"]


def test_futures_are_served_from_their_folder(market: Market, tmp_path: Path) -> None:
    (tmp_path / "futures").mkdir()
    candles = market.candles("BTC/USDT").iloc[:24].reset_index(drop=True)
    for kind in ("futures", "mark"):
        write_feather(candles, tmp_path / "futures" / f"BTC_USDT_USDT-1h-{kind}.feather")
    client = TestClient(create_exchange(tmp_path, Clock(), lambda line: None))
    info = get(client, "/fapi/v1/exchangeInfo")
    assert isinstance(info, dict)
    assert info["symbols"][0]["contractType"] == "PERPETUAL"
    for path in ("klines", "markPriceKlines"):
        rows = get(client, f"/fapi/v1/{path}", symbol="BTCUSDT", interval="1h")
        assert len(rows) == 24  # type: ignore[arg-type]
