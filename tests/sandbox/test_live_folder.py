"""The exchange while time passes, and where the bot's history lies on the clock."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from freqai_signals.sandbox.exchange.app import create_exchange
from freqai_signals.sandbox.exchange.clock import WEEK_MS, Clock, wall_clock_ms, weeks_onto_clock
from freqai_signals.sandbox.market.market_files import Market
from freqai_signals.sandbox.runner.bot_config import BotConfig, bot_config_of
from freqai_signals.sandbox.runner.environment import with_live_folder
from freqai_signals.sandbox.runner.live_folder import LivePlace, last_opening, live_place

ROOT = Path(__file__).parents[2]
CANDLE_MS = 300_000


class Moment:
    """A clock that the test sets."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture(scope="module")
def opened(market: Market) -> int:
    """Opening of a candle in the middle of a day."""
    return int(market.candles("BTC/USDT")["date"].iloc[5000].timestamp() * 1000)


@pytest.fixture
def moment(opened: int) -> Moment:
    return Moment(opened + WEEK_MS)


@pytest.fixture
def client(market: Market, moment: Moment) -> TestClient:
    clock = Clock(now_ms=moment, shift_ms=WEEK_MS)
    return TestClient(create_exchange(market.folder, clock, lambda line: None))


def row(client: TestClient, interval: str = "5m") -> list[float]:
    """Newest candle: opening, open, high, low, close, volume."""
    query = {"symbol": "BTCUSDT", "interval": interval, "limit": 1}
    return [float(value) for value in client.get("/api/v3/klines", params=query).json()[0][:6]]


def price(client: TestClient) -> float:
    return float(client.get("/api/v3/ticker/price", params={"symbol": "BTCUSDT"}).json()["price"])


def test_the_open_candle_grows_into_the_stored_one(
    client: TestClient, market: Market, moment: Moment, opened: int
) -> None:
    stored = market.candles("BTC/USDT").iloc[5000, 1:].to_list()
    seen = []
    for share in (0.0, 0.2, 0.4, 0.6, 0.8, 0.999):
        moment.now_ms = opened + WEEK_MS + int(share * CANDLE_MS)
        seen.append(row(client))
    assert {candle[0] for candle in seen} == {opened + WEEK_MS}
    assert {candle[1] for candle in seen} == {stored[0]}
    highs, lows, volumes = (np.array([candle[i] for candle in seen]) for i in (2, 3, 5))
    assert (np.diff(highs) >= 0).all()
    assert (np.diff(lows) <= 0).all()
    assert (np.diff(volumes) > 0).all()
    assert seen[0][2:5] == [stored[0]] * 3
    assert seen[-1][2:4] == stored[1:3]


def test_a_candle_closes_on_time(
    client: TestClient, market: Market, moment: Moment, opened: int
) -> None:
    query = {"symbol": "BTCUSDT", "interval": "5m", "limit": 2}
    moment.now_ms = opened + WEEK_MS + CANDLE_MS - 1
    before = client.get("/api/v3/klines", params=query).json()
    moment.now_ms += 1
    after = client.get("/api/v3/klines", params=query).json()
    assert before[1][0] == after[0][0] == opened + WEEK_MS
    assert after[1][0] == opened + WEEK_MS + CANDLE_MS
    stored = market.candles("BTC/USDT").iloc[5000, 1:].to_list()
    assert [float(value) for value in after[0][1:6]] == stored


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_prices_agree_with_the_open_candle(
    client: TestClient, moment: Moment, opened: int, share: float
) -> None:
    moment.now_ms = opened + WEEK_MS + int(share * CANDLE_MS)
    now = row(client)[4]
    symbol = {"symbol": "BTCUSDT"}
    assert price(client) == now
    day = client.get("/api/v3/ticker/24hr", params=symbol).json()
    assert float(day["lastPrice"]) == now
    best = client.get("/api/v3/ticker/bookTicker", params=symbol).json()
    store = client.get("/api/v3/depth", params=symbol).json()
    assert float(best["bidPrice"]) < now < float(best["askPrice"])
    assert (store["bids"][0][0], store["asks"][0][0]) == (best["bidPrice"], best["askPrice"])


def test_longer_candles_hold_what_has_happened_so_far(
    client: TestClient, market: Market, moment: Moment
) -> None:
    candles = market.candles("BTC/USDT")
    hour = candles[candles["date"].dt.minute == 0].index[40]
    start = int(candles["date"].iloc[hour].timestamp() * 1000) + WEEK_MS
    moment.now_ms = start + 2 * CANDLE_MS + CANDLE_MS // 2
    opening, first, high, low, last, volume = row(client, "1h")
    newest = row(client)
    done = candles.iloc[hour : hour + 2]
    assert opening == start
    assert first == done["open"].iloc[0]
    assert last == newest[4]
    assert high == max(done["high"].max(), newest[2])
    assert low == min(done["low"].min(), newest[3])
    assert volume == pytest.approx(done["volume"].sum() + newest[5])


def test_weeks_leave_candles_ahead() -> None:
    now, last = wall_clock_ms(), 1_700_000_000_000
    weeks = weeks_onto_clock(last, now, 28)
    ahead = last + weeks * WEEK_MS - now
    assert 4 * WEEK_MS <= ahead < 5 * WEEK_MS


def test_a_bot_that_starts_again_finds_its_place(market: Market, tmp_path: Path) -> None:
    first = live_place(market.folder, root=tmp_path)
    ahead = last_opening(market.folder) + first.weeks * WEEK_MS - wall_clock_ms()
    assert 28 <= ahead / 86_400_000 < 35
    begun = LivePlace(first.folder.with_name(
        first.folder.name.replace(f"weeks{first.weeks}", f"weeks{first.weeks - 2}")
    ), first.weeks - 2)  # fmt: skip
    begun.folder.mkdir(parents=True)
    assert live_place(market.folder, root=tmp_path) == begun
    used_up = first.folder.with_name(first.folder.name.replace(str(first.weeks), "3"))
    used_up.mkdir()
    assert live_place(market.folder, root=tmp_path) == begun
    assert live_place(market.folder, weeks=7, root=tmp_path).weeks == 7


@pytest.fixture(scope="module")
def mixed(market: Market, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Futures that end 200 and 210 days before the spot candles beside them."""
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "futures").mkdir()
    for coin, early in (("BTC", 200), ("ETH", 210)):
        candles = market.candles(f"{coin}/USDT")
        candles.to_feather(folder / f"{coin}_USDT-5m.feather")
        contract = candles.iloc[: -early * 288].reset_index(drop=True)
        for kind in ("futures", "mark"):
            contract.to_feather(folder / "futures" / f"{coin}_USDT_USDT-5m-{kind}.feather")
    return folder


FUTURES_CONFIG = {
    "trading_mode": "futures",
    "exchange": {"pair_whitelist": ["BTC/USDT:USDT", "SOL/USDT:USDT"]},
}


def test_the_clock_is_set_by_what_the_bot_trades(mixed: Path, tmp_path: Path) -> None:
    """Set by the spot candles, it would put a futures bot behind the end of its own."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps(FUTURES_CONFIG))
    futures = bot_config_of(["freqtrade", "trade", "-c", str(config)])
    place = live_place(mixed, root=tmp_path, bot_config=futures)
    clock = Clock(shift_ms=place.weeks * WEEK_MS)
    served = TestClient(create_exchange(mixed, clock, lambda line: None))
    query = {"symbol": "BTCUSDT", "interval": "5m", "limit": 1}
    opening = served.get("/fapi/v1/klines", params=query).json()[0][0]
    assert 0 <= wall_clock_ms() - opening <= CANDLE_MS + 5000
    place.folder.mkdir(parents=True)
    spot = live_place(mixed, root=tmp_path)
    assert place.weeks - spot.weeks in (28, 29)
    assert live_place(mixed, root=tmp_path, bot_config=futures) == place


def test_the_whitelisted_pair_that_ends_first_counts(mixed: Path) -> None:
    day = 86_400_000
    last = last_opening(mixed)
    for names, early in ((["BTC"], 200), (["ETH", "BTC", "SOL"], 210), ([".*"], 200)):
        pairs = tuple(f"{name}/USDT:USDT" for name in names)
        assert last - last_opening(mixed, BotConfig(True, pairs)) == early * day


def test_what_a_bot_trades_is_read_as_freqtrade_reads_it(tmp_path: Path) -> None:
    (tmp_path / "below.json").write_text(json.dumps(FUTURES_CONFIG))
    upper = tmp_path / "upper.json"
    upper.write_text('{"add_config_files": ["below.json",], // as freqtrade allows\n"x": 1}')
    command = ["freqtrade", "trade", f"--config={upper}"]
    assert bot_config_of(command) == BotConfig(True, ("BTC/USDT:USDT", "SOL/USDT:USDT"))
    assert bot_config_of(command, ["ETH/USDT:USDT"]).pairs == ("ETH/USDT:USDT",)
    later = tmp_path / "later.json"
    later.write_text('{"trading_mode": "spot", "exchange": {"name": "binance"}}')
    assert bot_config_of([*command, "-c", str(later)]).futures is False
    assert bot_config_of(["freqtrade", "trade", "-c", str(tmp_path / "none.json")]) == BotConfig()


def test_the_bot_gets_folders_of_its_own_unless_it_names_some() -> None:
    command = with_live_folder(["freqtrade", "trade"], Path("x"))
    assert command[2:] == ["--datadir", "x/data", "--db-url", "sqlite:///x/trades.sqlite"]
    named = ["freqtrade", "trade", "-d", "data", "--db-url", "sqlite://"]
    assert with_live_folder(named, Path("x")) == named


def test_the_sandbox_moves_history_onto_the_clock_for_the_bot(
    market: Market, tmp_path: Path
) -> None:
    bot = tmp_path / "freqtrade"
    bot.write_text(
        f"#!{sys.executable}\n"
        "import json, os, sys, time, urllib.request as u\n"
        "config = json.load(open(sys.argv[-1]))\n"
        "url = config['exchange']['ccxt_config']['urls']['api']['public']\n"
        "rows = json.load(u.urlopen(url + '/klines?symbol=BTCUSDT&interval=5m&limit=1'))\n"
        "print(time.time() - rows[0][0] / 1000, config['dry_run'], *sys.argv[1:])\n"
    )
    bot.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "freqai_signals", "sandbox", "--datadir", str(market.folder),
         "--", str(bot), "trade"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip
    age, dry_run, *arguments = done.stdout.split()
    assert 0 <= float(age) < 330
    assert dry_run == "True"
    assert arguments[1] == "--datadir"
    assert "user_data/sandbox/live/" in arguments[2]
    assert "weeks after their date" in done.stderr
